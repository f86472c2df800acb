//! Layers that keep tensors by channel and end the branches of a concatenation become one behind it, where they are alike:
//! batch normalization is each channel's affair, whichever image holds it.
//!
//! The branches lie side by side before they are normalized, in a concatenation of their own; those that stand beside
//! each other in the one that was there go into it as one, and where that is all of them it is gone.

use super::merge::{Likeness, joined_name, joined_node, likeness, only_reader, replace};
use crate::graph::{Alias, Graph, Kind, Node, TensorId};
use crate::network::Model;
use std::ops::Range;

/// The layers at the end of a branch that are each channel's affair.
struct Tail {
    /// The number of each node, the last being what the concatenation reads.
    nodes: Vec<usize>,
    likeness: Vec<Likeness>,
}

impl Tail {
    /// What its first node reads.
    fn start(&self, graph: &Graph) -> TensorId {
        graph.nodes[self.nodes[0]].inputs[0]
    }
}

/// Joins the tails of a network's branches.
pub(super) fn join_all(model: &mut Model) {
    let mut at = 0;
    while at < model.graph.nodes.len() {
        match alike(model, at) {
            // It may have others.
            Some((branches, tails)) => at = join(&mut model.graph, at, branches, &tails),
            None => at += 1,
        }
    }
}

/// The first branches of a concatenation, side by side, whose tails are alike.
fn alike(model: &Model, at: usize) -> Option<(Range<usize>, Vec<Tail>)> {
    let node = &model.graph.nodes[at];
    if node.caps(&model.graph).alias != Alias::Joined {
        return None;
    }
    let mut run: Vec<Tail> = Vec::new();
    for (branch, &tensor) in node.inputs.iter().enumerate() {
        let once = node.inputs.iter().filter(|&&id| id == tensor).count() == 1;
        let tail = tail(model, tensor).filter(|_| once);
        let goes_on = match (run.last(), &tail) {
            (Some(last), Some(tail)) => last.likeness == tail.likeness,
            _ => false,
        };
        if !goes_on {
            if run.len() > 1 {
                return Some((branch - run.len()..branch, run));
            }
            run.clear();
        }
        run.extend(tail);
    }
    let all = node.inputs.len();
    (run.len() > 1).then(|| (all - run.len()..all, run))
}

/// The longest tail that ends in a branch and begins with a layer that keeps tensors, if what it reads can be written
/// beside others'. A ReLU in front of that stays in the kernel that it rides in.
fn tail(model: &Model, branch: TensorId) -> Option<Tail> {
    let graph = &model.graph;
    let mut tail = Tail {
        nodes: Vec::new(),
        likeness: Vec::new(),
    };
    let mut end = branch;
    while only_reader(model, end).is_some()
        && let Some(node) = graph.producer(end)
        && let Some(likeness) = likeness(graph, node, false)
    {
        tail.nodes.insert(0, node);
        tail.likeness.insert(0, likeness);
        end = graph.nodes[node].inputs[0];
    }
    let keeps = |&node: &usize| !graph.nodes[node].own.is_empty();
    let first = tail.nodes.iter().position(keeps)?;
    tail.nodes.drain(..first);
    tail.likeness.drain(..first);
    let start = tail.start(graph);
    (only_reader(model, start).is_some() && is_written_in_ranges(graph, start)).then_some(tail)
}

/// Is a tensor made by a kernel that can write it into a larger one?
fn is_written_in_ranges(graph: &Graph, tensor: TensorId) -> bool {
    let Some(node) = graph.producer(tensor).map(|at| &graph.nodes[at]) else {
        return false;
    };
    let caps = node.caps(graph);
    match caps.is_relu {
        true => is_written_in_ranges(graph, node.inputs[0]),
        false => caps.ranged && caps.alias == Alias::No,
    }
}

/// Joins the tails of some branches of the concatenation at `at`; where the first of the nodes stands that are new.
fn join(graph: &mut Graph, at: usize, branches: Range<usize>, tails: &[Tail]) -> usize {
    let mut outer = graph.nodes[at].clone();
    let starts: Vec<TensorId> = tails.iter().map(|tail| tail.start(graph)).collect();
    let mut nodes = vec![concatenated(graph, &outer, starts)];
    for step in 0..tails[0].nodes.len() {
        let members = tails.iter().map(|tail| tail.nodes[step]);
        let members: Vec<Node> = members.map(|at| graph.nodes[at].clone()).collect();
        let (layer, x) = (members[0].layer.clone(), nodes[step].outputs[0]);
        nodes.push(joined_node(graph, layer, &members, x));
    }
    let last = nodes.last_mut().expect("a tail has nodes");
    if branches.len() == outer.inputs.len() {
        last.outputs[0] = outer.outputs[0];
    } else {
        let joined = [last.outputs[0]];
        outer.inputs.splice(branches.clone(), joined);
        outer.layer_inputs.splice(branches, joined);
        nodes.push(outer);
    }
    let mut gone: Vec<usize> = tails.iter().flat_map(|tail| tail.nodes.clone()).collect();
    let ahead = gone.len();
    gone.push(at);
    replace(graph, &gone, at, nodes);
    at - ahead
}

/// Such a concatenation, of these tensors.
fn concatenated(graph: &mut Graph, like: &Node, inputs: Vec<TensorId>) -> Node {
    let shapes: Vec<_> = inputs.iter().map(|&id| graph.shape(id)).collect();
    let outline = like.layer.outline(&shapes);
    let outline = outline.expect("images of one height and width");
    let name = joined_name(inputs.iter().map(|&id| graph.tensors[id].name.as_str()));
    let outputs = outline.outputs.into_iter();
    let made = outputs.map(|shape| graph.add_tensor(&name, shape, Kind::Activation, None));
    Node {
        outputs: made.collect(),
        layer_inputs: inputs.clone(),
        inputs,
        ..like.clone()
    }
}
