//! What lies at a path that somebody named for output. Only a regular file may be renamed over:
//! a pipe, a terminal or a device would be lost, and so would a link.

use super::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How a named output is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `-` and `/dev/stdout`.
    Stdout,
    /// Opened and written as it is: a pipe, a device, a descriptor of this process.
    Through(PathBuf),
    /// A regular file, or nothing yet, with all links resolved: written beside and renamed.
    Replace(PathBuf),
}

/// Links that are followed one after another, at most.
const LONGEST_CHAIN: usize = 40;

impl Target {
    /// Looks at `path`.
    ///
    /// # Errors
    /// If it is a folder, or lies in none that can be read.
    pub fn of(path: &Path) -> Result<Target, Error> {
        if path == Path::new("-") || path == Path::new("/dev/stdout") {
            return Ok(Target::Stdout);
        }
        let failed = |source| Error::write(path, source);
        let mut place = path.to_path_buf();
        for _ in 0..LONGEST_CHAIN {
            let folder = match place.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
                _ => PathBuf::from("."),
            };
            let folder = fs::canonicalize(&folder).map_err(failed)?;
            if is_of_descriptors(&folder) {
                return Ok(Target::Through(path.into()));
            }
            let Some(name) = place.file_name() else {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            };
            place = folder.join(name);
            match fs::symlink_metadata(&place) {
                Ok(found) if found.is_symlink() => {
                    place = folder.join(fs::read_link(&place).map_err(failed)?);
                }
                Ok(found) if found.is_dir() => {
                    return Err(failed(io::ErrorKind::IsADirectory.into()));
                }
                Ok(found) if found.is_file() => return Ok(Target::Replace(place)),
                Ok(_) => return Ok(Target::Through(place)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Target::Replace(place));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::Error::other("too many links")))
    }
}

/// `/dev/fd/3` and `/proc/self/fd/3` are no files of their own: what the descriptor holds may be
/// a regular file, and renaming over that would leave the descriptor's owner without it.
fn is_of_descriptors(folder: &Path) -> bool {
    folder == Path::new("/dev/fd") || folder.starts_with("/proc") && folder.ends_with("fd")
}

#[cfg(all(test, unix))]
mod tests {
    use super::Target;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn links_lead_to_files_and_nothing_irregular_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().canonicalize().expect("a folder").join(name);
        fs::write(at("file"), "").expect("a file");
        fs::create_dir(at("below")).expect("a folder");
        symlink("../file", at("below/link")).expect("a link");
        symlink("nothing", at("dangling")).expect("a link");
        symlink("itself", at("itself")).expect("a link");
        symlink("/dev/null", at("null")).expect("a link");
        let of = |name: &str| Target::of(&at(name)).ok();
        assert_eq!(of("file"), Some(Target::Replace(at("file"))));
        assert_eq!(of("new"), Some(Target::Replace(at("new"))));
        assert_eq!(of("below/link"), Some(Target::Replace(at("file"))));
        assert_eq!(of("dangling"), Some(Target::Replace(at("nothing"))));
        assert_eq!(of("null"), Some(Target::Through("/dev/null".into())));
        for bad in ["below", "itself", "nowhere/file", "file/below"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        for stdout in ["-", "/dev/stdout"] {
            assert_eq!(Target::of(Path::new(stdout)).ok(), Some(Target::Stdout));
        }
        if Path::new("/proc/self/fd/2").exists() {
            let fd = Target::of(Path::new("/proc/self/fd/2")).ok();
            assert_eq!(fd, Some(Target::Through("/proc/self/fd/2".into())));
        }
    }
}
