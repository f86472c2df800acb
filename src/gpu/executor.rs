//! Runs the programs of a plan on a device.
//!
//! Pipelines, parameter blocks and bind groups are resolved once; WebGPU has no reusable
//! command buffers, so the list is encoded anew for every step. At most two steps are in
//! flight, and the metrics of a step are read while the next one runs. Nothing is allocated
//! during a step but wgpu's own staging of the few bytes that a step uploads.

use super::Error;
use super::device::{Buffer, Gpu};
use super::estimate::Estimate;
use super::kernel::Checks;
use super::launch::{Launch, Resolver};
use super::metrics::{self, Metrics};
use super::shards::Filling;
use crate::ops::augment::Record;
use crate::ops::softmax_cross_entropy::METRICS;
use crate::ops::{Access, AnyOp, Step};
use crate::plan::{self, Dispatch, Mode, Plan, Port, Program, Range};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

/// Steps in flight.
pub(super) const IN_FLIGHT: usize = 2;

/// Work of one submit, in seconds: Windows resets a GPU whose submit takes about two.
const SUBMIT_SECONDS: f64 = 0.5;

/// What errors call it.
pub(super) const STEP: &str = "a step";

/// A program of the plan, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub program: &'static str,
    pub part: Part,
}

/// Which part of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// Up to its loss: no weight changes.
    ToLoss,
    /// What is left after that: backward and update.
    BehindLoss,
    /// Up to the gradients: of a step of several shards what each of them does.
    ToGradients,
    /// What is left after that, once for all shards.
    BehindGradients,
}

impl Work {
    /// A training step.
    pub const TRAIN: Work = Work::whole(plan::TRAIN);
    /// Its head, and the rest of it.
    pub const LOSS: Work = Work {
        program: plan::TRAIN,
        part: Part::ToLoss,
    };
    pub const UPDATE: Work = Work {
        program: plan::TRAIN,
        part: Part::BehindLoss,
    };
    /// What each shard of a step does, and what follows once.
    pub const GRADIENTS: Work = Work {
        program: plan::TRAIN,
        part: Part::ToGradients,
    };
    pub const FINISH: Work = Work {
        program: plan::TRAIN,
        part: Part::BehindGradients,
    };
    /// Forward and loss.
    pub const EVALUATE: Work = Work::whole(plan::EVALUATE);
    /// Probabilities.
    pub const PREDICT: Work = Work::whole(plan::PREDICT);

    pub(super) const fn whole(program: &'static str) -> Work {
        Work {
            program,
            part: Part::Whole,
        }
    }
}

/// What a step computes of.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// Row numbers of the data set on the device.
    Rows(&'a [u32]),
    /// Scaled pixels (rows, c, h, w) of the whole batch.
    Host(&'a [f32]),
}

/// The inputs of one step. All slices are of the whole batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub images: Images<'a>,
    pub labels: &'a [u32],
    /// The classes' shares, row by row, for a plan whose loss is soft.
    pub targets: Option<&'a [f32]>,
    /// What becomes of each image, for a plan that augments.
    pub augmented: Option<Augmented<'a>>,
    pub step: Step,
}

impl<'a> Batch<'a> {
    /// Images as they are, each of one class. Predictions need no labels.
    pub fn new(images: Images<'a>, labels: &'a [u32], step: Step) -> Batch<'a> {
        Batch {
            images,
            labels,
            targets: None,
            augmented: None,
            step,
        }
    }
}

/// What becomes of the images of one step, and how often each counts then.
#[derive(Clone, Copy, Debug)]
pub struct Augmented<'a> {
    pub records: &'a [Record],
    /// How often each mixture counts, for a plan that mixes rows of classes that have weights.
    pub weights: &'a [f32],
}

/// A step whose metrics have not been read.
pub(super) struct Pending {
    slot: usize,
    rows: u32,
    /// Shards that have left metrics in the slot.
    shards: usize,
    /// Seconds that were predicted for it.
    predicted: f64,
    mapped: mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
    submission: wgpu::SubmissionIndex,
}

