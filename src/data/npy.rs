//! One npy file: its header is checked against its length, then its rows stream out as `f64`.
//!
//! ndarray-npy parses the header and decodes the elements, a chunk at a time. It trusts the file,
//! so three things are checked before it sees a byte: the length of the header (it allocates what
//! the file says), the nesting of the header (its parser takes time exponential in the depth) and
//! the shape (it allocates the product). No allocation here passes the size of the file by more
//! than a constant.

use super::Error;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use ndarray_npy::npy::header::{Header, ParseHeaderError, ReadHeaderError};
use ndarray_npy::{ReadDataError, ReadableElement};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The longest header read, in bytes: numpy's own limit. Real ones have about 120.
const HEADER_LIMIT: u64 = 10_000;
/// The most brackets a header may open: a plain one needs two, the dict's and the shape's.
const BRACKET_LIMIT: usize = 4;
/// How many elements are decoded at a time.
const CHUNK: usize = 1 << 16;

/// An open npy file, its header judged, placed at the start of its data.
pub(super) struct Npy {
    file: File,
    path: PathBuf,
    name: String,
    header: Header,
    code: String,
}

/// An element type: one that ndarray-npy decodes and `f64` can stand for. (64-bit integers past
/// 2^53 are rounded, far outside every range that is accepted.)
trait Element: ReadableElement + Copy {
    fn value(self) -> f64;
}

macro_rules! elements {
    ($($code:literal => $type:ty, $value:expr;)*) => {
        $(impl Element for $type {
            fn value(self) -> f64 {
                let convert: fn($type) -> f64 = $value;
                convert(self)
            }
        })*

        /// Whether elements of this dtype, written without its byte order, can be read.
        fn is_known(code: &str) -> bool {
            [$($code),*].contains(&code)
        }

        impl Npy {
            /// Calls `visit` with the number and the values of each row, in order and in C order
            /// within the row, whichever order the file has.
            ///
            /// # Errors
            /// What `visit` returns, and whatever goes wrong while reading.
            pub(super) fn each_row(mut self, visit: &mut Visit<'_>) -> Result<(), Error> {
                match self.code.as_str() {
                    $($code => self.visit_rows::<$type>(visit),)*
                    _ => Err(self.bad_type()),
                }
            }
        }
    };
}

/// Takes a row's number and its values.
pub(super) type Visit<'a> = dyn FnMut(usize, &[f64]) -> Result<(), Error> + 'a;

elements! {
    "b1" => bool, |v| f64::from(u8::from(v));
    "i1" => i8, f64::from;
    "i2" => i16, f64::from;
    "i4" => i32, f64::from;
    "i8" => i64, |v| v as f64;
    "u1" => u8, f64::from;
    "u2" => u16, f64::from;
    "u4" => u32, f64::from;
    "u8" => u64, |v| v as f64;
    "f4" => f32, f64::from;
    "f8" => f64, |v| v;
}

