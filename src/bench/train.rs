//! What a user waits for: a training step, a forward pass of many images and of one, and the first
//! step. The clock stops when the results are on the host.

use super::report::AdapterLine;
use super::stats::Stats;
use super::{Error, first_batch, load, measure::time_of, resting};
use crate::data::Dataset;
use crate::feed::{self, Batches};
use crate::gpu::{Adapter, Checks, Executor, Gpu, LimitChoice, Work};
use crate::network::Network;
use crate::ops::Step;
use crate::plan::{self, Options, Wanted};
use crate::tuned::Tuned;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Samples that a median needs at least, and that nobody needs more of.
const SAMPLES: std::ops::Range<usize> = 5..1000;

/// How fast a network trains on one adapter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainReport {
    pub adapter: AdapterLine,
    /// What was tuned before, and did the plan make.
    pub tuned: Option<String>,
    pub model: String,
    pub batch: u32,
    /// Seconds of a training step.
    pub step: Stats,
    pub images_per_second: f64,
    /// Seconds of a forward pass with its loss, of a batch and of one image.
    pub forward: Stats,
    pub forward_one: Stats,
    pub planned_device_bytes: u64,
    /// Seconds from opening the device, kernels compiled on the way.
    pub first_step_seconds: f64,
}

/// Trains on sample faces for at least `min_time`.
pub fn train(
    adapter: &Adapter,
    network: &Network,
    batch: u32,
    min_time: Duration,
) -> Result<TrainReport, Error> {
    let faces = Dataset::trial(network.image, [batch as usize; 2]);
    let begun = Instant::now();
    let gpu = Gpu::open(adapter, LimitChoice::Native)?;
    let found = Tuned::find(&gpu.info);
    let options = |batch| {
        let mut options = Options::new(gpu.profile.clone());
        let told = found.apply(&mut options, &network.name, batch);
        (options, told)
    };
    let (many_options, tuned) = options(batch);
    let mut executor = load(&gpu, network, batch, &faces, many_options)?;
    let mut batches = first_batch(&faces, batch, Some(&executor));
    let many = batches.get(0, Step::new(1, 0, resting(Some(&executor))));
    time_of(&mut executor, Work::TRAIN, &many)?;
    let first_step_seconds = begun.elapsed().as_secs_f64();
    time_of(&mut executor, Work::EVALUATE, &many)?;
    let (mut step, mut forward) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while goes_on(step.len(), begun, min_time) {
        step.push(time_of(&mut executor, Work::TRAIN, &many)?);
        forward.push(time_of(&mut executor, Work::EVALUATE, &many)?);
    }
    let planned_device_bytes = executor.plan.device_bytes();
    drop(executor);
    let step = Stats::of(&step);
    Ok(TrainReport {
        adapter: (&gpu.info).into(),
        tuned,
        model: network.name.clone(),
        batch,
        images_per_second: batch as f64 / step.median,
        step,
        forward: Stats::of(&forward),
        forward_one: forward_of_one(&gpu, network, &faces, options(1).0, min_time)?,
        planned_device_bytes,
        first_step_seconds,
    })
}

/// A plan of its own, for predictions alone, once the large one has left its memory.
fn forward_of_one(
    gpu: &Gpu,
    network: &Network,
    faces: &Dataset,
    options: Options,
    min_time: Duration,
) -> Result<Stats, Error> {
    let model = network.try_build_for(network.image, faces.class_names.len() as u32)?;
    let plan = plan::plan(&model, &Wanted::prediction(1), &options)?;
    let mut executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ())?;
    executor.draw_parameters(0)?;
    let order = feed::order(1, false, 0, 0);
    let mut batches = Batches::new(faces, &faces.train, order, [1, 1], false);
    let one = batches.get(0, Step::new(1, 0, [0.0; 4]));
    let mut time = || -> Result<f64, Error> {
        let begun = Instant::now();
        executor.compute(Work::PREDICT, &one, "probabilities")?;
        Ok(begun.elapsed().as_secs_f64())
    };
    time()?;
    let mut seconds = Vec::new();
    let begun = Instant::now();
    // It takes far less time than a step: a tenth will do.
    while goes_on(seconds.len(), begun, min_time / 10) {
        seconds.push(time()?);
    }
    Ok(Stats::of(&seconds))
}

/// Are more samples wanted?
pub(super) fn goes_on(samples: usize, begun: Instant, min_time: Duration) -> bool {
    samples < SAMPLES.start || begun.elapsed() < min_time && samples < SAMPLES.end
}
