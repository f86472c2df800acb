//! `fer-gpu` alone: where one is. The adapter, the last runs with what they reached, the commands that fit now.

use super::output::{self, told};
use super::{Error, print};
use crate::files;
use crate::gpu::Adapter;
use crate::gpu::adapter::Kind;
use crate::train::{BEST, CONFIG, Config, EpochRow, read_history};
use comfy_table::{Table, presets};
use miette::Diagnostic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// Runs that are shown, the latest first.
const SHOWN: usize = 5;

/// A run's folder as far as its small files tell.
struct Run {
    folder: PathBuf,
    config: Config,
    history: Vec<EpochRow>,
    changed: SystemTime,
}

pub fn run() -> Result<ExitCode, Error> {
    print(format_args!(
        "fer-gpu {}: convolutional networks for facial expressions, trained on any GPU\n",
        env!("CARGO_PKG_VERSION")
    ));
    adapters();
    let runs = runs();
    match runs.is_empty() {
        true => print("runs     none in runs/ or here"),
        false => print(table(&runs)),
    }
    print("");
    output::next(&commands(&runs));
    Ok(ExitCode::SUCCESS)
}

fn adapters() {
    let (found, _) = Adapter::found();
    match found.first() {
        Some(default) => {
            print(format_args!("adapter  {}", default.info));
            if default.info.kind == Kind::Software {
                print(
                    "         software: it runs on the CPU; a GPU with its driver is many times faster",
                );
            }
        }
        None => {
            let missing = crate::gpu::Error::NoAdapter;
            print(format_args!("adapter  none: {missing}"));
            missing.help().into_iter().for_each(output::help);
        }
    }
}

/// The runs in `runs/` and in the working folder, the latest first.
fn runs() -> Vec<Run> {
    let folders = ["runs", "."]
        .into_iter()
        .filter_map(|parent| std::fs::read_dir(parent).ok());
    let entries = folders.flatten().filter_map(|entry| entry.ok());
    let mut runs: Vec<Run> = entries.filter_map(|entry| Run::of(&entry.path())).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.changed));
    runs
}

impl Run {
    /// A folder that has a configuration; what else it lacks or what cannot be read is no error here.
    fn of(folder: &Path) -> Option<Run> {
        let config = files::read_small(&folder.join(CONFIG)).ok()?;
        let config = serde_json::from_slice(&config).ok()?;
        let changed = std::fs::metadata(folder.join(CONFIG)).and_then(|found| found.modified());
        Some(Run {
            folder: folder.strip_prefix(".").unwrap_or(folder).into(),
            config,
            history: read_history(folder).unwrap_or_default(),
            changed: changed.unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }

    /// The epoch of the lowest validation loss.
    fn best(&self) -> Option<&EpochRow> {
        let finite = self.history.iter().filter(|row| row.val_loss.is_finite());
        finite.min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))
    }

    fn is_done(&self) -> bool {
        self.history.len() >= self.config.epochs as usize
    }
}

fn table(runs: &[Run]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (i, run) in runs.iter().take(SHOWN).enumerate() {
        let reached = match run.best() {
            Some(row) => format!(
                "val_accuracy {:.4}, val_loss {:.4} in epoch {}",
                row.val_accuracy, row.val_loss, row.epoch
            ),
            None => "no epoch has ended".into(),
        };
        table.add_row([
            if i == 0 { "runs".into() } else { String::new() },
            output::plain(&run.folder.display().to_string()),
            output::plain(&run.config.model),
            format!("{} of {} epochs", run.history.len(), run.config.epochs),
            reached,
        ]);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 4));
    }
    table
}

/// What one would type now.
fn commands(runs: &[Run]) -> Vec<String> {
    let mut commands = Vec::new();
    if let Some(run) = runs.iter().find(|run| !run.is_done()) {
        commands.push(format!("fer-gpu train --resume {}", told(&run.folder)));
    }
    match runs.iter().find(|run| run.folder.join(BEST).exists()) {
        Some(run) => {
            let folder = told(&run.folder);
            commands.push(format!("fer-gpu evaluate {folder}"));
            commands.push(format!("fer-gpu predict {folder} face.png"));
            commands.push(format!("fer-gpu export {folder} -o model.onnx"));
        }
        None => {
            commands.push("fer-gpu train --model inception-gap      # on generated faces".into());
            commands.push("fer-gpu data import fer2013.csv --out fer".into());
            commands.push("fer-gpu devices".into());
        }
    }
    commands
}
