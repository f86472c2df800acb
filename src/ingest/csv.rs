//! FER-2013's CSV, a line an image: `emotion,pixels,Usage`, in any order, with blanks around names and fields.
//! `fer2013.csv` and `icml_face_data.csv` are such files. Lines in, labelled pixels out.

use super::lines::{Lines, Usage, record, shown};
use super::sink::{Outcome, Row, Side, Sink};
use super::votes::{Verdict, Votes};
use super::{Error, Event, Fault, Options, Private, Source};
use crate::data::{FER_CLASSES, Label};
use crate::pictures::{self, Preprocessing};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Height and width of its images.
const SIZE: usize = 48;

/// Lines that are read at once: enough for all cores, little memory.
const CHUNK: usize = 512;

/// An open file whose header was judged.
pub(super) struct Table {
    pub source: Source,
    lines: Lines,
    form: Form,
    /// Bytes.
    length: u64,
}

/// How its lines are to be read.
struct Form {
    path: PathBuf,
    emotion: usize,
    pixels: usize,
    usage: Option<usize>,
    fields: usize,
    private: Private,
    votes: Option<Votes>,
    wanted: Preprocessing,
}

impl Table {
    /// Opens a file and reads its header, and all votes that go with it.
    ///
    /// # Errors
    /// If it has no columns `emotion` and `pixels`; if the votes cannot be read.
    pub fn open(path: &Path, options: &Options) -> Result<Table, Error> {
        let mut lines = Lines::open(path)?;
        let length = lines.length()?;
        let header = match lines.next()? {
            Some((_, Ok(line))) => line,
            Some((_, Err(_))) | None => Vec::new(),
        };
        let names = record(&header);
        let find = |wanted: &str| {
            let is = |name: &[u8]| name.eq_ignore_ascii_case(wanted.as_bytes());
            names.iter().position(is)
        };
        let needed = |wanted: &str| {
            let found: Vec<String> = names.iter().map(shown).collect();
            let why = || {
                format!(
                    "no column `{wanted}`: FER-2013's CSV has emotion, pixels and Usage, this has {}",
                    crate::ingest::error::short(&found.join(", "))
                )
            };
            find(wanted).ok_or_else(|| Error::Header {
                path: path.into(),
                why: why(),
            })
        };
        let votes = options.votes.as_deref();
        let votes = votes.map(|votes| Votes::read(votes, options.targets));
        let form = Form {
            path: path.into(),
            emotion: needed("emotion")?,
            pixels: needed("pixels")?,
            usage: find("usage"),
            fields: names.len(),
            private: options.private,
            votes: votes.transpose()?,
            wanted: options.wanted.preprocessing(),
        };
        if form.votes.is_some() && form.usage.is_none() {
            return Err(Error::VotesWithoutCsv(path.into()));
        }
        let class_names = match &form.votes {
            Some(_) => super::votes::CLASSES.map(String::from).to_vec(),
            None => FER_CLASSES.map(String::from).to_vec(),
        };
        let source = Source {
            path: path.into(),
            class_names,
            // Whoever asks for a share wants other parts than the file's.
            has_test: form.usage.is_some() && options.test_share.is_none(),
        };
        Ok(Table {
            source,
            lines,
            form,
            length,
        })
    }

    /// Reads all lines.
    ///
    /// # Errors
    /// If the file cannot be read, if the votes are of other rows, or what the sink says.
    pub fn read(self, sink: &mut Sink, observe: &mut dyn FnMut(Event)) -> Result<(), Error> {
        let Table {
            mut lines,
            form,
            length,
            ..
        } = self;
        let mut row = 0;
        loop {
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK
                && let Some((line, content)) = lines.next()?
            {
                // A line without anything is no row.
                if !matches!(&content, Ok(text) if text.iter().all(u8::is_ascii_whitespace)) {
                    chunk.push((line, row, content));
                    row += 1;
                }
            }
            if chunk.is_empty() {
                break;
            }
            let read = |(line, row, content)| form.outcome(line, row, content);
            let outcomes: Result<Vec<Outcome>, Error> = chunk.into_par_iter().map(read).collect();
            sink.take(outcomes?, observe)?;
            let done = lines.position();
            observe(Event::Progress {
                done,
                total: length,
            });
        }
        match &form.votes {
            Some(votes) => votes.must_end_at(row),
            None => Ok(()),
        }
    }
}

