//! What stands between a network and another program's file.

use crate::{data, files, network, pictures, weights};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] files::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Network(#[from] network::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Weights(#[from] weights::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] data::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pictures(#[from] pictures::Error),
    /// A file of another program that is not what was asked for.
    #[error("{}: {what}", path.display())]
    Unfit { path: PathBuf, what: String },
    #[error("{}: its ending says no known format: {known} are known", path.display())]
    Ending { path: PathBuf, known: String },
    #[error("--classes {given}: {what}")]
    Classes { given: String, what: String },
    #[error("layer {layer} ({kind}): {what}")]
    Layer {
        layer: String,
        kind: &'static str,
        what: String,
    },
    #[error("{} would have {bytes} bytes, and protobuf ends at 2147483647", path.display())]
    #[diagnostic(help("-o weights.npz or -o weights.safetensors can hold them"))]
    TooLarge { path: PathBuf, bytes: u64 },
}
