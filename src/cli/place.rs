//! Where an output may lie: over nothing that the command reads, no file of a run or a data set, and no file of
//! another kind than the one to be made.

use super::Error;
use crate::data::{CLASSES, FILES};
use crate::files::{self, Target};
use crate::train::{BEST, CONFIG, HISTORY, LAST, RESUME, STEPS};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What a run's folder has and no report may replace.
const OF_RUN: [&str; 6] = [CONFIG, HISTORY, STEPS, BEST, LAST, RESUME];

/// Refuses an output that would go where nothing can be written, or over something that the command reads.
pub fn spare<'a>(
    report: &Option<PathBuf>,
    mut read: impl Iterator<Item = &'a PathBuf>,
) -> Result<(), Error> {
    let Some(path) = report.as_deref().filter(|path| *path != Path::new("-")) else {
        return Ok(());
    };
    if path.is_dir() {
        return Err(Error::OutputIsFolder(path.into()));
    }
    must_not_belong(path)?;
    // Comparing opens both: of a pipe that would wait for whoever is at its other end.
    let same = |other: &PathBuf| {
        path.is_file() && other.is_file() && same_file::is_same_file(path, other).unwrap_or(false)
    };
    match read.any(same) {
        true => Err(Error::OutputOverInput(path.into())),
        false => Ok(()),
    }
}

/// Refuses an output in place of a file of a run or of a data set, whose meaning it would take away.
pub fn must_not_belong(path: &Path) -> Result<(), Error> {
    let Ok(Target::Replace(place)) = Target::of(path) else {
        return Ok(());
    };
    let is = |names: &[&str]| names.iter().any(|name| place.ends_with(name)) && place.exists();
    let of_run = place.with_file_name(CONFIG).exists() && is(&OF_RUN);
    match of_run || is(&FILES) || is(&[CLASSES]) {
        true => Err(Error::OutputOverFile(path.into())),
        false => Ok(()),
    }
}

/// What an existing file is, of which a command may make a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// A page of ours.
    Page,
    /// A picture of ours.
    Png,
    /// A text: by its ending.
    Text(&'static [&'static str]),
}

/// A table of values.
pub const TABLE: Made = Made::Text(&["csv", "tsv", "txt", ""]);

/// Refuses an output in place of a file of another kind than the one to be made.
pub fn must_be_made_here(path: &Path, made: Made) -> Result<(), Error> {
    let Ok(Target::Replace(place)) = Target::of(path) else {
        return Ok(());
    };
    let mut head = Vec::new();
    let read = File::open(&place).and_then(|file| file.take(4096).read_to_end(&mut head));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(files::Error::read(path, error).into()),
    }
    let holds = |mark: &[u8]| head.windows(mark.len()).any(|window| window == mark);
    let is_ours = match made {
        _ if head.is_empty() => true,
        Made::Page => holds(crate::report::GENERATOR.as_bytes()),
        Made::Png => holds(crate::drawing::SOFTWARE.as_bytes()),
        Made::Text(endings) => {
            let ending = place.extension().unwrap_or_default();
            endings
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        }
    };
    match is_ours {
        true => Ok(()),
        false => Err(Error::OutputOverOther(path.into())),
    }
}
