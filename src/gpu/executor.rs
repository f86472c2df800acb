//! Runs the programs of a plan on a device.
//!
//! Pipelines, parameter blocks and bind groups are resolved once; WebGPU has no reusable
//! command buffers, so the list is encoded anew for every step. At most two steps are in
//! flight, and the metrics of a step are read while the next one runs. Nothing is allocated
//! during a step but wgpu's own staging of the few bytes that a step uploads.

use super::Error;
use super::device::{Buffer, Gpu};
use super::kernel::{Bound, Checks, Kernel};
use crate::ops::{Access, Step};
use crate::plan::{Dispatch, Plan, Range};
use crate::profile::Class;
use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// Steps in flight.
const IN_FLIGHT: usize = 2;

/// Work of one submit, in seconds: Windows resets a GPU whose submit takes about two.
const SUBMIT_SECONDS: f64 = 0.5;

/// What errors call it.
const STEP: &str = "a step";

/// Uniform blocks begin at multiples of this.
const UNIFORM_ALIGNMENT: usize = 256;

/// Which list of dispatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Train,
    /// The head of a training step, up to its loss: no weight changes.
    Loss,
    /// What is left of a step after [`Program::Loss`]: backward and update.
    Update,
    Evaluate,
}

/// What a step computes of.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// Row numbers of the data set on the device.
    Rows(&'a [u32]),
    /// Scaled pixels (rows, c, h, w) of the whole batch.
    Host(&'a [f32]),
}

/// The inputs of one step. All slices are as long as the batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub images: Images<'a>,
    pub labels: &'a [u32],
    pub step: Step,
}

/// What a step measured, before its update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Sum of the losses of the valid rows.
    pub loss_sum: f32,
    pub correct: u32,
    pub rows: u32,
    /// Has any loss so far not been finite? No weight changed since.
    pub non_finite: bool,
}

/// A kernel launch, resolved.
struct Launch {
    kernel: Arc<Kernel>,
    group: wgpu::BindGroup,
    grid: [u32; 2],
    /// Predicted seconds.
    seconds: f64,
}

/// A step whose metrics have not been read.
struct Pending {
    slot: usize,
    rows: u32,
    mapped: mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
    submission: wgpu::SubmissionIndex,
}

