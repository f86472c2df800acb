//! Keeps a folder for one process: an advisory lock on a file in it, which the system releases
//! when the process ends, however it ends.

use super::Error;
use same_file::Handle;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The file that is locked. It stays when the lock is gone: removing it would let two processes
/// lock two files of one name.
const NAME: &str = ".lock";

/// A folder that is ours while this lives.
pub struct Lock {
    folder: PathBuf,
    file: Handle,
}

impl Lock {
    /// Takes the folder.
    ///
    /// # Errors
    /// [`Error::Locked`], with whoever holds it; or if nothing can be written there.
    pub fn take(folder: &Path) -> Result<Lock, Error> {
        let path = folder.join(NAME);
        let failed = |source| Error::write(&path, source);
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    path: folder.into(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S");
        let text = format!("process {}, since {now}\n", std::process::id());
        // Not being able to say who we are, on a full disk, is no reason to refuse.
        drop(
            file.set_len(0)
                .and_then(|()| file.write_all(text.as_bytes())),
        );
        let file = Handle::from_file(file).map_err(failed)?;
        let folder = folder.into();
        Ok(Lock { folder, file })
    }

    /// Is the folder of that name still the one that was taken?
    ///
    /// # Errors
    /// [`Error::Replaced`] if it is not.
    pub fn holds(&self) -> Result<(), Error> {
        match Handle::from_path(self.folder.join(NAME)) {
            Ok(there) if there == self.file => Ok(()),
            _ => Err(Error::Replaced(self.folder.clone())),
        }
    }
}

/// What the holder wrote; on systems whose locks keep others from reading it, less.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    match (read, text.lines().next()) {
        (Ok(_), Some(line)) if !line.is_empty() => line.into(),
        _ => "another process".into(),
    }
}

impl Lock {
    /// Makes the folder `path`, or where something has that name `path-2`, `path-3` and so on, and
    /// takes it.
    pub fn fresh(path: &Path) -> Result<(PathBuf, Lock), Error> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| Error::write(parent, source))?;
        }
        for number in 1.. {
            let mut name = path.as_os_str().to_os_string();
            if number > 1 {
                name.push(format!("-{number}"));
            }
            let folder = PathBuf::from(name);
            match fs::create_dir(&folder) {
                Ok(()) => return Ok((folder.clone(), Lock::take(&folder)?)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::write(&folder, source)),
            }
        }
        unreachable!("numbers do not end")
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;
    use crate::files::Error;
    use std::fs;

    #[test]
    fn a_folder_has_one_holder_and_is_known_again() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("run");
        let (first, lock) = Lock::fresh(&path).expect("a folder");
        let (second, other) = Lock::fresh(&path).expect("another folder");
        assert_eq!((&first, second), (&path, parent.path().join("run-2")));
        let Err(Error::Locked { holder, .. }) = Lock::take(&first) else {
            panic!("taken twice")
        };
        assert!(holder.contains(&std::process::id().to_string()), "{holder}");
        lock.holds().expect("ours");
        fs::rename(&first, parent.path().join("away")).expect("renamed");
        assert!(matches!(lock.holds(), Err(Error::Replaced(_))));
        fs::create_dir(&first).expect("a folder");
        assert!(matches!(lock.holds(), Err(Error::Replaced(_))));
        drop((lock, other));
        Lock::take(&parent.path().join("away")).expect("free again");
    }
}