/// A plan, ready to run.
pub struct Executor<'g> {
    pub gpu: &'g Gpu,
    pub plan: Plan,
    pub(super) buffers: Vec<Buffer>,
    /// Of each program of the plan.
    programs: Vec<Vec<Launch>>,
    step: Buffer,
    /// Read-back slots for metrics.
    pub(super) slots: Vec<wgpu::Buffer>,
    pub(super) free_slots: Vec<usize>,
    pub(super) pending: VecDeque<Pending>,
    /// The step whose shards are being submitted.
    pub(super) filling: Option<Filling>,
    estimate: Estimate,
    /// Have weights changed since the last folding?
    unfolded: AtomicBool,
}

impl<'g> Executor<'g> {
    /// Allocates every buffer of the plan and compiles its kernels, telling `progress` how many
    /// of how many.
    pub fn new(
        gpu: &'g Gpu,
        plan: Plan,
        checks: Checks,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Executor<'g>, Error> {
        let buffers = plan
            .buffers
            .iter()
            .map(|spec| gpu.storage(&spec.name, spec.bytes.max(4)))
            .collect::<Result<Vec<_>, _>>()?;
        for constant in &plan.constants {
            let words = bytemuck::cast_slice(&constant.values);
            gpu.upload(&buffers[constant.buffer], 0, words);
        }
        let step = gpu.uniform("step", bytemuck::bytes_of(&Step::default()));
        let resolver = Resolver {
            gpu,
            buffers: &buffers,
            step: &step,
            checks,
        };
        let wanted = kernels(plan.programs.iter().flat_map(|p| &p.dispatches));
        gpu.compile_all(&wanted, checks, progress)?;
        let programs = plan.programs.iter();
        let programs = programs
            .map(|program| resolver.program(&program.dispatches))
            .collect::<Result<_, _>>()?;
        let metrics = plan.heads.len() * plan.shards as usize;
        let slots = (0..IN_FLIGHT)
            .map(|_| readback_slot(gpu, metrics))
            .collect();
        gpu.check("the executor's buffers")?;
        Ok(Executor {
            gpu,
            plan,
            buffers,
            programs,
            step,
            slots,
            free_slots: (0..IN_FLIGHT).collect(),
            pending: VecDeque::new(),
            filling: None,
            estimate: Estimate::new(),
            unfolded: AtomicBool::new(true),
        })
    }

    /// The device buffer of the plan's buffer number.
    pub fn buffer(&self, id: usize) -> &Buffer {
        &self.buffers[id]
    }

    /// The plan's program that a work runs.
    ///
    /// # Panics
    /// If the plan was not asked for it.
    pub fn program(&self, work: Work) -> &Program {
        &self.plan.programs[self.number(work)]
    }

    fn number(&self, work: Work) -> usize {
        let of_name = |program: &Program| program.name == work.program;
        let number = self.plan.programs.iter().position(of_name);
        number.unwrap_or_else(|| panic!("the plan has no program `{}`", work.program))
    }

    /// The dispatches of a program that belong to a part of it.
    fn span(&self, work: Work) -> std::ops::Range<usize> {
        let program = self.program(work);
        let end = program.dispatches.len();
        match work.part {
            Part::Whole => 0..end,
            Part::ToLoss => 0..program.to_loss(),
            Part::BehindLoss => program.to_loss()..end,
            Part::ToGradients => 0..program.to_gradients(),
            Part::BehindGradients => program.to_gradients()..end,
        }
    }

    pub(super) fn launches(&self, work: Work) -> &[Launch] {
        &self.programs[self.number(work)][self.span(work)]
    }

    pub fn dispatches(&self, work: Work) -> &[Dispatch] {
        &self.program(work).dispatches[self.span(work)]
    }

    /// Do the images of a program lie on the device, to be gathered by their rows' numbers?
    pub fn gathers(&self, work: Work) -> bool {
        self.program(work).port("rows").is_some()
    }

    /// Says that weights were written otherwise than by [`Executor::write_parameter`] or a step.
    pub fn weights_changed(&self) {
        self.unfolded.store(true, Ordering::Relaxed);
    }

