//! `fer-gpu data split`: a validation part out of a training set.

use super::check::FER;
use super::class_table;
use crate::cli::{Error, next, output::told, print};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Example:
  fer-gpu data split fer --rows 3589 --out fer-split")]
pub struct Split {
    /// Folder of the data set; its X_test.npy is left as it is
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Folder for the new set: the rest of the training images, and the part of them to validate on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Images of the part: of each class its share, identical images on one side
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rows: u32,
    /// Seed of the choice
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Split {
    pub fn run(self) -> Result<ExitCode, Error> {
        let set = super::check::load(&self.data, FER)?;
        crate::data::must_be_free(&self.out)?;
        let parted = set.part(self.rows as usize, self.seed)?;
        parted.write(&self.out)?;
        let classes = &parted.class_names;
        let [train, test] = [&parted.train, &parted.test].map(|split| split.counts(classes.len()));
        if self.json {
            print(json!({
                "event": "split", "out": self.out, "classes": classes, "train": train, "test": test,
            }));
            return Ok(ExitCode::SUCCESS);
        }
        print(class_table(classes, [&train, &test]));
        if parted.test.rows() != self.rows as usize {
            print(format_args!(
                "{} rows of {}: identical images stay together",
                parted.test.rows(),
                self.rows
            ));
        }
        next(&[format!("fer-gpu train --data {}", told(&self.out))]);
        Ok(ExitCode::SUCCESS)
    }
}
