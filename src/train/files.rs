//! Writes files so that a crash at any moment leaves the old one or the new one, whole: beside
//! under a temporary name, flushed to the disk, then renamed.

use super::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Temporary files end so; leftovers of a killed run are removed when it resumes.
const SUFFIX: &str = ".partial";

/// Replaces `path` by what `write` writes.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let partial = beside(path);
    let result = fill(&partial, write).and_then(|()| {
        failpoint();
        fs::rename(&partial, path).map_err(|source| failed(path, source))?;
        failpoint();
        sync_folder(path);
        Ok(())
    });
    if result.is_err() {
        // Nothing is lost with it: the file at `path` is as it was.
        drop(fs::remove_file(&partial));
    }
    result
}

fn fill(
    partial: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let in_error = |source| failed(partial, source);
    let file = File::create(partial).map_err(in_error)?;
    failpoint();
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    write(&mut Interruptible {
        inner: &mut writer,
        writes: 0,
    })?;
    let file = writer
        .into_inner()
        .map_err(|e| failed(partial, e.into_error()))?;
    file.sync_all().map_err(in_error)
}

/// Error of a write, under the name that the user knows.
pub fn failed(path: &Path, source: io::Error) -> Error {
    let name = path.to_string_lossy();
    Error::Write {
        path: PathBuf::from(name.trim_end_matches(SUFFIX)),
        source,
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// Makes a rename last through a power cut, where the system can.
fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        drop(folder.sync_all());
    }
}

/// Removes what a killed run left half written.
pub fn remove_leftovers(folder: &Path) -> Result<(), Error> {
    let read = |source| Error::Read {
        path: folder.into(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.to_string_lossy().ends_with(SUFFIX) {
            fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        }
    }
    Ok(())
}

/// Passes a failpoint in the middle of a file: at its second write.
struct Interruptible<'a> {
    inner: &'a mut dyn Write,
    writes: u32,
}

impl Write for Interruptible<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        if self.writes == 2 {
            self.inner.flush()?;
            failpoint();
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Kills the process at the n-th failpoint where FER_GPU_KILL_AT is n: the tests of resuming
/// count them up. Builds without debug assertions have no failpoints.
fn failpoint() {
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicU64, Ordering};
        static PASSED: AtomicU64 = AtomicU64::new(0);
        static KILL_AT: OnceLock<Option<u64>> = OnceLock::new();
        let kill_at = *KILL_AT.get_or_init(|| std::env::var("FER_GPU_KILL_AT").ok()?.parse().ok());
        if kill_at == Some(PASSED.fetch_add(1, Ordering::Relaxed) + 1) {
            std::process::abort();
        }
    }
}