    /// Makes anew what predictions need made of the weights, where these may have changed.
    fn fold(&self) {
        let has_it = self.plan.program(plan::FOLD).is_some();
        if has_it && self.unfolded.swap(false, Ordering::Relaxed) {
            self.encode_all(Work::whole(plan::FOLD));
        }
    }

    /// Uploads what a step needs; takes effect before whatever is submitted next.
    pub fn upload(&self, work: Work, batch: &Batch) {
        let program = self.program(work);
        match program.mode {
            Mode::Train => self.weights_changed(),
            Mode::Evaluate => {}
            Mode::Predict => self.fold(),
        }
        let write = |port: &str, words: &[u8]| {
            let port = program.port(port).expect("the program takes it");
            self.gpu.upload(&self.buffers[port.buffer], 0, words);
        };
        match batch.images {
            Images::Rows(rows) => write("rows", bytemuck::cast_slice(rows)),
            Images::Host(pixels) => write("images", bytemuck::cast_slice(pixels)),
        }
        if program.port("labels").is_some() {
            write("labels", bytemuck::cast_slice(batch.labels));
        }
        if program.port("targets").is_some() {
            let targets = batch.targets.expect("a soft loss has shares of classes");
            write("targets", bytemuck::cast_slice(targets));
        }
        let augmented = || {
            let augmented = batch.augmented;
            augmented.expect("a plan that augments has records")
        };
        if program.port(plan::AUGMENTATIONS).is_some() {
            let records = augmented().records;
            write(plan::AUGMENTATIONS, bytemuck::cast_slice(records));
        }
        if program.port(plan::ROW_WEIGHTS).is_some() {
            write(plan::ROW_WEIGHTS, bytemuck::cast_slice(augmented().weights));
        }
        self.gpu
            .upload(&self.step, 0, bytemuck::bytes_of(&batch.step));
    }

    /// Runs a program that has no metrics and waits for one of its ports.
    pub fn compute(&mut self, work: Work, batch: &Batch, port: &str) -> Result<Vec<f32>, Error> {
        self.upload(work, batch);
        self.encode_all(work);
        self.read_port(work, port)
    }

    /// The numbers that a port holds.
    pub fn read_port(&self, work: Work, port: &str) -> Result<Vec<f32>, Error> {
        let Port { buffer, shape, .. } = self.program(work).port(port).expect("a port");
        let bytes = 4 * shape.len() as u64;
        self.gpu
            .download(port, &self.buffers[*buffer], 0, bytes, |bytes| {
                bytemuck::pod_collect_to_vec(bytes)
            })
    }

    /// Submits a step. Returns the metrics of the oldest step in flight once two are.
    pub fn submit(&mut self, work: Work, batch: &Batch) -> Result<Option<Metrics>, Error> {
        let oldest = if self.pending.len() == IN_FLIGHT {
            self.finish_oldest()?
        } else {
            None
        };
        self.upload(work, batch);
        let last = self.encode_but_last(work);
        self.read_metrics(work, last, batch.step.valid_rows);
        self.gpu.check(STEP)?;
        Ok(oldest)
    }

    /// Submits all of a work, in submits that no system takes for a hang.
    pub(super) fn encode_all(&self, work: Work) {
        let last = self.encode_but_last(work);
        self.encode(&self.launches(work)[last], &[]);
    }

    /// All submits of a work but the last: the launches of that one.
    fn encode_but_last(&self, work: Work) -> std::ops::Range<usize> {
        let mut submits = self.submits(work);
        let last = submits.pop().unwrap_or_default();
        for part in submits {
            self.encode(&self.launches(work)[part], &[]);
        }
        last
    }

    /// The launches of a work, submit by submit.
    pub(super) fn submits(&self, work: Work) -> Vec<std::ops::Range<usize>> {
        let launches = self.launches(work);
        let (mut submits, mut first) = (Vec::new(), 0);
        while first < launches.len() {
            let mut seconds = 0.0;
            let fits = |launch: &&Launch| {
                seconds += launch.seconds * self.estimate.slowness();
                seconds <= SUBMIT_SECONDS
            };
            let count = launches[first..].iter().take_while(fits).count().max(1);
            submits.push(first..first + count);
            first += count;
        }
        submits
    }

