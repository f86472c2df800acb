//! `fer-gpu bench`: how fast this machine is. A table of kernels against the adapter's ceilings, the
//! figures of whole steps, or the dispatches within a step; all as files too.

mod csv;
pub(super) mod narrow;
mod plot;
pub(super) mod table;
mod trace;

use super::output::tell;
use super::{Error, output, print, progress, summary, write};
use crate::bench::compare::Comparison;
use crate::bench::trace::TraceReport;
use crate::bench::train::TrainReport;
use crate::bench::{self, Progress, Report, Request, Shapes, Variants};
use crate::files::{self, Sealed};
use crate::gpu::{Adapter, Gpu, LimitChoice, Selector};
use crate::verify::{self, Pattern};
use clap::Args;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true), after_help = "\
Examples:
  fer-gpu bench --kernels --model inception --plot roofline.svg
  fer-gpu bench --kernels --compare before.json --fail-above 10
  fer-gpu bench --train --batch 256
  fer-gpu bench --trace --model inception-gap --min-time 5")]
pub struct Bench {
    /// Time every distinct dispatch of one training step
    #[arg(long, group = "what")]
    kernels: bool,
    /// Time whole training steps and forward passes
    #[arg(long, group = "what")]
    train: bool,
    /// Time each dispatch within real training steps, and the gaps between them, by timestamps inside the pass
    #[arg(long, group = "what")]
    trace: bool,
    /// Which kernels: an op, OP/VARIANT or OP/VARIANT/CASE, each a glob [default: all]
    #[arg(long, value_name = "GLOB", conflicts_with_all = ["train", "trace"])]
    op: Option<String>,
    /// Adapter, by number or by part of its name, or all [default: the fastest kind]
    #[arg(long, value_name = "all|INDEX|NAME")]
    device: Option<Selector>,
    /// Network, by name or by file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "inception")]
    model: String,
    /// Images of one step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// Shapes of the network's step, the edge cases of the tests, or all of both
    #[arg(long, value_enum, default_value = "step", conflicts_with_all = ["train", "trace"])]
    shapes: Shapes,
    /// The variant that the plan chooses, or all that run here
    #[arg(long, value_enum, default_value = "best", conflicts_with_all = ["train", "trace"])]
    variant: Variants,
    /// Seconds of timing, at the least
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = super::seconds)]
    min_time: f64,
    /// Write everything as JSON
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write the kernels as CSV
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["train", "trace"])]
    csv: Option<PathBuf>,
    /// Compare with the JSON of an earlier run
    #[arg(long, value_name = "FILE", conflicts_with_all = ["train", "trace"])]
    compare: Option<PathBuf>,
    /// Exit with 1 where a kernel became slower by more than PCT percent and than its spread
    #[arg(long, value_name = "PCT", requires = "compare", value_parser = percent)]
    fail_above: Option<f64>,
    /// Draw the roofline of the kernels as SVG
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["train", "trace"])]
    plot: Option<PathBuf>,
}

/// What a benchmark can fail of, apart from the device.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum BenchError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Run(bench::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] verify::BadPattern),
    #[error("{} is no JSON of `fer-gpu bench --kernels`: {why}", path.display())]
    NotARun { path: PathBuf, why: String },
    #[error("{} has no run on {adapter}", path.display())]
    OtherAdapter { path: PathBuf, adapter: String },
    #[error("--plot draws one adapter")]
    #[diagnostic(help("name one by --device"))]
    ManyPlots,
}

/// What `--json` of the kernels writes and `--compare` reads.
#[derive(Serialize, Deserialize)]
struct KernelsFile {
    fer_gpu: String,
    kernels: Vec<Report>,
}

/// What `--json` of training writes.
#[derive(Serialize)]
struct TrainFile {
    fer_gpu: &'static str,
    train: Vec<TrainReport>,
}

/// What `--json` of a trace writes.
#[derive(Serialize)]
struct TraceFile {
    fer_gpu: &'static str,
    trace: Vec<TraceReport>,
}

/// A slow-down below this is not told of where `--fail-above` says nothing.
const USUAL_THRESHOLD: f64 = 10.0;

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=1e6).contains(&percent) => Ok(percent),
        _ => Err("a number of percent, 0 or more".into()),
    }
}

impl Bench {
    pub fn run(self) -> Result<ExitCode, Error> {
        output::reserve([&self.json, &self.csv, &self.plot]);
        let code = match (self.train, self.trace) {
            (true, _) => self.train(),
            (_, true) => self.trace(),
            _ => self.kernels(),
        }?;
        output::next(&[format!(
            "fer-gpu tune --model {}",
            summary::told(&self.model)
        )]);
        Ok(code)
    }

    fn adapters(&self) -> Result<Vec<Adapter>, crate::gpu::Error> {
        let selector = self.device.as_ref().unwrap_or(&Selector::Default);
        Adapter::selected(selector, &mut |error| output::warn(error))
    }

