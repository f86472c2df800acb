//! FER+: ten people's votes on each image of FER-2013, a line an image in the order of its CSV (Barsoum, Zhang,
//! Canton Ferrer, Zhang 2016, arXiv 1608.01041). `fer2013new.csv` in, a verdict a row out.

use super::Error;
use super::lines::{Lines, Usage, record, shown};
use crate::data::Label;
use std::path::{Path, PathBuf};

/// The classes of FER+ by class number, as its file names and orders them.
pub(super) const CLASSES: [&str; 8] = [
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
];

/// What votes may also say: the person does not know, or sees no face.
const OTHERS: [&str; 2] = ["unknown", "NF"];

/// What becomes of the votes on an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// The class that has more than half of them; without one the image is left out.
    #[default]
    Majority,
    /// The share of each class; left out where `unknown` or `NF` are level with the leading class or ahead.
    Distribution,
}

/// What the votes say of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Label(Label),
    Undecided,
}

/// The verdicts of a whole file.
pub(super) struct Votes {
    path: PathBuf,
    /// By row, with the line on which it stands.
    rows: Vec<(u64, Usage, Verdict)>,
}

impl Votes {
    /// Reads a file of votes.
    ///
    /// # Errors
    /// The first line that is none: what is left out here would shift all that follow.
    pub fn read(path: &Path, targets: Targets) -> Result<Votes, Error> {
        let mut lines = Lines::open(path)?;
        let wrong = |line, why| Error::Votes {
            path: path.into(),
            line,
            why,
        };
        let header = match lines.next()? {
            Some((_, Ok(header))) => header,
            Some((line, Err(why))) => return Err(wrong(line, why)),
            None => Vec::new(),
        };
        let header = record(&header);
        let column = |wanted: &str| {
            let is = |name: &[u8]| name.eq_ignore_ascii_case(wanted.as_bytes());
            let missing = || wrong(1, format!("no column `{wanted}`: this is no file of FER+"));
            header.iter().position(is).ok_or_else(missing)
        };
        let usage = column("Usage")?;
        let names = CLASSES.iter().chain(&OTHERS);
        let columns: Vec<usize> = names.map(|name| column(name)).collect::<Result<_, _>>()?;
        let mut rows = Vec::new();
        while let Some((line, content)) = lines.next()? {
            let content = content.map_err(|why| wrong(line, why))?;
            if content.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let fields = record(&content);
            if fields.len() != header.len() {
                let why = format!("{} fields, the header has {}", fields.len(), header.len());
                return Err(wrong(line, why));
            }
            let usage = Usage::parse(&fields[usage]).map_err(|why| wrong(line, why))?;
            let votes = columns.iter().map(|&at| count(&fields[at]));
            let votes: Vec<u32> = votes
                .collect::<Result<_, _>>()
                .map_err(|why| wrong(line, why))?;
            rows.push((line, usage, verdict(&votes, targets)));
        }
        Ok(Votes {
            path: path.into(),
            rows,
        })
    }

    /// The verdict on row `row` (from 0) of the images' file, on whose line `line` it is of that usage.
    ///
    /// # Errors
    /// If there is none, or one of another usage.
    pub fn of(&self, row: usize, usage: Usage, line: u64) -> Result<&Verdict, Error> {
        let wrong = |of, why| Error::Votes {
            path: self.path.clone(),
            line: of,
            why,
        };
        match self.rows.get(row) {
            Some((_, own, verdict)) if *own == usage => Ok(verdict),
            Some((of, own, _)) => Err(wrong(
                *of,
                format!(
                    "the votes are of {own:?}, the image on line {line} of {usage:?}: both files need the same rows"
                ),
            )),
            None => Err(wrong(
                self.rows.last().map_or(1, |(of, ..)| *of),
                format!(
                    "the votes end before the image on line {line}: both files need the same rows"
                ),
            )),
        }
    }

    /// Are these the votes of so many rows?
    pub fn must_end_at(&self, rows: usize) -> Result<(), Error> {
        match self.rows.get(rows) {
            None => Ok(()),
            Some((line, ..)) => Err(Error::Votes {
                path: self.path.clone(),
                line: *line,
                why: format!("the images end after {rows} rows: both files need the same rows"),
            }),
        }
    }
}

fn count(text: &[u8]) -> Result<u32, String> {
    let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
    number
        .filter(|&votes| votes <= 1000)
        .ok_or_else(|| format!("`{}` is no number of votes", shown(text)))
}

/// What the votes for the classes and the others say. A class with a single vote counts as none, as in the
/// authors' own code.
fn verdict(votes: &[u32], targets: Targets) -> Verdict {
    let votes: Vec<u32> = votes.iter().map(|&n| if n > 1 { n } else { 0 }).collect();
    let (classes, others) = votes.split_at(CLASSES.len());
    let all: u32 = votes.iter().sum();
    let first_largest = |best, i| if classes[i] > classes[best] { i } else { best };
    let leading = (0..classes.len()).fold(0, first_largest);
    match targets {
        Targets::Majority if 2 * classes[leading] > all => {
            Verdict::Label(Label::Class(leading as u32))
        }
        Targets::Distribution if others.iter().all(|&other| other < classes[leading]) => {
            let sum: u32 = classes.iter().sum();
            let share = |&votes: &u32| votes as f32 / sum as f32;
            Verdict::Label(Label::Shares(classes.iter().map(share).collect()))
        }
        _ => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_become_a_class_or_shares_or_nothing() {
        let class = |votes: [u32; 10]| verdict(&votes, Targets::Majority);
        let label = |class| Verdict::Label(Label::Class(class));
        assert_eq!(class([4, 0, 0, 0, 4, 2, 0, 0, 0, 0]), Verdict::Undecided);
        assert_eq!(class([6, 0, 0, 1, 1, 0, 2, 0, 0, 0]), label(0));
        assert_eq!(class([0, 5, 5, 0, 0, 0, 0, 0, 0, 0]), Verdict::Undecided);
        // Single votes do not count.
        assert_eq!(class([0, 0, 0, 0, 0, 0, 1, 5, 0, 4]), label(7));
        assert_eq!(class([0, 0, 0, 0, 0, 0, 0, 5, 1, 5]), Verdict::Undecided);
        assert_eq!(class([0, 0, 0, 0, 0, 0, 0, 0, 0, 10]), Verdict::Undecided);
        assert_eq!(class([0; 10]), Verdict::Undecided);

        let shares = |votes: [u32; 10]| verdict(&votes, Targets::Distribution);
        let sevenths = vec![4.0 / 7.0, 0.0, 0.0, 0.0, 3.0 / 7.0, 0.0, 0.0, 0.0];
        let expected = Verdict::Label(Label::Shares(sevenths));
        assert_eq!(shares([4, 0, 0, 1, 3, 0, 0, 0, 2, 0]), expected);
        assert_eq!(shares([4, 0, 0, 0, 0, 0, 0, 0, 4, 0]), Verdict::Undecided);
        assert_eq!(shares([0; 10]), Verdict::Undecided);
    }
}
