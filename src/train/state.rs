//! What a run is and where it stands: the configuration, and the resume point, which is one
//! file, so that weights, moments and place always belong together.

use super::Error;
use super::recipe::Recipe;
use super::regime::Regime;
use super::steps::Written;
use super::watch::Waiting;
use crate::augment;
use crate::files::{self, Sealed};
use crate::gpu::Executor;
use crate::network::{self, Network};
use crate::pictures::{Preprocessing, Standardise};
use crate::plan::{self, Decay, Pins, Plan, Schedule, Training};
use crate::rules::{self, Choices, Rule};
use crate::weights::{self, Contents, Record, TensorFile};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What defines a run: the same configuration, data and adapter give the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The network's name.
    pub model: String,
    /// The file that its text was read from, from the root; none for a network of the box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_file: Option<PathBuf>,
    /// Total, also after resuming.
    pub epochs: u32,
    pub batch: u32,
    pub learning_rate: f64,
    pub optimizer: String,
    /// 0 for none, as in files of before there was any.
    #[serde(default)]
    pub momentum: f64,
    #[serde(default)]
    pub nesterov: bool,
    /// What else defines how it learns.
    #[serde(flatten)]
    pub regime: Regime,
    pub seed: u64,
    pub shuffle: bool,
    /// Train on the first batch alone.
    pub overfit_batch: bool,
    /// The file of weights that it began with, from the root; none for weights drawn from the seed.
    #[serde(default)]
    pub init_from: Option<PathBuf>,
    /// The data folder; none for generated sample faces.
    pub data: Option<PathBuf>,
    /// The same from the root, for those who resume elsewhere.
    #[serde(default)]
    pub data_absolute: Option<PathBuf>,
    pub class_names: Vec<String>,
    /// `0..255`, `0..1` or `-1..1`.
    pub pixel_range: String,
    /// Height, width, channels.
    pub image: [usize; 3],
    /// What was found of the training set, or was said, of how pixels are standardised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardised: Option<Standardise>,
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1.
    pub epoch: u32,
    pub loss: f64,
    pub accuracy: f64,
    /// Not finite where the weights overflow on a validation image.
    #[serde(deserialize_with = "null_is_nan")]
    pub val_loss: f64,
    pub val_accuracy: f64,
    pub seconds: f64,
    /// None in files of before it was written down: then that of the run.
    #[serde(default)]
    pub learning_rate: Option<f64>,
}

/// JSON has no NaN: it is written as null.
fn null_is_nan<'de, D: serde::Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or(f64::NAN))
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Optimiser steps done.
    pub step: u64,
    /// Whole epochs done.
    pub epoch: u32,
    /// Batches of the current epoch done, and their sums.
    pub batch_in_epoch: u32,
    pub loss_sum: f64,
    pub correct: u64,
    pub rows: u64,
    /// Seconds that the current epoch has taken.
    pub seconds: f64,
    /// The lowest validation loss, and its epoch.
    pub best: Option<(f64, u32)>,
    pub history: Vec<EpochRow>,
    /// What a plateau has made of the learning rate.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub rate_factor: f64,
    #[serde(default)]
    pub plateau: Waiting,
    #[serde(default)]
    pub stopping: Waiting,
    /// Did early stopping end it with its last epoch?
    #[serde(default)]
    pub stopped_early: bool,
}

fn one() -> f64 {
    1.0
}

fn is_one(number: &f64) -> bool {
    *number == 1.0
}

impl Default for State {
    fn default() -> State {
        State {
            step: 0,
            epoch: 0,
            batch_in_epoch: 0,
            loss_sum: 0.0,
            correct: 0,
            rows: 0,
            seconds: 0.0,
            best: None,
            history: Vec::new(),
            rate_factor: 1.0,
            plateau: Waiting::default(),
            stopping: Waiting::default(),
            stopped_early: false,
        }
    }
}

/// The resume point without its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    pub config: Config,
    pub state: State,
    /// The network's text: it stays as it was when the run began. Files of before there were texts have none.
    #[serde(default)]
    pub network: Option<String>,
    /// xxh3-128 of the data set.
    pub data_hash: String,
    /// The kernels that ran.
    pub variants: Pins,
    /// How their work was cut; files of before this was open do not say.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    #[serde(default)]
    pub origin: Origin,
    /// What of steps.csv belongs to the run so far.
    #[serde(default)]
    pub steps: Option<Written>,
}

