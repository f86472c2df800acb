//! A network on a device with a batch to learn from: steps, tensors by name, and what every plan must obey.

use fer_gpu::gpu::{self, Batch, Checks, Executor, Gpu, Images, Metrics, Tensor, Work};
use fer_gpu::network::Model;
use fer_gpu::ops::{Access, Step};
use fer_gpu::plan::{self, Dispatch, Options, Plan, Source, Wanted};
use fer_gpu::random::unit;
use fer_gpu::verify;
use std::collections::HashMap;

pub const BATCH: u32 = 5;
/// Rows of it that count.
pub const VALID: u32 = 4;
pub const CLASSES: u32 = 3;
/// Grey and square; in colour, higher than wide.
pub const IMAGES: [[u32; 3]; 2] = [[8, 8, 1], [5, 7, 3]];

pub struct Trial<'g> {
    pub executor: Executor<'g>,
    images: Vec<f32>,
    labels: Vec<u32>,
    steps: u64,
}

pub fn options(gpu: &Gpu) -> Options {
    Options::new(gpu.profile.clone())
}

/// Training, validation and prediction.
pub fn wanted() -> Vec<Wanted> {
    let training = Wanted::training(BATCH, [Source::Host; 2]);
    training
        .into_iter()
        .chain(Wanted::prediction(BATCH))
        .collect()
}

/// WebGPU refuses a dispatch that reads a buffer by one binding and writes it by another.
fn assert_no_buffer_is_read_and_written(plan: &Plan) {
    for dispatch in plan.programs.iter().flat_map(|p| &p.dispatches) {
        let bound = |read: bool| {
            let all = dispatch.op.bindings().iter().zip(&dispatch.bindings);
            let of = all.filter(move |(b, _)| (b.access == Access::Read) == read);
            of.map(|(_, range)| range.buffer)
        };
        let both = bound(true).find(|&buffer| bound(false).any(|other| other == buffer));
        let (label, op) = (&dispatch.label, dispatch.op.name());
        assert_eq!(both.map(|b| &plan.buffers[b].name), None, "{label} {op}");
    }
}

