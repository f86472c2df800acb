//! `fer-gpu train`: options in, a run out.

use super::Error;
#[cfg(feature = "dashboard")]
use super::dashboard::Dashboard;
use super::learning::Learning;
use super::output::{self, tell};
use super::run_end::Ending;
use super::show::{self, Mode, Reporter, Show};
use super::stop::{self, Stop};
use super::tensorboard::Board;
use crate::gpu::{LimitChoice, Selector};
use crate::train::{self, Given, Out, Recipe, Settings, Start};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu train --model inception-gap --epochs 3     on generated faces
  fer-gpu train --data fer2013.csv --out run         on FER-2013, as its CSV
  fer-gpu train --data pictures --batch 128          on train/CLASS and test/CLASS
  fer-gpu train --resume run --epochs 60             goes on, to the same bits")]
pub struct Train {
    /// Data set, folder of pictures by class, or CSV of FER-2013 [default: generated sample faces]
    #[arg(long, value_name = "DIR|FILE.csv", help_heading = "What")]
    data: Option<PathBuf>,
    /// Network, one that `fer-gpu summary` lists, or a file of one [default: inception]
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "What")]
    model: Option<String>,
    /// Folder of the run [default: runs/<model>-<date>-<time>]
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "resume",
        help_heading = "What"
    )]
    out: Option<PathBuf>,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", help_heading = "What")]
    resume: Option<PathBuf>,
    /// Begin with the weights of this file: what fits by name and shape
    #[arg(
        long,
        value_name = "FILE.safetensors",
        conflicts_with = "resume",
        help_heading = "What",
        hide_short_help = true
    )]
    init_from: Option<PathBuf>,
    /// Refuse weights to begin with whose tensors are not just those of the network
    #[arg(
        long,
        requires = "init_from",
        help_heading = "What",
        hide_short_help = true
    )]
    strict: bool,
    /// Resume from a point that has no hash, as versions of before there were hashes wrote them
    #[arg(
        long,
        requires = "resume",
        help_heading = "What",
        hide_short_help = true
    )]
    accept_unhashed: bool,
    #[command(flatten)]
    learning: Learning,
    /// Adapter, by number or by part of its name [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME", help_heading = "Where")]
    device: Option<Selector>,
    /// Use all that the adapter has, or only what every WebGPU device grants
    #[arg(
        long,
        value_enum,
        default_value = "native",
        help_heading = "Where",
        hide_short_help = true
    )]
    limits: LimitChoice,
    /// Gather batches on the host even where the data set fits the device
    #[arg(long, help_heading = "Where", hide_short_help = true)]
    host_data: bool,
    /// Stop after that many steps of this process, and save
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Saving", hide_short_help = true)]
    steps: Option<u64>,
    /// Save the resume point at least this often
    #[arg(long, value_name = "M", default_value_t = 10.0, value_parser = positive_minutes, allow_negative_numbers = true, help_heading = "Saving", hide_short_help = true)]
    checkpoint_minutes: f64,
    /// Write the loss and accuracy of every step to steps.csv
    #[arg(long, help_heading = "Watching", hide_short_help = true)]
    log_steps: bool,
    /// Hold every dispatch of the first step against the CPU reference
    #[arg(long, help_heading = "Watching", hide_short_help = true)]
    check: bool,
    /// Where no terminal is, say at least that often how far the run is
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = positive_seconds, allow_negative_numbers = true, help_heading = "Watching", hide_short_help = true)]
    status_seconds: f64,
    /// Write each epoch's figures for TensorBoard too, into the folder tensorboard of the run
    #[arg(long, help_heading = "Watching", hide_short_help = true)]
    tensorboard: bool,
    /// Leave images of the data set out of the run's folder: no augmented.png, none in report.html
    #[arg(long, help_heading = "Watching", hide_short_help = true)]
    no_pictures: bool,
    /// Write no report.html at the end
    #[arg(long, help_heading = "Watching", hide_short_help = true)]
    no_report: bool,
    /// Print one JSON object a line instead of text
    #[arg(long, help_heading = "Watching")]
    json: bool,
    /// Show the run as one screen of the terminal: curves, speed, memory, time left; q stops and saves
    #[cfg(feature = "dashboard")]
    #[arg(long, conflicts_with = "json", help_heading = "Watching")]
    dashboard: bool,
}

