//! The schedule as plain data: a graph compiled to lists of dispatches over named buffers.
//!
//! `fusion` decides which tensors share storage and which nodes vanish, `placement` where the
//! parameters lie, `lower` turns nodes into dispatches, of which `variants` chooses the kernels and
//! `committed` says what is usual, `memory` maps short-lived tensors onto few buffers, `display`
//! prints the result. No GPU is needed for any of it.

mod committed;
mod display;
mod fusion;
mod lower;
mod memory;
mod placement;
mod variants;

use crate::network::Model;
use crate::ops::{AnyOp, Cost};
use crate::profile::Profile;
use crate::tensor::Shape;
pub use committed::Schedule;
pub use lower::compile;
pub use placement::{PanelWindow, Storage};
use std::collections::BTreeSet;
pub use variants::{Pins, key, preferred};

/// Index of a buffer of the plan.
pub type BufferId = usize;

/// A buffer that the executor allocates once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferSpec {
    pub name: String,
    pub bytes: u64,
}

/// A bound range of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    pub buffer: BufferId,
    pub offset: u64,
    pub bytes: u64,
}

/// One kernel launch.
#[derive(Clone)]
pub struct Dispatch {
    pub op: &'static dyn AnyOp,
    /// Index into the op's variants.
    pub variant: usize,
    /// The layer that it serves.
    pub label: String,
    /// The op's parameter block.
    pub params: Vec<u8>,
    /// One range for each binding of the op.
    pub bindings: Vec<Range>,
}

impl Dispatch {
    pub fn cost(&self) -> Cost {
        self.op.cost(&self.params)
    }

    pub fn variant_name(&self) -> &'static str {
        self.op.variants()[self.variant].name
    }
}

/// A trainable tensor and where its values lie.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `<layer>/kernel` or `<layer>/bias`.
    pub name: String,
    /// Keras's shape.
    pub shape: Shape,
    pub storage: Storage,
}

/// Buffers through which the host talks to the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// (batch) row numbers of the data set, u32.
    pub rows: BufferId,
    /// (batch) class numbers, u32.
    pub labels: BufferId,
    /// (batch, c, h, w) f32: written by gather, or by the host.
    pub images: BufferId,
    /// Loss sum, correct rows, non-finite flag.
    pub metrics: BufferId,
    /// (batch, classes) f32, after `evaluate`.
    pub logits: BufferId,
    /// The u8 data sets, where they live on the device: training, validation.
    pub data: Option<[BufferId; 2]>,
}

/// Where the images of a step come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DataSource {
    /// The host writes the batch.
    Host,
    /// u8 rows on the device, gathered by number and scaled.
    Device {
        train_rows: u32,
        test_rows: u32,
        scale: f32,
    },
}

/// What a plan is compiled for.
#[derive(Clone, Debug)]
pub struct Options {
    pub profile: Profile,
    pub data: DataSource,
    /// Variants that must run: those of a run that goes on.
    pub pins: Pins,
    /// Variants that were measured to be the fastest here, where they run; the committed table by
    /// kind of adapter chooses the rest.
    pub tuned: Pins,
    /// How the work is cut.
    pub schedule: Schedule,
    /// May branches write straight into their range of a concat?
    pub concat_in_place: bool,
}

impl Options {
    /// What the committed table says.
    pub fn new(profile: Profile) -> Options {
        Options {
            schedule: committed::usual(&profile).schedule,
            profile,
            data: DataSource::Host,
            pins: Pins::default(),
            tuned: Pins::default(),
            concat_in_place: true,
        }
    }
}

/// Everything that the executor does, as data.
pub struct Plan {
    pub model: &'static str,
    pub batch: u32,
    pub classes: u32,
    /// Name of the adapter, or of the limits assumed.
    pub target: String,
    pub schedule: Schedule,
    pub buffers: Vec<BufferSpec>,
    /// One training step: forward, loss, backward, optimiser.
    pub train: Vec<Dispatch>,
    /// How many of them, at the head of `train`, end with the loss.
    pub loss: usize,
    /// Forward and loss on the validation set.
    pub evaluate: Vec<Dispatch>,
    pub parameters: Vec<Parameter>,
    pub ports: Ports,
    /// Flat blocks that Adam updates: weights, first and second moments.
    pub arena: [BufferId; 3],
}

impl Plan {
    /// Device memory that all buffers take.
    pub fn device_bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.bytes).sum()
    }

    /// The buffers that hold weights and moments.
    pub fn parameter_buffers(&self) -> BTreeSet<BufferId> {
        let parameters = self.parameters.iter();
        parameters.flat_map(|p| p.storage.buffers()).collect()
    }

    /// The buffers that hold weights.
    pub fn weight_buffers(&self) -> BTreeSet<BufferId> {
        let parameters = self.parameters.iter();
        parameters.flat_map(|p| p.storage.weights()).collect()
    }

    /// The variants in use. A checkpoint stores them, so that a resumed run computes the same bits.
    pub fn variants(&self) -> Pins {
        let all = self.train.iter().chain(&self.evaluate);
        Pins(
            all.map(|d| (key(d.op, &d.params), d.variant_name().to_string()))
                .collect(),
        )
    }
}

/// Why a network cannot be planned.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("{tensor}: {what} takes {needed} bytes, {target} allows {allowed}; {remedy}")]
    TooLarge {
        tensor: String,
        what: &'static str,
        needed: u64,
        allowed: u64,
        target: String,
        remedy: &'static str,
    },
    #[error("{op}: variant `{variant}` does not run here ({target}); there are: {present}")]
    NoVariant {
        op: &'static str,
        variant: String,
        target: String,
        present: String,
    },
}

/// Compiles a network's forward pass, reverse pass and optimiser.
///
/// # Errors
/// Where a tensor that cannot be split passes the limits, or a pinned variant does not run.
pub fn plan(mut model: Model, options: &Options) -> Result<Plan, Error> {
    crate::graph::backward::expand(&mut model.graph, model.logits);
    compile(&model, options)
}
