//! What commands take of a run's folder: its configuration, and the images that it validates on.

use super::{Error, output};
use crate::data::{self, Dataset, SAMPLE_FACES, Validation};
use crate::files::{self, Sealed};
use crate::ingest;
use crate::train::{CONFIG, Config};
use crate::weights::Record;
use std::path::Path;

/// The configuration of the run whose folder that is, as the run wrote it.
pub fn run_of(folder: &Path) -> Result<Option<Config>, Error> {
    let path = folder.join(CONFIG);
    let Ok(text) = files::read_small(&path) else {
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
    let read = |data: &Path| {
        let ready = ingest::resolve(data, wanted.image, &mut |_| ())?;
        ready.notice.into_iter().for_each(output::note);
        let classes = &record.class_names;
        let mut read = data::validation(&ready.folder, wanted.image, wanted.range, classes)?;
        if read.reordered {
            output::note(format_args!(
                "{} numbers its classes in another order than the network: they were matched by name",
                data.display()
            ));
        }
        read.dataset.name = data.display().to_string();
        Ok::<Validation, Error>(read)
    };
    match (data, run) {
        (Some(folder), _) => read(folder),
        (None, Some(run)) => match (&run.data, &run.data_absolute) {
            (Some(folder), Some(absolute)) if !folder.exists() => read(absolute),
            (Some(folder), _) => read(folder),
            (None, _) => {
                let faces = Dataset::sample_faces(run.seed, SAMPLE_FACES);
                let duplicates = Some(data::duplicates(&faces.train, &faces.test));
                Ok(Validation {
                    dataset: faces,
                    duplicates,
                    reordered: false,
                })
            }
        },
        (None, None) => Err(Error::NoData(weights.into())),
    }
}
