//! Everything that can be wrong with a data set: one variant a fault, one line each, naming the
//! file, what was found and, where there is one, the remedy. Rows count from 0.

use super::PixelRange;
use std::io;
use std::path::PathBuf;

/// Why a data set could not be read or written.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("no folder {}", .0.display())]
    #[diagnostic(help(
        "give a folder that holds X_train.npy, y_train.npy, X_test.npy and y_test.npy"
    ))]
    NoFolder(PathBuf),
    #[error("{} is not a folder", .0.display())]
    #[diagnostic(help("give the folder that holds X_train.npy and the rest"))]
    NotAFolder(PathBuf),
    #[error("no file {}", .0.display())]
    #[diagnostic(help("a data set is X_train.npy, y_train.npy, X_test.npy and y_test.npy"))]
    NoFile(PathBuf),
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] crate::files::Error),
    #[error("{file} needs {bytes} bytes of memory, more than there is")]
    Memory { file: String, bytes: usize },

    #[error("{file} is not an npy file")]
    #[diagnostic(help("write it with numpy.save"))]
    NotNpy { file: String },
    #[error("{file} is of npy version {major}.{minor}: versions 1.0, 2.0 and 3.0 are known")]
    Version { file: String, major: u8, minor: u8 },
    #[error("{file} has a header of {found} bytes, at most {limit} are read")]
    #[diagnostic(help("write it again with numpy.save"))]
    HeaderLength {
        file: String,
        found: u64,
        limit: u64,
    },
    #[error("{file} has a bad header, {what}: {text}")]
    Header {
        file: String,
        what: &'static str,
        text: String,
    },
    #[error("{file} is truncated: its header asks for {expected} bytes or more, it has {found}")]
    Truncated {
        file: String,
        expected: u64,
        found: u64,
    },
    #[error("{file} has {} bytes too many after its data: {expected} expected, {found} found", found - expected)]
    Trailing {
        file: String,
        expected: u64,
        found: u64,
    },
    #[error("{file} holds {found}")]
    #[diagnostic(help("save it as {remedy}"))]
    Type {
        file: String,
        found: String,
        remedy: &'static str,
    },
    #[error("{file} has shape {found}, expected {expected}")]
    Shape {
        file: String,
        found: String,
        expected: String,
    },
    #[error("{file} has no rows")]
    Empty { file: String },
    #[error("{x} has {x_rows} rows, but {y} has {y_rows}")]
    #[diagnostic(help("one label an image is needed"))]
    RowCounts {
        x: String,
        x_rows: usize,
        y: String,
        y_rows: usize,
    },

    #[error("{file}, row {row}: a pixel is {}", number(*found))]
    #[diagnostic(help("remove the row or repair it"))]
    NotFinite {
        file: String,
        row: usize,
        found: f64,
    },
    #[error("{file}, row {row}: a pixel is {}; with the rows before it that fits none of 0..255, 0..1 and -1..1", number(*found))]
    #[diagnostic(help("rescale the set to one of them"))]
    Pixel {
        file: String,
        row: usize,
        found: f64,
    },
    #[error("{file}, row {row}: a pixel is {}, yet most of the set looks like 0..1", number(*found))]
    #[diagnostic(help("clip it to 0..1, or store 0..255 throughout"))]
    Ambiguous {
        file: String,
        row: usize,
        found: f64,
    },
    #[error("{file} holds pixels in {found}, but X_train.npy in {expected}")]
    #[diagnostic(help("scale both alike"))]
    OtherRange {
        file: String,
        found: PixelRange,
        expected: PixelRange,
    },

    #[error("{file}, row {row}: label {}; expected a whole number from 0 to 999, or one-hot rows", number(*found))]
    Label {
        file: String,
        row: usize,
        found: f64,
    },
    #[error("{file}, row {row}: label {found}, but {by} has {classes} classes, 0 to {}", classes - 1)]
    #[diagnostic(help("use one numbering for both"))]
    UnknownClass {
        file: String,
        row: usize,
        found: usize,
        /// What says how many classes there are.
        by: String,
        classes: usize,
    },
    #[error("{file}, row {row}, column {column}: {}; one-hot rows hold only zeros and a single 1", number(*found))]
    OneHotValue {
        file: String,
        row: usize,
        column: usize,
        found: f64,
    },
    #[error("{file}, row {row}: {found} ones; a one-hot row holds exactly one")]
    OneHotCount {
        file: String,
        row: usize,
        found: usize,
    },
    #[error("{file} is one-hot with {found} classes, but {by} has {expected}")]
    #[diagnostic(help("use one coding for both"))]
    Width {
        file: String,
        found: usize,
        by: String,
        expected: usize,
    },
    #[error("{file}, row {row}: the classes' shares add up to {}, not to 1, or one is negative", number(*found))]
    Shares {
        file: String,
        row: usize,
        found: f64,
    },
    #[error("{} is no list of class names: {why}", path.display())]
    Classes { path: PathBuf, why: String },
    #[error(
        "{} has the class `{class}`, which the network does not know; it knows {known}", path.display()
    )]
    OtherClasses {
        path: PathBuf,
        class: String,
        known: String,
    },
    #[error(
        "a part of {asked} of {rows} rows leaves nothing to train on or nothing to validate on"
    )]
    Part { asked: usize, rows: usize },
    #[error("{file} labels every image 0")]
    #[diagnostic(help("at least two classes are needed"))]
    OneClass { file: String },

    #[error("unknown pixel range {0:?}: 0..255, 0..1 and -1..1 are known")]
    UnknownRange(String),
}

/// A value for a person: whole numbers without a fraction, very large or small ones with an
/// exponent instead of hundreds of digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else {
        format!("{value:?}")
    }
}
