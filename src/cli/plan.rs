//! `fer-gpu plan`: the schedule of a training step, printed. It needs no adapter.

use super::{Error, output, print, summary};
use crate::gpu::{self, Adapter, LimitChoice, Selector};
use crate::plan::{self, Options, Source, Wanted};
use crate::profile::{Class, Profile};
use crate::train;
use crate::tuned::Tuned;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
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
}

impl PlanCommand {
    pub fn run(self) -> Result<ExitCode, Error> {
        let network = summary::network(&self.model)?;
        let options = self.options(&network.name).map_err(train::Error::from)?;
        let wanted = Wanted::training(self.batch, [Source::Host; 2]);
        let model = summary::model(&network, 7)?;
        let plan = plan::plan(&model, &wanted, &options).map_err(train::Error::from)?;
        print(plan);
        output::next(&[format!(
            "fer-gpu bench --kernels --model {}",
            summary::told(&self.model)
        )]);
        Ok(ExitCode::SUCCESS)
    }

    /// What a new run would use on the adapter; without one, what WebGPU grants everywhere.
    fn options(&self, network: &str) -> Result<Options, gpu::Error> {
        match Adapter::select(self.device.as_ref().unwrap_or(&Selector::Default)) {
            Ok(adapter) => {
                let mut options = Options::new(adapter.profile(self.limits));
                let told = Tuned::find(&adapter.info).apply(&mut options, network, self.batch);
                told.into_iter().for_each(print);
                Ok(options)
            }
            Err(gpu::Error::NoAdapter | gpu::Error::Incapable { .. }) if self.device.is_none() => {
                print("No adapter here: planned for a GPU with WebGPU's default limits.");
                Ok(Options::new(Profile::webgpu(Class::Gpu)))
            }
            Err(error) => Err(error),
        }
    }
}
