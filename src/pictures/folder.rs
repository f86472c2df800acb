//! A folder -> the pictures in it.

use super::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How the names of pictures end, without the dot and in lower case.
const ENDINGS: [&str; 14] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "gif", "webp", "pbm", "pgm", "ppm", "pnm",
    "pam",
];

/// The picture files of a folder, by the ending of their names in upper or lower case, sorted by
/// name, byte by byte. Names need not be UTF-8.
///
/// Left out are folders, whatever they are called, and names that begin with a dot: other systems
/// keep notes there that end like the picture they belong to. A link that leads nowhere is kept,
/// so that reading it tells.
///
/// # Errors
/// If there is no such folder, if it cannot be read, or if no picture is in it.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => Error::NoFolder(folder.into()),
        ErrorKind::NotADirectory => Error::NotAFolder(folder.into()),
        _ => Error::ReadFolder {
            path: folder.into(),
            source,
        },
    };
    if !fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(Error::NotAFolder(folder.into()));
    }
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // Asking each file costs as much as reading it where the disk is slow; the folder knows.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_named_as_picture(&path) && (is_file || !is_other_than_a_file(&path)) {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        let path = folder.into();
        let endings = ENDINGS.join(", ");
        return Err(Error::NoPictures { path, endings });
    }
    pictures.sort();
    Ok(pictures)
}

fn is_named_as_picture(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let ending = path.extension().and_then(|ending| ending.to_str());
    !hidden
        && ending.is_some_and(|found| {
            ENDINGS
                .iter()
                .any(|ending| ending.eq_ignore_ascii_case(found))
        })
}

/// Links are followed.
fn is_other_than_a_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}
