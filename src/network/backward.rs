//! Reverse mode: appends to a forward graph the losses of its heads and the nodes that compute the gradient of
//! their weighted sum with respect to every weight.
//!
//! One loop expands what the layers declare. Nothing is computed that no weight needs: a tensor whose value
//! depends on no weight (the image, a pooled image, what frozen layers make) gets no gradient. Where a tensor
//! feeds several layers, or several share a weight, its gradient is an explicit sum.

use super::Head;
use crate::graph::{Graph, Kind, Mode, Node, Pass, Slot, TensorId};
use crate::layers::{Add, CategoricalCrossentropy, Loss};
use crate::ops::add::TERMS;
use std::collections::HashMap;
use std::sync::Arc;

/// Appends the losses, each of which makes the gradient of its logits.
pub(super) fn losses(graph: &mut Graph, heads: &[Head], loss: &Loss, mode: Mode) {
    for head in heads {
        let gradient = gradient_like(graph, head.logits);
        graph.nodes.push(Node {
            name: head.loss_name(),
            layer: Arc::new(CategoricalCrossentropy::new(head.weight, loss, mode)),
            pass: Pass::Loss,
            inputs: vec![head.logits],
            outputs: vec![gradient],
            own: Vec::new(),
            layer_inputs: vec![head.logits],
        });
    }
}

/// Appends the backward pass behind the losses.
pub(super) fn expand(graph: &mut Graph) {
    let needed = needed(graph);
    let mut reverse = Reverse {
        gradients: HashMap::new(),
        graph,
        needed,
    };
    let nodes = reverse.graph.nodes.clone();
    for node in nodes.iter().filter(|node| node.pass == Pass::Loss) {
        reverse.add(node.inputs[0], node.outputs[0], &node.name);
    }
    for node in nodes.iter().rev() {
        if node.pass == Pass::Forward {
            reverse.node(node);
        }
    }
}

/// For each tensor: does its value depend on a weight (or is it one)?
fn needed(graph: &Graph) -> Vec<bool> {
    let is_weight = |t: &crate::graph::Tensor| t.kind == Kind::Weight;
    let mut needed: Vec<bool> = graph.tensors.iter().map(is_weight).collect();
    for node in graph.nodes.iter().filter(|n| n.pass == Pass::Forward) {
        if node.inputs.iter().chain(&node.own).any(|&id| needed[id]) {
            node.outputs.iter().for_each(|&id| needed[id] = true);
        }
    }
    needed
}

fn gradient_like(graph: &mut Graph, of: TensorId) -> TensorId {
    let name = format!("d {}", graph.tensors[of].name);
    let shape = graph.shape(of).clone();
    graph.add_tensor(name, shape, Kind::Gradient { of }, None)
}

struct Reverse<'g> {
    graph: &'g mut Graph,
    needed: Vec<bool>,
    /// The gradient of each tensor, complete once all its consumers were visited.
    gradients: HashMap<TensorId, TensorId>,
}

impl Reverse<'_> {
    /// Differentiates a layer whose outputs' gradients are complete.
    fn node(&mut self, node: &Node) {
        if !self.gradients.contains_key(&node.outputs[0]) {
            return;
        }
        for (index, step) in node.layer.gradients(node.inputs.len()).iter().enumerate() {
            let targets: Vec<TensorId> = step.makes.iter().map(|&s| target(node, s)).collect();
            if !targets.iter().any(|&id| self.needed[id]) {
                continue;
            }
            let inputs = step.reads.iter().map(|&slot| self.read(node, slot));
            let inputs = inputs.collect();
            let outputs: Vec<TensorId> = targets
                .iter()
                .map(|&of| gradient_like(self.graph, of))
                .collect();
            self.graph.nodes.push(Node {
                pass: Pass::Backward(index),
                inputs,
                outputs: outputs.clone(),
                ..node.clone()
            });
            for (of, gradient) in targets.into_iter().zip(outputs) {
                if self.needed[of] {
                    self.add(of, gradient, &node.name);
                }
            }
        }
    }

    fn read(&self, node: &Node, slot: Slot) -> TensorId {
        match slot {
            Slot::In(i) => node.inputs[i],
            Slot::Out(i) => node.outputs[i],
            Slot::Own(i) => node.own[i],
            gradient => self.gradients[&target(node, gradient)],
        }
    }

    /// Adds a gradient to what the tensor has.
    fn add(&mut self, of: TensorId, gradient: TensorId, name: &str) {
        let Some(&before) = self.gradients.get(&of) else {
            self.gradients.insert(of, gradient);
            return;
        };
        let (mut inputs, sum) = match self.open_sum(before) {
            Some(node) => (node.inputs, before),
            None => (vec![before], gradient_like(self.graph, of)),
        };
        inputs.push(gradient);
        self.graph.nodes.push(Node {
            name: name.into(),
            layer: Arc::new(Add),
            pass: Pass::Forward,
            layer_inputs: inputs.clone(),
            inputs,
            outputs: vec![sum],
            own: Vec::new(),
        });
        self.gradients.insert(of, sum);
    }

    /// Takes out the node that makes a gradient, if it is a sum that has room for another term. Nobody has read it
    /// yet: it was not complete.
    fn open_sum(&mut self, gradient: TensorId) -> Option<Node> {
        let at = self.graph.producer(gradient)?;
        let node = &self.graph.nodes[at];
        let open = node.pass == Pass::Forward && node.inputs.len() < TERMS;
        open.then(|| self.graph.nodes.remove(at))
    }
}

/// The tensor whose gradient a slot names.
fn target(node: &Node, slot: Slot) -> TensorId {
    match slot {
        Slot::GradIn(i) => node.inputs[i],
        Slot::GradOut(i) => node.outputs[i],
        Slot::GradOwn(i) => node.own[i],
        Slot::In(_) | Slot::Out(_) | Slot::Own(_) => unreachable!("no gradient"),
    }
}
