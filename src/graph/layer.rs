//! What a layer must say of itself: its shape rule, its tensors, its gradients as data, what may be fused
//! with it, and how each pass becomes kernels.

use super::{Emit, Graph, Node, Place, TensorId};
use crate::tensor::Shape;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A layer: one file under `layers/`, one line in its registry.
pub trait Layer: fmt::Debug + Send + Sync {
    /// Keras's class name.
    fn kind(&self) -> &'static str;

    /// Keras's arguments by Keras's names, an object: what files, `summary` and the registry know of it.
    fn config(&self) -> Value;

    /// What it makes of inputs of these shapes (of one image), and the tensors that it owns.
    ///
    /// # Errors
    /// Where it cannot take them.
    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal>;

    /// Multiplications with an addition each that its products take, of one image.
    fn multiply_adds(&self, _inputs: &[&Shape]) -> u64 {
        0
    }

    /// The gradients of a layer with that many inputs, in the order in which they are to be computed.
    /// One that nobody needs is left out.
    fn gradients(&self, inputs: usize) -> Vec<Gradient>;

    /// Does it hand its input on as it is wherever nothing trains? Then only training's graph has it.
    fn only_in_training(&self) -> bool {
        false
    }

    /// One layer that makes what several of these arguments make of one tensor, side by side along the channels,
    /// `channels` of them in all: its own tensors are theirs side by side along the last axis. None where no layer does.
    fn joined(&self, _channels: u32) -> Option<Arc<dyn Layer>> {
        None
    }

    /// What a pass allows those who fuse. `inputs` are the shapes of the forward pass's inputs.
    fn caps(&self, _pass: Pass, _inputs: &[&Shape]) -> Caps {
        Caps::default()
    }

    /// Emits the kernels of a pass.
    fn lower(&self, node: &Node, emit: &mut dyn Emit);

    /// Of a layer that makes a [`Caps::product`]: emits the kernel of `sum`, whose terms are the outputs of `products`,
    /// up to three of such nodes, and of `other`.
    fn lower_sum(
        &self,
        _sum: &Node,
        _products: &[&Node],
        _other: Option<TensorId>,
        _emit: &mut dyn Emit,
    ) {
    }

    /// Of a layer whose pass [`Caps::joins_next`]: emits the kernel that makes its outputs and those of the next node.
    fn lower_both(&self, _node: &Node, _next: &Node, _emit: &mut dyn Emit) {}

    /// Of a layer that [`Caps::folds`]: emits what puts its work, as it is in predictions, into the kernel and bias of
    /// the layer before.
    fn fold(&self, _node: &Node, _folding: &Folding, _emit: &mut dyn Emit) {}
}

/// Why a layer cannot take its inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{expected} is needed, not {found}")]
pub struct Refusal {
    pub expected: String,
    pub found: String,
}

impl Refusal {
    pub fn new(expected: impl Into<String>, inputs: &[&Shape]) -> Refusal {
        let found: Vec<String> = inputs.iter().map(|shape| shape.to_string()).collect();
        Refusal {
            expected: expected.into(),
            found: found.join(" and "),
        }
    }
}

/// One of a layer's passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Forward,
    /// Of a loss: its value and the gradient of the logits.
    Loss,
    /// Which of its [`Layer::gradients`].
    Backward(usize),
}

/// A tensor seen from a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Its inputs, outputs and own tensors.
    In(usize),
    Out(usize),
    Own(usize),
    /// Their gradients.
    GradIn(usize),
    GradOut(usize),
    GradOwn(usize),
}

/// A step of a layer's backward pass: what it reads and which gradients it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gradient {
    pub reads: Vec<Slot>,
    pub makes: Vec<Slot>,
}

impl Gradient {
    pub fn new(reads: &[Slot], makes: &[Slot]) -> Gradient {
        Gradient {
            reads: reads.to_vec(),
            makes: makes.to_vec(),
        }
    }
}

/// How a held tensor begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    /// Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010; Keras `GlorotUniform`).
    GlorotUniform {
        fan_in: u64,
        fan_out: u64,
    },
    /// Normal of variance 2 / (fan_in + fan_out), cut off at two deviations as Keras does (`GlorotNormal`).
    GlorotNormal {
        fan_in: u64,
        fan_out: u64,
    },
    /// Uniform within sqrt(6 / fan_in) (He et al. 2015; Keras `HeUniform`).
    HeUniform {
        fan_in: u64,
    },
    /// Normal of variance 2 / fan_in, cut off likewise (Keras `HeNormal`).
    HeNormal {
        fan_in: u64,
    },
}

