//! Texts that are named on a command line: by a word of the box, or by the path of a file.

use super::{Fault, nearest};
use crate::files;
use std::path::Path;

/// What can be wrong with a text that somebody named.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] files::Error),
    #[error("cannot read {path}: it is no text")]
    NoText { path: String },
    /// Its text, with the place.
    #[error("{report}")]
    Text {
        report: String,
        #[help]
        help: Option<String>,
    },
    #[error("no {what} `{found}`; there are: {known}")]
    Unknown {
        what: &'static str,
        found: String,
        known: String,
        #[help]
        help: String,
    },
}

impl Error {
    /// A text that is wrong; `origin` is what it is called.
    pub fn text(origin: &str, text: &str, fault: Fault) -> Error {
        Error::Text {
            report: fault.render(origin, text),
            help: fault.remedy(),
        }
    }

    /// No word of the box.
    pub fn unknown(what: &'static str, found: &str, known: &[&str]) -> Error {
        Error::Unknown {
            what,
            found: found.into(),
            known: known.join(", "),
            help: match nearest(found, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "a file's name ends in .toml".into(),
            },
        }
    }
}

/// Is it a file that is meant, not a word of the box?
pub fn is_path(named: &str) -> bool {
    named.ends_with(".toml") || named.contains(['/', '\\'])
}

/// A file's text, and its path for whoever reads of it.
pub fn read(path: &Path) -> Result<(String, String), Error> {
    let bytes = files::read_small(path).map_err(|source| files::Error::read(path, source))?;
    let path = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok((path, text)),
        Err(_) => Err(Error::NoText { path }),
    }
}
