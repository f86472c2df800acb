//! `fer-gpu bench`: how fast this machine is. A table of kernels against the adapter's ceilings, or
//! the figures of whole steps; both as files too.

mod table;

use super::{Error, print, summary, write};
use crate::bench::{self, Progress, Report, Request, Shapes, Variants};
use crate::gpu::{self, Adapter, Gpu, LimitChoice, Selector};
use crate::verify::{self, Pattern};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Bench {
    /// Time every distinct dispatch of one training step
    #[arg(long, group = "what")]
    kernels: bool,
    /// Which kernels: an op, OP/VARIANT or OP/VARIANT/CASE, each a glob [default: all]
    #[arg(long, value_name = "GLOB")]
    op: Option<String>,
    /// Adapter, by number or by part of its name, or all [default: the fastest kind]
    #[arg(long, value_name = "all|INDEX|NAME")]
    device: Option<Selector>,
    /// Network
    #[arg(long, value_name = "NAME", default_value = "inception")]
    model: String,
    /// Images of one step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// Shapes of the network's step, the edge cases of the tests, or all of both
    #[arg(long, value_enum, default_value = "step")]
    shapes: Shapes,
    /// The variant that the plan chooses, or all that run here
    #[arg(long, value_enum, default_value = "best")]
    variant: Variants,
    /// Seconds of timing, at the least
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    min_time: f64,
    /// Write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a benchmark can fail of, apart from the device.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Run(bench::Error),
    #[error(transparent)]
    Pattern(#[from] verify::BadPattern),
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".into()),
    }
}

impl Bench {
    pub fn run(self, _: Instant) -> Result<ExitCode, Error> {
        self.kernels()
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
        let mut reports = Vec::new();
        for adapter in self.adapters()? {
            let gpu = Gpu::open(&adapter, LimitChoice::Native)?;
            let bar = progress_bar();
            let report = bench::kernels(&gpu, &request, &mut |progress| show(&bar, progress));
            bar.finish_and_clear();
            let report = report?;
            print(&gpu.info);
            print(table::kernels(&report));
            table::remarks(&report).iter().for_each(print);
            reports.push(report);
        }
        if let Some(path) = &self.json {
            write(path, &json(&reports))?;
        }
        let failed = reports.iter().any(|r| !r.wrong.is_empty());
        Ok(ExitCode::from(u8::from(failed)))
    }

    fn adapters(&self) -> Result<Vec<Adapter>, gpu::Error> {
        match &self.device {
            Some(Selector::Name(name)) if name == "all" => match Adapter::all() {
                all if all.is_empty() => Err(gpu::Error::NoAdapter),
                all => Ok(all),
            },
            Some(selector) => Ok(vec![Adapter::select(selector)?]),
            None => Ok(vec![Adapter::select(&Selector::Default)?]),
        }
    }
}

fn json(reports: &[Report]) -> String {
    let value = serde_json::json!({
        "fer_gpu": env!("CARGO_PKG_VERSION"),
        "kernels": reports,
    });
    serde_json::to_string_pretty(&value).expect("plain values") + "\n"
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (done, of, what) = match progress {
        Progress::Loading => (0, 1, "loading"),
        Progress::Checking(done, of) => (done, of, "checking kernels"),
        Progress::Timing(done, of) => (done as usize, of as usize, "timing, seconds"),
    };
    bar.set_length(of as u64);
    bar.set_position(done.min(of) as u64);
    bar.set_message(what);
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{pos:>3}/{len} {bar:30} {msg}");
    bar.with_style(style.expect("a template of ours").progress_chars("━━─"))
}
