//! What can stand between a file of weights and an answer.

use crate::{data, files, gpu, network, pictures, plan, score, weights};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] gpu::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] files::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Weights(#[from] weights::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] data::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pictures(#[from] pictures::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Score(#[from] score::Error),
    #[error("{} is neither a run's folder nor a file of weights: there is no such file", .0.display())]
    Nothing(PathBuf),
    #[error("{} has no {missing}", folder.display())]
    #[diagnostic(help("{remedy}"))]
    NoWeights {
        folder: PathBuf,
        missing: &'static str,
        remedy: &'static str,
    },
    #[error("stopped before every image was answered")]
    Stopped,
    /// What a file says of its network is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Network(#[from] network::Error),
    #[error("{}: its network is `{found}`, this fer-gpu has: {known}", path.display())]
    UnknownModel {
        path: PathBuf,
        found: String,
        known: String,
    },
}

impl Error {
    /// 1 for a device that fails, 2 for what the user can mend.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Gpu(error) | Error::Weights(weights::Error::Gpu(error)) => match error {
                gpu::Error::Request { .. }
                | gpu::Error::Lost { .. }
                | gpu::Error::Rejected { .. } => 1,
                _ => 2,
            },
            Error::Score(score::Error::Disagree { .. }) => 1,
            _ => 2,
        }
    }
}