/// Where the tensors of a resume point come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// They are in its file.
    #[default]
    Saved,
    /// No step was done: they are drawn from the seed.
    Drawn,
    /// No step was done: the weights are those of a file.
    File {
        path: PathBuf,
        /// xxh3-128 of its content.
        hash: String,
    },
}

pub use crate::weights::{AVERAGE, BEST, LAST};

/// File names of a run's folder, beside those of its weights.
pub const CONFIG: &str = "config.json";
pub const RECIPE: &str = "recipe.toml";
/// Of a network that is none of the box.
pub const NETWORK: &str = "network.toml";
pub const HISTORY: &str = "history.csv";
pub const CURVES: &str = "curves.svg";
/// The first batch as training sees it, where it changes its images.
pub const AUGMENTED: &str = "augmented.png";
pub const REPORT: &str = "report.html";
pub const STEPS: &str = "steps.csv";
pub const RESUME: &str = "resume.safetensors";

/// Every file that a run writes by replacing it.
pub const REPLACED: [&str; 12] = [
    CONFIG, RECIPE, NETWORK, HISTORY, CURVES, AUGMENTED, REPORT, STEPS, BEST, LAST, AVERAGE, RESUME,
];

const KEY: &str = "fer-gpu resume point";

fn refused(path: &Path, why: &str) -> Error {
    Error::Resume {
        path: path.into(),
        why: why.into(),
    }
}

impl Saved {
    /// Refuses a folder without a resume point.
    pub fn is_there(folder: &Path) -> Result<(), Error> {
        let why = match folder.is_dir() {
            false => "there is no such folder".into(),
            true if !folder.join(RESUME).exists() => format!("it has no {RESUME}"),
            true => return Ok(()),
        };
        Err(refused(folder, &why))
    }

    /// Reads a run's resume point; its tensors stay in the returned file.
    ///
    /// # Errors
    /// If there is none, if it was changed since it was written, or if it has no seal and
    /// `accept_unhashed` does not say that this is as it should be.
    pub fn open(folder: &Path, accept_unhashed: bool) -> Result<(Saved, TensorFile), Error> {
        Saved::is_there(folder)?;
        let path = folder.join(RESUME);
        let file = TensorFile::open(&path, "the run's resume point")?;
        if file.seal == Sealed::Never && !accept_unhashed {
            return Err(Error::Unhashed(path));
        }
        let text = file
            .metadata(KEY)
            .ok_or_else(|| refused(&path, "its header has no state"))?;
        let saved: Saved =
            serde_json::from_str(text).map_err(|e| refused(&path, &e.to_string()))?;
        saved
            .state
            .check(&saved.config)
            .and_then(|()| saved.check())
            .map_err(|why| refused(&path, &why))?;
        Ok((saved, file))
    }

    /// Writes the resume point and its tensors as one unit.
    pub fn write(&self, executor: &Executor, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_string(self).expect("numbers and strings");
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        let contents = match self.origin {
            Origin::Saved => Contents::Training,
            Origin::Drawn | Origin::File { .. } => Contents::Nothing,
        };
        let path = folder.join(RESUME);
        Ok(weights::save(executor, &path, contents, metadata)?)
    }

    /// Is it one that a run can have written?
    fn check(&self) -> Result<(), String> {
        if let Some(schedule) = &self.schedule
            && (schedule.images_per_split == 0 || schedule.split_k == 0)
        {
            return Err(format!("its schedule is {schedule:?}"));
        }
        if self.config.class_names.len() < 2 {
            return Err(format!("its class names are {:?}", self.config.class_names));
        }
        if let Err(error) = self.config.rule() {
            let choices = self.config.choices();
            let optimizer = &self.config.optimizer;
            return Err(format!(
                "its optimizer is `{optimizer}` with {choices:?} ({error})"
            ));
        }
        self.config.regime.check(self.config.batch)?;
        let standardised = self.config.standardised.as_ref();
        if standardised.is_some() != self.config.regime.standardise.is_some() {
            return Err("it does not say by what it is standardised".into());
        }
        standardised
            .map_or(Ok(()), |found| found.check(self.config.image[2]))
            .map_err(|why| why.to_string())?;
        if self.origin != Origin::Saved && self.state != State::default() {
            return Err("it has done steps but no tensors".into());
        }
        Ok(())
    }
}