impl Form {
    /// What row number `row` (from 0) on line `line` says.
    fn outcome(
        &self,
        line: u64,
        row: usize,
        content: Result<Vec<u8>, String>,
    ) -> Result<Outcome, Error> {
        let fault = |why: String| {
            let path = self.path.clone();
            Ok(Outcome::Fault(Fault::Row { path, line, why }))
        };
        let content = match content {
            Ok(content) => content,
            Err(why) => return fault(why),
        };
        let fields = record(&content);
        if fields.len() != self.fields {
            return fault(format!(
                "{} fields, the header has {}",
                fields.len(),
                self.fields
            ));
        }
        let usage = match self.usage.map(|at| Usage::parse(&fields[at])) {
            Some(Err(why)) => return fault(why),
            Some(Ok(usage)) => usage,
            None => Usage::Training,
        };
        let verdict = match &self.votes {
            Some(votes) => Some(votes.of(row, usage, line)?),
            None => None,
        };
        let side = match (usage, self.private) {
            (Usage::Training, _) | (Usage::PrivateTest, Private::Train) => Side::Train,
            (Usage::PublicTest, _) | (Usage::PrivateTest, Private::Test) => Side::Test,
            (Usage::PrivateTest, Private::LeftOut) => return Ok(Outcome::Private),
        };
        let label = match verdict {
            Some(Verdict::Undecided) => return Ok(Outcome::Undecided),
            Some(Verdict::Label(label)) => label.clone(),
            None => match emotion(&fields[self.emotion]) {
                Ok(class) => Label::Class(class),
                Err(why) => return fault(why),
            },
        };
        let pixels = match pixels(&fields[self.pixels]) {
            Ok(pixels) => pixels,
            Err(why) => return fault(why),
        };
        let picture = pictures::of_grey(pixels, [SIZE; 2], &self.wanted)?;
        Ok(Outcome::Row(Row {
            side,
            pixels: picture.pixels,
            label,
            resized: picture.changed.is_some(),
            animated: false,
        }))
    }
}

/// A class number.
fn emotion(text: &[u8]) -> Result<u32, String> {
    let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    match number {
        Some(class) if class < FER_CLASSES.len() as u32 => Ok(class),
        _ => Err(format!(
            "the emotion is `{}`, not a number from 0 to {}",
            shown(text),
            FER_CLASSES.len() - 1
        )),
    }
}

/// The numbers of an image.
fn pixels(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut pixels = Vec::with_capacity(SIZE * SIZE);
    let words = text.split(u8::is_ascii_whitespace);
    for word in words.filter(|word| !word.is_empty()) {
        let value = match word {
            digits if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => digits
                .iter()
                .fold(0u16, |value, digit| 10 * value + u16::from(digit - b'0')),
            _ => u16::MAX,
        };
        match u8::try_from(value) {
            Ok(value) => pixels.push(value),
            Err(_) => {
                let at = pixels.len();
                return Err(format!(
                    "pixel {at} is `{}`, not a whole number from 0 to 255",
                    shown(word)
                ));
            }
        }
    }
    match pixels.len() {
        count if count == SIZE * SIZE => Ok(pixels),
        count => Err(format!(
            "{count} pixels, an image of {SIZE} x {SIZE} has {}",
            SIZE * SIZE
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{emotion, pixels};

    #[test]
    fn pixels_are_numbers_from_0_to_255_as_many_as_an_image_has() {
        let good = "7 ".repeat(2303) + "255";
        let read = pixels(good.as_bytes()).expect("an image");
        assert_eq!((read.len(), read[0], read[2303]), (2304, 7, 255));
        for (bad, said) in [
            ("7 ".repeat(2303), "2303 pixels"),
            ("7 ".repeat(2209), "2209 pixels"),
            ("7 ".repeat(2305), "2305 pixels"),
            (good.replace("255", "256"), "pixel 2303 is `256`"),
            (good.replace("255", "-1"), "`-1`"),
            (good.replace("255", "1.5"), "`1.5`"),
            (good.replace("255", "99999999999"), "not a whole number"),
            (String::new(), "0 pixels"),
        ] {
            let why = pixels(bad.as_bytes()).expect_err("no image");
            assert!(why.contains(said), "{why}");
        }
        assert_eq!(emotion(b"6"), Ok(6));
        for bad in ["7", "-1", "", "happy", "1.0", "99999999999"] {
            assert!(emotion(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
