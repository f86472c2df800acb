//! `fer-gpu train`: options in, a run out.

use super::Error;
#[cfg(feature = "dashboard")]
use super::dashboard::Dashboard;
use super::output::tell;
use super::report::{self, Mode, Reporter, Show};
use super::stop::{self, Stop};
use crate::gpu::{LimitChoice, Selector};
use crate::rules::{self, Choices};
use crate::train::{self, Config, Given, Out, Settings, Start};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Train {
    /// Folder with X_train.npy, y_train.npy, X_test.npy and y_test.npy [default: generated sample faces]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Network: inception or inception-gap [default: inception]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Epochs in total, also when resuming [default: 150]
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Images of one step [default: 64]
    #[arg(long, value_name = "N")]
    batch: Option<u32>,
    /// Learning rate [default: 0.001]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Optimiser [default: adam]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(rules::names()))]
    optimizer: Option<String>,
    /// Share of the last update that sgd keeps, from 0 to below 1 [default: 0]
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Nesterov's momentum: sgd looks ahead
    #[arg(long)]
    nesterov: bool,
    /// Seed of weights, shuffles and sample faces [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Adapter, by number or by part of its name [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    device: Option<Selector>,
    /// Use all that the adapter has, or only what every WebGPU device grants
    #[arg(long, value_enum, default_value = "native")]
    limits: LimitChoice,
    /// Folder of the run [default: runs/<model>-<date>-<time>]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Resume from a point that has no hash, as versions of before there were hashes wrote them
    #[arg(long, requires = "resume")]
    accept_unhashed: bool,
    /// Begin with the weights of this file
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "resume")]
    init_from: Option<PathBuf>,
    /// Visit the training images in the order of the file
    #[arg(long, conflicts_with = "resume")]
    no_shuffle: bool,
    /// Stop after that many steps of this process, and save
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Save the resume point at least this often
    #[arg(long, value_name = "M", default_value_t = 10.0, value_parser = positive_minutes, allow_negative_numbers = true)]
    checkpoint_minutes: f64,
    /// Write the loss and accuracy of every step to steps.csv
    #[arg(long)]
    log_steps: bool,
    /// Hold every dispatch of the first step against the CPU reference
    #[arg(long)]
    check: bool,
    /// Train on the first batch alone: a network that learns at all learns it by heart
    #[arg(long, conflicts_with = "resume")]
    overfit_batch: bool,
    /// Gather batches on the host even where the data set fits the device
    #[arg(long)]
    host_data: bool,
    /// Where no terminal is, say at least that often how far the run is
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = positive_seconds, allow_negative_numbers = true)]
    status_seconds: f64,
    /// Print one JSON object a line instead of text
    #[arg(long)]
    json: bool,
    /// Show the run as one screen of the terminal: curves, speed, memory, time left; q stops and saves
    #[cfg(feature = "dashboard")]
    #[arg(long, conflicts_with = "json")]
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
        let settings = self.settings(started)?;
        let mut show = self.show(mode, &stop);
        let result = train::run(settings, stop.flag(), &mut |event| show.event(event));
        show.close();
        let summary = result?;
        report::done(mode, &summary);
        if summary.interrupted {
            tell(format_args!(
                "stopped and saved; go on with: fer-gpu train --resume {}",
                summary.folder.display()
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
                Err(why) => tell(format_args!("note: no dashboard here, but lines: {why}")),
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
            started,
        })
    }

    fn given(&self) -> Given {
        Given {
            model: self.model.clone(),
            data: self.data.clone(),
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.lr,
            optimizer: self.optimizer.clone(),
            momentum: self.momentum,
            nesterov: self.nesterov,
            seed: self.seed,
        }
    }

    fn new_run(&self) -> Result<Start, train::Error> {
        let optimizer = self.optimizer.clone().unwrap_or_else(|| "adam".into());
        // Asked here, for a configuration does not tell a momentum of 0 from none.
        let choices = Choices {
            momentum: self.momentum,
            nesterov: self.nesterov,
        };
        rules::find(&optimizer, &choices)?;
        let model = self.model.clone().unwrap_or_else(|| "inception".into());
        let out = match &self.out {
            Some(folder) => Out::Given(folder.clone()),
            None => {
                let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
                Out::Fresh(PathBuf::from(format!("runs/{model}-{now}")))
            }
        };
        let config = Config {
            model,
            epochs: self.epochs.unwrap_or(150),
            batch: self.batch.unwrap_or(64),
            learning_rate: self.lr.unwrap_or(0.001),
            optimizer,
            momentum: self.momentum.unwrap_or(0.0),
            nesterov: self.nesterov,
            seed: self.seed.unwrap_or(0),
            shuffle: !self.no_shuffle,
            overfit_batch: self.overfit_batch,
            data: self.data.clone(),
            // Known once the data are read.
            data_absolute: None,
            class_names: Vec::new(),
            pixel_range: String::new(),
            image: [0; 3],
        };
        Ok(Start::New {
            config,
            out,
            init_from: self.init_from.clone(),
        })
    }
}
