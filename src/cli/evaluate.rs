//! `fer-gpu evaluate`: how good a trained network is on labelled images.

use super::output::{self, print};
use super::place;
use super::run_data::{run_of, validation};
use super::{Error, LARGEST_BATCH, score_table, write};
use crate::feed;
use crate::gpu::{Adapter, Gpu, LimitChoice, Selector};
use crate::inference::{self, Opened, Tta, Which};
use crate::plan::{Source, Wanted};
use crate::train::CONFIG;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu evaluate run                       on the images that the run validates on
  fer-gpu evaluate run --data pictures       on others: a data set, a folder by class, a CSV
  fer-gpu evaluate run --json | jq .accuracy")]
pub struct Evaluate {
    /// Folder of a run, or a file of weights
    #[arg(value_name = "RUN|FILE.safetensors")]
    weights: PathBuf,
    /// Data set, folder of pictures by class, or CSV [default: the data of the run]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Images at a time [default: the run's batch, else 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=LARGEST_BATCH))]
    batch: Option<u32>,
    /// Of a run, the weights of its last epoch or stop instead of its best
    #[arg(long)]
    last: bool,
    /// Answer also by the mean of the probabilities of each image and of its mirror image: a figure of its own
    #[arg(long, value_enum, default_value = "none")]
    tta: Tta,
    /// Adapter, by number or by part of its name [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    device: Option<Selector>,
    /// Use all that the adapter has, or only what every WebGPU device grants
    #[arg(long, value_enum, default_value = "native")]
    limits: LimitChoice,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Write classes and confusion matrix to a CSV file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

impl Evaluate {
    pub fn run(self) -> Result<ExitCode, Error> {
        output::reserve([&self.csv]);
        let which = if self.last { Which::Last } else { Which::Best };
        let path = inference::find(&self.weights, which)?;
        place::spare(&self.csv, [path.clone(), self.weights.join(CONFIG)].iter())?;
        if let Some(csv) = &self.csv {
            place::must_be_made_here(csv, place::TABLE)?;
        }
        let opened = Opened::open(&path)?;
        opened.notice().into_iter().for_each(output::note);
        let run = match (&self.data, self.batch) {
            (Some(_), Some(_)) => None,
            _ => run_of(&self.weights)?,
        };
        let data = self.data.as_deref();
        let validation = validation(&self.weights, data, &opened.record, run.as_ref())?;
        let batch = self.batch.or(run.map(|run| run.batch)).unwrap_or(64);
        let adapter = Adapter::select(self.device.as_ref().unwrap_or(&Selector::Default))
            .map_err(inference::Error::from)?;
        let gpu = Gpu::open(&adapter, self.limits).map_err(inference::Error::from)?;
        let [_, source] = feed::placement(&validation.dataset, &gpu.profile.limits);
        // Other views of images are made on the host.
        let source = match self.tta {
            Tta::None => source,
            Tta::Mirror => Source::Host,
        };
        let wanted = Wanted::evaluation(batch, source);
        let mut executor = opened.load(&gpu, &wanted)?;
        let report = inference::evaluate(&mut executor, &validation, self.tta, &mut |_| true)?;
        if let Some(csv) = &self.csv {
            write(csv, &score_table::csv(&report))?;
        }
        if self.json {
            print(serde_json::to_string(&report).expect("plain values"));
        } else {
            print(format_args!("{} on {}\n", path.display(), gpu.info));
            print(score_table::text(&report));
            let named = output::told(&self.weights);
            output::next(&match self.weights.is_dir() {
                true => [format!("fer-gpu report {named}")],
                false => [format!("fer-gpu predict {named} face.png")],
            });
        }
        Ok(ExitCode::SUCCESS)
    }
}