    /// Runs a step a dispatch at a time, telling `compiled` of each kernel that ran for the first
    /// time: drivers that compile at the first launch are seen at work. Returns its metrics.
    pub fn submit_slowly(
        &mut self,
        work: Work,
        batch: &Batch,
        compiled: &mut dyn FnMut(usize, usize),
    ) -> Result<Metrics, Error> {
        self.upload(work, batch);
        let total = kernels(self.dispatches(work).iter()).len();
        let mut seen = std::collections::HashSet::new();
        for index in 0..self.launches(work).len() {
            self.launch(work, index)?;
            let dispatch = &self.dispatches(work)[index];
            if seen.insert((dispatch.op.name(), dispatch.variant)) {
                compiled(seen.len(), total);
            }
        }
        self.metrics(work, batch.step.valid_rows)
    }

    /// Waits for the metrics of that program which the device holds now.
    pub fn metrics(&mut self, work: Work, rows: u32) -> Result<Metrics, Error> {
        self.read_metrics(work, 0..0, rows);
        let metrics = self.finish_oldest()?.expect("a step is pending");
        self.estimate.pause();
        Ok(metrics)
    }

    /// The metrics of each head, the main one first.
    pub(super) fn metrics_of(&self, work: Work) -> Vec<&Buffer> {
        let heads = self.plan.heads.iter();
        let metrics = heads.map(|(name, _)| plan::head_port("metrics", name));
        metrics
            .map(|name| {
                let port = self
                    .program(work)
                    .port(&name)
                    .expect("a program with a loss");
                &self.buffers[port.buffer]
            })
            .collect()
    }

    /// Forgets that a loss was not finite; no step may be in flight.
    pub fn lower_flag(&self, work: Work) {
        for metrics in self.metrics_of(work) {
            self.gpu.upload(metrics, 2 * 4, bytemuck::bytes_of(&0f32));
        }
    }

    /// Zeroes every parameter and its moments.
    pub fn zero_parameters(&self) {
        self.weights_changed();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for buffer in self.plan.parameter_buffers() {
            encoder.clear_buffer(&self.buffers[buffer].0, 0, None);
        }
        self.gpu.submit(encoder);
    }

