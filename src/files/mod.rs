//! Files that outlive crashes, full disks and other processes.
//!
//! `target` says what lies at a path; `draft` fills a file beside it and renames, so that the old
//! one or the new one is there, whole; `seal` is the hash that a file carries of itself; `lock`
//! keeps a folder for one process; `space` tells how much the disk still takes. Bytes go in,
//! files come out: nothing here knows what they mean.

mod draft;
mod lock;
mod seal;
mod space;
mod target;

pub use draft::{Draft, abandon, put, remove_drafts, replace, replace_text};
pub use lock::Lock;
pub(crate) use seal::{KEY, PLACE, digest, hexadecimal, place};
pub use seal::{Sealed, Unsealed, sealed_json};
pub use space::free_bytes;
pub use target::Target;

use std::io;
use std::path::{Path, PathBuf};

/// The content of a small regular file: what waits for a writer, and what never ends, is no such file.
///
/// # Errors
/// If it is no regular file, or longer than 16 MiB.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    const LONGEST: u64 = 16 << 20;
    let found = std::fs::metadata(path)?;
    if !found.is_file() || found.len() > LONGEST {
        let why = "it is no regular file, or one of more than 16 MiB";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    std::fs::read(path)
}

/// The variable that names another folder for caches than the user's.
pub const CACHE: &str = "FER_GPU_CACHE";

/// Where what can be made again is kept; none where the system names no such folder.
pub fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os(CACHE).filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => Some(dirs::cache_dir()?.join("fer-gpu")),
    }
}

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is in use by {holder}", path.display())]
    #[diagnostic(help("one run at a time may write there"))]
    Locked { path: PathBuf, holder: String },
    #[error(
        "{} was moved away or replaced by another folder while it was in use: nothing was written there", .0.display()
    )]
    Replaced(PathBuf),
    #[error("{} exists and is not overwritten", .0.display())]
    #[diagnostic(help("choose another folder"))]
    Exists(PathBuf),
    #[error("{} is no regular file: only such a one can hold this", .0.display())]
    Irregular(PathBuf),
}

impl Error {
    /// The error of a write to `path`.
    pub fn write(path: &Path, source: io::Error) -> Error {
        let path = path.into();
        Error::Write { path, source }
    }

    /// The error of reading `path`.
    pub fn read(path: &Path, source: io::Error) -> Error {
        let path = path.into();
        Error::Read { path, source }
    }
}
