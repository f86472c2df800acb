//! Writes a file so that a crash at any moment leaves the old one or the new one, whole: beside,
//! under a temporary name of its own, flushed to the disk, then renamed. What fails leaves
//! nothing behind, and a process that ends at once can take its drafts along.

use super::{Error, Target};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// Drafts end so; those of a killed run are removed when it resumes.
const SUFFIX: &str = ".partial";

/// The drafts of this process.
static DRAFTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn drafts() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    DRAFTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is not there yet: dropped, it vanishes; published, it takes its name.
pub struct Draft {
    /// Where the user named it.
    path: PathBuf,
    /// Where it will lie, links resolved.
    place: PathBuf,
    file: NamedTempFile,
}

impl Draft {
    /// An empty draft of `path`.
    ///
    /// # Errors
    /// If it cannot be made there, or something other than a regular file lies at `path`.
    pub fn begin(path: &Path) -> Result<Draft, Error> {
        let Target::Replace(place) = Target::of(path)? else {
            return Err(Error::Irregular(path.into()));
        };
        let failed = |source| Error::write(path, source);
        let name = place.file_name().expect("a target has a name");
        let mut prefix = name.to_os_string();
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX);
        // As any other new file; one that is replaced hands its permissions on.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut known = drafts();
        let file = builder
            .tempfile_in(place.parent().expect("a target has a folder"))
            .map_err(failed)?;
        known.insert(file.path().into());
        drop(known);
        let draft = Draft {
            path: path.into(),
            place,
            file,
        };
        if let Ok(old) = fs::metadata(&draft.place) {
            let file = draft.file.as_file();
            file.set_permissions(old.permissions()).map_err(failed)?;
        }
        failpoint();
        Ok(draft)
    }

    /// Appends what `write` writes.
    pub fn fill<E: From<Error>>(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = &self.path;
        let mut writer = BufWriter::with_capacity(1 << 20, self.file.as_file_mut());
        write(&mut Interruptible {
            inner: &mut writer,
            writes: 0,
        })?;
        Ok(writer
            .flush()
            .map_err(|source| Error::write(path, source))?)
    }

    /// Puts `bytes` in the place of those that were written at `offset`.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(bytes))
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map(drop)
            .map_err(|source| Error::write(&self.path, source))
    }

    /// Waits for the disk; gives the draft its name, in place of what bears it.
    pub fn publish(self) -> Result<(), Error> {
        self.rename(NamedTempFile::persist)
    }

    /// Waits for the disk; gives the draft its name if nothing bears it.
    ///
    /// # Errors
    /// [`Error::Exists`] if something does.
    pub fn publish_new(self) -> Result<(), Error> {
        self.rename(NamedTempFile::persist_noclobber)
    }

    fn rename(
        mut self,
        rename: fn(NamedTempFile, PathBuf) -> Result<File, tempfile::PersistError>,
    ) -> Result<(), Error> {
        let file = self.file.as_file_mut();
        file.sync_all()
            .map_err(|source| Error::write(&self.path, source))?;
        failpoint();
        // Whoever takes all drafts along meets this one before or after, not between.
        let mut known = drafts();
        known.remove(self.file.path());
        match rename(self.file, self.place.clone()) {
            Ok(_) => {}
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists(self.path));
            }
            Err(refused) => return Err(Error::write(&self.path, refused.error)),
        }
        drop(known);
        failpoint();
        sync_folder(&self.place);
        Ok(())
    }
}

/// Replaces the regular file at `path`, or makes one, by what `write` writes.
pub fn replace<E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut draft = Draft::begin(path)?;
    draft.fill(write)?;
    Ok(draft.publish()?)
}

/// What `write` writes goes to wherever `path` leads but standard output: over a regular file, through
/// anything else.
pub fn put<E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source| Error::write(path, source);
    match Target::of(path)? {
        Target::Replace(_) => replace(path, write),
        Target::Through(_) | Target::Stdout => {
            let file = OpenOptions::new().append(true).open(path);
            let mut out = BufWriter::with_capacity(1 << 20, file.map_err(failed)?);
            write(&mut out)?;
            Ok(out.flush().map_err(failed)?)
        }
    }
}

/// Writes `text` to wherever `path` leads but standard output, as [`put`] does.
pub fn replace_text(path: &Path, text: &str) -> Result<(), Error> {
    put(path, |out| {
        out.write_all(text.as_bytes())
            .map_err(|source| Error::write(path, source))
    })
}

/// Removes every draft of this process and keeps any other from being made or published, while
/// the returned guard lives: for a process that is about to end.
pub fn abandon() -> impl Drop {
    let mut known = drafts();
    for draft in std::mem::take(&mut *known) {
        drop(fs::remove_file(draft));
    }
    known
}

/// Removes what killed processes left half written of the files `names` in a folder.
pub fn remove_drafts(folder: &Path, names: &[&str]) -> Result<(), Error> {
    let read = |source| Error::read(folder, source);
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let is_draft = |name: &str| {
            let of = |known: &&str| name.strip_prefix(known).is_some_and(|n| n.starts_with('.'));
            name.ends_with(SUFFIX) && names.iter().any(of)
        };
        if name.is_some_and(|name| is_draft(&name)) {
            fs::remove_file(&path).map_err(|source| Error::write(&path, source))?;
        }
    }
    Ok(())
}

/// Makes a rename last through a power cut, where the system can.
fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        drop(folder.sync_all());
    }
}

/// Passes failpoints in the middle of a file: before its second write, and where the disk is
/// full.
struct Interruptible<'a> {
    inner: &'a mut dyn Write,
    writes: u32,
}

impl Write for Interruptible<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        if self.writes == 1 {
            full_disk()?;
        }
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

/// Refuses the files from the a-th to the b-th where FER_GPU_DISK_FULL is `a-b`, as a full disk
/// does. Builds without debug assertions have no failpoints.
fn full_disk() -> io::Result<()> {
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicU64, Ordering};
        static PASSED: AtomicU64 = AtomicU64::new(0);
        static FULL: OnceLock<Option<(u64, u64)>> = OnceLock::new();
        let of_user = || {
            let text = std::env::var("FER_GPU_DISK_FULL").ok()?;
            let (first, last) = text.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let file = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((first, last)) = *FULL.get_or_init(of_user)
            && (first..=last).contains(&file)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Draft, remove_drafts, replace};
    use crate::files::Error;
    use std::fs;

    #[test]
    fn a_draft_that_is_not_published_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "old").expect("a file");
        let failed = replace(&path, |out| {
            out.write_all(b"new").expect("a write");
            Err(Error::Replaced("here".into()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).expect("a file"), "old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(matches!(
            Draft::begin(&path).and_then(Draft::publish_new),
            Err(Error::Exists(_))
        ));
        assert_eq!(fs::read_to_string(&path).expect("a file"), "old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn only_drafts_of_the_named_files_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["a.x1.partial", "ab.x.partial", "b.partial", "a.txt", "a"];
        for name in names {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        remove_drafts(folder.path(), &["a"]).expect("removed");
        let left = |name: &&&str| folder.path().join(name).exists();
        let left: Vec<_> = names.iter().filter(left).copied().collect();
        assert_eq!(left, ["ab.x.partial", "b.partial", "a.txt", "a"]);
    }
}
