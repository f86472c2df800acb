//! `fer-gpu data`: makes, parts and looks at data sets, a file for each subcommand.

mod check;
mod import;
mod preview;
mod sample;
mod sheet;
mod split;

use super::Error;
use super::output::{plain, told};
use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args)]
pub struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Subcommand)]
enum DataCommand {
    /// Make a data set of a CSV, of folders of pictures, or of arrays
    Import(import::Import),
    /// Take a validation part out of a training set
    Split(split::Split),
    /// Tell what a data set holds: classes, ranges, blank images, duplicates, contradicting labels
    Check(check::Check),
    /// Draw the first batch as training sees it: its images as a recipe changes them, with their labels
    Preview(preview::Preview),
    /// Draw sample faces and write them as npy files
    Sample(sample::Sample),
}

impl Data {
    pub fn run(self) -> Result<ExitCode, Error> {
        match self.command {
            DataCommand::Import(import) => import.run(),
            DataCommand::Split(split) => split.run(),
            DataCommand::Check(check) => check.run(),
            DataCommand::Preview(preview) => preview.run(),
            DataCommand::Sample(sample) => sample.run(),
        }
    }
}

/// What one should know before a picture of a data set is shared.
fn sharing_notice(path: &Path) -> String {
    let path = told(path);
    format!("{path} shows images of the data set: mind that before you share it")
}

/// Images of both splits by class.
fn class_table(classes: &[String], [train, test]: [&[u64]; 2]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["class", "", "training", "", "validation", ""]);
    let sums = [train, test].map(|counts| counts.iter().sum::<u64>());
    let share = |count: u64, sum: u64| match sum {
        0 => String::new(),
        sum => format!("{:.1} %", 100.0 * count as f64 / sum as f64),
    };
    for (class, name) in classes.iter().enumerate() {
        let [train, test] = [train[class], test[class]];
        table.add_row([
            class.to_string(),
            plain(name),
            train.to_string(),
            share(train, sums[0]),
            test.to_string(),
            share(test, sums[1]),
        ]);
    }
    let [train, test] = sums.map(|sum| sum.to_string());
    let none = String::new;
    table.add_row([none(), "all".into(), train, none(), test, none()]);
    for column in [0, 2, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
