//! Writes a data set row by row, of any length: images and class numbers in, the npy files out, under temporary
//! names until all is complete. The number of rows is known at the end and written into the headers then.

use super::{CLASSES, Error, FILES, classes};
use crate::files::{self, Draft};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Bytes of a header: one whose shape has room for any number of rows.
const HEADER: usize = 128;

/// One npy file under way.
struct Growing {
    draft: Draft,
    descr: &'static str,
    /// Behind the number of rows, as in a tuple of Python.
    row_shape: String,
    rows: u64,
}

impl Growing {
    fn begin(path: &Path, descr: &'static str, row_shape: String) -> Result<Growing, Error> {
        let mut growing = Growing {
            draft: Draft::begin(path)?,
            descr,
            row_shape,
            rows: 0,
        };
        let header = growing.header();
        growing.append(path, &header, 0)?;
        Ok(growing)
    }

    /// Version 1.0 of <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
    fn header(&self) -> Vec<u8> {
        let shape = format!("({},{})", self.rows, self.row_shape);
        let dict = format!(
            "{{'descr': '{}', 'fortran_order': False, 'shape': {shape}, }}",
            self.descr
        );
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((HEADER as u16 - 10).to_le_bytes());
        bytes.extend(format!("{dict:0$}\n", HEADER - 11).bytes());
        assert_eq!(bytes.len(), HEADER, "a shape of four axes is short");
        bytes
    }

    fn append(&mut self, path: &Path, bytes: &[u8], rows: u64) -> Result<(), Error> {
        self.rows += rows;
        let failed = |source| files::Error::write(path, source);
        let write = |out: &mut dyn Write| out.write_all(bytes).map_err(failed);
        Ok(self.draft.fill(write)?)
    }

    /// The draft, its header complete.
    fn finish(mut self) -> Result<Draft, Error> {
        let header = self.header();
        self.draft.patch(0, &header)?;
        Ok(self.draft)
    }
}

/// What an image shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    Class(u32),
    /// The share of each class.
    Shares(Vec<f32>),
}

/// The images and labels of one split under way.
struct Part {
    x: Growing,
    y: Growing,
    /// Rows by class; of shares, by the largest.
    counts: Vec<u64>,
}

/// A data set under way.
pub struct SetWriter {
    parts: [Part; 2],
    names: Draft,
    /// Values of one image.
    pixels: usize,
}

/// Rows by class of a set that was written: of training, of test.
pub type Counts = [Vec<u64>; 2];

impl SetWriter {
    /// Begins a set of images (height, width, channels) in `folder`, which is made where it is missing, with
    /// class numbers or, where `shares` is set, a share of each class a row.
    ///
    /// # Errors
    /// If one of the files exists already, or cannot be written.
    pub fn begin(
        folder: &Path,
        image: [usize; 3],
        names: &[String],
        shares: bool,
    ) -> Result<SetWriter, Error> {
        fs::create_dir_all(folder).map_err(|source| files::Error::write(folder, source))?;
        super::must_be_free(folder)?;
        let [height, width, channels] = image;
        let part = |x: &str, y: &str| {
            let (descr, row) = match (shares, names.len() > 256) {
                (true, _) => ("<f4", format!(" {}", names.len())),
                (false, true) => ("<u4", String::new()),
                (false, false) => ("|u1", String::new()),
            };
            let shape = format!(" {height}, {width}, {channels}");
            Ok::<Part, Error>(Part {
                x: Growing::begin(&folder.join(x), "|u1", shape)?,
                y: Growing::begin(&folder.join(y), descr, row)?,
                counts: vec![0; names.len()],
            })
        };
        let parts = [part(FILES[0], FILES[1])?, part(FILES[2], FILES[3])?];
        let path = folder.join(CLASSES);
        let mut draft = Draft::begin(&path)?;
        let failed = |source| files::Error::write(&path, source);
        let write = |out: &mut dyn Write| out.write_all(classes::text(names).as_bytes());
        draft.fill(|out| write(out).map_err(failed))?;
        Ok(SetWriter {
            parts,
            names: draft,
            pixels: height * width * channels,
        })
    }

    /// Appends images and their labels to the training split (0) or the test split (1).
    ///
    /// # Panics
    /// If the pixels are not those of so many images.
    pub fn append(&mut self, split: usize, pixels: &[u8], labels: &[&Label]) -> Result<(), Error> {
        assert_eq!(pixels.len(), labels.len() * self.pixels, "whole images");
        let Part { x, y, counts } = &mut self.parts[split];
        let rows = labels.len() as u64;
        x.append(Path::new(FILES[2 * split]), pixels, rows)?;
        let mut bytes = Vec::new();
        for label in labels {
            match label {
                Label::Class(class) => {
                    counts[*class as usize] += 1;
                    match y.descr {
                        "|u1" => bytes.push(*class as u8),
                        _ => bytes.extend(class.to_le_bytes()),
                    }
                }
                Label::Shares(shares) => {
                    let first_largest = |best, i| if shares[i] > shares[best] { i } else { best };
                    counts[(0..shares.len()).fold(0, first_largest)] += 1;
                    bytes.extend(shares.iter().flat_map(|share| share.to_le_bytes()));
                }
            }
        }
        y.append(Path::new(FILES[2 * split + 1]), &bytes, rows)
    }

    /// Rows of both splits so far.
    pub fn rows(&self) -> [u64; 2] {
        [self.parts[0].x.rows, self.parts[1].x.rows]
    }

    /// Gives the complete files their names; the last is `classes.json`.
    ///
    /// # Errors
    /// If a file of such a name came in between, or the disk refuses.
    pub fn publish(self) -> Result<Counts, Error> {
        let mut drafts = Vec::new();
        let counts = self.parts.map(|Part { x, y, counts }| {
            drafts.extend([x.finish(), y.finish()]);
            counts
        });
        for draft in drafts {
            draft?.publish_new()?;
        }
        self.names.publish_new()?;
        Ok(counts)
    }
}