impl<'g> Trial<'g> {
    /// With drawn weights.
    pub fn new(gpu: &'g Gpu, model: &Model, options: &Options) -> Trial<'g> {
        let plan = plan::plan(model, &wanted(), options).expect("a plan");
        assert_no_buffer_is_read_and_written(&plan);
        let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
        executor.draw_parameters(7).expect("weights");
        let pixels = BATCH * model.image_shape().iter().product::<u32>();
        Trial {
            executor,
            images: (0..pixels as u64).map(|i| unit(1, i) as f32).collect(),
            labels: (0..BATCH as u64)
                .map(|n| (CLASSES as f64 * unit(2, n)) as u32)
                .collect(),
            steps: 0,
        }
    }

    /// (n, c, h, w)
    pub fn images(&self) -> &[f32] {
        &self.images
    }

    /// Fills the rows that do not count.
    pub fn fill_padding(&mut self, value: f32) {
        let row = self.images.len() / BATCH as usize;
        self.images[row * VALID as usize..].fill(value);
    }

    fn run<T>(
        &mut self,
        run: impl FnOnce(&mut Executor<'g>, &Batch) -> Result<T, gpu::Error>,
    ) -> T {
        self.steps += 1;
        let rule = self.executor.plan.rule.scalars(0.01, self.steps);
        let step = Step::new(self.steps as u32, VALID, rule);
        let batch = Batch::new(Images::Host(&self.images), &self.labels, step);
        run(&mut self.executor, &batch).expect("a device that works")
    }

    /// A training step.
    pub fn step(&mut self) -> Metrics {
        self.submit(Work::TRAIN)
    }

    pub fn submit(&mut self, work: Work) -> Metrics {
        self.run(|executor, batch| {
            executor.submit(work, batch)?;
            Ok(executor.finish_oldest()?.expect("a step was submitted"))
        })
    }

    pub fn predict(&mut self, port: &str) -> Vec<f32> {
        self.run(|executor, batch| executor.compute(Work::PREDICT, batch, port))
    }

    pub fn evaluate(&mut self, port: &str) -> Vec<f32> {
        self.run(|executor, batch| executor.compute(Work::EVALUATE, batch, port))
    }

    /// A training step, each dispatch of which agrees with its reference.
    pub fn checked(&mut self) -> Metrics {
        self.run(|executor, batch| {
            verify::check_step(executor, batch, &mut |dispatch, outcome| {
                let (label, op) = (&dispatch.label, dispatch.op.name());
                assert!(outcome.passed(), "{label} {op}: {outcome:?}");
            })
        })
    }

    pub fn dispatches(&self) -> &[Dispatch] {
        self.executor.dispatches(Work::TRAIN)
    }

    fn index(&self, name: &str) -> usize {
        let mut all = self.executor.plan.parameters.iter();
        all.position(|p| p.name == name).expect(name)
    }

    pub fn read(&self, name: &str, which: Tensor) -> Vec<f32> {
        let index = self.index(name);
        let mut values = vec![0.0; self.executor.plan.parameters[index].shape.len()];
        let sink = |range: std::ops::Range<usize>, chunk: &[f32]| {
            values[range].copy_from_slice(chunk);
            Ok::<(), gpu::Error>(())
        };
        let read = self.executor.read_parameter(index, which, sink);
        read.expect("a parameter reads back");
        values
    }

    pub fn values(&self, name: &str) -> Vec<f32> {
        self.read(name, Tensor::Values)
    }

    pub fn write(&self, name: &str, values: &[f32]) {
        let source = |range: std::ops::Range<usize>, chunk: &mut [f32]| {
            chunk.copy_from_slice(&values[range]);
            Ok::<(), gpu::Error>(())
        };
        let index = self.index(name);
        let written = self.executor.write_parameter(index, Tensor::Values, source);
        written.expect("a parameter is written");
    }

    /// The sum of the losses of the rows that count, of logits (rows, classes).
    pub fn loss(&self, logits: &[f32]) -> f64 {
        let rows = logits.chunks(CLASSES as usize).zip(&self.labels);
        let loss = |(row, &label): (&[f32], &u32)| {
            let sum: f64 = row.iter().map(|&z| (z as f64).exp()).sum();
            sum.ln() - row[label as usize] as f64
        };
        rows.take(VALID as usize).map(loss).sum()
    }

    pub fn names(&self) -> Vec<String> {
        let parameters = self.executor.plan.parameters.iter();
        parameters.map(|p| p.name.clone()).collect()
    }

    pub fn all_values(&self) -> HashMap<String, Vec<f32>> {
        let names = self.names().into_iter();
        names
            .map(|name| (name.clone(), self.values(&name)))
            .collect()
    }

    /// The gradient of a tensor after the first step: Adam's first moment is then a tenth of it.
    pub fn gradient(&self, name: &str) -> Vec<f32> {
        assert_eq!(self.steps, 1, "{name}");
        let moments = self.read(name, Tensor::Slot(0));
        moments.iter().map(|m| m * 10.0).collect()
    }
}

/// Equal but for the last bits, and not all zero.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0f32, |most, e| most.max(e.abs()));
    assert!(size > 0.0, "{what}: all zero");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-5 * size, "{what}[{i}]: {f}, not {e}");
    }
}

/// Two plans of a network begin with the same weights, make the same loss and gradients, and predict the same.
pub fn assert_learn_the_same(one: &mut Trial, other: &mut Trial, what: &str) {
    assert_eq!(one.names(), other.names(), "{what}");
    assert_eq!(one.all_values(), other.all_values(), "{what}: as drawn");
    let [found, wanted] = [one.checked(), other.checked()];
    let off = (found.loss_sum - wanted.loss_sum).abs();
    assert!(
        off <= 1e-6 * wanted.loss_sum,
        "{what}: {found:?}, not {wanted:?}"
    );
    for name in one.names() {
        let of = |trial: &Trial| match name.contains("moving") {
            true => trial.values(&name),
            false => trial.gradient(&name),
        };
        assert_close(&format!("{what} {name}"), &of(one), &of(other));
    }
    let (found, wanted) = (one.predict("logits"), other.predict("logits"));
    assert_close(&format!("{what}: predictions"), &found, &wanted);
}

/// a + scale b
pub fn plus(a: &[f32], scale: f32, b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + scale * b).collect()
}
