//! The schedule as plain data: a network compiled to programs, lists of dispatches over shared buffers.
//!
//! `fold` puts layers of predictions into those before them, `fusion` decides which tensors share storage and which
//! nodes vanish, `placement` where the held tensors lie, `ports` where host and programs meet, `lower` turns nodes into
//! dispatches, for which the layers write through `emitter`; `shares` adds up the gradients that were made in shares;
//! `update` spends them, `variants` chooses the kernels and `committed` says what is usual, `memory` maps short-lived
//! tensors onto few buffers, `display` prints the result. No GPU is needed for any of it.

mod committed;
mod display;
mod emitter;
mod fold;
mod fusion;
mod lower;
mod memory;
mod placement;
mod ports;
mod shares;
mod update;
mod variants;

pub use crate::graph::{BufferId, Mode, Schedule};
use crate::graph::{Init, Kind};
pub use crate::layers::Loss;
use crate::network::Model;
use crate::ops::augment::Bounds;
pub use crate::ops::standardise::Standard;
use crate::ops::{AnyOp, Cost, Dtype, Phase};
use crate::profile::Profile;
use crate::rules::{self, Rule};
use crate::tensor::Shape;
pub use display::{shape, si};
pub use placement::{ColumnRange, PanelWindow, Storage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
pub use variants::{Pins, key, preferred};

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
    pub phase: Phase,
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

    /// Workgroups that it launches.
    pub fn workgroups(&self) -> u64 {
        self.op.workgroups(self.variant, &self.params)
    }
}

/// A tensor that outlives a step, and where it lies.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `<layer>/kernel` say.
    pub name: String,
    /// Keras's shape.
    pub shape: Shape,
    pub kind: Kind,
    pub init: Init,
    pub storage: Storage,
}

impl Parameter {
    /// Does the optimiser update it, and keep slots for it?
    pub fn is_trained(&self) -> bool {
        self.kind == Kind::Weight
    }
}

/// Held tensors that lie side by side, and what the optimiser keeps for each of their words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: String,
    pub values: BufferId,
    /// One buffer for each of the rule's slots, where it is updated.
    pub slots: Vec<BufferId>,
    /// Where the gradients lie at the same offsets, or of moving statistics what the batch says, where a step
    /// keeps them.
    pub gradient: Option<BufferId>,
    /// The average of the values over the steps, where one is kept.
    pub average: Option<BufferId>,
    /// What the gradients of earlier shards came to, a buffer for each level of the tree.
    pub partials: Vec<BufferId>,
}

/// Numbers that programs read and nobody writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub buffer: BufferId,
    pub values: Vec<f32>,
}

/// Where the host and a program meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// `images`, `labels`, `targets`, `rows`, `augmentations`, `row weights` and `data` go in, `logits`, `metrics` and `probabilities` come out; those of
    /// further heads have the head's name behind a slash.
    pub name: String,
    pub buffer: BufferId,
    /// As it lies in memory: images are (n, c, h, w).
    pub shape: Shape,
    pub dtype: Dtype,
}

/// A list of dispatches.
#[derive(Clone)]
pub struct Program {
    pub name: &'static str,
    pub mode: Mode,
    pub batch: u32,
    pub ports: Vec<Port>,
    pub dispatches: Vec<Dispatch>,
}

impl Program {
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.name == name)
    }

    /// The variants that compute; how the images come in is no part of what a network is.
    pub fn variants(&self) -> Pins {
        variants::pins(self, Phase::Forward)
    }

    /// How many dispatches, at its head, end with the loss: no weight is changed by them.
    pub fn to_loss(&self) -> usize {
        self.up_to(Phase::Loss)
    }

    /// How many, at its head, end with the gradients.
    pub fn to_gradients(&self) -> usize {
        self.up_to(Phase::Backward)
    }

    fn up_to(&self, phase: Phase) -> usize {
        let behind = |d: &Dispatch| d.phase > phase;
        let first = self.dispatches.iter().position(behind);
        first.unwrap_or(self.dispatches.len())
    }
}

