//! A traced step as a table: its dispatches in order, and below it what the times are of.

use super::narrow;
use super::table::{significant, spread};
use crate::bench::trace::{TraceReport, Traced};
use comfy_table::{CellAlignment, Table, presets};

const COLUMNS: [&str; 9] = [
    "#",
    "layer",
    "kernel/variant",
    "groups",
    "start us",
    "gap us",
    "us",
    "spread",
    "% step",
];

/// A line for each dispatch, in the order of the step.
pub fn table(report: &TraceReport) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS);
    for traced in &report.dispatches {
        table.add_row(row(traced, report));
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if number == 0 || number > 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(traced: &Traced, report: &TraceReport) -> [String; COLUMNS.len()] {
    [
        traced.number.to_string(),
        traced.label.clone(),
        format!("{}/{}", traced.op, traced.variant),
        narrow::cell(traced.workgroups(), report.full.as_ref()),
        format!("{:.1}", 1e6 * traced.start),
        format!("{:.1}", 1e6 * traced.gap),
        significant(1e6 * traced.time.median),
        spread(&traced.time),
        format!("{:.1}", 100.0 * traced.share(report)),
    ]
}

/// What was traced, where the step's time is, and what timestamps cost.
pub fn remarks(report: &TraceReport) -> Vec<String> {
    let TraceReport {
        model,
        batch,
        dispatches,
        step,
        span,
        traced,
        ..
    } = report;
    let ms = |seconds: f64| format!("{:.3} ms", 1e3 * seconds);
    let sum = |of: fn(&Traced) -> f64| ms(dispatches.iter().map(of).sum());
    let mut lines: Vec<String> = report.tuned.iter().map(|told| format!("{told}.")).collect();
    lines.push(format!(
        "A step of {model} at batch {batch}, {} dispatches, medians of {} steps of each kind:",
        dispatches.len(),
        traced.samples,
    ));
    lines.push(format!(
        "  as it is         {} {}, upload, submits and read-back included",
        ms(step.median),
        spread(step)
    ));
    lines.push(format!(
        "  on the device    {} {}, from the first dispatch to the end of the last",
        ms(span.median),
        spread(span)
    ));
    lines.push(format!(
        "  traced           {} {}: kernels {}, gaps {}; all above is of this",
        ms(traced.median),
        spread(traced),
        sum(|t| t.time.median),
        sum(|t| t.gap),
    ));
    lines.extend(narrow::of_trace(report));
    lines
}
