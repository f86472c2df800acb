//! What a run reached, epoch by epoch: history.csv, a row an epoch as Keras's CSVLogger, and curves.svg.

use super::Error;
use super::state::{CURVES, Config, EpochRow, HISTORY};
use crate::charts::{self, Curve, Epoch};
use crate::files;
use std::path::Path;

/// The last column came later than the others.
const HEADER: &str = "epoch,loss,accuracy,val_loss,val_accuracy,seconds,learning_rate";

/// Rewrites history.csv from the state.
pub fn write_history(folder: &Path, config: &Config, history: &[EpochRow]) -> Result<(), Error> {
    // Where an average of the weights is validated, the last column says so.
    let (column, weights) = match config.regime.ema {
        Some(_) => (",val_weights", ",average"),
        None => ("", ""),
    };
    let mut text = format!("{HEADER}{column}\n");
    for row in history {
        let EpochRow {
            epoch,
            loss,
            accuracy,
            val_loss,
            val_accuracy,
            seconds,
            learning_rate,
        } = row;
        let rate = learning_rate.unwrap_or(config.learning_rate);
        text += &format!(
            "{epoch},{loss:.9},{accuracy:.9},{val_loss:.9},{val_accuracy:.9},{seconds:.3},{rate}{weights}\n"
        );
    }
    Ok(files::replace_text(&folder.join(HISTORY), &text)?)
}

/// Reads a run's history.csv, also one without learning rates.
///
/// # Errors
/// If it is not there, or its rows are not those of epochs from 1 on.
pub fn read_history(folder: &Path) -> Result<Vec<EpochRow>, Error> {
    let path = folder.join(HISTORY);
    let text = files::read_small(&path).map_err(|source| files::Error::read(&path, source))?;
    let wrong = |line: usize, why: String| Error::History {
        path: path.clone(),
        line,
        why,
    };
    let mut reader = csv::Reader::from_reader(&text[..]);
    let mut rows: Vec<EpochRow> = Vec::new();
    for row in reader.deserialize() {
        // The header is line 1.
        let line = rows.len() + 2;
        let row: EpochRow = row.map_err(|error| wrong(line, error.to_string()))?;
        if row.epoch as usize != rows.len() + 1 {
            let expected = rows.len() + 1;
            return Err(wrong(
                line,
                format!("epoch {} instead of {expected}", row.epoch),
            ));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The lines of a run's diagrams; `best` is its best epoch.
pub fn curve(name: String, config: &Config, history: &[EpochRow], best: Option<u32>) -> Curve {
    let epoch = |row: &EpochRow| Epoch {
        epoch: row.epoch,
        loss: row.loss,
        accuracy: row.accuracy,
        val_loss: row.val_loss,
        val_accuracy: row.val_accuracy,
        learning_rate: row.learning_rate.unwrap_or(config.learning_rate),
    };
    Curve {
        name,
        epochs: history.iter().map(epoch).collect(),
        best,
    }
}

/// What a run is called: its folder's name.
pub fn run_name(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    match absolute.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => folder.display().to_string(),
    }
}

/// Rewrites curves.svg.
pub(super) fn write_curves(
    folder: &Path,
    config: &Config,
    history: &[EpochRow],
    best: Option<u32>,
) -> Result<(), files::Error> {
    let curve = curve(run_name(folder), config, history, best);
    files::replace_text(&folder.join(CURVES), &charts::curves(&[curve]))
}