/// A plan, ready to run.
pub struct Executor<'g> {
    pub gpu: &'g Gpu,
    pub plan: Plan,
    buffers: Vec<Buffer>,
    train: Vec<Launch>,
    evaluate: Vec<Launch>,
    step: Buffer,
    /// Read-back slots for metrics.
    slots: Vec<wgpu::Buffer>,
    free_slots: Vec<usize>,
    pending: VecDeque<Pending>,
    /// Measured over predicted seconds of a step.
    slowness: f64,
    last_read: Option<Instant>,
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
        let step = gpu.uniform("step", bytemuck::bytes_of(&Step::default()));
        let mut resolver = Resolver {
            gpu,
            buffers: &buffers,
            step: &step,
            checks,
        };
        let total = distinct(plan.train.iter().chain(&plan.evaluate)).count();
        let mut done = 0;
        for dispatch in distinct(plan.train.iter().chain(&plan.evaluate)) {
            gpu.kernel(dispatch.op, dispatch.variant, checks)?;
            done += 1;
            progress(done, total);
        }
        let train = resolver.program(&plan.train)?;
        let evaluate = resolver.program(&plan.evaluate)?;
        let slots = (0..IN_FLIGHT).map(|_| readback_slot(gpu)).collect();
        gpu.check("the executor's buffers")?;
        Ok(Executor {
            gpu,
            plan,
            buffers,
            train,
            evaluate,
            step,
            slots,
            free_slots: (0..IN_FLIGHT).collect(),
            pending: VecDeque::new(),
            slowness: 1.0,
            last_read: None,
        })
    }

    /// The device buffer of the plan's buffer number.
    pub fn buffer(&self, id: usize) -> &Buffer {
        &self.buffers[id]
    }

    fn launches(&self, program: Program) -> &[Launch] {
        match program {
            Program::Train => &self.train,
            Program::Loss => &self.train[..self.plan.loss],
            Program::Update => &self.train[self.plan.loss..],
            Program::Evaluate => &self.evaluate,
        }
    }

    pub fn dispatches(&self, program: Program) -> &[Dispatch] {
        match program {
            Program::Train => &self.plan.train,
            Program::Loss => &self.plan.train[..self.plan.loss],
            Program::Update => &self.plan.train[self.plan.loss..],
            Program::Evaluate => &self.plan.evaluate,
        }
    }

    /// Uploads what a step needs; takes effect before whatever is submitted next.
    pub fn upload(&self, batch: &Batch) {
        let ports = &self.plan.ports;
        match batch.images {
            Images::Rows(rows) => {
                self.gpu
                    .upload(&self.buffers[ports.rows], 0, bytemuck::cast_slice(rows))
            }
            Images::Host(pixels) => {
                self.gpu
                    .upload(&self.buffers[ports.images], 0, bytemuck::cast_slice(pixels))
            }
        }
        self.gpu.upload(
            &self.buffers[ports.labels],
            0,
            bytemuck::cast_slice(batch.labels),
        );
        self.gpu
            .upload(&self.step, 0, bytemuck::bytes_of(&batch.step));
    }

    /// Submits a step. Returns the metrics of the oldest step in flight once two are.
    pub fn submit(&mut self, program: Program, batch: &Batch) -> Result<Option<Metrics>, Error> {
        let oldest = if self.pending.len() == IN_FLIGHT {
            self.finish_oldest()?
        } else {
            None
        };
        self.upload(batch);
        let launches = self.launches(program);
        let mut first = 0;
        while first < launches.len() {
            let mut seconds = 0.0;
            let fits = |launch: &&Launch| {
                seconds += launch.seconds * self.slowness;
                seconds <= SUBMIT_SECONDS
            };
            let count = launches[first..].iter().take_while(fits).count().max(1);
            self.encode(&launches[first..first + count], None);
            first += count;
        }
        self.read_metrics(batch.step.valid_rows);
        self.gpu.check(STEP)?;
        Ok(oldest)
    }

    /// Runs a step a dispatch at a time, telling `compiled` of each kernel that ran for the first
    /// time: drivers that compile at the first launch are seen at work. Returns its metrics.
    pub fn submit_slowly(
        &mut self,
        program: Program,
        batch: &Batch,
        compiled: &mut dyn FnMut(usize, usize),
    ) -> Result<Metrics, Error> {
        self.upload(batch);
        let total = distinct(self.dispatches(program).iter()).count();
        let mut seen = std::collections::HashSet::new();
        for index in 0..self.launches(program).len() {
            self.launch(program, index)?;
            let dispatch = &self.dispatches(program)[index];
            if seen.insert((dispatch.op.name(), dispatch.variant)) {
                compiled(seen.len(), total);
            }
        }
        self.metrics(batch.step.valid_rows)
    }

    /// Waits for the metrics that the device holds now.
    pub fn metrics(&mut self, rows: u32) -> Result<Metrics, Error> {
        self.read_metrics(rows);
        let metrics = self.finish_oldest()?.expect("a step is pending");
        self.last_read = None;
        Ok(metrics)
    }

    /// Forgets that a loss was not finite; no step may be in flight.
    pub fn lower_flag(&self) {
        let metrics = &self.buffers[self.plan.ports.metrics];
        self.gpu.upload(metrics, 2 * 4, bytemuck::bytes_of(&0f32));
    }

    /// Zeroes every parameter and its moments.
    pub fn zero_parameters(&self) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for buffer in self.plan.parameter_buffers() {
            encoder.clear_buffer(&self.buffers[buffer].0, 0, None);
        }
        self.gpu.submit(encoder);
    }

    /// Zeroes every buffer that a program writes whole, so that nothing of an earlier step is left.
    pub fn clear_outputs(&self, program: Program) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for dispatch in self.dispatches(program) {
            for (binding, range) in dispatch.op.bindings().iter().zip(&dispatch.bindings) {
                if binding.access == Access::Out {
                    encoder.clear_buffer(&self.buffers[range.buffer].0, 0, None);
                }
            }
        }
        self.gpu.submit(encoder);
    }

    /// Runs one dispatch and waits for it.
    pub fn launch(&self, program: Program, index: usize) -> Result<(), Error> {
        self.encode(&self.launches(program)[index..=index], None);
        let dispatch = &self.dispatches(program)[index];
        let what = format!("{} {}", dispatch.label, dispatch.op.name());
        self.gpu.wait(&what, None)
    }

    fn encode(&self, launches: &[Launch], copy_to: Option<&wgpu::Buffer>) -> wgpu::SubmissionIndex {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        if !launches.is_empty() {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for launch in launches {
                pass.set_pipeline(&launch.kernel.pipeline);
                pass.set_bind_group(0, &launch.group, &[]);
                pass.dispatch_workgroups(launch.grid[0], launch.grid[1], 1);
            }
        }
        if let Some(slot) = copy_to {
            let metrics = &self.buffers[self.plan.ports.metrics].0;
            encoder.copy_buffer_to_buffer(metrics, 0, slot, 0, slot.size());
        }
        self.gpu.submit(encoder)
    }

    fn read_metrics(&mut self, rows: u32) {
        let slot = self
            .free_slots
            .pop()
            .expect("no more steps in flight than slots");
        let submission = self.encode(&[], Some(&self.slots[slot]));
        let (send, mapped) = mpsc::channel();
        self.slots[slot].map_async(wgpu::MapMode::Read, .., move |result| {
            drop(send.send(result))
        });
        self.pending.push_back(Pending {
            slot,
            rows,
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
        self.correct_estimate();
        Ok(Some(Metrics {
            loss_sum: words[0],
            correct: words[1] as u32,
            rows: pending.rows,
            non_finite: words[2] != 0.0,
        }))
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

    /// Scales the predicted times by what a training step really took.
    fn correct_estimate(&mut self) {
        let now = Instant::now();
        if let Some(before) = self.last_read.replace(now) {
            let predicted: f64 = self.train.iter().map(|launch| launch.seconds).sum();
            let measured = (now - before).as_secs_f64() / predicted;
            self.slowness = 0.5 * self.slowness + 0.5 * measured;
        }
    }

    /// Forgets the steps in flight, waiting for them.
    pub fn drain(&mut self) -> Result<Vec<Metrics>, Error> {
        let mut all = Vec::new();
        while let Some(metrics) = self.finish_oldest()? {
            all.push(metrics);
        }
        self.last_read = None;
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

fn readback_slot(gpu: &Gpu) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("metrics read-back"),
        size: 4 * crate::ops::softmax_cross_entropy::METRICS as u64,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// One dispatch of each kernel.
fn distinct<'a>(
    dispatches: impl Iterator<Item = &'a Dispatch>,
) -> impl Iterator<Item = &'a Dispatch> {
    let mut seen = std::collections::HashSet::new();
    dispatches.filter(move |d| seen.insert((d.op.name(), d.variant)))
}

/// Turns dispatches into launches.
struct Resolver<'a> {
    gpu: &'a Gpu,
    buffers: &'a [Buffer],
    step: &'a Buffer,
    checks: Checks,
}

impl Resolver<'_> {
    fn program(&mut self, dispatches: &[Dispatch]) -> Result<Vec<Launch>, Error> {
        let mut blocks = Vec::new();
        let mut starts = Vec::new();
        for dispatch in dispatches {
            starts.push(blocks.len());
            blocks.extend_from_slice(&dispatch.params);
            blocks.resize(blocks.len().next_multiple_of(UNIFORM_ALIGNMENT), 0);
        }
        let uniforms = self.gpu.uniform("parameter blocks", &blocks);
        let resolve = |(dispatch, start): (&Dispatch, usize)| {
            let kernel = self
                .gpu
                .kernel(dispatch.op, dispatch.variant, self.checks)?;
            let bytes = (dispatch.params.len() as u64).next_multiple_of(16);
            let params = Bound {
                buffer: &uniforms,
                offset: start as u64,
                bytes,
            };
            let storage: Vec<Bound> = dispatch
                .bindings
                .iter()
                .map(|range| Bound {
                    buffer: &self.buffers[range.buffer],
                    offset: range.offset,
                    bytes: range.bytes,
                })
                .collect();
            let group = self.gpu.bind(
                dispatch.op,
                &kernel,
                params,
                Bound::whole(self.step),
                &storage,
            );
            let grid = self
                .gpu
                .grid(dispatch.op.workgroups(dispatch.variant, &dispatch.params));
            let seconds = predicted_seconds(dispatch, self.gpu.profile.class);
            self.gpu
                .check(&format!("{} {}", dispatch.label, dispatch.op.name()))?;
            Ok(Launch {
                kernel,
                group,
                grid,
                seconds,
            })
        };
        dispatches.iter().zip(starts).map(resolve).collect()
    }
}

/// A careful guess, corrected by the first measured steps.
fn predicted_seconds(dispatch: &Dispatch, class: Class) -> f64 {
    let (flops, bytes) = match class {
        Class::Gpu => (2e11, 2e10),
        Class::Software => (1e10, 5e9),
    };
    let cost = dispatch.cost();
    20e-6 + cost.flops as f64 / flops + cost.bytes as f64 / bytes
}