fn positive_minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if minutes > 0.0 && minutes <= 1e6 => Ok(minutes),
        _ => Err("a positive number of minutes is needed".into()),
    }
}

fn positive_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e6 => Ok(seconds),
        _ => Err("a positive number of seconds is needed".into()),
    }
}

impl Train {
    pub fn run(self, started: Instant) -> Result<ExitCode, Error> {
        let stop = stop::listen();
        let mode = if self.json { Mode::Json } else { Mode::Text };
        let ending = Ending {
            report: !self.no_report,
            pictures: !self.no_pictures,
            device: self.device.clone().unwrap_or(Selector::Default),
            limits: self.limits,
        };
        let mut board = Board::new(self.tensorboard);
        let settings = self.settings(started)?;
        let mut show = self.show(mode, &stop);
        let result = train::run(settings, stop.flag(), &mut |event| {
            board.event(&event);
            show.event(event);
        });
        show.close();
        let summary = result?;
        let end = summary.completed.then(|| ending.of(&summary, stop.flag()));
        show::done(mode, &summary, end.flatten().as_ref());
        if summary.interrupted {
            tell(format_args!(
                "stopped and saved; go on with: fer-gpu train --resume {}",
                output::told(&summary.folder)
            ));
            return Ok(ExitCode::from(130));
        }
        if summary.overflows {
            tell("the last epoch's validation loss is not finite");
            return Ok(ExitCode::from(3));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What shows the run.
    #[cfg_attr(not(feature = "dashboard"), expect(unused_variables))]
    fn show(&self, mode: Mode, stop: &Stop) -> Box<dyn Show> {
        #[cfg(feature = "dashboard")]
        if self.dashboard {
            match Dashboard::open(stop.clone()) {
                Ok(dashboard) => return Box::new(dashboard),
                Err(why) => output::note(format_args!("no dashboard here, but lines: {why}")),
            }
        }
        let status_every = Duration::from_secs_f64(self.status_seconds);
        Box::new(Reporter::new(mode, status_every))
    }

    fn settings(&self, started: Instant) -> Result<Settings, train::Error> {
        let start = match self.resume.clone() {
            Some(folder) => Start::Resume {
                folder,
                given: self.given(),
                accept_unhashed: self.accept_unhashed,
            },
            None => self.new_run()?,
        };
        Ok(Settings {
            start,
            device: self.device.clone().unwrap_or(Selector::Default),
            limits: self.limits,
            steps: self.steps,
            checkpoint_every: Duration::from_secs_f64(60.0 * self.checkpoint_minutes),
            log_steps: self.log_steps,
            check: self.check,
            host_data: self.host_data,
            pictures: !self.no_pictures,
            started,
        })
    }

    fn given(&self) -> Given {
        let learning = &self.learning;
        Given {
            model: self.model.clone(),
            data: self.data.clone(),
            epochs: learning.epochs,
            batch: learning.batch,
            learning_rate: learning.lr,
            optimizer: learning.optimizer.clone(),
            momentum: learning.momentum,
            nesterov: learning.nesterov,
            seed: learning.seed,
        }
    }

    fn new_run(&self) -> Result<Start, train::Error> {
        let below = match &self.learning.recipe {
            Some(name) => Recipe::find(name)?,
            None => Recipe::default(),
        };
        let recipe = self.learning.recipe(self.model.clone()).over(below);
        let absolute = |path: &PathBuf| std::path::absolute(path).ok();
        let init_from = self.init_from.as_ref().and_then(absolute);
        let config = recipe.config(self.data.clone(), init_from)?;
        let out = match &self.out {
            Some(folder) => Out::Given(folder.clone()),
            None => {
                let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
                Out::Fresh(PathBuf::from(format!("runs/{}-{now}", config.model)))
            }
        };
        Ok(Start::New {
            config: Box::new(config),
            out,
            init_from: self.init_from.clone(),
            strict: self.strict,
        })
    }
}
