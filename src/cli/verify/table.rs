//! The table of op by adapter, and how a failure is told on a line.

use crate::gpu::Checks;
use crate::verify::{AdapterReport, Failure, Tally};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};

/// One row for each op, one column for each adapter: launches, worst error over its bound, time.
pub fn table(reports: &[AdapterReport]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let heads = reports
        .iter()
        .map(|r| format!("{}, {}", short_name(r), r.adapter.backend));
    table.set_header(std::iter::once("op".to_string()).chain(heads));
    for (row, tally) in reports[0].tallies.iter().enumerate() {
        let cells = reports.iter().map(|report| cell(&report.tallies[row]));
        table.add_row(std::iter::once(tally.subject.clone()).chain(cells));
    }
    for column in 1..=reports.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The adapter's name without what stands in brackets.
fn short_name(report: &AdapterReport) -> &str {
    let name = &report.adapter.name;
    name.split(" (").next().unwrap_or(name)
}

/// `104 runs  31 %  2.1 s`.
fn cell(tally: &Tally) -> String {
    if tally.runs == 0 {
        return if !tally.failures.is_empty() {
            "FAILED".into()
        } else if !tally.skipped.is_empty() {
            "skipped".into()
        } else {
            "-".into()
        };
    }
    let verdict = match (tally.failures.len(), tally.known.len()) {
        (0, 0) => String::new(),
        (0, known) => format!("{known} known  "),
        (failed, _) => format!("{failed} FAILED  "),
    };
    format!(
        "{verdict}{} runs {:>3} % {:>5.1} s",
        tally.runs,
        percent(tally.worst),
        tally.time.as_secs_f64()
    )
}

/// The worst error as a percentage of its bound; a dash where every result was equal.
fn percent(worst: f64) -> String {
    if worst == 0.0 {
        "0".into()
    } else {
        format!("{:.0}", 100.0 * worst)
    }
}

/// Under which limits and with which run-time checks.
pub fn circumstances(failure: &Failure) -> String {
    let limits = limits_name(failure);
    match failure.checks {
        None => format!("{limits} limits"),
        Some(Checks::On) => format!("{limits} limits, run-time checks on"),
        Some(Checks::Off) => format!("{limits} limits, run-time checks off"),
    }
}

fn limits_name(failure: &Failure) -> String {
    let value = failure.limits.to_possible_value().expect("no hidden value");
    value.get_name().into()
}

/// The command that runs just this again.
pub fn rerun(report: &AdapterReport, failure: &Failure) -> String {
    let batch = failure.batch.map(|batch| format!(" --batch {batch}"));
    format!(
        "fer-gpu verify --device {} --limits {} --op '{}'{}",
        report.index,
        limits_name(failure),
        failure.rerun,
        batch.unwrap_or_default()
    )
}
