//! What can end a run, and the exit code that each deserves.

use crate::{data, gpu, plan};
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Data(#[from] data::Error),
    #[error(transparent)]
    Gpu(#[from] gpu::Error),
    /// The device failed a run that has a folder; `remedy` says how to go on.
    #[error("{cause}; {remedy}")]
    Broken { cause: gpu::Error, remedy: String },
    #[error(transparent)]
    Plan(#[from] plan::Error),
    #[error("no model `{found}`; there are: {known}")]
    UnknownModel { found: String, known: String },
    #[error("--{option} {found}: {expected}")]
    Option {
        option: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("--batch {batch} is larger than the training set of {rows} images: give a smaller one")]
    BatchTooLarge { batch: u32, rows: usize },
    #[error("{} holds a run already: choose another --out, or go on with it by --resume", .0.display())]
    HoldsRun(PathBuf),
    #[error("{} is a file: --out takes a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no safetensors file that fer-gpu can read: {why}", path.display())]
    Safetensors { path: PathBuf, why: String },
    #[error("{}: {tensor} {found}, {model} expects {expected}", path.display())]
    Tensor {
        path: PathBuf,
        tensor: String,
        found: String,
        expected: String,
        model: String,
    },
    #[error("{} is no resume point of fer-gpu: {why}", path.display())]
    Resume { path: PathBuf, why: String },
    #[error("this run has {what} {stored}, the command line says {given}: start a new run instead")]
    Differs {
        what: &'static str,
        stored: String,
        given: String,
    },
    #[error(
        "step {step}: the loss is not finite; the first non-finite tensor is {tensor}. No weight was changed by it. Try a lower --lr"
    )]
    NonFinite { step: u64, tensor: String },
    #[error("step {step}: {failed} of {dispatches} dispatches disagree with their reference")]
    Check {
        step: u64,
        failed: usize,
        dispatches: usize,
    },
}

impl Error {
    /// 2 for what the user can mend, 3 for a loss that is not finite, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::NonFinite { .. } => 3,
            Error::Check { .. } => 1,
            Error::Gpu(cause) | Error::Broken { cause, .. } => match cause {
                gpu::Error::Request { .. }
                | gpu::Error::Lost { .. }
                | gpu::Error::Rejected { .. } => 1,
                _ => 2,
            },
            _ => 2,
        }
    }
}
