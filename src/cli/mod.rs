//! The command line: one file for each subcommand, on top of everything else.

mod bench;
#[cfg(feature = "dashboard")]
mod dashboard;
mod data;
mod devices;
mod evaluate;
mod output;
mod plan;
mod plot_model;
mod predict;
mod progress;
mod report;
mod score_table;
mod status;
mod stop;
mod summary;
mod train;
mod tune;
mod verify;

use clap::{Parser, Subcommand};
pub(crate) use output::{print, write};
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Instant;

/// Trains convolutional networks for facial expressions on any GPU.
#[derive(Parser)]
#[command(name = "fer-gpu", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network, on your data or on generated sample faces
    Train(train::Train),
    /// Tell how good a trained network is on labelled images
    Evaluate(evaluate::Evaluate),
    /// Tell what a trained network sees in pictures
    Predict(predict::Predict),
    /// Print a network's layers, shapes and parameters
    Summary(summary::Summary),
    /// Draw a network: SVG, PNG or Graphviz's text
    PlotModel(plot_model::PlotModel),
    /// Print the schedule of a training step: dispatches, buffers, flops, bytes
    Plan(plan::PlanCommand),
    /// List the adapters, what they allow, and whether the seed network fits
    Devices(devices::Devices),
    /// Hold every kernel against its f64 reference, on every adapter
    Verify(verify::Verify),
    /// Time every kernel of a training step against the adapter's own ceilings, or whole steps
    Bench(bench::Bench),
    /// Find the fastest kernels for a network on this machine, and keep them for later runs
    Tune(tune::Tune),
    /// Make data sets
    Data(data::Data),
}

/// Whatever a subcommand failed of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Train(#[from] crate::train::Error),
    #[error(transparent)]
    Inference(#[from] crate::inference::Error),
    #[error("{} was edited or damaged since its run wrote it: undo that, or give --data and --batch", .0.display())]
    Config(std::path::PathBuf),
    #[error("{} is a folder: a report needs the name of a file", .0.display())]
    ReportIsFolder(std::path::PathBuf),
    #[error("{} is read by this command: a report may not replace it", .0.display())]
    ReportOverInput(std::path::PathBuf),
    #[error("{} says not on which data: give --data DIR", .0.display())]
    NoData(std::path::PathBuf),
    #[error(transparent)]
    File(#[from] crate::files::Error),
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[error(transparent)]
    Tune(tune::TuneError),
    #[error(transparent)]
    Plot(#[from] plot_model::PlotError),
}

impl From<crate::gpu::Error> for Error {
    fn from(error: crate::gpu::Error) -> Error {
        Error::Train(error.into())
    }
}

impl From<crate::bench::Error> for Error {
    fn from(error: crate::bench::Error) -> Error {
        match error {
            crate::bench::Error::Plan(error) => Error::Train(error.into()),
            crate::bench::Error::Gpu(error) => error.into(),
            error => Error::Bench(bench::BenchError::Run(error)),
        }
    }
}

impl Error {
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Train(error) => error.exit_code(),
            Error::Inference(error) => error.exit_code(),
            Error::NoData(_)
            | Error::Config(_)
            | Error::ReportIsFolder(_)
            | Error::ReportOverInput(_)
            | Error::File(_)
            | Error::Verify(_)
            | Error::Bench(_)
            | Error::Tune(_)
            | Error::Plot(_) => 2,
        }
    }
}

/// The command: parses, runs and tells what went wrong. `started` is when the process began.
pub fn main(started: Instant) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help, the version, or what is wrong with the options.
        Err(told) => {
            let code = match told.print() {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => 2,
                _ => told.exit_code(),
            };
            return ExitCode::from(code as u8);
        }
    };
    let outcome = cli.run(started);
    let complain = |error: Error| {
        output::tell(format_args!("error: {}", crate::train::causes(&error)));
        ExitCode::from(error.exit_code())
    };
    match (outcome, output::failure()) {
        (Err(error), _) => complain(error),
        (Ok(_), Some(error)) => complain(error),
        (Ok(code), None) => code,
    }
}

impl Cli {
    fn run(self, started: Instant) -> Result<ExitCode, Error> {
        match self.command {
            Command::Train(train) => train.run(started),
            Command::Evaluate(evaluate) => evaluate.run(),
            Command::Predict(predict) => predict.run(),
            Command::Summary(summary) => summary.run(),
            Command::PlotModel(plot) => plot.run(),
            Command::Plan(plan) => plan.run(),
            Command::Devices(devices) => devices.run(),
            Command::Verify(verify) => verify.run(),
            Command::Bench(bench) => bench.run(),
            Command::Tune(tune) => tune.run(),
            Command::Data(data) => data.run(),
        }
    }
}

/// Images that a batch of an option may have: no number of a kernel overflows.
const LARGEST_BATCH: i64 = 65_536;

/// A time that an option gives.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".into()),
    }
}
