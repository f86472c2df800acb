//! `fer-gpu data sample`: generated faces as npy files.

use crate::cli::{Error, next, output::told, print};
use crate::data::{CLASSES, Dataset, FILES, SAMPLE_FACES};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Sample {
    /// Folder for X_train.npy, y_train.npy, X_test.npy, y_test.npy and classes.json
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Training faces
    #[arg(long, value_name = "N", default_value_t = SAMPLE_FACES[0] as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    train: u32,
    /// Validation faces, drawn from another random stream
    #[arg(long, value_name = "N", default_value_t = SAMPLE_FACES[1] as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    test: u32,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Sample {
    pub fn run(self) -> Result<ExitCode, Error> {
        let set = Dataset::sample_faces(self.seed, [self.train as usize, self.test as usize]);
        set.write(&self.out)?;
        print(format_args!(
            "{} training and {} validation faces: {}, {CLASSES} in {}",
            self.train,
            self.test,
            FILES.join(", "),
            told(&self.out)
        ));
        next(&[format!("fer-gpu train --data {}", told(&self.out))]);
        Ok(ExitCode::SUCCESS)
    }
}
