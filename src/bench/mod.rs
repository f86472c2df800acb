//! How fast is this device, and how fast could it be?
//!
//! `subjects` says what is timed and keeps real data for it, `check` holds each kernel against its
//! reference, `measure` times kernels, `ceiling`s and whole steps in interleaved rounds, `stats`
//! sums the samples up; out comes a `report`, plain data, of which `compare` holds two against each
//! other. `train` times whole steps alone, `trace` each dispatch within a step. `tune` looks for the fastest way to run a network: its
//! kernels `race`, variant against variant.

pub mod ceiling;
mod check;
pub mod compare;
mod measure;
pub mod race;
pub mod report;
mod stats;
mod subjects;
pub mod trace;
pub mod train;
pub mod tune;

use crate::data::Dataset;
use crate::feed::{self, Batches};
use crate::gpu::{self, Checks, Executor, Gpu, Work};
use crate::network::Network;
use crate::ops::Step;
use crate::plan::{self, Dispatch, Options, Plan, Wanted};
use crate::tuned::Tuned;
use crate::verify::Pattern;
pub use report::Report;
pub use stats::{Stats, WIDE};
use std::time::Duration;
use subjects::Subjects;
pub use subjects::Variants;

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Network(#[from] crate::network::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] gpu::Error),
    #[error("--op names nothing that runs on {0}; `fer-gpu plan` shows the names")]
    NothingNamed(String),
    #[error("every variant is wrong at {0}; `fer-gpu verify` tells how")]
    AllWrong(String),
    #[error("steps on {adapter} cannot be traced: {why}")]
    #[diagnostic(help("`fer-gpu bench --kernels` times each kernel alone"))]
    Untraceable { adapter: String, why: String },
}

/// Which shapes are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shapes {
    /// Those of one training step.
    Step,
    /// The test cases: odd sizes and edges.
    Edge,
    /// Both.
    All,
}

/// What to time.
pub struct Request {
    pub network: Network,
    pub batch: u32,
    pub shapes: Shapes,
    pub variants: Variants,
    pub pattern: Pattern,
    /// Rounds go on for at least so long.
    pub min_time: Duration,
}

/// What a benchmark is doing.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    Loading,
    /// So many kernels of so many.
    Checking(usize, usize),
    /// So many seconds of so many.
    Timing(f64, f64),
}

/// Times the kernels that a request names.
pub fn kernels(
    gpu: &Gpu,
    request: &Request,
    observe: &mut dyn FnMut(Progress),
) -> Result<Report, Error> {
    observe(Progress::Loading);
    let faces = Dataset::trial(request.network.image, [request.batch as usize; 2]);
    let mut tuned = None;
    let mut executor = match request.shapes {
        Shapes::Edge => None,
        Shapes::Step | Shapes::All => {
            let mut options = Options::new(gpu.profile.clone());
            let (network, batch) = (&request.network, request.batch);
            tuned = Tuned::find(&gpu.info).apply(&mut options, &network.name, batch);
            Some(load(gpu, network, batch, &faces, options)?)
        }
    };
    let mut batches = first_batch(&faces, request.batch, executor.as_ref());
    let batch = batches.get(0, Step::new(1, 0, resting(executor.as_ref())));
    let mut subjects = match &executor {
        Some(executor) => {
            let wanted = |dispatch: &Dispatch, variant: usize| {
                let name = dispatch.op.variants()[variant].name;
                (variant == dispatch.variant || request.variants == Variants::All)
                    && request.pattern.variant(dispatch.op.name(), name)
            };
            Subjects::of_step(executor, &batch, &wanted)?
        }
        None => Subjects::default(),
    };
    if request.shapes != Shapes::Step {
        subjects.add_cases(gpu, &request.pattern, request.variants)?;
    }
    if subjects.all.is_empty() {
        return Err(Error::NothingNamed(gpu.info.name.clone()));
    }
    let wrong = check::check(gpu, &subjects.all, &mut |done, of| {
        observe(Progress::Checking(done, of))
    })?;
    let step = executor.as_mut().map(|executor| (executor, &batch));
    let mut report = measure::measure(
        gpu,
        step,
        &subjects,
        wrong,
        request.min_time,
        &mut |done, of| observe(Progress::Timing(done, of)),
    )?;
    report.tuned = tuned;
    Ok(report)
}

/// A network on a device with drawn weights, and faces to learn from.
fn load<'g>(
    gpu: &'g Gpu,
    network: &Network,
    batch: u32,
    faces: &Dataset,
    options: Options,
) -> Result<Executor<'g>, Error> {
    let plan = plan(network, batch, faces, &options)?;
    // Without run-time checks, as training loads its kernels.
    let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ())?;
    executor.draw_parameters(0)?;
    feed::upload(&executor, faces)?;
    Ok(executor)
}

/// The plan of a training step and its validation, fed from the device where the faces fit.
fn plan(network: &Network, batch: u32, faces: &Dataset, options: &Options) -> Result<Plan, Error> {
    let model = network.try_build_for(network.image, faces.class_names.len() as u32)?;
    let sources = feed::placement(faces, &options.profile.limits);
    let wanted = Wanted::training(batch, sources);
    Ok(plan::plan(&model, &wanted, options)?)
}

/// The rule's scalars at a rate of zero: weights stay as they are, and every step computes the same.
fn resting(executor: Option<&Executor>) -> [f32; 4] {
    executor.map_or([0.0; 4], |executor| executor.plan.rule.scalars(0.0, 1))
}

/// The faces in their order, where the executor wants them.
fn first_batch<'a>(faces: &'a Dataset, batch: u32, executor: Option<&Executor>) -> Batches<'a> {
    let order = feed::order(batch as usize, false, 0, 0);
    let on_device = executor.is_some_and(|e| e.gathers(Work::TRAIN));
    Batches::new(faces, &faces.train, order, [batch, 1], on_device)
}
