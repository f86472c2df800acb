//! Labelled pixels in, a data set on the disk out. A source whose test part is a share of it goes through memory,
//! where that part is chosen by what its images are; all others are written as they come.

use super::{Error, Event, Fault, Imported, Kind, Options, Source, Wanted};
use crate::data::{self, Counts, Dataset, Label, PixelRange, Pixels, SetWriter, Split};
use std::path::{Path, PathBuf};

/// Where a row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Train = 0,
    Test = 1,
}

/// A row that was read.
pub(super) struct Row {
    pub side: Side,
    pub pixels: Vec<u8>,
    pub label: Label,
    pub resized: bool,
    pub animated: bool,
}

/// A row, or why there is none.
pub(super) enum Outcome {
    Row(Row),
    Fault(Fault),
    /// Of the third part.
    Private,
    /// The votes decide nothing.
    Undecided,
}

pub(super) struct Sink {
    set: Set,
    wanted: Wanted,
    class_names: Vec<String>,
    strict: bool,
    faults: u64,
    /// The first, for a source of which nothing is left.
    first: Option<String>,
    private: u64,
    /// Files of the source that are none of its pictures.
    skipped: Vec<PathBuf>,
    undecided: u64,
    resized: u64,
    animated: u64,
}

/// A set under way.
enum Set {
    /// On the disk, row by row.
    Written(Box<SetWriter>),
    /// In memory, to be parted when it is whole.
    Held {
        pixels: Vec<u8>,
        labels: Vec<u32>,
        out: PathBuf,
        share: f64,
        seed: u64,
    },
}

impl Sink {
    /// Begins the set in the folder `out`. `shares` says that rows have a share of each class.
    ///
    /// # Errors
    /// If the source has no test part and none is asked for, or the other way round; if a set lies in `out`.
    pub fn begin(
        source: &Source,
        out: &Path,
        options: &Options,
        shares: bool,
    ) -> Result<Sink, Error> {
        let image = options.wanted.shape();
        let names = source.class_names.clone();
        let set = match (source.has_test, options.test_share) {
            (false, None) => return Err(Error::NoTest(source.path.clone())),
            (true, Some(_)) => return Err(Error::HasTest(source.path.clone())),
            (false, Some(_)) if shares => return Err(Error::PartedShares),
            (true, None) => {
                let writer = SetWriter::begin(out, image, &names, shares)?;
                Set::Written(Box::new(writer))
            }
            (false, Some(share)) => {
                data::must_be_free(out)?;
                Set::Held {
                    pixels: Vec::new(),
                    labels: Vec::new(),
                    out: out.into(),
                    share,
                    seed: options.seed,
                }
            }
        };
        Ok(Sink {
            set,
            wanted: options.wanted,
            class_names: names,
            strict: options.strict,
            faults: 0,
            first: None,
            private: 0,
            skipped: Vec::new(),
            undecided: 0,
            resized: 0,
            animated: 0,
        })
    }

    /// Notes files of the source that are none of its pictures.
    pub fn skip(&mut self, files: Vec<PathBuf>) {
        self.skipped = files;
    }

    /// Takes a chunk of rows, in their order.
    ///
    /// # Errors
    /// If the disk refuses; the first fault of a strict import.
    pub fn take(
        &mut self,
        outcomes: Vec<Outcome>,
        observe: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let mut rows: [Vec<Row>; 2] = [Vec::new(), Vec::new()];
        for outcome in outcomes {
            match outcome {
                Outcome::Row(row) => rows[row.side as usize].push(row),
                Outcome::Private => self.private += 1,
                Outcome::Undecided => self.undecided += 1,
                Outcome::Fault(fault) if self.strict => return Err(Error::Strict { fault }),
                Outcome::Fault(fault) => {
                    self.faults += 1;
                    self.first.get_or_insert_with(|| fault.to_string());
                    observe(Event::Fault(&fault));
                }
            }
        }
        for (side, rows) in rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            self.set.append(side, rows)?;
            self.resized += rows.iter().filter(|row| row.resized).count() as u64;
            self.animated += rows.iter().filter(|row| row.animated).count() as u64;
        }
        Ok(())
    }

    /// Completes the set.
    ///
    /// # Errors
    /// If a side of it is empty, or the disk refuses.
    pub fn finish(self, kind: Kind, source: &Path) -> Result<Imported, Error> {
        let empty = |side| Error::NoRows {
            path: source.into(),
            side,
            faults: match &self.first {
                Some(first) => format!(": of {} faults the first is: {first}", self.faults),
                None => String::new(),
            },
        };
        let (train, test) = self.set.rows();
        if train == 0 {
            return Err(empty("train on"));
        }
        if test == Some(0) {
            return Err(empty("validate on"));
        }
        let counts = self
            .set
            .finish(self.wanted.shape(), &self.class_names, source)?;
        Ok(Imported {
            kind,
            image: self.wanted.shape(),
            class_names: self.class_names,
            counts,
            faults: self.faults,
            private: self.private,
            skipped: self.skipped,
            undecided: self.undecided,
            resized: self.resized,
            animated: self.animated,
        })
    }
}

impl Set {
    fn append(&mut self, side: usize, rows: &[Row]) -> Result<(), Error> {
        let bytes = rows.iter().flat_map(|row| &row.pixels).copied();
        match self {
            Set::Written(writer) => {
                let labels: Vec<&Label> = rows.iter().map(|row| &row.label).collect();
                Ok(writer.append(side, &bytes.collect::<Vec<u8>>(), &labels)?)
            }
            Set::Held { pixels, labels, .. } => {
                pixels.extend(bytes);
                labels.extend(rows.iter().map(|row| match &row.label {
                    Label::Class(class) => *class,
                    Label::Shares(_) => unreachable!("`begin` parts no shares"),
                }));
                Ok(())
            }
        }
    }

    /// Rows to train on and, where they are apart already, to validate on.
    fn rows(&self) -> (u64, Option<u64>) {
        match self {
            Set::Written(writer) => {
                let [train, test] = writer.rows();
                (train, Some(test))
            }
            Set::Held { labels, .. } => (labels.len() as u64, None),
        }
    }

    fn finish(self, image: [usize; 3], names: &[String], source: &Path) -> Result<Counts, Error> {
        let (pixels, labels, out, share, seed) = match self {
            Set::Written(writer) => return Ok(writer.publish()?),
            Set::Held {
                pixels,
                labels,
                out,
                share,
                seed,
            } => (pixels, labels, out, share, seed),
        };
        let part = (labels.len() as f64 * share).round() as usize;
        let pixels = Pixels::U8(pixels);
        let name = source.display().to_string();
        let whole = Split::of(pixels, labels);
        let set = Dataset::whole(whole, PixelRange::ZeroTo255, image, names.to_vec(), name);
        let parted = set.part(part, seed)?;
        parted.write(&out)?;
        Ok([&parted.train, &parted.test].map(|split| split.counts(names.len())))
    }
}
