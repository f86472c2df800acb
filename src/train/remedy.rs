//! What ended a run, with what its folder holds and how to go on.

use super::Error;
use super::state::Saved;
use crate::{files, gpu};
use miette::Diagnostic;
use std::path::PathBuf;

/// A run that has a resume point.
pub(super) struct Begun {
    pub folder: PathBuf,
    pub learning_rate: f64,
    /// May its resume point be without a hash?
    pub unhashed: bool,
}

/// Adds to an error what the run's folder holds and what to do.
pub(super) fn how_to_go_on(error: Error, begun: &Begun) -> Error {
    let (folder, rate) = (begun.folder.display(), begun.learning_rate);
    let diverged = matches!(error, Error::NonFinite { .. });
    let goes_on = matches!(
        error,
        Error::Gpu(
            gpu::Error::Lost { .. }
                | gpu::Error::OutOfMemory { .. }
                | gpu::Error::Rejected { .. }
                | gpu::Error::Limit { .. },
        ) | Error::File(files::Error::Write { .. } | files::Error::Replaced(_))
    );
    if !(diverged || goes_on) {
        return error;
    }
    let remedy = match Saved::open(&begun.folder, begun.unhashed) {
        Err(_) => "its resume point is no longer there".into(),
        Ok((saved, _)) => {
            let place = match saved.state.step {
                0 => "no step was saved yet".to_string(),
                step => format!("step {step} is saved, with weights that gave a finite loss"),
            };
            let again = format!("fer-gpu train --resume {folder}");
            let stored = saved.config.learning_rate;
            match (diverged, stored < rate) {
                (false, _) if saved.state.step == 0 => {
                    format!("{place}, begin again with: {again}")
                }
                (false, _) => format!("{place}, go on with: {again}"),
                // The rate that this command raised.
                (true, true) => {
                    format!("{place}: --lr {rate} is too high, go on with: {again} --lr {stored}")
                }
                (true, false) => format!(
                    "{place}: try a lower rate than {rate} (and look at the data and the initial weights if it is not the rate): {again} --lr {}",
                    rate / 10.0
                ),
            }
        }
    };
    let remedy = match error.help() {
        Some(own) => format!("{own}; {remedy}"),
        None => remedy,
    };
    let cause = Box::new(error);
    Error::Ended { cause, remedy }
}
