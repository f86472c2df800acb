//! `fer-gpu report`: a page about a run, or about several side by side.

use super::output::{self, tell};
use super::place::{self, Made};
use super::run_data::{run_of, validation};
use super::{Error, progress, write};
use crate::gpu::{Adapter, Gpu, LimitChoice, Selector};
use crate::inference::{self, Opened, Which};
use crate::report::{self, Outcome, path};
use crate::train::{CONFIG, REPORT};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu report run                         run/report.html
  fer-gpu report runs/* -o compared.html     several side by side
  fer-gpu report run --no-pictures           to be shared")]
pub struct Report {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page [default: report.html in the run's folder; of several runs, here]
    #[arg(short, long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Data set, folder of pictures by class, or CSV [default: the data of each run]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave out the images of the data set
    #[arg(long)]
    no_pictures: bool,
    /// Adapter, by number or by part of its name [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    device: Option<Selector>,
    /// Use all that the adapter has, or only what every WebGPU device grants
    #[arg(long, value_enum, default_value = "native")]
    limits: LimitChoice,
}

impl Report {
    pub fn run(self) -> Result<ExitCode, Error> {
        output::reserve([&self.out]);
        // Whatever can be wrong with a run is told before any of them is answered.
        let mut read = Vec::new();
        for run in &self.runs {
            if run_of(run)?.is_none() {
                return Err(Error::NoRun(run.clone()));
            }
            read.extend([inference::find(run, Which::Best)?, run.join(CONFIG)]);
        }
        place::spare(&self.out, read.iter())?;
        let out = match &self.out {
            Some(out) => {
                place::must_be_made_here(out, Made::Page)?;
                out.clone()
            }
            None => usual_place(&self.runs)?,
        };
        let gpu = open(self.device.as_ref(), self.limits)?;
        let mut outcomes = Vec::new();
        for run in &self.runs {
            let data = self.data.as_deref();
            let outcome = outcome(run, data, &gpu, !self.no_pictures, &mut || true)?;
            outcomes.push(outcome);
        }
        write(&out, &report::page(&outcomes))?;
        told(&out, &outcomes).into_iter().for_each(tell);
        output::next(&[format!("fer-gpu predict {} face.png", path(&self.runs[0]))]);
        Ok(ExitCode::SUCCESS)
    }
}

/// What is said of a page that was written.
pub fn told(out: &Path, outcomes: &[Outcome]) -> Vec<String> {
    let pictures = outcomes.iter().any(Outcome::has_pictures);
    let warned = match pictures {
        true => " (it shows pictures of the data set: --no-pictures leaves them out)",
        false => "",
    };
    let lines = outcomes.iter().map(|outcome| {
        let accuracy = 100.0 * outcome.score.accuracy;
        format!(
            "run      {}: accuracy {accuracy:.2} %",
            outcome.folder.display()
        )
    });
    let several = lines.filter(|_| outcomes.len() > 1);
    let page = format!("report   {}{warned}", out.display());
    several.chain([page]).collect()
}

/// Where a report lies if nobody says; another one may be there, but nothing else.
pub fn usual_place(runs: &[PathBuf]) -> Result<PathBuf, Error> {
    let place = match runs {
        [one] => one.join(REPORT),
        _ => REPORT.into(),
    };
    place::must_be_made_here(&place, Made::Page)?;
    Ok(place)
}

/// A device to answer on.
pub fn open(device: Option<&Selector>, limits: LimitChoice) -> Result<Gpu, Error> {
    let adapter = Adapter::select(device.unwrap_or(&Selector::Default));
    let gpu = adapter.and_then(|adapter| Gpu::open(&adapter, limits));
    Ok(gpu.map_err(inference::Error::from)?)
}

/// What the best weights of a run answer, while `going` says that it may go on.
pub fn outcome(
    run: &Path,
    data: Option<&Path>,
    gpu: &Gpu,
    pictures: bool,
    going: &mut dyn FnMut() -> bool,
) -> Result<Outcome, Error> {
    let Some(config) = run_of(run)? else {
        return Err(Error::NoRun(run.into()));
    };
    let opened = Opened::open(&inference::find(run, Which::Best)?)?;
    opened.notice().into_iter().for_each(output::note);
    let validation = validation(run, data, &opened.record, Some(&config))?;
    let rows = validation.dataset.test.rows();
    let bar = progress::bar();
    let mut each = |done: usize| {
        progress::set(&bar, done, rows, "images answered for the report");
        going()
    };
    let outcome = report::gather(run, &config, opened, gpu, &validation, pictures, &mut each);
    bar.finish_and_clear();
    Ok(outcome?)
}
