//! How much a disk still takes.

use std::path::Path;

/// Bytes that may still be written where `path` lies or will lie; none where the system does not
/// tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let mut ancestors = path.ancestors().filter(|p| !p.as_os_str().is_empty());
    let existing = ancestors.find(|folder| folder.exists());
    fs4::available_space(existing.unwrap_or(Path::new("."))).ok()
}

#[cfg(test)]
mod tests {
    use super::free_bytes;
    use std::path::Path;

    #[test]
    fn a_folder_that_is_yet_to_be_made_has_the_space_of_its_parent() {
        assert!(free_bytes(Path::new("not/there/yet")).is_some_and(|bytes| bytes > 0));
    }
}
