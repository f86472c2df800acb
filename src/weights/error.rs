//! What can be wrong with a file of tensors.

use crate::{files, gpu};
use std::path::PathBuf;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] gpu::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] files::Error),
    #[error("{} is no safetensors file that fer-gpu can read: {why}", path.display())]
    Safetensors { path: PathBuf, why: String },
    #[error("{}, {purpose}: {cause}", path.display())]
    Damaged {
        path: PathBuf,
        /// What it was to be used for.
        purpose: &'static str,
        cause: files::Unsealed,
    },
    #[error("{}: {tensor} {found}, {model} expects {expected}", path.display())]
    Tensor {
        path: PathBuf,
        tensor: String,
        found: String,
        expected: String,
        model: String,
    },
    /// What its metadata say cannot be obeyed.
    #[error("{}: {what}", path.display())]
    Record { path: PathBuf, what: String },
}
