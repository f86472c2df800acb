//! A verification as Markdown, to be pasted into an issue.

use super::table::{circumstances, rerun};
use crate::verify::{AdapterReport, Tally};
use std::fmt::Write as _;

/// Failures of one adapter that are told in full.
const TOLD: usize = 20;

pub fn markdown(reports: &[AdapterReport]) -> String {
    let mut text = format!(
        "## fer-gpu {} verify on {} {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    reports.iter().for_each(|report| adapter(&mut text, report));
    text
}

fn adapter(text: &mut String, report: &AdapterReport) {
    let info = &report.adapter;
    let verdict = if report.passed() { "passed" } else { "FAILED" };
    let limits: Vec<String> = report
        .limits
        .iter()
        .map(|l| format!("{l:?}").to_lowercase())
        .collect();
    let driver = if info.driver.is_empty() {
        "not told"
    } else {
        &info.driver
    };
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n### {}: {verdict}\n\n- kind: {}\n- backend: {}\n- driver: {driver}\n- limits: {}\n\n\
         | op | runs | worst error, % of bound | failed | s |\n|---|---:|---:|---:|---:|\n",
        info.name,
        info.kind,
        info.backend,
        limits.join(", "),
    );
    for tally in &report.tallies {
        row(text, tally);
    }
    for (i, failure) in report.failures().enumerate() {
        if i == TOLD {
            let _ = writeln!(text, "\n... and {} more", report.failures().count() - TOLD);
            break;
        }
        let _ = writeln!(
            text,
            "\n**{}** ({})\n\n```text\n{}\n{}\n```",
            failure.place,
            circumstances(failure),
            failure.reason,
            rerun(report, failure)
        );
    }
}

fn row(text: &mut String, tally: &Tally) {
    let Tally {
        subject,
        runs,
        worst,
        time,
        ..
    } = tally;
    let failed = match (tally.failures.len(), tally.known.len()) {
        (0, 0) if !tally.skipped.is_empty() => "skipped".to_string(),
        (failed, 0) => failed.to_string(),
        (failed, known) => format!("{failed} ({known} known)"),
    };
    let _ = writeln!(
        text,
        "| {subject} | {runs} | {:.1} | {failed} | {:.1} |",
        100.0 * worst,
        time.as_secs_f64()
    );
    for why in &tally.skipped {
        let _ = writeln!(text, "| {subject}: {why} | | | | |");
    }
}
