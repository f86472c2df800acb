//! The network as data: tensors and the nodes that make them, in topological order.
//!
//! `builder` writes the forward pass, layer by layer; `backward` appends the reverse pass and
//! the optimiser. Shapes are Keras's (NHWC); how a tensor lies in memory is the plan's affair.

pub mod backward;
pub mod builder;

use crate::ops::conv2d::Padding;
use crate::tensor::Shape;
pub use builder::{Builder, Layer};

/// Index of a tensor of the graph.
pub type TensorId = usize;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// The batch of images.
    Image,
    /// A trainable tensor.
    Parameter,
    Activation,
    Gradient,
}

#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    pub shape: Shape,
    pub kind: TensorKind,
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
}

/// An op of the graph. The comment gives inputs -> outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// x, kernel, bias -> y
    Conv2d(Window),
    /// dy, kernel -> dx
    Conv2dBackwardInput(Window),
    /// x, dy -> dkernel, dbias
    Conv2dBackwardWeight(Window),
    /// x -> y
    MaxPool2d(Window),
    /// x, dy -> dx
    MaxPool2dBackward(Window),
    /// branches... -> y
    Concat,
    /// dy -> dbranch, whose channels begin at `first`
    ConcatBackward {
        first: u32,
    },
    /// x -> y, and back
    Flatten,
    FlattenBackward,
    /// x -> y
    GlobalAveragePool,
    /// dy -> dx
    GlobalAveragePoolBackward,
    /// x, kernel, bias -> y
    Dense,
    /// dy, kernel -> dx
    DenseBackwardInput,
    /// x, dy -> dkernel, dbias
    DenseBackwardWeight,
    /// x -> y
    Relu,
    /// dy, y -> dx
    ReluBackward,
    /// a, b -> y
    Add,
    /// logits -> dlogits (labels and metrics are the plan's)
    SoftmaxCrossEntropy,
    /// parameter, gradient -> (in place)
    Adam,
}

#[derive(Clone, Debug)]
pub struct Node {
    /// The layer's name; for the backward pass, that of the layer it differentiates.
    pub name: String,
    pub op: Op,
    pub inputs: Vec<TensorId>,
    pub outputs: Vec<TensorId>,
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
        kind: TensorKind,
    ) -> TensorId {
        self.tensors.push(Tensor {
            name: name.into(),
            shape,
            kind,
        });
        self.tensors.len() - 1
    }

    pub fn add_node(&mut self, name: &str, op: Op, inputs: Vec<TensorId>, outputs: Vec<TensorId>) {
        self.nodes.push(Node {
            name: name.into(),
            op,
            inputs,
            outputs,
        });
    }

    pub fn shape(&self, id: TensorId) -> &Shape {
        &self.tensors[id].shape
    }

    /// Numbers of the nodes that read a tensor.
    pub fn consumers(&self, id: TensorId) -> impl Iterator<Item = usize> {
        let reads = move |(_, node): &(usize, &Node)| node.inputs.contains(&id);
        self.nodes.iter().enumerate().filter(reads).map(|(i, _)| i)
    }

    /// The node that makes a tensor; none for images and parameters.
    pub fn producer(&self, id: TensorId) -> Option<usize> {
        self.nodes
            .iter()
            .position(|node| node.outputs.contains(&id))
    }

    /// Trainable tensors, in the order of their layers.
    pub fn parameters(&self) -> impl Iterator<Item = TensorId> {
        let trainable = |(_, t): &(usize, &Tensor)| t.kind == TensorKind::Parameter;
        self.tensors
            .iter()
            .enumerate()
            .filter(trainable)
            .map(|(i, _)| i)
    }
}
