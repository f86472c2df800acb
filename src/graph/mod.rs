//! The network as data: tensors, and the nodes that make them, in topological order.
//!
//! A node is a layer in one of its passes. What a layer must say of itself is the trait [`Layer`]; what the
//! plan offers it to become dispatches is the trait [`Emit`]. Neither this room nor the layers know the plan.
//!
//! Activations are those of one image; a plan multiplies them by its batch ([`Graph::at`]). Shapes are
//! Keras's (NHWC); how a tensor lies in memory is the plan's affair.

mod emit;
mod layer;

use crate::ops::conv2d::Padding;
use crate::tensor::Shape;
pub use emit::{BufferId, Emit, Mode, PanelRange, Place, Schedule, Shares, View};
pub use layer::{
    Alias, Caps, Declared, Folding, Gradient, Init, Layer, Layout, Mask, Outline, Own, Pass,
    Refusal, Slot,
};
use std::sync::Arc;

/// Index of a tensor of the graph.
pub type TensorId = usize;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The batch of images.
    Image,
    /// A tensor that the optimiser updates.
    Weight,
    /// A weight that stays as it is.
    Frozen,
    /// A layer's own tensor that no optimiser updates, such as a moving mean.
    State,
    /// A held tensor that lies in another, side by side with others along the last axis, its first column there being
    /// that one. It is what that one is, and begins as it says itself.
    Columns {
        of: TensorId,
        first: u32,
    },
    Activation,
    /// The gradient of a tensor of the same shape.
    Gradient {
        of: TensorId,
    },
}

impl Kind {
    /// Does it outlive a step, and stand in files?
    pub fn is_held(self) -> bool {
        matches!(self, Kind::Weight | Kind::Frozen | Kind::State)
    }
}

#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    /// Of one image, where it depends on the images.
    pub shape: Shape,
    pub kind: Kind,
    /// How a held tensor begins and lies in memory.
    pub held: Option<Held>,
}

/// What a held tensor has beside its shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    pub own: Own,
    pub init: Init,
    pub layout: Layout,
}

/// Window geometry of a convolution or pooling layer, (height, width) each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub size: [u32; 2],
    pub stride: [u32; 2],
    pub padding: Padding,
}

impl Window {
    /// A square window.
    pub fn square(size: u32, stride: u32, padding: Padding) -> Window {
        Window {
            size: [size; 2],
            stride: [stride; 2],
            padding,
        }
    }

    /// Height and width of what it makes of an image.
    pub fn output([h, w]: [u32; 2], window: &Window) -> [u32; 2] {
        use crate::ops::conv2d::output_size;
        let along = |size, axis: usize| {
            output_size(size, window.size[axis], window.stride[axis], window.padding).0
        };
        [along(h, 0), along(w, 1)]
    }
}

/// A layer in one of its passes.
#[derive(Clone, Debug)]
pub struct Node {
    /// The layer's name; for the backward pass, that of the layer it differentiates.
    pub name: String,
    pub layer: Arc<dyn Layer>,
    pub pass: Pass,
    /// Forward: the layer's inputs. Backward: what its [`Gradient`] reads, in that order.
    pub inputs: Vec<TensorId>,
    /// Forward: what the layer makes. Backward: what its [`Gradient`] makes, in that order.
    pub outputs: Vec<TensorId>,
    /// The layer's own tensors, in the order in which it declares them.
    pub own: Vec<TensorId>,
    /// The inputs of the layer's forward pass.
    pub layer_inputs: Vec<TensorId>,
}

#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub tensors: Vec<Tensor>,
    pub nodes: Vec<Node>,
}

impl Graph {
    pub fn add_tensor(
        &mut self,
        name: impl Into<String>,
        shape: Shape,
        kind: Kind,
        held: Option<Held>,
    ) -> TensorId {
        self.tensors.push(Tensor {
            name: name.into(),
            shape,
            kind,
            held,
        });
        self.tensors.len() - 1
    }

    pub fn shape(&self, id: TensorId) -> &Shape {
        &self.tensors[id].shape
    }

    /// Numbers of the nodes that read a tensor.
    pub fn consumers(&self, id: TensorId) -> impl Iterator<Item = usize> {
        let reads = move |(_, node): &(usize, &Node)| {
            let own = node.pass == Pass::Forward && node.own.contains(&id);
            own || node.inputs.contains(&id)
        };
        self.nodes.iter().enumerate().filter(reads).map(|(i, _)| i)
    }

    /// The node that makes a tensor; none for images and held tensors.
    pub fn producer(&self, id: TensorId) -> Option<usize> {
        self.nodes
            .iter()
            .position(|node| node.outputs.contains(&id))
    }

    /// Tensors that outlive a step, in the order of their layers.
    pub fn held(&self) -> impl Iterator<Item = TensorId> {
        let held = |(_, t): &(usize, &Tensor)| t.kind.is_held();
        self.tensors.iter().enumerate().filter(held).map(|(i, _)| i)
    }

    /// The layers that use a held tensor, each in its forward pass.
    pub fn users(&self, held: TensorId) -> impl Iterator<Item = &Node> {
        let uses = move |node: &&Node| node.pass == Pass::Forward && node.own.contains(&held);
        self.nodes.iter().filter(uses)
    }

    /// Pixels of the image that a tensor was flattened from, which keeps the image's order in memory; 1 if
    /// it was none.
    pub fn flattened_pixels(&self, tensor: TensorId) -> u32 {
        let Some(node) = self.producer(tensor).map(|at| &self.nodes[at]) else {
            return 1;
        };
        let caps = node.caps(self);
        let renamed = caps.alias == Alias::Renamed;
        match (&self.shape(node.inputs[0]).0[..], &self.shape(tensor).0[..]) {
            (&[_, h, w, _], &[_, _]) if renamed => h * w,
            (_, &[_, _]) if renamed || caps.elementwise => self.flattened_pixels(node.inputs[0]),
            _ => 1,
        }
    }

    /// The same graph for batches of `batch` images.
    pub fn at(&self, batch: u32) -> Graph {
        let mut graph = self.clone();
        let kinds: Vec<Kind> = graph.tensors.iter().map(|t| t.kind).collect();
        for tensor in &mut graph.tensors {
            let counted = match tensor.kind {
                Kind::Gradient { of } => kinds[of],
                kind => kind,
            };
            if matches!(counted, Kind::Image | Kind::Activation) {
                tensor.shape.0[0] *= batch;
            }
        }
        graph
    }
}