impl Npy {
    /// Opens `name` in `dir` and judges everything but its values and the meaning of its shape.
    ///
    /// # Errors
    /// If it is missing or no regular file, not an npy, of a type other than bool, integer, `f32`
    /// or `f64`, or not exactly as long as its header says.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Self, Error> {
        Self::open_file(dir.join(name), name.to_owned())
    }

    /// The same by path; `name` is what errors call it.
    pub(super) fn open_file(path: PathBuf, name: String) -> Result<Self, Error> {
        let name = name.as_str();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::NoFile(path.clone()),
            _ => Error::Read {
                path: path.clone(),
                source,
            },
        };
        // Asked before opening: opening a pipe would wait for a writer.
        let metadata = std::fs::metadata(&path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::NotAFile(path));
        }
        let mut file = File::open(&path).map_err(failed)?;
        let bytes = read_header(&mut file, name, metadata.len(), &failed)?;
        let header = parse_header(&bytes, name)?;
        let code = code(&header);
        let npy = Self {
            file,
            path,
            name: name.to_owned(),
            header,
            code,
        };
        if !is_known(&npy.code) {
            return Err(npy.bad_type());
        }
        npy.check_length(bytes.len() as u64, metadata.len())?;
        Ok(npy)
    }

    /// The file's name, for errors.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The first axis; 0 for an array without axes.
    pub(super) fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    /// The product of the other axes.
    pub(super) fn row_len(&self) -> usize {
        self.shape().iter().skip(1).product()
    }

    pub(super) fn is_bool(&self) -> bool {
        self.code == "b1"
    }

    pub(super) fn is_float(&self) -> bool {
        self.code.starts_with('f')
    }

    /// The error for a shape that is not `expected`.
    pub(super) fn bad_shape(&self, expected: String) -> Error {
        let axes: Vec<String> = self.shape().iter().map(ToString::to_string).collect();
        let comma = if axes.len() == 1 { "," } else { "" };
        let found = shorten(&format!("({}{comma})", axes.join(", ")));
        Error::Shape {
            file: self.name.clone(),
            found,
            expected,
        }
    }

    /// The error for a dtype that cannot be read, with what it is in words.
    fn bad_type(&self) -> Error {
        let descr = self.header.type_descriptor.as_string();
        let what = match self.code.chars().next() {
            _ if descr.is_none() => "a structured dtype",
            Some('O') => "Python objects",
            Some('U' | 'S' | 'a') => "strings",
            Some('c') => "complex numbers",
            Some('M' | 'm') => "dates or times",
            Some('V') => "raw bytes",
            _ => "an unknown dtype",
        };
        let found = match descr {
            Some(descr) => format!("{what} ({})", shorten(descr)),
            None => what.to_owned(),
        };
        Error::Type {
            file: self.name.clone(),
            found,
            remedy: "an integer type, float32 or float64",
        }
    }

    /// Checks that header and data fill the file exactly. The product of the shape cannot
    /// overflow from here on, for the file is that long.
    fn check_length(&self, header: u64, found: u64) -> Result<(), Error> {
        let size = self.code[1..].parse().unwrap_or(1);
        let data = self
            .shape()
            .iter()
            .try_fold(size, |product: u64, &axis| product.checked_mul(axis as u64));
        // An axis of 0 hides the size of the others: 0 rows are refused as such, the rest by shape.
        let empty = self.shape().contains(&0);
        let data = if empty { 0 } else { data.unwrap_or(u64::MAX) };
        let expected = header.saturating_add(data);
        let file = self.name.clone();
        match found {
            _ if found < expected => Err(Error::Truncated {
                file,
                expected,
                found,
            }),
            _ if found > expected => Err(Error::Trailing {
                file,
                expected,
                found,
            }),
            _ => Ok(()),
        }
    }

    fn visit_rows<T: Element>(&mut self, visit: &mut Visit<'_>) -> Result<(), Error> {
        let (rows, row_len) = (self.rows(), self.row_len().max(1));
        let mut values = Vec::with_capacity(row_len);
        if self.header.layout.is_fortran() && self.shape().len() > 1 {
            // Here a row lies scattered over the whole file, which is therefore read at once.
            let data = self.decode::<T>(rows * row_len)?;
            let array = ArrayD::from_shape_vec(IxDyn(self.shape()).f(), data)
                .map_err(|_| self.bad_shape("one that fits the data".into()))?;
            for (row, cells) in array.outer_iter().enumerate() {
                values.clear();
                values.extend(cells.iter().map(|cell| cell.value()));
                visit(row, &values)?;
            }
            return Ok(());
        }
        let step = (CHUNK / row_len).max(1);
        for first in (0..rows).step_by(step) {
            let chunk = self.decode::<T>(step.min(rows - first) * row_len)?;
            for (row, cells) in (first..).zip(chunk.chunks_exact(row_len)) {
                values.clear();
                values.extend(cells.iter().map(|cell| cell.value()));
                visit(row, &values)?;
            }
        }
        Ok(())
    }

    /// Reads the next `count` elements.
    fn decode<T: Element>(&mut self, count: usize) -> Result<Vec<T>, Error> {
        let mut part = (&mut self.file).take((count * size_of::<T>()) as u64);
        T::read_to_end_exact_vec(&mut part, &self.header.type_descriptor, count).map_err(|error| {
            let source = match error {
                ReadDataError::Io(source) => source,
                ReadDataError::WrongDescriptor(_) => return self.bad_type(),
                ReadDataError::ParseData(inner) => {
                    io::Error::new(io::ErrorKind::InvalidData, inner)
                }
                // The length was right when the file was opened.
                _ => io::Error::new(io::ErrorKind::UnexpectedEof, "it shrank while being read"),
            };
            Error::Read {
                path: self.path.clone(),
                source,
            }
        })
    }
}

