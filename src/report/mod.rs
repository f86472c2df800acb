//! What a run came to, on one page: a run's folder and its answers over labelled images in, `report.html` out.
//!
//! `gather` reads the folder and lets the best weights answer every image once; `mistakes` keeps the wrong answers
//! that were the most confident; `picture` makes them PNG and finds the run's own; `command` is what trains the same again. What they find
//! is an [`Outcome`], plain data; `page` writes one or several as a page that loads nothing.

mod command;
mod compare;
mod gather;
mod mistakes;
mod page;
mod parts;
mod picture;

pub use command::path;
pub use gather::gather;
pub use mistakes::Mistake;
pub use page::{GENERATOR, page};

use crate::score;
use crate::train::{Config, EpochRow};
use std::path::PathBuf;

/// Wrong answers that a page shows, at most.
pub const MISTAKES: usize = 24;

/// Why there is no report.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Train(#[from] crate::train::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Inference(#[from] crate::inference::Error),
}

/// A run and what its best weights answer.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The folder's name.
    pub name: String,
    pub folder: PathBuf,
    pub config: Config,
    pub history: Vec<EpochRow>,
    /// The epoch of the weights.
    pub epoch: u32,
    /// Numbers in the network.
    pub parameters: usize,
    /// xxh3-128 of the weights' file.
    pub hash: String,
    /// The adapter that answered.
    pub adapter: String,
    /// Where the images come from.
    pub data: String,
    pub score: score::Report,
    /// The most confident first.
    pub mistakes: Vec<Mistake>,
    /// The first batch as training saw it, a PNG, where the run changed its images.
    pub augmented: Option<Vec<u8>>,
}

impl Outcome {
    /// The class of the lowest recall among those that have images; none if none has.
    pub fn hardest(&self) -> Option<&score::PerClass> {
        let there = self.score.per_class.iter().filter(|class| class.count > 0);
        there.min_by(|a, b| a.recall.total_cmp(&b.recall))
    }

    /// Does a page of it show images of the data set?
    pub fn has_pictures(&self) -> bool {
        self.pictures() > 0
    }

    /// How many, the sheet of the first batch being one.
    fn pictures(&self) -> u64 {
        let mistakes = self
            .mistakes
            .iter()
            .filter_map(|mistake| mistake.png.as_ref());
        mistakes.chain(&self.augmented).count() as u64
    }
}
