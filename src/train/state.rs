//! What a run is and where it stands: the configuration, and the resume point, which is one
//! file, so that weights, moments and place always belong together.

use super::tensors::{self, TRAINING, TensorFile};
use super::{Error, files};
use crate::gpu::Executor;
use crate::plan::{Pins, Schedule};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What defines a run: the same configuration, data and adapter give the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    pub model: String,
    /// Total, also after resuming.
    pub epochs: u32,
    pub batch: u32,
    pub learning_rate: f64,
    pub optimizer: String,
    pub seed: u64,
    pub shuffle: bool,
    /// Train on the first batch alone.
    pub overfit_batch: bool,
    /// The data folder; none for generated sample faces.
    pub data: Option<PathBuf>,
    pub class_names: Vec<String>,
    /// `0..255`, `0..1` or `-1..1`.
    pub pixel_range: String,
    /// Height, width, channels.
    pub image: [usize; 3],
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
}

/// JSON has no NaN: it is written as null.
fn null_is_nan<'de, D: serde::Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or(f64::NAN))
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
}

/// The resume point without its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    pub config: Config,
    pub state: State,
    /// xxh3-128 of the data set.
    pub data_hash: String,
    /// The kernels that ran.
    pub variants: Pins,
    /// How their work was cut; files of before this was open do not say.
    #[serde(default)]
    pub schedule: Option<Schedule>,
}

/// File names of a run's folder.
pub const CONFIG: &str = "config.json";
pub const HISTORY: &str = "history.csv";
pub const STEPS: &str = "steps.csv";
pub const BEST: &str = "best.safetensors";
pub const LAST: &str = "last.safetensors";
pub const RESUME: &str = "resume.safetensors";

const KEY: &str = "fer-gpu resume point";

impl Saved {
    /// Reads a run's resume point; its tensors stay in the returned file.
    pub fn open(folder: &Path) -> Result<(Saved, TensorFile), Error> {
        let path = folder.join(RESUME);
        if folder.is_dir() && !path.exists() {
            return Err(Error::Resume {
                path: folder.into(),
                why: format!("it has no {RESUME}"),
            });
        }
        let file = TensorFile::open(&path)?;
        let foreign = |why: String| Error::Resume {
            path: path.clone(),
            why,
        };
        let text = file
            .metadata(KEY)
            .ok_or_else(|| foreign("its header has no state".into()))?;
        let saved = serde_json::from_str(text).map_err(|e| foreign(e.to_string()))?;
        Ok((saved, file))
    }

    /// Writes the resume point and its tensors as one unit.
    pub fn write(&self, executor: &Executor, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_string(self).expect("numbers and strings");
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        tensors::save(executor, &folder.join(RESUME), TRAINING, metadata)
    }
}

impl Config {
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).expect("numbers and strings");
        files::replace(&folder.join(CONFIG), |file| {
            writeln!(file, "{text}").map_err(|source| files::failed(&folder.join(CONFIG), source))
        })
    }

    /// What a model file tells those who use it.
    pub fn metadata(&self, epoch: u32) -> HashMap<String, String> {
        let entry = |key: &str, value: String| (key.to_string(), value);
        let [height, width, channels] = self.image;
        HashMap::from([
            entry("model", self.model.clone()),
            entry(
                "class_names",
                serde_json::to_string(&self.class_names).expect("strings"),
            ),
            entry("pixel_range", self.pixel_range.clone()),
            entry("image", format!("{height}x{width}x{channels}")),
            entry("epoch", epoch.to_string()),
        ])
    }
}

/// Rewrites history.csv from the state: a row an epoch, as Keras's CSVLogger.
pub fn write_history(folder: &Path, history: &[EpochRow]) -> Result<(), Error> {
    let path = folder.join(HISTORY);
    files::replace(&path, |file| {
        let failed = |source| files::failed(&path, source);
        writeln!(file, "epoch,loss,accuracy,val_loss,val_accuracy,seconds").map_err(failed)?;
        for row in history {
            let EpochRow {
                epoch,
                loss,
                accuracy,
                val_loss,
                val_accuracy,
                seconds,
            } = row;
            writeln!(
                file,
                "{epoch},{loss:.9},{accuracy:.9},{val_loss:.9},{val_accuracy:.9},{seconds:.3}"
            )
            .map_err(failed)?;
        }
        Ok(())
    })
}
