//! `fer-gpu verify`: does this machine compute what we say? A table of op by adapter, and reports
//! that can be pasted into an issue.

mod json;
mod markdown;
mod table;

use super::{Error, output, print, write};
use crate::gpu::{self, Adapter, LimitChoice, Selector};
use crate::verify::{self, AdapterReport, Device, KNOWN_FAULTS, Pattern, Subject};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu verify                             every kernel on every adapter
  fer-gpu verify --device 0 --op 'conv2d*'
  fer-gpu verify --op step/googlenet --batch 1
  fer-gpu verify --markdown report.md        to paste into an issue")]
pub struct Verify {
    /// Adapter, by number or by part of its name, or all
    #[arg(long, value_name = "all|INDEX|NAME", default_value = "all")]
    device: Selector,
    /// What to run: an op, OP/VARIANT or OP/VARIANT/CASE, each a glob; step/MODEL and
    /// repeat/MODEL are the networks' training steps [default: everything]
    #[arg(long, value_name = "GLOB")]
    op: Option<String>,
    /// Images of a network's step
    #[arg(long, value_name = "N", default_value_t = verify::STEP_BATCH, value_parser = clap::value_parser!(u32).range(1..=super::LARGEST_BATCH))]
    batch: u32,
    /// Use all that the adapter has, or only what every WebGPU device grants [default: both in turn]
    #[arg(long, value_enum)]
    limits: Option<LimitChoice>,
    /// Write everything as JSON
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write a report to paste into an issue
    #[arg(long, value_name = "FILE|-")]
    markdown: Option<PathBuf>,
}

/// What a verification can fail of, apart from wrong numbers.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum VerifyError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] verify::BadPattern),
    #[error("--op {0} names nothing")]
    #[diagnostic(help("`fer-gpu plan` and a run of `fer-gpu verify` show the names"))]
    NothingNamed(String),
    #[error("--op {pattern} names nothing that runs on {adapters} with these limits")]
    NothingRan { pattern: String, adapters: String },
}

impl Verify {
    pub fn run(self) -> Result<ExitCode, Error> {
        output::reserve([&self.json, &self.markdown]);
        let pattern: Pattern = match &self.op {
            Some(text) => text.parse().map_err(VerifyError::from)?,
            None => Pattern::all(),
        };
        let named = self.op.clone().unwrap_or_else(|| "*".into());
        let subjects = verify::subjects(&pattern, self.batch);
        if subjects.is_empty() {
            return Err(VerifyError::NothingNamed(named).into());
        }
        let devices = self.devices()?;
        let bar = progress_bar();
        let mut observe = |subject: &Subject, done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message(subject.name());
        };
        let reports = verify::run(&devices, &subjects, &pattern, KNOWN_FAULTS, &mut observe);
        bar.finish_and_clear();
        let idle = |t: &verify::Tally| t.runs == 0 && t.skipped.is_empty() && t.failures.is_empty();
        if reports.iter().flat_map(|r| &r.tallies).all(idle) {
            let adapters: Vec<&str> = reports.iter().map(|r| r.adapter.name.as_str()).collect();
            return Err(VerifyError::NothingRan {
                pattern: named,
                adapters: adapters.join(" and "),
            }
            .into());
        }
        self.show(&reports)
    }

    /// Opens every device that is to be verified.
    fn devices(&self) -> Result<Vec<Device>, gpu::Error> {
        let adapters = Adapter::selected(&self.device, &mut |error| output::warn(error))?;
        let choices = match self.limits {
            Some(choice) => vec![choice],
            None => vec![LimitChoice::Native, LimitChoice::Webgpu],
        };
        let mut devices = Vec::new();
        for adapter in &adapters {
            for &limits in &choices {
                devices.push(Device::open(adapter, limits)?);
            }
        }
        Ok(devices)
    }

    fn show(&self, reports: &[AdapterReport]) -> Result<ExitCode, Error> {
        print(table::table(reports));
        reports.iter().for_each(print_findings);
        if let Some(path) = &self.json {
            write(path, &json::json(reports))?;
        }
        if let Some(path) = &self.markdown {
            write(path, &markdown::markdown(reports))?;
        }
        let failed = reports.iter().any(|report| !report.passed());
        output::next(&match failed {
            true => ["fer-gpu verify --markdown report.md"],
            false => ["fer-gpu bench --kernels"],
        });
        Ok(ExitCode::from(u8::from(failed)))
    }
}

/// What went wrong on an adapter, and how to see it again.
fn print_findings(report: &AdapterReport) {
    for tally in &report.tallies {
        for why in &tally.skipped {
            print(format_args!(
                "skipped  {} on {}: {why}",
                tally.subject, report.adapter.name
            ));
        }
    }
    for failure in report.failures() {
        print(format_args!(
            "FAILED   {} on {} ({}): {}\n         again: {}",
            failure.place,
            report.adapter,
            table::circumstances(failure),
            failure.reason,
            table::rerun(report, failure),
        ));
    }
    for failure in report.tallies.iter().flat_map(|t| &t.known) {
        print(format_args!(
            "known    {} on {}: {}",
            failure.place, report.adapter, failure.reason
        ));
    }
    let verdict = match report.failures().count() {
        0 => "computes what it should".into(),
        1 => "1 failure".into(),
        n => format!("{n} failures"),
    };
    print(format_args!(
        "{}: {} runs, {verdict}",
        report.adapter,
        report.runs()
    ));
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{pos:>2}/{len} {bar:30} {msg}");
    bar.with_style(style.expect("a template of ours").progress_chars("━━─"))
}
