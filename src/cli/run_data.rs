//! What commands take of a run's folder: its configuration, and the images that it validates on.

use super::Error;
use crate::data::{self, Dataset, SAMPLE_FACES, Validation};
use crate::files::Sealed;
use crate::inference;
use crate::train::{CONFIG, Config};
use crate::weights::Record;
use std::path::Path;

/// The configuration of the run whose folder that is, as the run wrote it.
pub fn run_of(folder: &Path) -> Result<Option<Config>, Error> {
    let path = folder.join(CONFIG);
    let Ok(text) = std::fs::read(&path) else {
        return Ok(None);
    };
    let config = serde_json::from_slice(&text);
    match (Sealed::of(&text), config) {
        (Ok(_), Ok(config)) => Ok(Some(config)),
        _ => Err(Error::Config(path)),
    }
}

/// The images in `data`, or else those that the run validates on; `weights` is what the user named.
pub fn validation(
    weights: &Path,
    data: Option<&Path>,
    record: &Record,
    run: Option<&Config>,
) -> Result<Validation, Error> {
    let wanted = &record.preprocessing;
    let read = |folder: &Path| {
        let classes = &record.class_names;
        let read = data::validation(folder, wanted.image, wanted.range, classes);
        read.map_err(inference::Error::from)
    };
    match (data, run) {
        (Some(folder), _) => Ok(read(folder)?),
        (None, Some(run)) => match (&run.data, &run.data_absolute) {
            (Some(folder), Some(absolute)) if !folder.exists() => Ok(read(absolute)?),
            (Some(folder), _) => Ok(read(folder)?),
            (None, _) => {
                let faces = Dataset::sample_faces(run.seed, SAMPLE_FACES);
                let duplicates = Some(data::duplicates(&faces.train, &faces.test));
                Ok(Validation {
                    dataset: faces,
                    duplicates,
                })
            }
        },
        (None, None) => Err(Error::NoData(weights.into())),
    }
}
