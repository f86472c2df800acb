//! What can end a run, and the exit code that each deserves.

use crate::{data, drawing, files, gpu, ingest, network, pictures, plan, rules, weights};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] data::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ingest(#[from] ingest::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] gpu::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Drawing(#[from] drawing::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] files::Error),
    /// A run that has a folder was ended; `remedy` says how to go on.
    #[error("{}", causes(cause.as_ref()))]
    #[diagnostic(help("{remedy}"))]
    Ended { cause: Box<Error>, remedy: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Rule(#[from] rules::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Network(#[from] network::Error),
    #[error("no recipe `{found}`; there are: {known}")]
    #[diagnostic(help("a file of one's own ends in .toml"))]
    UnknownRecipe { found: String, known: String },
    #[error("{} is no recipe: {why}", path.display())]
    Recipe { path: PathBuf, why: String },
    #[error("{why}")]
    Regime { why: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pictures(#[from] pictures::Error),
    #[error(
        "channel {channel} of every training image is of one colour: a set cannot be standardised by a deviation of 0"
    )]
    #[diagnostic(help("leave [standardise] out of the recipe, or give mean and deviation"))]
    OneColour { channel: usize },
    #[error("{} has no tensor that fits the network", .0.display())]
    #[diagnostic(help("`fer-gpu summary` lists what the network has"))]
    NothingFits(PathBuf),
    #[error("--freeze {pattern}: no tensor of the network is called so")]
    #[diagnostic(help("`fer-gpu summary` lists the layers; a pattern is like mid_1/* or */bias"))]
    Freeze { pattern: String },
    #[error("--{option} {found}: {expected}")]
    Option {
        option: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("--batch {batch} is larger than the training set of {rows} images")]
    #[diagnostic(help("give a smaller --batch"))]
    BatchTooLarge { batch: u32, rows: usize },
    #[error("{} holds a run already", .0.display())]
    #[diagnostic(help("choose another --out, or go on with it by --resume"))]
    HoldsRun(PathBuf),
    #[error("{} is a file: --out takes a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Weights(weights::Error),
    #[error("{} is no resume point of fer-gpu: {why}", path.display())]
    Resume { path: PathBuf, why: String },
    #[error("{} has no hash that tells whether it is as it was written", .0.display())]
    #[diagnostic(help("if an older fer-gpu wrote it, give --accept-unhashed"))]
    Unhashed(PathBuf),
    #[error("{} was edited: {differences}", path.display())]
    #[diagnostic(help(
        "undo that or remove the file. A resumed run takes another --epochs, --lr and --data from the command line"
    ))]
    Edited { path: PathBuf, differences: String },
    #[error("{} was changed since the run wrote it", .0.display())]
    #[diagnostic(help("move it away, and the run goes on with a new one"))]
    StepLog(PathBuf),
    #[error("the run began with the weights of {}, which {what}", path.display())]
    #[diagnostic(help("bring that file back, or begin a new run"))]
    InitialWeights { path: PathBuf, what: String },
    #[error("{} is no history of a run: line {line}: {why}", path.display())]
    History {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("the data of this run are neither in {} nor in {}", stored.display(), absolute.display())]
    #[diagnostic(help("give --data"))]
    NoData { stored: PathBuf, absolute: PathBuf },
    #[error("this run has {what} {stored}, the command line says {given}")]
    #[diagnostic(help("start a new run instead"))]
    Differs {
        what: &'static str,
        stored: String,
        given: String,
    },
    #[error("step {step}: {what} not finite; the first non-finite tensor is {tensor}")]
    NonFinite {
        step: u64,
        /// `the loss is`, or what else.
        what: &'static str,
        tensor: String,
    },
    #[error("step {step}: {failed} of {dispatches} dispatches disagree with their reference")]
    Check {
        step: u64,
        failed: usize,
        dispatches: usize,
    },
}

impl Error {
    /// 2 for what the user can mend, 3 for what is not finite, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Ended { cause, .. } => cause.exit_code(),
            Error::NonFinite { .. } => 3,
            Error::Check { .. } => 1,
            Error::Gpu(
                gpu::Error::Request { .. } | gpu::Error::Lost { .. } | gpu::Error::Rejected { .. },
            ) => 1,
            _ => 2,
        }
    }
}

impl From<weights::Error> for Error {
    fn from(error: weights::Error) -> Error {
        match error {
            weights::Error::Gpu(error) => error.into(),
            weights::Error::File(error) => error.into(),
            other => Error::Weights(other),
        }
    }
}

/// An error and what caused it, on one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
