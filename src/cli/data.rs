//! `fer-gpu data`: makes data sets.

use super::{Error, print};
use crate::data::{Dataset, FILES};
use crate::train;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Subcommand)]
enum DataCommand {
    /// Draw sample faces and write them as npy files
    Sample(Sample),
}

#[derive(Args)]
struct Sample {
    /// Folder for X_train.npy, y_train.npy, X_test.npy and y_test.npy
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Training faces
    #[arg(long, value_name = "N", default_value_t = crate::data::SAMPLE_FACES[0] as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    train: u32,
    /// Validation faces, drawn from another random stream
    #[arg(long, value_name = "N", default_value_t = crate::data::SAMPLE_FACES[1] as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    test: u32,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Data {
    pub fn run(self) -> Result<ExitCode, Error> {
        let DataCommand::Sample(sample) = self.command;
        let set = Dataset::sample_faces(sample.seed, [sample.train as usize, sample.test as usize]);
        set.write(&sample.out).map_err(train::Error::from)?;
        print(format_args!(
            "{} training and {} validation faces: {} in {}",
            sample.train,
            sample.test,
            FILES.join(", "),
            sample.out.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}
