//! `fer-gpu plan`: the schedule of a training step, printed, for an adapter of this machine or for a card that is
//! not at hand. It needs no adapter.

mod floors;
mod json;

use super::{Error, output, print, summary};
use crate::cards::Card;
use crate::gpu::{self, Adapter, LimitChoice, Selector};
use crate::plan::{self, Options, Source, Wanted};
use crate::profile::{Class, Profile};
use crate::train;
use crate::tuned::Tuned;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu plan --model inception-gap           what runs here, with its buffers
  fer-gpu plan --on h100                       what an H100 would get, with floors
  fer-gpu plan --on my-card.toml --json        a card of your own, as JSON")]
pub struct PlanCommand {
    /// Network, by name or by file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "inception")]
    model: String,
    /// Images of one step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=super::LARGEST_BATCH))]
    batch: u32,
    /// Adapter, by number or by part of its name [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    device: Option<Selector>,
    /// Use all that the adapter has, or only what every WebGPU device grants
    #[arg(long, value_enum, default_value = "native")]
    limits: LimitChoice,
    /// Plan for a card that need not be here, with the floor of each dispatch by the card's figures: h100, h200,
    /// rtx4070, rx7900xtx, a770, m2, iris-xe, adreno740, or a file
    #[arg(long, value_name = "CARD|FILE.toml", conflicts_with_all = ["device", "limits"])]
    on: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub fn run(self) -> Result<ExitCode, Error> {
        let network = summary::network(&self.model)?;
        let card = self.on.as_deref().map(Card::named).transpose()?;
        let options = match &card {
            Some(card) => Options::new(card.profile.clone()),
            None => self.options(&network.name).map_err(train::Error::from)?,
        };
        let wanted = Wanted::training(self.batch, [Source::Host; 2]);
        let model = summary::model(&network, 7)?;
        let plan = plan::plan(&model, &wanted, &options).map_err(train::Error::from)?;
        if self.json {
            print(json::json(&plan, &options.profile, card.as_ref()));
            return Ok(ExitCode::SUCCESS);
        }
        match &card {
            Some(card) => print(floors::text(&plan, card)),
            None => print(plan),
        }
        output::next(&[format!(
            "fer-gpu bench --kernels --model {}",
            summary::told(&self.model)
        )]);
        Ok(ExitCode::SUCCESS)
    }

    /// What a new run would use on the adapter; without one, what WebGPU grants everywhere.
    fn options(&self, network: &str) -> Result<Options, gpu::Error> {
        let tell = |line: &dyn std::fmt::Display| match self.json {
            true => output::note(line),
            false => print(line),
        };
        match Adapter::select(self.device.as_ref().unwrap_or(&Selector::Default)) {
            Ok(adapter) => {
                let mut options = Options::new(adapter.profile(self.limits));
                let told = Tuned::find(&adapter.info).apply(&mut options, network, self.batch);
                told.iter().for_each(|line| tell(line));
                Ok(options)
            }
            Err(gpu::Error::NoAdapter | gpu::Error::Incapable { .. }) if self.device.is_none() => {
                tell(&"No adapter here: planned for a GPU with WebGPU's default limits.");
                Ok(Options::new(Profile::webgpu(Class::Gpu)))
            }
            Err(error) => Err(error),
        }
    }
}
