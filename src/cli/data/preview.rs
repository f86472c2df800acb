//! `fer-gpu data preview`: the first batch of training as a picture.

use super::check::load;
use crate::cli::output::{self, told};
use crate::cli::place::{self, Made};
use crate::cli::{Error, next, print};
use crate::data::{Dataset, SAMPLE_FACES};
use crate::drawing;
use crate::train::{self, Config, Recipe};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu data preview --augment            generated faces, by fer-inception's recipe
  fer-gpu data preview fer --augment --recipe mine.toml --seed 1 -o mine.png")]
pub struct Preview {
    /// Data set, folder of pictures by class, or CSV [default: generated sample faces]
    #[arg(value_name = "DIR|FILE.csv")]
    data: Option<PathBuf>,
    /// Change the images as the recipe does: just what a run of that seed sees in its first step
    #[arg(long)]
    augment: bool,
    /// Recipe whose batch it is, of the box (`fer-gpu recipes`) or of a file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "fer-inception")]
    recipe: PathBuf,
    /// Seed of order, changes and sample faces [default: the recipe's, or 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The picture
    #[arg(short, long, value_name = "FILE.png", default_value = "preview.png")]
    out: PathBuf,
}

impl Preview {
    pub fn run(self) -> Result<ExitCode, Error> {
        let read = self.data.iter().chain([&self.recipe]);
        place::spare(&Some(self.out.clone()), read)?;
        place::must_be_made_here(&self.out, Made::Png)?;
        let config = self.config()?;
        let image = config.network().map_err(train::Error::from)?.image;
        let set = match &self.data {
            Some(data) => load(data, image.map(|side| side as usize))?,
            None => Dataset::sample_faces(config.seed, SAMPLE_FACES),
        };
        let contact = train::preview(&config, set)?;
        output::write_bytes(&self.out, &drawing::contact(&contact)?)?;
        print(format_args!(
            "{}: {}",
            told(&self.out),
            output::plain(&contact.about.replace('\n', ", "))
        ));
        if self.data.is_some() {
            print(super::sharing_notice(&self.out));
        }
        next(&[self.train()]);
        Ok(ExitCode::SUCCESS)
    }

    /// The run whose batch it is.
    fn config(&self) -> Result<Config, Error> {
        let recipe = Recipe::find(&self.recipe)?;
        let seed = self.seed.or(recipe.seed);
        let mut config = Recipe { seed, ..recipe }.config(self.data.clone(), None)?;
        let augment = &mut config.regime.augment;
        if self.augment && augment.is_none() {
            return Err(Error::ChangesNothing(self.recipe.clone()));
        }
        augment.take_if(|_| !self.augment);
        Ok(config)
    }

    /// The command that trains by it.
    fn train(&self) -> String {
        let mut command = format!("fer-gpu train --recipe {}", told(&self.recipe));
        if let Some(data) = &self.data {
            command += &format!(" --data {}", told(data));
        }
        if let Some(seed) = self.seed {
            command += &format!(" --seed {seed}");
        }
        command
    }
}
