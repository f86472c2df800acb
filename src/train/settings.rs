//! What a run is asked for: a new one or one that goes on, and how this process is to go about it.

use super::Error;
use super::state::{Config, Saved};
use crate::documents;
use crate::gpu::{LimitChoice, Selector};
use crate::network::Network;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the user asked for, apart from what defines the run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub start: Start,
    pub device: Selector,
    pub limits: LimitChoice,
    /// Steps in this process.
    pub steps: Option<u64>,
    pub checkpoint_every: Duration,
    pub log_steps: bool,
    pub check: bool,
    /// Gather on the host even where the set would fit the device.
    pub host_data: bool,
    /// May the folder of a new run have images of the data set?
    pub pictures: bool,
    /// When the process began.
    pub started: Instant,
}

/// A new run, or one that goes on.
#[derive(Clone, Debug)]
pub enum Start {
    New {
        config: Box<Config>,
        out: Out,
        init_from: Option<PathBuf>,
        /// Refuse weights to begin with that are not just those of the network.
        strict: bool,
    },
    Resume {
        /// The run's folder, or the resume point in it.
        folder: PathBuf,
        /// What of the configuration the command line repeats or changes.
        given: Given,
        /// Take a resume point of before there were hashes.
        accept_unhashed: bool,
    },
}

impl Start {
    /// May the resume point be without a hash?
    pub(super) fn accepts_unhashed(&self) -> bool {
        matches!(
            self,
            Start::Resume {
                accept_unhashed: true,
                ..
            }
        )
    }
}

/// Where a new run lies.
#[derive(Clone, Debug)]
pub enum Out {
    /// There, if that holds no run.
    Given(PathBuf),
    /// There, or where something has that name, there with a number behind it.
    Fresh(PathBuf),
}

/// Options that the user gave beside `--resume`: epochs and learning rate may change, the rest
/// must be what the run has.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub model: Option<String>,
    pub data: Option<PathBuf>,
    pub epochs: Option<u32>,
    pub batch: Option<u32>,
    pub learning_rate: Option<f64>,
    pub optimizer: Option<String>,
    pub momentum: Option<f64>,
    /// Said, or left open.
    pub nesterov: bool,
    pub seed: Option<u64>,
}

impl Given {
    /// The configuration of a run that goes on.
    pub(super) fn apply(&self, saved: &Saved) -> Result<Config, Error> {
        let stored = &saved.config;
        let same = |what, stored: String, given: Option<String>| match given {
            Some(given) if given != stored => Err(Error::Differs {
                what,
                stored,
                given,
            }),
            _ => Ok(()),
        };
        if let Some(model) = &self.model {
            let given = Network::named(model)?;
            same("model", stored.model.clone(), Some(given.name))?;
            if documents::is_path(model) && saved.network.as_ref() != Some(&given.text) {
                let stored = "with the text that it began with".to_string();
                same(
                    "the network",
                    stored,
                    Some(format!("that of {model}, which is another")),
                )?;
            }
        }
        same(
            "batch",
            stored.batch.to_string(),
            self.batch.map(|b| b.to_string()),
        )?;
        same(
            "optimizer",
            stored.optimizer.clone(),
            self.optimizer.clone(),
        )?;
        same(
            "momentum",
            stored.momentum.to_string(),
            self.momentum.map(|m| m.to_string()),
        )?;
        same(
            "nesterov",
            stored.nesterov.to_string(),
            self.nesterov.then(|| true.to_string()),
        )?;
        same(
            "seed",
            stored.seed.to_string(),
            self.seed.map(|s| s.to_string()),
        )?;
        Ok(Config {
            epochs: self.epochs.unwrap_or(stored.epochs),
            learning_rate: self.learning_rate.unwrap_or(stored.learning_rate),
            // Another place is fine, other contents are not: the hash is compared.
            data: self.data.clone().or_else(|| stored.data.clone()),
            data_absolute: match self.data {
                Some(_) => None,
                None => stored.data_absolute.clone(),
            },
            ..stored.clone()
        })
    }
}