impl State {
    /// The last epoch's validation loss, with the epoch, if it is the lowest.
    pub fn improved(&self) -> Option<(f64, u32)> {
        let row = self.history.last()?;
        let lower = self.best.is_none_or(|(lowest, _)| row.val_loss < lowest);
        (lower && row.val_loss.is_finite()).then_some((row.val_loss, row.epoch))
    }

    /// Did the last epoch end with a validation loss that is not finite?
    pub fn overflows(&self) -> bool {
        let last = self.history.last();
        last.is_some_and(|row| !row.val_loss.is_finite())
    }

    /// Is it one that a run of this configuration can reach?
    fn check(&self, config: &Config) -> Result<(), String> {
        let finite = self.loss_sum.is_finite() && self.seconds.is_finite() && self.seconds >= 0.0;
        let factor = self.rate_factor;
        if !(factor > 0.0 && factor <= 1.0) {
            return Err(format!("its learning rate is multiplied with {factor}"));
        }
        let rows = self.batch_in_epoch as u64 * config.batch as u64;
        if !finite || self.rows > rows || self.correct > self.rows {
            return Err("the sums of its epoch are none".into());
        }
        let epochs = self.history.iter().map(|row| row.epoch);
        if !epochs.eq(1..=self.epoch) {
            return Err("its epochs and its history differ".into());
        }
        if let Some((loss, epoch)) = self.best {
            let row = self.history.get((epoch as usize).wrapping_sub(1));
            if row.is_none_or(|row| row.val_loss != loss) {
                return Err("its best epoch is not in its history".into());
            }
        }
        Ok(())
    }

    /// Is it one that a run over `rows` training images can reach?
    pub fn fits(&self, rows: usize, batch: u32) -> Result<(), String> {
        let batches = rows.div_ceil(batch as usize) as u64;
        let (epoch, batch_in_epoch) = (self.epoch as u64, self.batch_in_epoch as u64);
        if batch_in_epoch > batches {
            return Err(format!(
                "it stands at batch {batch_in_epoch} of an epoch of {batches}"
            ));
        }
        let expected = epoch * batches + batch_in_epoch;
        if self.step != expected || expected > u32::MAX as u64 {
            return Err(format!(
                "it has done {} steps, its epochs have {expected}",
                self.step
            ));
        }
        if self.rows != (batch_in_epoch * batch as u64).min(rows as u64) {
            return Err(format!("it has seen {} images of its epoch", self.rows));
        }
        Ok(())
    }
}

impl Config {
    /// The network that it names, as its text is now.
    ///
    /// # Errors
    /// If there is none, or its file is no network.
    pub fn network(&self) -> Result<Network, network::Error> {
        match &self.model_file {
            Some(file) => Network::read(file),
            None => Network::named(&self.model),
        }
    }

    /// The optimiser that it names.
    ///
    /// # Errors
    /// If there is none, or if it takes no such momentum.
    pub fn rule(&self) -> Result<Arc<dyn Rule>, rules::Error> {
        rules::find(&self.optimizer, &self.choices())
    }

    /// What was chosen of it.
    pub fn choices(&self) -> Choices {
        let Regime {
            rho,
            beta_1,
            beta_2,
            epsilon,
            ..
        } = self.regime;
        Choices {
            momentum: (self.momentum != 0.0).then_some(self.momentum),
            nesterov: self.nesterov,
            rho,
            beta_1,
            beta_2,
            epsilon,
        }
    }

    /// The share of itself, times the learning rate, that a decaying weight loses each step.
    pub fn weight_decay(&self) -> f64 {
        let usual = || self.rule().map_or(0.0, |rule| rule.usual_decay());
        self.regime.weight_decay.unwrap_or_else(usual)
    }

