//! Where the time of a real training step goes, by timestamps inside its pass: when each dispatch begins, how long it
//! takes, and what lies between it and the one before. Rounds of a step as it is, one with two timestamps, and one
//! with two for each dispatch; medians of each figure count.

use super::ceiling::clock;
use super::report::{AdapterLine, Clock, groups};
use super::stats::Stats;
use super::{Error, first_batch, load, measure::time_of, resting, train::goes_on};
use crate::cards::{Full, full};
use crate::data::Dataset;
use crate::gpu::{Adapter, Executor, Gpu, LimitChoice, Marks, Tracer, Work};
use crate::network::Network;
use crate::ops::Step;
use crate::plan::{self, Dispatch, Options};
use crate::tuned::Tuned;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// A training step on one adapter, dispatch by dispatch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TraceReport {
    pub adapter: AdapterLine,
    /// What was tuned before, and did the plan make.
    pub tuned: Option<String>,
    pub model: String,
    pub batch: u32,
    /// Seconds from the upload until the metrics are on the host, without any timestamp.
    pub step: Stats,
    /// Seconds on the device from the first dispatch to the end of the last, with no timestamps between.
    pub span: Stats,
    /// The same with timestamps around each dispatch: what they cost is the difference.
    pub traced: Stats,
    /// In the step's order.
    pub dispatches: Vec<Traced>,
    /// Workgroups that fill the adapter.
    pub full: Option<Full>,
}

/// A dispatch within the step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Traced {
    pub number: usize,
    /// The layer that it serves.
    pub label: String,
    pub op: String,
    pub variant: String,
    pub shape: String,
    /// Workgroups along x, y and z.
    #[serde(rename = "workgroups")]
    pub grid: [u32; 3],
    pub flops: u64,
    pub bytes: u64,
    /// Seconds from the first dispatch of the step; a median, like the gap.
    pub start: f64,
    /// Seconds between the end of the dispatch before and its start: the barrier, and what a new submit costs.
    pub gap: f64,
    /// Seconds from there to its end, its launch included.
    pub time: Stats,
}

/// Begin and end of a dispatch in each of the steps.
type Samples = Vec<[f64; 2]>;

impl Traced {
    fn new(
        number: usize,
        dispatch: &Dispatch,
        gpu: &Gpu,
        own: &Samples,
        before: &Samples,
    ) -> Traced {
        let cost = dispatch.cost();
        let of = |figure: &dyn Fn(usize) -> f64| {
            let all: Vec<f64> = (0..own.len()).map(figure).collect();
            Stats::of(&all)
        };
        Traced {
            number,
            label: dispatch.label.clone(),
            op: dispatch.op.name().into(),
            variant: dispatch.variant_name().into(),
            shape: plan::shape(dispatch.op, &dispatch.params),
            grid: gpu.profile.limits.grid(dispatch.workgroups()),
            flops: cost.flops,
            bytes: cost.bytes,
            start: of(&|i| own[i][0]).median,
            gap: of(&|i| (own[i][0] - before[i][1]).max(0.0)).median,
            time: of(&|i| (own[i][1] - own[i][0]).max(0.0)),
        }
    }

    pub fn workgroups(&self) -> u64 {
        groups(self.grid)
    }

    /// Share of the traced step.
    pub fn share(&self, report: &TraceReport) -> f64 {
        self.time.median / report.traced.median
    }
}

/// Traces training steps on sample faces for at least `min_time`.
///
/// # Errors
/// Where the adapter has no timestamps inside a pass, or none that can be believed.
pub fn trace(
    adapter: &Adapter,
    network: &Network,
    batch: u32,
    min_time: Duration,
) -> Result<TraceReport, Error> {
    let faces = Dataset::trial(network.image, [batch as usize; 2]);
    let gpu = Gpu::open(adapter, LimitChoice::Native)?;
    let mut options = Options::new(gpu.profile.clone());
    let tuned = Tuned::find(&gpu.info).apply(&mut options, &network.name, batch);
    let mut executor = load(&gpu, network, batch, &faces, options)?;
    let dispatches = executor.dispatches(Work::TRAIN).len();
    let tracer = tracer(&gpu, dispatches)?;
    let mut batches = first_batch(&faces, batch, Some(&executor));
    let images = batches.get(0, Step::new(1, 0, resting(Some(&executor))));
    // The first launches may compile.
    time_of(&mut executor, Work::TRAIN, &images)?;
    let (mut steps, mut spans, mut traced) = (vec![], vec![], vec![]);
    let mut samples: Vec<Samples> = vec![vec![]; dispatches];
    let begun = Instant::now();
    while goes_on(steps.len(), begun, min_time) {
        steps.push(time_of(&mut executor, Work::TRAIN, &images)?);
        let span = executor.trace(&tracer, Work::TRAIN, &images, Marks::Ends)?;
        spans.push(span[0][1]);
        let each = executor.trace(&tracer, Work::TRAIN, &images, Marks::Each)?;
        traced.push(each.last().map_or(0.0, |last| last[1]));
        samples
            .iter_mut()
            .zip(each)
            .for_each(|(s, one)| s.push(one));
    }
    Ok(TraceReport {
        adapter: (&gpu.info).into(),
        tuned,
        model: network.name.clone(),
        batch,
        step: Stats::of(&steps),
        span: Stats::of(&spans),
        traced: Stats::of(&traced),
        dispatches: lines(&executor, &samples),
        full: full(&gpu.info.name, gpu.profile.class),
    })
}

/// A tracer whose clock can be believed.
fn tracer(gpu: &Gpu, dispatches: usize) -> Result<Tracer<'_>, Error> {
    let adapter = gpu.info.name.clone();
    let untraceable = |why: String| Error::Untraceable { adapter, why };
    if let Some(why) = gpu.untraceable(dispatches) {
        return Err(untraceable(why));
    }
    match (clock(gpu)?.1, Tracer::new(gpu, dispatches)?) {
        (Clock::Device, Some(tracer)) => Ok(tracer),
        (Clock::Host { because }, _) => Err(untraceable(because)),
        (Clock::Device, None) => Err(untraceable("its timestamps have no period".into())),
    }
}

/// The first dispatch has none before it, and so no gap.
fn lines(executor: &Executor, samples: &[Samples]) -> Vec<Traced> {
    let program = executor.dispatches(Work::TRAIN).iter().enumerate();
    let line = |(number, dispatch): (usize, &Dispatch)| {
        let own = &samples[number];
        match number.checked_sub(1) {
            Some(before) => Traced::new(number, dispatch, executor.gpu, own, &samples[before]),
            None => {
                let none = own.iter().map(|at| [at[0]; 2]).collect();
                Traced::new(number, dispatch, executor.gpu, own, &none)
            }
        }
    };
    program.map(line).collect()
}