    fn train(&self) -> Result<ExitCode, Error> {
        let network = summary::network(&self.model)?;
        let min_time = Duration::from_secs_f64(self.min_time);
        let mut reports = Vec::new();
        for adapter in self.adapters()? {
            let report = bench::train::train(&adapter, &network, self.batch, min_time)?;
            print(&adapter.info);
            print(table::train(&report));
            reports.push(report);
        }
        if let Some(path) = &self.json {
            let fer_gpu = env!("CARGO_PKG_VERSION");
            write(
                path,
                &json(&TrainFile {
                    fer_gpu,
                    train: reports,
                }),
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Traces what can be traced; of several adapters the others are told.
    fn trace(&self) -> Result<ExitCode, Error> {
        let network = summary::network(&self.model)?;
        let min_time = Duration::from_secs_f64(self.min_time);
        let (mut reports, mut last) = (Vec::new(), None);
        for adapter in self.adapters()? {
            match bench::trace::trace(&adapter, &network, self.batch, min_time) {
                Ok(report) => {
                    print(&adapter.info);
                    print(trace::table(&report).trim_fmt());
                    trace::remarks(&report).iter().for_each(print);
                    reports.push(report);
                }
                Err(error @ bench::Error::Untraceable { .. }) => {
                    if let Some(before) = last.replace(error) {
                        output::warn(before);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        match last {
            Some(error) if reports.is_empty() => return Err(error.into()),
            Some(error) => output::warn(error),
            None => {}
        }
        if let Some(path) = &self.json {
            let fer_gpu = env!("CARGO_PKG_VERSION");
            write(
                path,
                &json(&TraceFile {
                    fer_gpu,
                    trace: reports,
                }),
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn kernels(&self) -> Result<ExitCode, Error> {
        let request = Request {
            network: summary::network(&self.model)?,
            batch: self.batch,
            shapes: self.shapes,
            variants: self.variant,
            pattern: match &self.op {
                Some(text) => text.parse().map_err(BenchError::from)?,
                None => Pattern::all(),
            },
            min_time: Duration::from_secs_f64(self.min_time),
        };
        let old = self.compare.as_deref().map(read).transpose()?;
        let adapters = self.adapters()?;
        if self.plot.is_some() && adapters.len() > 1 {
            return Err(BenchError::ManyPlots.into());
        }
        let (mut reports, mut failed) = (Vec::new(), false);
        for adapter in adapters {
            let gpu = Gpu::open(&adapter, LimitChoice::Native)?;
            let bar = progress::bar();
            let report = bench::kernels(&gpu, &request, &mut |progress| show(&bar, progress));
            bar.finish_and_clear();
            let report = report?;
            print(&gpu.info);
            print(table::kernels(&report));
            table::remarks(&report).iter().for_each(print);
            failed |= !report.wrong.is_empty();
            if let (Some(old), Some(path)) = (&old, &self.compare) {
                failed |= self.is_slower(path, old, &report)?;
            }
            reports.push(report);
        }
        self.write_files(reports)?;
        Ok(ExitCode::from(u8::from(failed)))
    }

    /// Tells how a run compares with the earlier one on its adapter; true where it must fail.
    fn is_slower(&self, path: &Path, old: &KernelsFile, new: &Report) -> Result<bool, Error> {
        let on_it = |r: &&Report| {
            (&r.adapter.name, &r.adapter.backend) == (&new.adapter.name, &new.adapter.backend)
        };
        let Some(before) = old.kernels.iter().find(on_it) else {
            let (path, adapter) = (path.into(), new.adapter.name.clone());
            return Err(BenchError::OtherAdapter { path, adapter }.into());
        };
        let threshold = self.fail_above.unwrap_or(USUAL_THRESHOLD) / 100.0;
        let comparison = Comparison::of(before, new, threshold);
        print(table::comparison(&comparison));
        print(table::verdicts(&comparison));
        Ok(self.fail_above.is_some() && comparison.slower() > 0)
    }

    fn write_files(&self, reports: Vec<Report>) -> Result<(), Error> {
        if let Some(path) = &self.csv {
            write(path, &csv::csv(&reports))?;
        }
        if let Some(path) = &self.plot {
            write(path, &plot::roofline(&reports[0]))?;
        }
        if let Some(path) = &self.json {
            let file = KernelsFile {
                fer_gpu: env!("CARGO_PKG_VERSION").into(),
                kernels: reports,
            };
            write(path, &files::sealed_json(&file))?;
        }
        Ok(())
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain values") + "\n"
}

fn read(path: &Path) -> Result<KernelsFile, Error> {
    let failed = |source| files::Error::read(path, source);
    let not_a_run = |why: String| BenchError::NotARun {
        path: path.into(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let file: KernelsFile =
        serde_json::from_str(&text).map_err(|error| not_a_run(error.to_string()))?;
    match Sealed::of(text.as_bytes()) {
        Err(damaged) => return Err(not_a_run(damaged.to_string()).into()),
        Ok(Sealed::Unchanged) => {}
        Ok(Sealed::Never) => tell(format_args!(
            "note: {} has no hash: whether it is as it was written cannot be told",
            path.display()
        )),
    }
    Ok(file)
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (done, of, what) = match progress {
        Progress::Loading => (0, 1, "loading"),
        Progress::Checking(done, of) => (done, of, "checking kernels"),
        Progress::Timing(done, of) => (done as usize, of as usize, "timing, seconds"),
    };
    progress::set(bar, done, of, what);
}