/// Where the images of a program come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// The host writes the batch.
    Host,
    /// u8 rows on the device, gathered by number and scaled.
    Device {
        set: &'static str,
        rows: u32,
        scale: f32,
    },
}

/// A program that a plan is to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    pub name: &'static str,
    pub mode: Mode,
    pub batch: u32,
    pub images: Source,
}

/// The port of a head: `metrics`, or `metrics/aux`.
pub fn head_port(what: &str, head: &str) -> String {
    match head {
        "" => what.into(),
        head => format!("{what}/{head}"),
    }
}

/// The port with what becomes of each image of a batch, and that with how often each mixture counts.
pub const AUGMENTATIONS: &str = "augmentations";
pub const ROW_WEIGHTS: &str = "row weights";

/// One training step.
pub const TRAIN: &str = "train";
/// Forward and loss of a batch.
pub const EVALUATE: &str = "evaluate";
/// Probabilities of a batch.
pub const PREDICT: &str = "predict";
/// What predictions need made of the weights, once they have changed.
pub const FOLD: &str = "fold";
/// Of a step of several shards: the gradients at a level of the tree are added to those at hand.
pub const SUMS: [&str; 10] = [
    "sum@0", "sum@1", "sum@2", "sum@3", "sum@4", "sum@5", "sum@6", "sum@7", "sum@8", "sum@9",
];
/// The most shards of a step.
pub const MOST_SHARDS: u32 = 1 << SUMS.len();

impl Wanted {
    /// Training and validation of that batch.
    pub fn training(batch: u32, [train, test]: [Source; 2]) -> [Wanted; 2] {
        let one = |name, mode, images| Wanted {
            name,
            mode,
            batch,
            images,
        };
        [
            one(TRAIN, Mode::Train, train),
            one(EVALUATE, Mode::Evaluate, test),
        ]
    }

    /// Forward and loss alone.
    pub fn evaluation(batch: u32, images: Source) -> [Wanted; 1] {
        [Wanted {
            name: EVALUATE,
            mode: Mode::Evaluate,
            batch,
            images,
        }]
    }

    /// Probabilities alone.
    pub fn prediction(batch: u32) -> [Wanted; 1] {
        [Wanted {
            name: PREDICT,
            mode: Mode::Predict,
            batch,
            images: Source::Host,
        }]
    }
}

/// What a plan is compiled for.
#[derive(Clone, Debug)]
pub struct Options {
    pub profile: Profile,
    /// Variants that must run: those of a run that goes on.
    pub pins: Pins,
    /// Variants that were measured to be the fastest here, where they run; the committed table by
    /// kind of adapter chooses the rest.
    pub tuned: Pins,
    /// How the work is cut.
    pub schedule: Schedule,
    /// May branches write straight into their range of a concat?
    pub concat_in_place: bool,
    /// The optimiser.
    pub rule: Arc<dyn Rule>,
    /// What a step does beside its rule.
    pub training: Training,
    /// What the heads' losses want.
    pub loss: Loss,
    /// What is made of the images before the network sees them, in every program.
    pub standard: Option<Standard>,
}

/// What a training step does beside the optimiser's rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Equal parts of a step, each with sums of its own, which are added in one fixed tree: a power of two.
    pub shards: u32,
    pub decay: Decay,
    pub clip: Option<Clip>,
    /// Is an average of the weights over the steps kept, with which to evaluate?
    pub average: bool,
    /// Are the images changed on their way in, each as its record says? Then that is the range of their pixels.
    pub augment: Option<Bounds>,
}

impl Default for Training {
    /// The rule alone.
    fn default() -> Training {
        Training {
            shards: 1,
            decay: Decay::None,
            clip: None,
            average: false,
            augment: None,
        }
    }
}

/// Which weights decay: the rate comes with each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decay {
    #[default]
    None,
    /// Every trained tensor, as in Keras.
    All,
    /// Kernels alone.
    Kernels,
}

/// How gradients are kept small, as Keras's `clipvalue`, `clipnorm` and `global_clipnorm`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Clip {
    /// Each element to within plus and minus that.
    #[serde(rename = "clipvalue")]
    Value(f32),
    /// Each tensor to that Euclidean norm.
    #[serde(rename = "clipnorm")]
    Norm(f32),
    /// All of them together.
    #[serde(rename = "global_clipnorm")]
    GlobalNorm(f32),
}