/// The shape of an array that lies in another file, and its dtype without its byte order. `reader` begins at its
/// magic and has `length` bytes; `name` is what errors call it.
///
/// # Errors
/// If it is no npy.
pub(crate) fn described(
    reader: &mut impl Read,
    name: &str,
    length: u64,
) -> Result<(Vec<usize>, String), Error> {
    let failed = |source| Error::Read {
        path: name.into(),
        source,
    };
    let header = parse_header(&read_header(reader, name, length, &failed)?, name)?;
    let code = code(&header);
    Ok((header.shape, code))
}

/// The dtype without its byte order; nothing for a structured one.
fn code(header: &Header) -> String {
    let descr = header.type_descriptor.as_string();
    let code = descr.map(|descr| descr.strip_prefix(['<', '>', '|']).unwrap_or(descr));
    code.unwrap_or_default().to_owned()
}

/// Reads everything before the data: magic, version, length, dict. `length` is the file's.
fn read_header(
    file: &mut impl Read,
    name: &str,
    length: u64,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<Vec<u8>, Error> {
    let name = || name.to_owned();
    let mut bytes = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(Error::NotNpy { file: name() });
    }
    let width = match bytes[6..] {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        [major, minor] => {
            return Err(Error::Version {
                file: name(),
                major,
                minor,
            });
        }
        _ => {
            return Err(Error::Truncated {
                file: name(),
                expected: 8,
                found: length,
            });
        }
    };
    file.by_ref()
        .take(width)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let prefix = 8 + width;
    if (bytes.len() as u64) < prefix {
        return Err(Error::Truncated {
            file: name(),
            expected: prefix,
            found: length,
        });
    }
    let found = bytes[8..]
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    if found > HEADER_LIMIT {
        return Err(Error::HeaderLength {
            file: name(),
            found,
            limit: HEADER_LIMIT,
        });
    }
    file.by_ref()
        .take(found)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if (bytes.len() as u64) < prefix + found {
        return Err(Error::Truncated {
            file: name(),
            expected: prefix + found,
            found: length,
        });
    }
    Ok(bytes)
}

/// Parses a whole header, from the magic on, as `read_header` returns it.
fn parse_header(bytes: &[u8], name: &str) -> Result<Header, Error> {
    // The parser's own messages run over several lines, or fail to format: the text says it all.
    let prefix = if bytes[6] == 1 { 10 } else { 12 };
    let text = shorten(&String::from_utf8_lossy(&bytes[prefix..]));
    let bad = |what| Error::Header {
        file: name.to_owned(),
        what,
        text: text.clone(),
    };
    let brackets = bytes.iter().filter(|byte| b"([{".contains(byte)).count();
    if brackets > BRACKET_LIMIT {
        return Err(bad("nested too deeply or of a structured dtype"));
    }
    Header::from_reader(&mut &bytes[..]).map_err(|error| match error {
        ReadHeaderError::Parse(ParseHeaderError::IllegalValue { key, .. }) if key == "shape" => {
            bad("the shape is no tuple of whole numbers from 0")
        }
        ReadHeaderError::Parse(ParseHeaderError::MissingKey(_)) => {
            bad("one of descr, fortran_order and shape is missing")
        }
        _ => bad("not the dict that numpy writes"),
    })
}

/// At most 60 characters of `text`, on one line.
fn shorten(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut left = text.trim().chars().map(printable);
    let mut short: String = left.by_ref().take(60).collect();
    if left.next().is_some() {
        short.push_str("...");
    }
    short
}
