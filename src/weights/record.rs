//! What a file of weights says of its use: the network, the classes, how images are prepared, and the kernels
//! that its run validated with. `train` writes it into the file's metadata, `evaluate` and `predict` obey it.

use super::{Error, TensorFile};
use crate::pictures::{Preprocessing, Standardise};
use crate::plan::{Pins, Schedule, Standard};
use std::collections::HashMap;
use std::fmt::Display;

/// The metadata of a file of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The network's name.
    pub model: String,
    /// The network's text; files of before there were texts name one of the box.
    pub network: Option<String>,
    /// By class number.
    pub class_names: Vec<String>,
    pub preprocessing: Preprocessing,
    /// Kernels of the forward pass; files of before this was written have none.
    pub variants: Pins,
    /// How their sums are cut.
    pub schedule: Option<Schedule>,
    /// Epochs done.
    pub epoch: u32,
}

const MODEL: &str = "model";
const NETWORK: &str = "network";
const CLASSES: &str = "class_names";
const RANGE: &str = "pixel_range";
const IMAGE: &str = "image";
const EPOCH: &str = "epoch";
const PREPROCESSING: &str = "preprocessing";
const VARIANTS: &str = "variants";
const SCHEDULE: &str = "schedule";

impl Record {
    /// The metadata that say this.
    pub fn metadata(&self) -> HashMap<String, String> {
        let [height, width, channels] = self.preprocessing.image;
        let mut entries = vec![
            (MODEL, self.model.clone()),
            (CLASSES, json(&self.class_names)),
            (RANGE, self.preprocessing.range.to_string()),
            (IMAGE, format!("{height}x{width}x{channels}")),
            (EPOCH, self.epoch.to_string()),
            (PREPROCESSING, json(&self.preprocessing)),
            (VARIANTS, json(&self.variants)),
        ];
        if let Some(text) = &self.network {
            entries.push((NETWORK, text.clone()));
        }
        if let Some(schedule) = &self.schedule {
            entries.push((SCHEDULE, json(schedule)));
        }
        let owned = entries.into_iter().map(|(key, value)| (key.into(), value));
        owned.collect()
    }

    /// What a file says.
    ///
    /// # Errors
    /// Where it does not say what cannot be guessed, or says what nobody can obey.
    pub fn of(file: &TensorFile) -> Result<Record, Error> {
        let wrong = |what: String| Error::Record {
            path: file.path().into(),
            what,
        };
        let needed = |key: &str| {
            let missing = || {
                wrong(format!(
                    "it does not name its {} (`{key}` is not in its metadata): weights that `fer-gpu train` wrote do",
                    key.replace('_', " ")
                ))
            };
            file.metadata(key).ok_or_else(missing)
        };
        let unreadable =
            |key: &str, why: &dyn Display| wrong(format!("its `{key}` cannot be read: {why}"));
        let model = needed(MODEL)?.to_string();
        let class_names: Vec<String> =
            serde_json::from_str(needed(CLASSES)?).map_err(|why| unreadable(CLASSES, &why))?;
        if class_names.len() < 2 {
            return Err(wrong(format!("its class names are {class_names:?}")));
        }
        let preprocessing = match file.metadata(PREPROCESSING) {
            Some(text) => {
                serde_json::from_str(text).map_err(|why| unreadable(PREPROCESSING, &why))?
            }
            // Files of before there was a record.
            None => {
                let range = needed(RANGE)?
                    .parse()
                    .map_err(|why| unreadable(RANGE, &why))?;
                let image = image(needed(IMAGE)?)
                    .ok_or_else(|| unreadable(IMAGE, &"height x width x channels is expected"))?;
                Preprocessing::usual(image, range)
            }
        };
        let preprocessing: Preprocessing = preprocessing;
        preprocessing
            .check()
            .map_err(|why| unreadable(PREPROCESSING, &why))?;
        let variants = match file.metadata(VARIANTS) {
            Some(text) => serde_json::from_str(text).map_err(|why| unreadable(VARIANTS, &why))?,
            None => Pins::default(),
        };
        let schedule: Option<Schedule> = match file.metadata(SCHEDULE) {
            Some(text) => {
                Some(serde_json::from_str(text).map_err(|why| unreadable(SCHEDULE, &why))?)
            }
            None => None,
        };
        if let Some(schedule) = schedule.filter(|s| s.split_k == 0 || s.images_per_split == 0) {
            return Err(wrong(format!("its schedule is {schedule:?}")));
        }
        let epoch = file.metadata(EPOCH).and_then(|text| text.parse().ok());
        Ok(Record {
            model,
            network: file.metadata(NETWORK).map(String::from),
            class_names,
            preprocessing,
            variants,
            schedule,
            epoch: epoch.unwrap_or(0),
        })
    }
}

/// How images were prepared for the network that a file is of, if it says so.
pub fn preprocessing(file: &TensorFile) -> Option<Preprocessing> {
    serde_json::from_str(file.metadata(PREPROCESSING)?).ok()
}

impl From<&Standardise> for Standard {
    /// In f32, as the device has it; the inverse is taken in f64.
    fn from(standardise: &Standardise) -> Standard {
        match standardise {
            Standardise::Channel { mean, deviation } => Standard::Channels {
                mean: mean.iter().map(|&mean| mean as f32).collect(),
                scale: deviation.iter().map(|&d| (1.0 / d) as f32).collect(),
            },
            Standardise::Picture { epsilon } => Standard::Pictures {
                epsilon: *epsilon as f32,
            },
        }
    }
}

/// The classes of the network that a file is of, if it says so.
pub fn class_names(file: &TensorFile) -> Option<Vec<String>> {
    serde_json::from_str(file.metadata(CLASSES)?).ok()
}

/// `48x48x1`
fn image(text: &str) -> Option<[usize; 3]> {
    let extents: Option<Vec<usize>> = text.split('x').map(|part| part.parse().ok()).collect();
    extents?.try_into().ok()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers")
}