impl Training {
    /// Must the gradients of all weights be there before the first of them is spent?
    pub fn whole_gradients(&self) -> bool {
        self.shards > 1 || matches!(self.clip, Some(Clip::Norm(_) | Clip::GlobalNorm(_)))
    }
}

impl Options {
    /// What the committed table says, with Adam.
    pub fn new(profile: Profile) -> Options {
        Options {
            schedule: committed::usual(&profile).schedule,
            profile,
            pins: Pins::default(),
            tuned: Pins::default(),
            concat_in_place: true,
            rule: Arc::new(rules::Adam::default()),
            training: Training::default(),
            loss: Loss::default(),
            standard: None,
        }
    }
}

/// Everything that the executor does, as data.
pub struct Plan {
    pub model: String,
    pub classes: u32,
    /// (height, width, channels) of the images.
    pub image: [u32; 3],
    /// Names and shares in the whole loss of the heads, the main one first.
    pub heads: Vec<(String, f32)>,
    /// Name of the adapter, or of the limits assumed.
    pub target: String,
    pub schedule: Schedule,
    pub rule: Arc<dyn Rule>,
    /// Of each training step.
    pub shards: u32,
    pub buffers: Vec<BufferSpec>,
    pub regions: Vec<Region>,
    pub parameters: Vec<Parameter>,
    pub constants: Vec<Constant>,
    pub programs: Vec<Program>,
}

impl Plan {
    /// Device memory that all buffers take.
    pub fn device_bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.bytes).sum()
    }

    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.name == name)
    }

    /// The buffers that hold weights and what the optimiser keeps for them.
    pub fn parameter_buffers(&self) -> BTreeSet<BufferId> {
        let held = |r: &Region| {
            let beside = r.slots.iter().copied().chain(r.average);
            beside.chain([r.values]).collect::<Vec<_>>()
        };
        self.regions.iter().flat_map(held).collect()
    }

    /// Is an average of that parameter kept?
    pub fn has_average(&self, parameter: usize) -> bool {
        let pieces = self.parameters[parameter].storage.pieces();
        self.regions[pieces[0].0].average.is_some()
    }

    /// The buffers that hold weights.
    pub fn weight_buffers(&self) -> BTreeSet<BufferId> {
        self.regions.iter().map(|region| region.values).collect()
    }

    /// The variants in use. A checkpoint stores them, so that a resumed run computes the same bits.
    pub fn variants(&self) -> Pins {
        let pins = self
            .programs
            .iter()
            .map(|p| variants::pins(p, Phase::Input));
        Pins(pins.flat_map(|pins| pins.0).collect())
    }
}

/// Why a network cannot be planned.
#[derive(Clone, Debug, thiserror::Error, miette::Diagnostic, PartialEq, Eq)]
pub enum Error {
    #[error("{tensor}: {what} takes {needed} bytes, {target} allows {allowed}")]
    #[diagnostic(help("{remedy}"))]
    TooLarge {
        tensor: String,
        what: &'static str,
        needed: u64,
        allowed: u64,
        target: String,
        remedy: &'static str,
    },
    #[error("the loss cannot be computed: {0}")]
    Loss(String),
    #[error(
        "images of {channels} channels cannot be standardised by means of {means} and scales of {scales}"
    )]
    Standard {
        channels: u32,
        means: usize,
        scales: usize,
    },
    #[error("{op}: variant `{variant}` does not run here ({target}); there are: {present}")]
    NoVariant {
        op: &'static str,
        variant: String,
        target: String,
        present: String,
    },
}

/// Compiles the programs that are wanted of a network, over shared weights. Slots and gradients are there only
/// where one of them trains.
///
/// # Errors
/// Where a tensor that cannot be split passes the limits, or a pinned variant does not run.
pub fn plan(model: &Model, wanted: &[Wanted], options: &Options) -> Result<Plan, Error> {
    lower::compile(model, wanted, options)
}
