//! Kernels as a table for people, and what must be said below it.

use super::narrow;
use crate::bench::compare::{Comparison, Verdict};
use crate::bench::report::{Clock, Peak, Report, Row, Step};
use crate::bench::train::TrainReport;
use crate::bench::{Stats, WIDE};
use comfy_table::{CellAlignment, Table, presets};

/// One row for each kernel, in the order of the step.
pub fn kernels(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "op",
        "pass",
        "shape",
        "variant",
        "groups",
        "us",
        "spread",
        "GFLOP/s",
        "GB/s",
        "% ceiling",
        "times",
        "% step",
    ]);
    for row in &report.kernels {
        table.add_row(cells(row, report));
    }
    for column in 4..12 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn cells(row: &Row, report: &Report) -> [String; 12] {
    let share = report.step.as_ref().filter(|_| row.count > 0);
    let share = share.map(|step| format!("{:.1}", 100.0 * row.of_step(step)));
    let count = (row.count > 0).then(|| row.count.to_string());
    [
        row.op.clone(),
        row.pass.name().into(),
        row.shape.clone(),
        row.variant.clone(),
        narrow::cell(row.workgroups(), report.full.as_ref()),
        significant(1e6 * row.time.median),
        spread(&row.time),
        significant(1e-9 * row.flops_per_second()),
        significant(1e-9 * row.bytes_per_second()),
        format!("{:.0}", 100.0 * row.of_ceiling(&report.ceilings)),
        count.unwrap_or_default(),
        share.unwrap_or_default(),
    ]
}

/// Half of what lies between the quartiles; marked where it is wide.
pub fn spread(time: &Stats) -> String {
    let mark = if time.is_wide() { "! " } else { "" };
    format!("{mark}±{:.0} %", 50.0 * time.spread)
}

/// Three digits that count.
pub fn significant(number: f64) -> String {
    match number {
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n if n >= 0.1 => format!("{n:.2}"),
        0.0 => "0".into(),
        n => format!("{n:.1e}"),
    }
}

/// The clock, the ceilings, warnings, and the step in the end.
pub fn remarks(report: &Report) -> Vec<String> {
    let mut lines = vec![match &report.clock {
        Clock::Device => "Timed by the device's clock, around each dispatch.".to_string(),
        Clock::Host { because } => {
            format!("Timed by the host's clock, submission and wait included: {because}.")
        }
    }];
    lines.extend(report.tuned.iter().map(|told| format!("{told}.")));
    let ceilings = &report.ceilings;
    lines.push(format!(
        "Ceilings: {} GFLOP/s ({}); {} GB/s ({}), {} GB/s in cache ({}). {} rounds.",
        significant(1e-9 * ceilings.flops.per_second),
        peak(&ceilings.flops),
        significant(1e-9 * ceilings.bytes.per_second),
        peak(&ceilings.bytes),
        significant(1e-9 * ceilings.cached_bytes.per_second),
        peak(&ceilings.cached_bytes),
        report.rounds,
    ));
    let wide = report
        .kernels
        .iter()
        .filter(|row| row.time.is_wide())
        .count();
    if wide > 0 {
        lines.push(format!(
            "warning: {wide} of {} kernels spread wider than {:.0} % between their quartiles (marked !): \
             the machine is busy, or --min-time too short",
            report.kernels.len(),
            100.0 * WIDE
        ));
    }
    lines.extend(narrow::of_kernels(report));
    for row in report.above_ceiling() {
        lines.push(format!(
            "error of the ceiling: {} {} reaches {:.0} % of it, so it was measured too low",
            row.op,
            row.variant,
            100.0 * row.of_ceiling(ceilings)
        ));
    }
    for wrong in &report.wrong {
        lines.push(format!(
            "WRONG    {}/{} was not timed: {}",
            wrong.op, wrong.variant, wrong.what
        ));
    }
    lines.extend(report.step.as_ref().map(step));
    lines
}

fn peak(peak: &Peak) -> String {
    format!("{}, {}", peak.variant, spread(&peak.time))
}

/// Sum of the kernels, measured step, overhead.
fn step(step: &Step) -> String {
    let Step {
        model,
        batch,
        dispatches,
        time,
        ..
    } = step;
    let measured = format!("{:.2} ms {}", 1e3 * time.median, spread(time));
    let Some(kernels) = step.kernels else {
        return format!("A step of {model} at batch {batch}: {dispatches} dispatches, {measured}.");
    };
    format!(
        "A step of {model} at batch {batch}: {dispatches} dispatches, kernels {:.2} ms, measured {measured}, overhead {:.1} %.",
        1e3 * kernels,
        100.0 * (time.median - kernels) / time.median
    )
}

/// Kernels whose speed changed, or may have.
pub fn comparison(comparison: &Comparison) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["op", "shape", "variant", "time", "spread", "verdict"]);
    for change in &comparison.changes {
        let verdict = match change.verdict {
            Verdict::Same => continue,
            Verdict::Faster => "faster",
            Verdict::Slower => "SLOWER",
            Verdict::Undecided => "undecided",
        };
        table.add_row([
            change.op.clone(),
            change.shape.clone(),
            change.variant.clone(),
            format!("{:+.0} %", 100.0 * change.change),
            format!("{:.0} %", 100.0 * change.noise),
            verdict.into(),
        ]);
    }
    table
}

/// How many kernels stand how.
pub fn verdicts(comparison: &Comparison) -> String {
    let count = |verdict| {
        let all = comparison.changes.iter();
        all.filter(|change| change.verdict == verdict).count()
    };
    format!(
        "Relative to the ceilings of each run: {} as before, {} faster, {} slower, {} undecided; {} new, {} gone.",
        count(Verdict::Same),
        count(Verdict::Faster),
        count(Verdict::Slower),
        count(Verdict::Undecided),
        comparison.added,
        comparison.gone
    )
}

/// The figures of whole steps, a line each.
pub fn train(report: &TrainReport) -> String {
    let TrainReport {
        model,
        batch,
        step,
        forward,
        forward_one,
        ..
    } = report;
    let ms = |time: &Stats| format!("{:>10.2} ms {}", 1e3 * time.median, spread(time));
    [
        format!("{model} at batch {batch}"),
        format!("  training step      {}", ms(step)),
        format!("  images a second    {:>10.0}", report.images_per_second),
        format!("  forward, batch {batch:<4}{}", ms(forward)),
        format!("  forward, batch 1   {}", ms(forward_one)),
        format!(
            "  planned memory     {:>10.1} MiB",
            report.planned_device_bytes as f64 / (1 << 20) as f64
        ),
        format!(
            "  first step after   {:>10.2} s, kernels compiled",
            report.first_step_seconds
        ),
    ]
    .into_iter()
    .chain(report.tuned.clone())
    .collect::<Vec<_>>()
    .join("\n")
}
