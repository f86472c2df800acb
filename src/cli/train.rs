//! `fer-gpu train`: options in, a run out.

use super::Error;
#[cfg(feature = "dashboard")]
use super::dashboard::Dashboard;
use super::output::{self, tell};
use super::run_end::Ending;
use super::show::{self, Mode, Reporter, Show};
use super::stop::{self, Stop};
use super::tensorboard::Board;
use crate::gpu::{LimitChoice, Selector};
use crate::network::Network;
use crate::rules::{self, Choices};
use crate::train::{self, Config, Given, Out, Regime, Settings, Start};
use clap::Args;
use clap::builder::PossibleValuesParser;
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
    /// Begin with the weights of this file
    #[arg(
        long,
        value_name = "FILE.safetensors",
        conflicts_with = "resume",
        help_heading = "What",
        hide_short_help = true
    )]
    init_from: Option<PathBuf>,
    /// Resume from a point that has no hash, as versions of before there were hashes wrote them
    #[arg(
        long,
        requires = "resume",
        help_heading = "What",
        hide_short_help = true
    )]
    accept_unhashed: bool,
    /// Epochs in total, also when resuming [default: 150]
    #[arg(long, value_name = "N", help_heading = "How")]
    epochs: Option<u32>,
    /// Images of one step [default: 64]
    #[arg(long, value_name = "N", help_heading = "How")]
    batch: Option<u32>,
    /// Learning rate [default: 0.001]
    #[arg(
        long,
        value_name = "RATE",
        allow_negative_numbers = true,
        help_heading = "How"
    )]
    lr: Option<f64>,
    /// Optimiser [default: adam]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(rules::names()), help_heading = "How")]
    optimizer: Option<String>,
    /// Share of the last update that sgd keeps, from 0 to below 1 [default: 0]
    #[arg(
        long,
        value_name = "M",
        allow_negative_numbers = true,
        help_heading = "How",
        hide_short_help = true
    )]
    momentum: Option<f64>,
    /// Nesterov's momentum: sgd looks ahead
    #[arg(long, help_heading = "How", hide_short_help = true)]
    nesterov: bool,
    /// Seed of weights, shuffles and sample faces [default: 0]
    #[arg(long, value_name = "N", help_heading = "How", hide_short_help = true)]
    seed: Option<u64>,
    /// Visit the training images in the order of the file
    #[arg(
        long,
        conflicts_with = "resume",
        help_heading = "How",
        hide_short_help = true
    )]
    no_shuffle: bool,
    /// Train on the first batch alone: a network that learns at all learns it by heart
    #[arg(
        long,
        conflicts_with = "resume",
        help_heading = "How",
        hide_short_help = true
    )]
    overfit_batch: bool,
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
    /// Leave the images of the data set out of report.html
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
            ..Choices::default()
        };
        rules::find(&optimizer, &choices)?;
        let model = self.model.as_deref().unwrap_or("inception");
        let network = Network::named(model)?;
        let model_file = Network::is_path(model)
            .then(|| std::path::absolute(model).ok())
            .flatten();
        let out = match &self.out {
            Some(folder) => Out::Given(folder.clone()),
            None => {
                let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
                Out::Fresh(PathBuf::from(format!("runs/{}-{now}", network.name)))
            }
        };
        let config = Config {
            model: network.name,
            model_file,
            epochs: self.epochs.unwrap_or(150),
            batch: self.batch.unwrap_or(64),
            learning_rate: self.lr.unwrap_or(0.001),
            optimizer,
            momentum: self.momentum.unwrap_or(0.0),
            nesterov: self.nesterov,
            regime: Regime::default(),
            seed: self.seed.unwrap_or(0),
            shuffle: !self.no_shuffle,
            overfit_batch: self.overfit_batch,
            init_from: self
                .init_from
                .as_ref()
                .and_then(|p| std::path::absolute(p).ok()),
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
