//! `fer-gpu tune`: finds the fastest kernels for a network on this machine and keeps them for later
//! runs. Prints what it tries, how long that takes, and what came of it.

mod table;

use super::{Error, output, print, progress, summary, write};
use crate::bench::race;
use crate::bench::tune::{self, Outcome, Progress};
use crate::files;
use crate::gpu::{Adapter, Gpu, LimitChoice, Selector};
use crate::tuned::{Found, Tuned};
use clap::Args;
use indicatif::ProgressBar;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu tune --model inception --batch 64
  fer-gpu tune --forget")]
pub struct Tune {
    /// Network, by name or by file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "inception")]
    model: String,
    /// Images of one step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// Adapter, by number or by part of its name, or all [default: the fastest kind]
    #[arg(long, value_name = "all|INDEX|NAME")]
    device: Option<Selector>,
    /// Seconds of timing once the slow kernels are out, at the least
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = super::seconds)]
    min_time: f64,
    /// Forget what was tuned on the adapter, for all networks
    #[arg(long, conflicts_with_all = ["model", "batch", "min_time"])]
    forget: bool,
}

/// What tuning can fail of, apart from the device.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum TuneError {
    #[error("this system names no folder for caches")]
    #[diagnostic(help("set FER_GPU_CACHE to one"))]
    NoFolder,
    #[error("{what} {}", path.display())]
    File {
        what: &'static str,
        path: std::path::PathBuf,
        source: std::io::Error,
    },
}

impl Tune {
    pub fn run(self) -> Result<ExitCode, Error> {
        let network = summary::network(&self.model)?;
        let selector = self.device.as_ref().unwrap_or(&Selector::Default);
        for adapter in Adapter::selected(selector, &mut |error| output::warn(error))? {
            print(&adapter.info);
            if self.forget {
                forget(&adapter)?;
                continue;
            }
            let gpu = Gpu::open(&adapter, LimitChoice::Native)?;
            let min_time = Duration::from_secs_f64(self.min_time);
            let bar = progress::bar();
            let mut told = false;
            let outcome = tune::tune(&gpu, &network, self.batch, min_time, &mut |progress| {
                show(&bar, progress, &mut told);
            });
            bar.finish_and_clear();
            let outcome = outcome?;
            print(table::shapes(&outcome));
            table::remarks(&outcome).iter().for_each(print);
            keep(&gpu, &outcome)?;
        }
        output::next(&match self.forget {
            true => ["fer-gpu tune".to_string()],
            false => [format!(
                "fer-gpu train --model {}",
                summary::told(&self.model)
            )],
        });
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the winners down, unless whole steps say that they are none.
fn keep(gpu: &Gpu, outcome: &Outcome) -> Result<(), Error> {
    let [committed, tuned] = outcome.steps;
    if tuned.median >= committed.median {
        print("Nothing is kept: whole steps are no faster than by the committed table.");
        return Ok(());
    }
    let path = Tuned::path(&gpu.info).ok_or(TuneError::NoFolder)?;
    let mut all = match Tuned::find(&gpu.info) {
        Found::Tuned(tuned, _) => *tuned,
        Found::Nothing | Found::Unreadable(..) => Tuned::default(),
    };
    all.adapter = gpu.info.to_string();
    let winners = outcome.winners.clone();
    all.learn(&outcome.model, outcome.batch, outcome.schedule, winners);
    let folder = path.parent().expect("a file in a folder");
    std::fs::create_dir_all(folder).map_err(|source| TuneError::File {
        what: "cannot make the folder",
        path: folder.into(),
        source,
    })?;
    write(&path, &files::sealed_json(&all))?;
    print(format!(
        "Kept in {}; `fer-gpu tune --forget` removes it.",
        path.display()
    ));
    Ok(())
}

fn forget(adapter: &Adapter) -> Result<(), Error> {
    let path = Tuned::path(&adapter.info).ok_or(TuneError::NoFolder)?;
    match std::fs::remove_file(&path) {
        Ok(()) => print(format!("{} is removed.", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            print("Nothing was tuned on it.");
        }
        Err(source) => {
            let what = "cannot remove";
            return Err(TuneError::File { what, path, source }.into());
        }
    }
    Ok(())
}

fn show(bar: &ProgressBar, progress: Progress, told: &mut bool) {
    let (done, of, what) = match progress {
        Progress::Loading => (0, 1, "loading"),
        Progress::Checking(done, of) => (done, of, "checking kernels"),
        Progress::Race(race::Progress::Looking(done, of)) => {
            if done == 0 && !*told {
                bar.suspend(|| {
                    print(format!(
                        "{of} variants and shapes, each checked; a look at each."
                    ))
                });
            }
            (done, of, "a first look at each variant")
        }
        Progress::Race(race::Progress::Racing(done, of, left)) => {
            if !std::mem::replace(told, true) {
                let line = format!(
                    "{left} may win: rounds of these take about {of:.0} s, other schedules and whole steps as long again."
                );
                bar.suspend(|| print(line));
            }
            (done as usize, of.ceil() as usize, "timing, seconds")
        }
        Progress::Steps => (0, 1, "timing whole steps"),
    };
    progress::set(bar, done, of, what);
}

impl From<TuneError> for Error {
    fn from(error: TuneError) -> Error {
        Error::Tune(error)
    }
}
