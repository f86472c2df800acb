//! A source that somebody trains on directly is imported once, into the user's cache: named by where it lies, what
//! it holds and what is wanted of it, so that a change of any of them makes another import.

use super::{Error, Event, Imported, Kind, Options, Private, Targets, Wanted, import, kind};
use crate::data::FILES;
use crate::files::{self, Sealed};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::Xxh3;

/// A change of what an import makes is a change of this.
const VERSION: &str = "fer-gpu import 1";

/// What an import left to say, beside its arrays.
const TOLD: &str = "import.json";

/// A folder of arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    pub folder: PathBuf,
    /// What the user should know of an import.
    pub notice: Option<String>,
}

/// Kept with the arrays: faults are told each time.
#[derive(Serialize, Deserialize)]
struct Told {
    source: PathBuf,
    notice: Option<String>,
    /// Bytes of each array.
    bytes: Vec<u64>,
}

/// How long the arrays in a folder are; none where one is missing.
fn lengths(folder: &Path) -> Option<Vec<u64>> {
    let of = |name: &&str| Some(fs::metadata(folder.join(name)).ok()?.len());
    FILES.iter().map(of).collect()
}

/// The folder of arrays that a path means: itself, or what a CSV or folder of pictures was imported to, for images
/// of (height, width, channels).
///
/// # Errors
/// Those of [`import`]; where the system names no folder for caches.
pub fn resolve(
    source: &Path,
    image: [usize; 3],
    observe: &mut dyn FnMut(Event),
) -> Result<Ready, Error> {
    if kind(source)? == Kind::Arrays {
        let folder = source.into();
        return Ok(Ready {
            folder,
            notice: None,
        });
    }
    let cache = files::cache_folder().ok_or(Error::NoCache)?;
    let wanted = Wanted::image(image);
    let folder = cache.join(format!("data-{:032x}", key(source, wanted)?));
    if let Some(told) = told(&folder) {
        return Ok(Ready {
            folder,
            notice: told.notice,
        });
    }
    let failed = |source| Error::Cache {
        path: cache.clone(),
        source,
    };
    fs::create_dir_all(&cache).map_err(failed)?;
    let draft = tempfile::Builder::new()
        .prefix("data-import-")
        .tempdir_in(&cache)
        .map_err(failed)?;
    let options = Options {
        wanted,
        private: Private::LeftOut,
        test_share: None,
        seed: 0,
        votes: None,
        targets: Targets::Majority,
        strict: false,
    };
    let imported = import(source, draft.path(), &options, observe)?;
    let notice = notice(source, &imported);
    let told = Told {
        source: source.into(),
        notice: notice.clone(),
        bytes: lengths(draft.path()).unwrap_or_default(),
    };
    files::replace_text(&draft.path().join(TOLD), &files::sealed_json(&told))?;
    // What is damaged there goes; another process may have been faster, and both made the same.
    if folder.exists() && self::told(&folder).is_none() {
        fs::remove_dir_all(&folder).map_err(|source| files::Error::write(&folder, source))?;
    }
    match fs::rename(draft.path(), &folder) {
        Ok(()) => drop(draft.keep()),
        Err(_) if folder.join(TOLD).exists() => {}
        Err(error) => return Err(files::Error::write(&folder, error).into()),
    }
    Ok(Ready { folder, notice })
}

/// What an earlier import said, if there was one.
fn told(folder: &Path) -> Option<Told> {
    let text = fs::read(folder.join(TOLD)).ok()?;
    Sealed::of(&text).ok()?;
    let told: Told = serde_json::from_slice(&text).ok()?;
    (Some(&told.bytes) == lengths(folder).as_ref()).then_some(told)
}

fn notice(source: &Path, imported: &Imported) -> Option<String> {
    let things = match (imported.kind, imported.faults) {
        (_, 0) => return None,
        (Kind::Csv, 1) => "row",
        (Kind::Csv, _) => "rows",
        (_, 1) => "picture",
        (_, _) => "pictures",
    };
    Some(format!(
        "{} {things} of {} could not be read and left out: `fer-gpu data import` names them",
        imported.faults,
        source.display()
    ))
}

/// Where the source lies, and the names, lengths and times of its files.
fn key(source: &Path, wanted: Wanted) -> Result<u128, Error> {
    let place = fs::canonicalize(source).map_err(|error| files::Error::read(source, error))?;
    let mut hash = Xxh3::new();
    hash.update(format!("{VERSION} {wanted:?} ").as_bytes());
    hash.update(place.as_os_str().as_encoded_bytes());
    add(&place, &mut hash, &mut HashSet::new())?;
    Ok(hash.digest128())
}

/// Adds a file, or a folder with all that is in it; `seen` are the folders that links lead to, which may lead in
/// circles.
fn add(path: &Path, hash: &mut Xxh3, seen: &mut HashSet<PathBuf>) -> Result<(), Error> {
    let read = |error| files::Error::read(path, error);
    // A link that leads nowhere has no more than its name.
    if let Ok(found) = fs::metadata(path) {
        let changed = found.modified().ok();
        let since = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let time = since.map_or(0, |since| since.as_nanos());
        hash.update(format!(" {} {time} ", found.len()).as_bytes());
        if found.is_dir() && seen.insert(fs::canonicalize(path).map_err(read)?) {
            let entries = fs::read_dir(path).map_err(read)?;
            let mut paths = entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<PathBuf>, _>>()
                .map_err(read)?;
            paths.sort();
            for path in paths {
                hash.update(path.as_os_str().as_encoded_bytes());
                add(&path, hash, seen)?;
            }
        }
    }
    Ok(())
}