    /// Lets plateaus and early stopping see an epoch that had that learning rate at its end.
    pub(super) fn watch(&self, row: &EpochRow, rate: f64, state: &mut State) {
        if let Some(plateau) = &self.regime.reduce_on_plateau {
            let factor = plateau.factor(row, rate, &mut state.plateau);
            state.rate_factor *= factor.unwrap_or(1.0);
        }
        if let Some(stopping) = &self.regime.early_stopping {
            state.stopped_early = stopping.ends(row, &mut state.stopping);
        }
    }

    /// What a step does beside the rule.
    pub fn training(&self) -> Training {
        Training {
            shards: self.regime.shards,
            decay: match self.weight_decay() {
                0.0 => Decay::None,
                _ => self.regime.decay.into(),
            },
            clip: self.regime.clip,
            average: self.regime.ema.is_some(),
            augment: self
                .regime
                .augment
                .as_ref()
                .and(self.pixel_range.parse().ok())
                .map(augment::bounds),
        }
    }

    /// Images of a shard.
    pub fn shard_batch(&self) -> u32 {
        self.batch / self.regime.shards
    }

    /// Writes it with the recipe that makes the run again, and the text of a network that is none of the box.
    pub fn write(&self, folder: &Path, network: Option<&str>) -> Result<(), Error> {
        let path = folder.join(CONFIG);
        files::replace_text(&path, &files::sealed_json(self))?;
        if let (Some(text), Some(_)) = (network, &self.model_file) {
            files::replace_text(&folder.join(NETWORK), text)?;
        }
        let head =
            "Makes this run again on the same data: fer-gpu train --recipe recipe.toml --data ...";
        let text = Recipe::of(self).text(head);
        Ok(files::replace_text(&folder.join(RECIPE), &text)?)
    }

    /// Refuses a config.json that somebody edited, with what differs from this, the run's own.
    /// One that the run wrote may differ: it was killed before its next resume point.
    pub fn is_unedited(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(CONFIG);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(files::Error::read(&path, source).into()),
        };
        if Sealed::of(&text) == Ok(Sealed::Unchanged) {
            return Ok(());
        }
        let differences = self.differences(&text);
        if differences.is_empty() {
            return Ok(());
        }
        let differences = differences.join(", ");
        Err(Error::Edited { path, differences })
    }

    /// May a version have written this that did not know that field?
    fn is_of_later(&self, field: &str) -> bool {
        match field {
            "data_absolute" => true,
            "model_file" => self.model_file.is_none(),
            "init_from" => self.init_from.is_none(),
            "momentum" => self.momentum == 0.0,
            "nesterov" => !self.nesterov,
            _ => false,
        }
    }

    /// What a JSON text says otherwise.
    fn differences(&self, text: &[u8]) -> Vec<String> {
        let own = serde_json::to_value(self).expect("numbers and strings");
        let own = own.as_object().expect("a struct");
        let found: serde_json::Map<String, serde_json::Value> = match serde_json::from_slice(text) {
            Ok(found) => found,
            Err(error) => return vec![format!("it is no JSON object ({error})")],
        };
        let changed = own
            .iter()
            .filter_map(|(name, value)| match found.get(name) {
                Some(other) if other == value => None,
                Some(other) => Some(format!("{name} is {other} instead of {value}")),
                None if self.is_of_later(name) => None,
                None => Some(format!("{name} is missing")),
            });
        let added = found.keys().filter(|name| !own.contains_key(*name));
        let added = added.filter(|name| *name != files::KEY);
        changed
            .chain(added.map(|name| format!("{name} is unknown")))
            .collect()
    }

    /// What a file of the run's weights says of their use.
    pub fn record(&self, network: &Network, epoch: u32, plan: &Plan) -> Record {
        let range = self.pixel_range.parse().expect("the data set's");
        let evaluate = plan.program(plan::EVALUATE);
        Record {
            model: self.model.clone(),
            network: Some(network.text.clone()),
            class_names: self.class_names.clone(),
            preprocessing: Preprocessing {
                standardise: self.standardised.clone(),
                ..Preprocessing::usual(self.image, range)
            },
            variants: evaluate
                .map(|program| program.variants())
                .unwrap_or_default(),
            schedule: Some(plan.schedule),
            epoch,
        }
    }
}
