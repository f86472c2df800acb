//! `fer-gpu data check`: what a data set holds, and what is wrong with it.

use super::class_table;
use super::sheet;
use crate::cli::output::{self, plain, plural, told};
use crate::cli::place::{self, Made};
use crate::cli::{Error, next, print};
use crate::data::{self, Conflict, Dataset, SplitSurvey, Survey};
use crate::drawing;
use crate::ingest;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rows that a line names.
const NAMED: usize = 8;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu data check fer --sheet sheet.png
  fer-gpu data check fer2013.csv --json")]
pub struct Check {
    /// Folder of a data set, folder of pictures by class, or CSV
    #[arg(value_name = "DIR|FILE.csv")]
    data: PathBuf,
    /// Draw images of each class, and those that look wrong, as a PNG
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Height, width and channels of FER-2013.
pub(super) const FER: [usize; 3] = [48, 48, 1];

/// A set of images of whatever shape its arrays say; where they say none, of the usual.
pub(super) fn load(path: &Path, usual: [usize; 3]) -> Result<Dataset, Error> {
    let ready = ingest::resolve(path, usual, &mut |_| ())?;
    ready.notice.into_iter().for_each(output::note);
    let image = data::image_shape(&ready.folder)?.unwrap_or(usual);
    let mut set = Dataset::load(&ready.folder, image)?;
    set.name = path.display().to_string();
    Ok(set)
}

impl Check {
    pub fn run(self) -> Result<ExitCode, Error> {
        place::spare(&self.sheet, [&self.data].into_iter())?;
        if let Some(sheet) = &self.sheet {
            place::must_be_made_here(sheet, Made::Png)?;
        }
        let set = load(&self.data, FER)?;
        let survey = Survey::of(&set);
        if let Some(path) = &self.sheet {
            let png = drawing::sheet(&sheet::of(&set, &survey))?;
            output::write_bytes(path, &png)?;
        }
        if self.json {
            let mut value = serde_json::to_value(&survey).expect("plain values");
            value["event"] = json!("check");
            print(value);
            return Ok(ExitCode::SUCCESS);
        }
        text(&survey);
        if let Some(path) = &self.sheet {
            print(super::sharing_notice(path));
        }
        next(&[format!("fer-gpu train --data {}", told(&self.data))]);
        Ok(ExitCode::SUCCESS)
    }
}

fn text(survey: &Survey) {
    let [height, width, channels] = survey.image;
    print(format_args!(
        "{}: {height} x {width} x {channels}, pixels {}, {} classes",
        plain(&survey.name),
        survey.range,
        survey.classes.len()
    ));
    let counts = [&survey.train, &survey.test].map(|split| &split.counts[..]);
    print(class_table(&survey.classes, counts));
    print(figures(survey));
    rows("images of one colour, training", &survey.train.blank);
    rows("images of one colour, validation", &survey.test.blank);
    if !survey.shared.is_empty() {
        print(format_args!(
            "{} of validation lie in the training set too: `evaluate` and the report tell the accuracy without them",
            plural(survey.shared.len() as u64, "image")
        ));
    }
    if !survey.conflicts.is_empty() {
        print(format_args!(
            "{} under more than one label, {} ...",
            plural(survey.conflicts.len() as u64, "image"),
            survey
                .conflicts
                .iter()
                .take(3)
                .map(conflict)
                .collect::<Vec<_>>()
                .join("; ")
        ));
    }
}

/// `training rows 3, 17 and validation row 5`
fn conflict(Conflict { train, test }: &Conflict) -> String {
    let side = |name: &str, rows: &[usize]| match rows {
        [] => None,
        [row] => Some(format!("{name} row {row}")),
        rows => Some(format!("{name} rows {}", listed(rows))),
    };
    let sides = [side("training", train), side("validation", test)];
    sides
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" and ")
}

fn rows(what: &str, rows: &[usize]) {
    if !rows.is_empty() {
        print(format_args!(
            "{what}: {} (rows {})",
            rows.len(),
            listed(rows)
        ));
    }
}

fn listed(rows: &[usize]) -> String {
    let some: Vec<String> = rows.iter().take(NAMED).map(usize::to_string).collect();
    let more = if rows.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", some.join(", "))
}

fn figures(survey: &Survey) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "training", "validation"]);
    let mut row = |name: &str, of: &dyn Fn(&SplitSurvey) -> String| {
        table.add_row([name.to_string(), of(&survey.train), of(&survey.test)]);
    };
    row("images", &|split| split.rows.to_string());
    row("different images", &|split| split.distinct.to_string());
    row("images of one colour", &|split| {
        split.blank.len().to_string()
    });
    row("smallest, largest pixel", &|split| {
        format!("{}, {}", split.min, split.max)
    });
    row("mean, deviation", &|split| {
        format!("{:.4}, {:.4}", split.mean, split.deviation)
    });
    table.add_row([
        "also in training".into(),
        String::new(),
        survey.shared.len().to_string(),
    ]);
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
