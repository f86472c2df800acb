//! Reverse mode: appends to a forward graph the nodes that compute the gradient of the loss
//! with respect to every parameter, and one Adam node for each.
//!
//! Nothing is computed that no parameter needs: a tensor whose value depends on no parameter
//! (the image, a pooled image) gets no gradient. Where a tensor feeds several nodes its
//! gradient is an explicit chain of adds.

use super::{Graph, Op, TensorId, TensorKind};
use std::collections::HashMap;

/// Appends loss, backward pass and optimiser for the network whose last tensor is `logits`.
pub fn expand(graph: &mut Graph, logits: TensorId) {
    let needs = needs_gradient(graph);
    let forward = graph.nodes.len();
    let seed = gradient_like(graph, logits);
    graph.add_node("loss", Op::SoftmaxCrossEntropy, vec![logits], vec![seed]);
    let mut reverse = Reverse {
        graph,
        needs,
        gradients: HashMap::from([(logits, seed)]),
    };
    for node in (0..forward).rev() {
        reverse.node(node);
    }
    let gradients = reverse.gradients;
    let parameters: Vec<TensorId> = graph.parameters().collect();
    for parameter in parameters {
        let name = graph.tensors[parameter].name.clone();
        graph.add_node(
            &name,
            Op::Adam,
            vec![parameter, gradients[&parameter]],
            vec![],
        );
    }
}

/// For each tensor: does its value depend on a parameter (or is it one)?
fn needs_gradient(graph: &Graph) -> Vec<bool> {
    let mut needs: Vec<bool> = graph
        .tensors
        .iter()
        .map(|t| t.kind == TensorKind::Parameter)
        .collect();
    for node in &graph.nodes {
        if node.inputs.iter().any(|&id| needs[id]) {
            node.outputs.iter().for_each(|&id| needs[id] = true);
        }
    }
    needs
}

fn gradient_like(graph: &mut Graph, id: TensorId) -> TensorId {
    let name = format!("d {}", graph.tensors[id].name);
    graph.add_tensor(name, graph.shape(id).clone(), TensorKind::Gradient)
}

struct Reverse<'g> {
    graph: &'g mut Graph,
    needs: Vec<bool>,
    /// The gradient of each tensor, complete once all its consumers were visited.
    gradients: HashMap<TensorId, TensorId>,
}

impl Reverse<'_> {
    /// Differentiates one forward node, given the gradient of its output.
    fn node(&mut self, index: usize) {
        let node = self.graph.nodes[index].clone();
        let Some(&dy) = self.gradients.get(&node.outputs[0]) else {
            return;
        };
        let (x, y) = (node.inputs[0], node.outputs[0]);
        let name = &node.name;
        match node.op {
            Op::Conv2d(window) => {
                self.weights(name, Op::Conv2dBackwardWeight(window), &node.inputs, dy);
                self.input(
                    name,
                    Op::Conv2dBackwardInput(window),
                    vec![dy, node.inputs[1]],
                    x,
                );
            }
            Op::Dense => {
                // The input's gradient first: a fused optimiser changes the weights it reads.
                self.input(name, Op::DenseBackwardInput, vec![dy, node.inputs[1]], x);
                self.weights(name, Op::DenseBackwardWeight, &node.inputs, dy);
            }
            Op::MaxPool2d(window) => {
                self.input(name, Op::MaxPool2dBackward(window), vec![x, dy], x)
            }
            Op::Concat => {
                let mut first = 0;
                for &branch in &node.inputs {
                    self.input(name, Op::ConcatBackward { first }, vec![dy], branch);
                    first += self.graph.shape(branch).nhwc()[3];
                }
            }
            Op::Flatten => self.input(name, Op::FlattenBackward, vec![dy], x),
            Op::GlobalAveragePool => self.input(name, Op::GlobalAveragePoolBackward, vec![dy], x),
            Op::Relu => self.input(name, Op::ReluBackward, vec![dy, y], x),
            other => unreachable!("{other:?} is no layer"),
        }
    }

    /// Adds the node that computes the gradient of `x`, if anybody needs it, to what `x` has.
    fn input(&mut self, name: &str, op: Op, inputs: Vec<TensorId>, x: TensorId) {
        if !self.needs[x] {
            return;
        }
        let dx = gradient_like(self.graph, x);
        self.graph.add_node(name, op, inputs, vec![dx]);
        let total = match self.gradients.get(&x) {
            None => dx,
            Some(&before) => {
                let sum = gradient_like(self.graph, x);
                self.graph
                    .add_node(name, Op::Add, vec![before, dx], vec![sum]);
                sum
            }
        };
        self.gradients.insert(x, total);
    }

    /// Adds the node that computes the gradients of kernel and bias.
    fn weights(&mut self, name: &str, op: Op, inputs: &[TensorId], dy: TensorId) {
        let (x, kernel, bias) = (inputs[0], inputs[1], inputs[2]);
        let dkernel = gradient_like(self.graph, kernel);
        let dbias = gradient_like(self.graph, bias);
        self.graph
            .add_node(name, op, vec![x, dy], vec![dkernel, dbias]);
        self.gradients.insert(kernel, dkernel);
        self.gradients.insert(bias, dbias);
    }
}
