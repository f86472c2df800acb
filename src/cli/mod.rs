//! The command line: one file for each subcommand, on top of everything else.

mod bench;
mod data;
mod devices;
mod plan;
mod progress;
mod report;
mod summary;
mod train;
mod tune;
mod verify;

use clap::{Parser, Subcommand};
use std::error::Error as _;
use std::process::ExitCode;
use std::time::Instant;

/// Trains convolutional networks for facial expressions on any GPU.
#[derive(Parser)]
#[command(name = "fer-gpu", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network, on your data or on generated sample faces
    Train(train::Train),
    /// Print a network's layers, shapes and parameters
    Summary(summary::Summary),
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
    Verify(#[from] verify::VerifyError),
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[error(transparent)]
    Tune(tune::TuneError),
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
            Error::Verify(_) | Error::Bench(_) | Error::Tune(_) => 2,
        }
    }

    /// The error and what caused it, on one line.
    pub fn causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }
}

impl Cli {
    /// Runs the subcommand; `started` is when the process began.
    pub fn run(self, started: Instant) -> Result<ExitCode, Error> {
        match self.command {
            Command::Train(train) => train.run(started),
            Command::Summary(summary) => summary.run(),
            Command::Plan(plan) => plan.run(),
            Command::Devices(devices) => devices.run(),
            Command::Verify(verify) => verify.run(),
            Command::Bench(bench) => bench.run(),
            Command::Tune(tune) => tune.run(),
            Command::Data(data) => data.run(),
        }
    }
}

/// Writes a file so that a crash leaves the old one or the new one.
pub(crate) fn write(path: &std::path::Path, text: &str) -> Result<(), Error> {
    let failed = |source| crate::train::Error::Write {
        path: path.into(),
        source,
    };
    let written =
        crate::train::replace_file(path, |out| out.write_all(text.as_bytes()).map_err(failed));
    Ok(written?)
}

/// A time that an option gives.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".into()),
    }
}

/// Writes to standard output; a closed pipe is no error of ours.
pub(crate) fn print(text: impl std::fmt::Display) {
    use std::io::Write;
    drop(writeln!(std::io::stdout(), "{text}"));
}