/// How a held tensor lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// In Keras's order.
    Flat,
    /// Panels of 32 columns of a (k, n) kernel, whose rows follow the order of the inputs in memory.
    Panels,
}

/// What becomes of a layer's own tensor in training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Own {
    /// Weights of products: an optimiser updates them, and `l2` times the sum of their squares is part of the loss
    /// (Keras `kernel_regularizer`).
    Kernel { l2: f32 },
    /// One number a channel, such as a bias: an optimiser updates it.
    Vector,
    /// The moving average of what each step's batch says of it, with that share of the old kept.
    State { momentum: f32 },
}

/// A tensor that a layer owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Its name behind the layer's, `kernel` say.
    pub suffix: &'static str,
    pub shape: Shape,
    pub own: Own,
    pub init: Init,
    pub layout: Layout,
}

impl Declared {
    /// The bias of a layer, one number an output, from zero.
    pub fn bias(outputs: u32) -> Declared {
        Declared {
            suffix: "bias",
            shape: Shape::new([outputs]),
            own: Own::Vector,
            init: Init::Zeros,
            layout: Layout::Flat,
        }
    }
}

/// What a layer makes of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The first is what other layers read, the rest is kept for the backward pass.
    pub outputs: Vec<Shape>,
    pub own: Vec<Declared>,
}

impl Outline {
    /// One output and no tensor of its own.
    pub fn of(shape: Shape) -> Outline {
        Outline {
            outputs: vec![shape],
            own: Vec::new(),
        }
    }
}

/// Can a pass stop its output where a ReLU was closed?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    #[default]
    No,
    /// By a mask that is one block.
    Whole,
    /// By a mask that may be a range of channels of a larger tensor.
    Range,
}

/// Is what a pass makes in memory already?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alias {
    #[default]
    No,
    /// The output is the first input under another name.
    Renamed,
    /// The inputs lie side by side in the output, along the channels.
    Joined,
    /// The output is a range of the first input's channels.
    Part { first: u32 },
    /// The outputs lie side by side in the first input, along the channels.
    Parts,
}

/// The kernel and bias of a layer that is to do the work of the one behind it as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folding {
    pub kernel: Place,
    /// None where the layer has none.
    pub bias: Option<Place>,
    /// Of the kernel, whose last axes are the output channels.
    pub words: u32,
    pub channels: u32,
    /// Where kernel and bias are to be written.
    pub into: [Place; 2],
}

/// What a pass allows those who fuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Can it write its output into a range of channels of a larger tensor?
    pub ranged: bool,
    /// Can it apply ReLU to its output?
    pub relu: bool,
    pub mask: Mask,
    pub alias: Alias,
    /// Does each element of the output follow from the inputs' elements at its place, in whatever order they lie?
    pub elementwise: bool,
    /// Forward: is each channel of the output, and of the own tensors, that channel of the one input's affair, however
    /// many there are?
    pub by_channel: bool,
    /// Forward: which own tensor is a kernel with whose last axes, the output channels, everything is multiplied last.
    /// The own tensor behind it is a bias, which is added whether the layer declares one or not.
    pub kernel: Option<usize>,
    /// Forward, in predictions: is the output the input times a number a channel, and another added?
    pub folds: bool,
    /// Backward: is the output a product that can be computed together with others' as their sum, by
    /// [`Layer::lower_sum`]?
    pub product: bool,
    /// Backward: can one kernel make its outputs and those of the layer's next pass, whose gradients are stored, by
    /// [`Layer::lower_both`]?
    pub joins_next: bool,
    /// Is the output the sum of the inputs?
    pub sum: bool,
    /// Is it a ReLU (forward), or the mask of one over its first input, by its second (backward)?
    pub is_relu: bool,
}

impl Node {
    /// What this node allows those who fuse.
    pub fn caps(&self, graph: &Graph) -> Caps {
        let inputs = self.layer_inputs.iter().map(|&id| graph.shape(id));
        self.layer.caps(self.pass, &inputs.collect::<Vec<_>>())
    }
}
