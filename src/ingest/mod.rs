//! What lies around in the world becomes a data set: FER-2013's CSV, with FER+ votes beside it, folders of
//! pictures by class, npy arrays.
//!
//! `folders` and `csv` (with `votes`, both by `lines`) turn a source into a stream of labelled pixels, read in
//! parallel chunk by chunk; what cannot be read is told and counted, the rest goes on. A `Sink` takes the stream and
//! writes the four npy files and `classes.json`, all or nothing. `cache` does that once for whoever trains on a
//! source directly.

mod arrays;
mod cache;
mod csv;
mod error;
mod folders;
mod lines;
mod sink;
mod votes;

pub use cache::{Ready, resolve};
pub use error::{Error, Fault};
pub use votes::Targets;

use crate::data::{Counts, FILES};
use crate::pictures::{Colour, Preprocessing};
use sink::Sink;
use std::path::{Path, PathBuf};

/// How a source is to be read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Height, width and channels of the images that are wanted; arrays keep what they have.
    pub wanted: Wanted,
    /// Where the third part of a source goes: PrivateTest of a CSV, `test` of folders that have `val` too.
    pub private: Private,
    /// The share of the images that becomes the test part: of a CSV in place of its own, of folders that have none.
    pub test_share: Option<f64>,
    pub seed: u64,
    /// FER+'s file of votes, row by row beside the CSV.
    pub votes: Option<PathBuf>,
    pub targets: Targets,
    /// Is a row or picture that cannot be read an error?
    pub strict: bool,
}

/// Size and colour that pictures get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Height, width.
    pub size: [usize; 2],
    pub colour: Colour,
}

impl Wanted {
    /// Pictures for images of (height, width, channels).
    pub fn image([height, width, channels]: [usize; 3]) -> Wanted {
        let colour = match channels {
            3 => Colour::Rgb,
            _ => Colour::Grey,
        };
        let size = [height, width];
        Wanted { size, colour }
    }

    /// Height, width, channels.
    pub fn shape(self) -> [usize; 3] {
        [self.size[0], self.size[1], self.colour.channels()]
    }

    fn preprocessing(self) -> Preprocessing {
        let range = crate::data::PixelRange::ZeroTo255;
        Preprocessing {
            colour: self.colour,
            ..Preprocessing::usual(self.shape(), range)
        }
    }
}

/// What happens to the third part of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Private {
    #[default]
    LeftOut,
    Train,
    Test,
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Arrays,
    Csv,
    Folders,
}

/// What happens while a source is read.
pub enum Event<'a> {
    /// So much of it is read: bytes of a CSV, pictures.
    Progress { done: u64, total: u64 },
    /// A row or picture is left out.
    Fault(&'a Fault),
}

/// What was imported.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub kind: Kind,
    /// Height, width, channels.
    pub image: [usize; 3],
    /// By class number.
    pub class_names: Vec<String>,
    /// Rows by class, of training and of test.
    pub counts: Counts,
    /// What could not be read.
    pub faults: u64,
    /// The third part of the source, left out.
    pub private: u64,
    /// Files among the pictures that are none by their names.
    pub skipped: Vec<PathBuf>,
    /// Rows for which the votes decided nothing.
    pub undecided: u64,
    /// Pictures of another size, cropped to the centre and resized.
    pub resized: u64,
    /// Animations, of which the first frame was taken.
    pub animated: u64,
}

/// What a path is.
///
/// # Errors
/// If nothing is there, or nothing that can be read.
pub fn kind(source: &Path) -> Result<Kind, Error> {
    let found = std::fs::metadata(source).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::Nothing(source.into()),
        _ => crate::files::Error::read(source, error).into(),
    })?;
    if found.is_dir() {
        let has_array = FILES.iter().any(|name| source.join(name).exists());
        return Ok(if has_array {
            Kind::Arrays
        } else {
            Kind::Folders
        });
    }
    let is_csv = source
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    match found.is_file() && is_csv {
        true => Ok(Kind::Csv),
        false => Err(Error::Unknown(source.into())),
    }
}

/// Reads `source` and writes it into the folder `out`.
///
/// # Errors
/// See [`Error`]; nothing is written where there is one.
pub fn import(
    source: &Path,
    out: &Path,
    options: &Options,
    observe: &mut dyn FnMut(Event),
) -> Result<Imported, Error> {
    let kind = kind(source)?;
    if options.votes.is_some() && kind != Kind::Csv {
        return Err(Error::VotesWithoutCsv(source.into()));
    }
    options.wanted.preprocessing().check()?;
    let is_new = !out.exists();
    let imported = import_as(kind, source, out, options, observe);
    if imported.is_err() && is_new {
        // Where something lies in it after all, it stays.
        drop(std::fs::remove_dir(out));
    }
    imported
}

fn import_as(
    kind: Kind,
    source: &Path,
    out: &Path,
    options: &Options,
    observe: &mut dyn FnMut(Event),
) -> Result<Imported, Error> {
    match kind {
        Kind::Arrays => arrays::import(source, out, options),
        Kind::Csv => {
            let table = csv::Table::open(source, options)?;
            let shares = options.votes.is_some() && options.targets == Targets::Distribution;
            let mut sink = Sink::begin(&table.source, out, options, shares)?;
            table.read(&mut sink, observe)?;
            sink.finish(kind, source)
        }
        Kind::Folders => {
            let folders = folders::Folders::list(source, options)?;
            let mut sink = Sink::begin(&folders.source, out, options, false)?;
            folders.read(&mut sink, observe)?;
            sink.finish(kind, source)
        }
    }
}

/// What is known of a source before its rows are read.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    /// By class number.
    class_names: Vec<String>,
    /// Are some of its rows to validate on?
    has_test: bool,
}