    /// Zeroes every buffer that a program writes whole, so that nothing of an earlier step is left.
    pub fn clear_outputs(&self, work: Work) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for dispatch in self.dispatches(work) {
            for (binding, range) in dispatch.op.bindings().iter().zip(&dispatch.bindings) {
                if binding.access == Access::Out {
                    encoder.clear_buffer(&self.buffers[range.buffer].0, 0, None);
                }
            }
        }
        self.gpu.submit(encoder);
    }

    /// Runs one dispatch and waits for it.
    pub fn launch(&self, work: Work, index: usize) -> Result<(), Error> {
        self.encode(&self.launches(work)[index..=index], &[]);
        let dispatch = &self.dispatches(work)[index];
        let what = format!("{} {}", dispatch.label, dispatch.op.name());
        self.gpu.wait(&what, None)
    }

    /// Submits launches, then copies of whole buffers, each to a place in another.
    pub(super) fn encode(
        &self,
        launches: &[Launch],
        copies: &[(&wgpu::Buffer, &wgpu::Buffer, u64)],
    ) -> wgpu::SubmissionIndex {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        if !launches.is_empty() {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for launch in launches {
                pass.set_pipeline(&launch.kernel.pipeline);
                pass.set_bind_group(0, &launch.group, &[]);
                pass.dispatch_workgroups(launch.grid[0], launch.grid[1], 1);
            }
        }
        for (from, to, offset) in copies {
            encoder.copy_buffer_to_buffer(from, 0, to, *offset, from.size());
        }
        self.gpu.submit(encoder)
    }

    /// Submits the last launches of a work, and the copy of its metrics with them.
    fn read_metrics(&mut self, work: Work, last: std::ops::Range<usize>, rows: u32) {
        let slot = self
            .free_slots
            .pop()
            .expect("no more steps in flight than slots");
        let metrics = self.metrics_of(work).into_iter().enumerate();
        let copies: Vec<_> = metrics
            .map(|(i, buffer)| (&buffer.0, &self.slots[slot], (4 * METRICS * i) as u64))
            .collect();
        let submission = self.encode(&self.launches(work)[last], &copies);
        self.await_metrics(work, slot, 1, rows, submission);
    }

    /// Books a step whose metrics are being copied to a slot.
    pub(super) fn await_metrics(
        &mut self,
        work: Work,
        slot: usize,
        shards: usize,
        rows: u32,
        submission: wgpu::SubmissionIndex,
    ) {
        let predicted: f64 = self.launches(work).iter().map(|l| l.seconds).sum();
        let (send, mapped) = mpsc::channel();
        self.slots[slot].map_async(wgpu::MapMode::Read, .., move |result| {
            drop(send.send(result))
        });
        self.pending.push_back(Pending {
            slot,
            rows,
            shards,
            predicted: predicted * shards as f64,
            mapped,
            submission,
        });
    }

    /// Waits for the oldest step in flight; none if there is none.
    pub fn finish_oldest(&mut self) -> Result<Option<Metrics>, Error> {
        let Some(pending) = self.pending.pop_front() else {
            return Ok(None);
        };
        let words = self.await_words(&pending);
        // Whatever came of it, the slot is free: a caller may go on after an error.
        self.slots[pending.slot].unmap();
        self.free_slots.push(pending.slot);
        let words = words?;
        self.estimate.learn(Instant::now(), pending.predicted);
        let mut metrics = Metrics {
            rows: pending.rows,
            ..Metrics::default()
        };
        let heads = self.plan.heads.len();
        for words in words
            .as_chunks::<METRICS>()
            .0
            .chunks(heads)
            .take(pending.shards)
        {
            let shard = metrics::of_shard(words, &self.plan.heads);
            metrics.loss_sum += shard.loss_sum;
            metrics.correct += shard.correct;
            metrics.penalty = shard.penalty;
            metrics.non_finite |= shard.non_finite;
        }
        Ok(Some(metrics))
    }

    fn await_words(&self, pending: &Pending) -> Result<Vec<f32>, Error> {
        self.gpu.wait(STEP, Some(pending.submission.clone()))?;
        let lost = |cause: &dyn ToString| self.gpu.lost(STEP, cause.to_string());
        let received = pending.mapped.recv().map_err(|e| lost(&e))?;
        received.map_err(|e| lost(&e))?;
        let view = self.slots[pending.slot]
            .get_mapped_range(..)
            .map_err(|e| lost(&e))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }

    /// Forgets the steps in flight, waiting for them.
    pub fn drain(&mut self) -> Result<Vec<Metrics>, Error> {
        let mut all = Vec::new();
        while let Some(metrics) = self.finish_oldest()? {
            all.push(metrics);
        }
        self.estimate.pause();
        Ok(all)
    }

    /// The words that a dispatch would read or has written.
    pub fn words(&self, range: &Range) -> Result<Vec<u32>, Error> {
        self.gpu.words(
            &self.buffers[range.buffer],
            range.offset,
            range.bytes as usize / 4,
        )
    }
}

/// A slot for so many metrics.
fn readback_slot(gpu: &Gpu, heads: usize) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("metrics read-back"),
        size: (4 * METRICS * heads) as u64,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// Their kernels: op and variant, each once.
fn kernels<'a>(dispatches: impl Iterator<Item = &'a Dispatch>) -> Vec<(&'static dyn AnyOp, usize)> {
    let mut seen = std::collections::HashSet::new();
    let kernels = dispatches.map(|d| (d.op, d.variant));
    kernels
        .filter(|(op, variant)| seen.insert((op.name(), *variant)))
        .collect()
}
