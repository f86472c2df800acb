//! Everything that can be wrong with a picture: one variant a fault, one line each, naming the
//! file, what was found and, where there is one, the remedy.

use super::{Colour, LARGEST_SIDE, LARGEST_WANTED, MEMORY};
use std::io;
use std::path::PathBuf;

/// What is read, for those who gave something else.
const READ: &str = "PNG, JPEG, BMP, GIF, WebP and PNM are read";

/// Why a picture, or a folder of pictures, could not be read.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("no folder {}", .0.display())]
    #[diagnostic(help("give a folder that holds pictures"))]
    NoFolder(PathBuf),
    #[error("{} is not a folder", .0.display())]
    #[diagnostic(help("give a folder that holds pictures"))]
    NotAFolder(PathBuf),
    #[error("cannot read the folder {}", path.display())]
    ReadFolder { path: PathBuf, source: io::Error },
    #[error("no picture in the folder {}", path.display())]
    #[diagnostic(help("the names of pictures end in {endings}"))]
    NoPictures { path: PathBuf, endings: String },

    #[error("no file {0}")]
    #[diagnostic(help("give a picture file"))]
    NoFile(String),
    #[error("{0} is a folder, expected a picture file")]
    IsAFolder(String),
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    #[error("{name} is longer than {} MiB", MEMORY >> 20)]
    #[diagnostic(help("save the picture smaller"))]
    LongFile { name: String },

    #[error("{name} is empty, 0 bytes")]
    #[diagnostic(help("copy or save the picture again"))]
    Empty { name: String },
    #[error("{name} is no picture, whatever its name says")]
    #[diagnostic(help("{READ}"))]
    NotAPicture { name: String },
    #[error("{name} is of kind {found}, which is not read")]
    #[diagnostic(help("save it as PNG or JPEG"))]
    OtherKind { name: String, found: &'static str },
    #[error("{name} is a {kind} of a form that is not read ({reason})")]
    #[diagnostic(help("save it as plain PNG"))]
    OtherForm {
        name: String,
        kind: &'static str,
        reason: String,
    },
    #[error("{name} is a truncated {kind}: it ends before its picture does")]
    #[diagnostic(help("copy or save it again"))]
    Truncated { name: String, kind: &'static str },
    #[error("{name} is a damaged {kind} ({reason})")]
    #[diagnostic(help("copy or save it again"))]
    Damaged {
        name: String,
        kind: &'static str,
        reason: String,
    },
    #[error("{name} is a {kind} without pixels, {width} wide and {height} high")]
    NoPixels {
        name: String,
        kind: &'static str,
        width: u32,
        height: u32,
    },
    #[error("{name} is a {kind}, {width} wide and {height} high: at most {LARGEST_SIDE} pixels a side and {} MiB in all are read", MEMORY >> 20)]
    #[diagnostic(help("save it smaller"))]
    TooLarge {
        name: String,
        kind: &'static str,
        width: u32,
        height: u32,
    },
    #[error("{name} is a {kind} that takes more than {} MiB to decode", MEMORY >> 20)]
    #[diagnostic(help("save it smaller"))]
    Memory { name: String, kind: &'static str },

    #[error(
        "the network wants pictures {width} wide and {height} high: 1 to {LARGEST_WANTED} pixels a side are possible"
    )]
    WantedSize { height: usize, width: usize },
    #[error(
        "the network wants {found} channels of colour {colour:?}, which has {expected}: its metadata are wrong"
    )]
    WantedChannels {
        colour: Colour,
        found: usize,
        expected: usize,
    },
    #[error("the {what} to standardise by has {found} numbers for {channels} channels")]
    #[diagnostic(help("a number for each channel is needed"))]
    StandardiseCount {
        what: &'static str,
        found: usize,
        channels: usize,
    },
    #[error("the {what} to standardise by is {found}: {needed}")]
    Standardise {
        what: &'static str,
        found: f64,
        needed: &'static str,
    },
}
