//! The names of a data set's classes: `classes.json` beside its arrays, a JSON list in the order of the class
//! numbers. Two sets with the same names in another order are told apart by it, and matched.

use super::Error;
use super::labels::MOST_CLASSES;
use crate::files;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;

/// The file of the names.
pub const CLASSES: &str = "classes.json";

/// The names in a folder's `classes.json`; none where there is no such file.
///
/// # Errors
/// If it cannot be read, or is no list of 2 to 1000 distinct names.
pub fn read(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let path = folder.join(CLASSES);
    let read = |source| Error::Read {
        path: path.clone(),
        source,
    };
    let text = match files::read_small(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read(error)),
    };
    let bad = |why: String| Error::Classes {
        path: path.clone(),
        why,
    };
    let names: Vec<String> = serde_json::from_slice(&text).map_err(|why| bad(why.to_string()))?;
    check(&names).map_err(bad)?;
    Ok(Some(names))
}

/// Can these be the names of a set's classes?
///
/// # Errors
/// What is wrong with them.
pub fn check(names: &[String]) -> Result<(), String> {
    if !(2..=MOST_CLASSES).contains(&names.len()) {
        return Err(format!(
            "{} names: 2 to {MOST_CLASSES} are possible",
            names.len()
        ));
    }
    let mut seen = HashSet::new();
    for name in names {
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Err(format!("{name:?} is no name"));
        }
        if !seen.insert(name) {
            return Err(format!("`{name}` is there twice"));
        }
    }
    Ok(())
}

/// The file's text.
pub fn text(names: &[String]) -> String {
    serde_json::to_string(names).expect("strings") + "\n"
}

/// How the class numbers of a set become those of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// They are the same.
    Same,
    /// By class number of the set, the network's: the names are the same in another order, or some of them.
    By(Vec<u32>),
}

/// Matches the classes of a set with those of a network by their names.
///
/// # Errors
/// The name of a class that the network does not know.
pub fn matching(set: &[String], network: &[String]) -> Result<Match, String> {
    // What has no names but numbers is matched by number.
    let unnamed = super::class_names(network.len());
    if set == network || (network.len() != super::FER_CLASSES.len() && *network == unnamed) {
        return match set.len() <= network.len() {
            true => Ok(Match::Same),
            false => Err(set[network.len()].clone()),
        };
    }
    let number = |name: &String| {
        let at = network.iter().position(|known| known == name);
        at.map(|at| at as u32).ok_or_else(|| name.clone())
    };
    let numbers = set
        .iter()
        .map(number)
        .collect::<Result<Vec<u32>, String>>()?;
    match numbers.iter().copied().eq(0..set.len() as u32) {
        true => Ok(Match::Same),
        false => Ok(Match::By(numbers)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn classes_are_matched_by_name() {
        let network = names("angry happy neutral");
        assert_eq!(matching(&network, &network), Ok(Match::Same));
        let other = names("neutral angry happy");
        assert_eq!(matching(&other, &network), Ok(Match::By(vec![2, 0, 1])));
        assert_eq!(matching(&names("angry happy"), &network), Ok(Match::Same));
        let few = names("happy angry");
        assert_eq!(matching(&few, &network), Ok(Match::By(vec![1, 0])));
        let unknown = matching(&names("angry bored"), &network);
        assert_eq!(unknown, Err("bored".into()));
        // A network that was trained without names knows numbers alone.
        let unnamed = super::super::class_names(3);
        assert_eq!(matching(&other, &unnamed), Ok(Match::Same));
        assert_eq!(matching(&names("a b c d"), &unnamed), Err("d".to_string()));
    }

    #[test]
    fn a_file_of_names_is_a_list_of_distinct_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |text: &str| {
            std::fs::write(folder.path().join(CLASSES), text).expect("a file");
            read(folder.path())
        };
        assert_eq!(of("[\"a\", \"b\"]").expect("names"), Some(names("a b")));
        for bad in [
            "",
            "{}",
            "[1, 2]",
            "[\"a\"]",
            "[\"a\", \"a\"]",
            "[\"a\", \" \"]",
            "[\"a\", \"\\u001b\"]",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        std::fs::remove_file(folder.path().join(CLASSES)).expect("removed");
        assert_eq!(read(folder.path()).expect("no file"), None);
    }
}
