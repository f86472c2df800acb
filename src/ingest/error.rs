//! What can be wrong with a source as a whole, and with one row or picture of it.

use crate::{data, files, pictures};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] data::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] files::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pictures(#[from] pictures::Error),
    #[error("there is no {}", .0.display())]
    #[diagnostic(help("give a CSV, a folder of pictures by class, or a folder of npy arrays"))]
    Nothing(PathBuf),
    #[error("{} is neither a folder nor a file that ends in .csv", .0.display())]
    #[diagnostic(help("give a CSV, a folder of pictures by class, or a folder of npy arrays"))]
    Unknown(PathBuf),
    #[error("{}, line 1: {why}", path.display())]
    Header { path: PathBuf, why: String },
    #[error("{} has nothing to {side}{faults}", path.display())]
    NoRows {
        path: PathBuf,
        side: &'static str,
        faults: String,
    },
    #[error("{} holds no folders of classes", .0.display())]
    #[diagnostic(help(
        "pictures lie in a folder for each class, or in train/CLASS and test/CLASS"
    ))]
    NoClasses(PathBuf),
    #[error("{} has the single class `{class}`", path.display())]
    #[diagnostic(help("at least two are needed"))]
    OneClass { path: PathBuf, class: String },
    #[error("{} has the class `{class}`, which {} lacks", test.display(), train.display())]
    OtherClass {
        test: PathBuf,
        train: PathBuf,
        class: String,
    },
    #[error("{} cannot name a class: {why}", path.display())]
    ClassName { path: PathBuf, why: String },
    #[error("{} has no test part", .0.display())]
    #[diagnostic(help("say which share of its images is to become one, as `fer-gpu data import {} --test-share 0.1 --out DIR` does", .0.display()))]
    NoTest(PathBuf),
    #[error("{} has a test part of its own", .0.display())]
    #[diagnostic(help("leave out --test-share"))]
    HasTest(PathBuf),
    #[error(
        "--test-share parts images by their class, and --targets distribution gives them shares of all"
    )]
    #[diagnostic(help("leave out one of the two"))]
    PartedShares,
    #[error("{} holds arrays, which are taken as they are: {option} does nothing", path.display())]
    #[diagnostic(help("leave it out"))]
    AsTheyAre { path: PathBuf, option: &'static str },
    #[error("votes go with the rows of FER-2013's CSV: {} is none", .0.display())]
    VotesWithoutCsv(PathBuf),
    #[error("{}, line {line}: {why}", path.display())]
    Votes {
        path: PathBuf,
        line: u64,
        why: String,
    },
    #[error("this system names no folder for caches")]
    #[diagnostic(help("set {} to one, or import by `fer-gpu data import`", files::CACHE))]
    NoCache,
    #[error("cannot import into the cache {}", path.display())]
    #[diagnostic(help(
        "set {} to a folder that can be written to, or import by `fer-gpu data import`",
        files::CACHE
    ))]
    Cache {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{fault} (--strict)")]
    Strict { fault: Fault },
}

/// Why a row or a picture is left out.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Fault {
    #[error("{}, line {line}: {why}", path.display())]
    Row {
        path: PathBuf,
        /// From 1, the header.
        line: u64,
        why: String,
    },
    #[error("{}", with_cause(.0))]
    Picture(pictures::Error),
}

fn with_cause(error: &pictures::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or(error.to_string(), |cause| format!("{error}: {cause}"))
}

/// At most 60 characters of a text, on one line.
pub(super) fn short(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut left = text.trim().chars().map(printable);
    let mut short: String = left.by_ref().take(60).collect();
    if left.next().is_some() {
        short.push_str("...");
    }
    short
}
