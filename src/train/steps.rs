//! steps.csv: the loss and accuracy of every step, before its update.
//!
//! Rows that the disk does not take wait for the next one, until a save asks for all of them:
//! then the resume point says how much of the file belongs to the run, and with which hash.

use super::Error;
use super::state::STEPS;
use crate::files;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const HEADER: &str = "step,loss,accuracy\n";

/// The part of steps.csv that a resume point vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub bytes: u64,
    /// xxh3-128 of them.
    pub hash: String,
}

/// Appends a row a step.
pub struct StepLog {
    path: PathBuf,
    file: File,
    /// Of all rows so far.
    hash: Xxh3,
    bytes: u64,
    /// Rows that are not in the file yet.
    waiting: Vec<u8>,
}

impl StepLog {
    /// Opens the log at `step`: rows from there on, which a killed run left, are dropped.
    ///
    /// # Errors
    /// If the rows that the resume point vouches for are not there.
    pub fn open(folder: &Path, step: u64, written: Option<&Written>) -> Result<StepLog, Error> {
        let path = folder.join(STEPS);
        let old = match fs::read(&path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(files::Error::read(&path, source).into()),
        };
        let kept = match written {
            Some(written) if !old.is_empty() => vouched(&path, old, written)?,
            _ => earlier(&old, step),
        };
        files::replace(&path, |file| {
            file.write_all(&kept)
                .map_err(|source| files::Error::write(&path, source))
        })?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|source| files::Error::write(&path, source))?;
        let mut hash = Xxh3::new();
        hash.update(&kept);
        Ok(StepLog {
            path,
            file,
            hash,
            bytes: kept.len() as u64,
            waiting: Vec::new(),
        })
    }

    /// Nine significant digits: f32 comes back exactly. A full disk shows at the next save.
    pub fn row(&mut self, step: u64, loss: f64, accuracy: f64) {
        let row = format!("{step},{},{}\n", significant(loss), significant(accuracy));
        self.hash.update(row.as_bytes());
        self.bytes += row.len() as u64;
        self.waiting.extend(row.bytes());
        drop(self.push());
    }

    /// Waits until every row is on the disk.
    pub fn sync(&mut self) -> Result<Written, Error> {
        self.push()
            .and_then(|()| self.file.sync_data())
            .map_err(|source| files::Error::write(&self.path, source))?;
        Ok(Written {
            bytes: self.bytes,
            hash: files::hexadecimal(self.hash.digest128()),
        })
    }

    fn push(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.file.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The head of the file that a resume point vouches for.
fn vouched(path: &Path, mut old: Vec<u8>, written: &Written) -> Result<Vec<u8>, Error> {
    let bytes = usize::try_from(written.bytes).ok();
    let head = bytes.and_then(|bytes| old.get(..bytes)).map(|head| {
        let mut hash = Xxh3::new();
        hash.update(head);
        files::hexadecimal(hash.digest128())
    });
    if head.as_ref() != Some(&written.hash) {
        return Err(Error::StepLog(path.into()));
    }
    old.truncate(written.bytes as usize);
    Ok(old)
}

/// The header and the rows of steps before `step`, of a log that nobody vouches for.
fn earlier(old: &[u8], step: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(old);
    let is_earlier = |line: &&str| {
        let number = line.split(',').next().and_then(|n| n.parse::<u64>().ok());
        number.is_some_and(|n| n < step)
    };
    let rows = text.lines().filter(is_earlier);
    let rows: String = rows.map(|line| format!("{line}\n")).collect();
    [HEADER, &rows].concat().into_bytes()
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
