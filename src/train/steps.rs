//! steps.csv: the loss and accuracy of every step, before its update.

use super::state::STEPS;
use super::{Error, files};
use std::fs::{self, File, OpenOptions};
use std::io::{LineWriter, Write};
use std::path::{Path, PathBuf};

const HEADER: &str = "step,loss,accuracy";

/// Appends a row a step.
pub struct StepLog {
    path: PathBuf,
    file: LineWriter<File>,
}

impl StepLog {
    /// Opens the log at `step`: rows from there on, which a killed run left, are dropped.
    pub fn open(folder: &Path, step: u64) -> Result<StepLog, Error> {
        let path = folder.join(STEPS);
        let old = if path.exists() {
            fs::read_to_string(&path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?
        } else {
            String::new()
        };
        let earlier = |line: &&str| {
            line.split(',')
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .is_some_and(|n| n < step)
        };
        files::replace(&path, |file| {
            let failed = |source| files::failed(&path, source);
            writeln!(file, "{HEADER}").map_err(failed)?;
            for line in old.lines().filter(earlier) {
                writeln!(file, "{line}").map_err(failed)?;
            }
            Ok(())
        })?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|source| files::failed(&path, source))?;
        Ok(StepLog {
            path,
            file: LineWriter::new(file),
        })
    }

    /// Nine significant digits: f32 comes back exactly.
    pub fn row(&mut self, step: u64, loss: f64, accuracy: f64) -> Result<(), Error> {
        writeln!(
            self.file,
            "{step},{},{}",
            significant(loss),
            significant(accuracy)
        )
        .map_err(|source| files::failed(&self.path, source))
    }
}

fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let exponent = value.abs().log10().floor() as i32;
    if (-5..9).contains(&exponent) {
        format!("{value:.*}", (8 - exponent) as usize)
    } else {
        format!("{value:.8e}")
    }
}
