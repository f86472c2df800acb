//! Layers that read the same tensor and differ in their number of channels alone become one: the branches of an
//! Inception block begin with such convolutions, some with the same batch normalization and activation behind it.
//!
//! What they read is read once, forward and backward. Behind the last layer that is joined a [`Split`] hands each branch
//! its channels.

use super::merge::{Likeness, is_logits, joined_name, joined_node, likeness, only_reader, replace};
use crate::graph::{Alias, Graph, Kind, Node, Pass, TensorId};
use crate::layers::Split;
use crate::network::{Model, needed};
use crate::tensor::Shape;
use std::sync::Arc;

/// The layers of a branch that can be joined to those of another: the number of each node, the first reading what
/// both read, each other what the one before makes.
struct Strand {
    nodes: Vec<usize>,
    /// What must be the same of two strands, node by node.
    likeness: Vec<Likeness>,
    /// Does a head or a concatenation want what its last node makes where it lies? Then only those before are joined.
    is_bound: bool,
}

impl Strand {
    /// What a node of it makes.
    fn made(&self, graph: &Graph, step: usize) -> TensorId {
        graph.nodes[self.nodes[step]].outputs[0]
    }

    /// What its last node makes.
    fn end(&self, graph: &Graph) -> TensorId {
        self.made(graph, self.nodes.len() - 1)
    }

    /// Can its first node be joined to another's whatever stands behind? A ReLU would leave the kernel it rides in.
    fn parts_easily(&self, graph: &Graph) -> bool {
        let next = self.nodes.get(1);
        next.is_some_and(|&next| !graph.nodes[next].caps(graph).is_relu)
    }

    /// Can all of it be joined to all of another?
    fn is_like(&self, other: &Strand) -> bool {
        self.likeness == other.likeness && !self.is_bound && !other.is_bound
    }
}

/// Joins the siblings of a network.
pub(super) fn join_all(model: &mut Model) {
    let mut at = 0;
    while at < model.graph.nodes.len() {
        let strands = siblings(model, at);
        if strands.len() > 1 {
            join(&mut model.graph, &together(strands));
        }
        at += 1;
    }
}

/// The strand that begins with a node, and those behind it whose first nodes can be joined to it.
fn siblings(model: &Model, first: usize) -> Vec<Strand> {
    let graph = &model.graph;
    let Some(own) = strand(model, first) else {
        return Vec::new();
    };
    let needed = needed(graph, &model.heads);
    let read = &graph.nodes[first].inputs;
    let readers = first..graph.nodes.len();
    let readers = readers.filter(|&at| graph.nodes[at].inputs == *read);
    let strands = readers.filter_map(|at| strand(model, at));
    let joins = |other: &Strand| match own.parts_easily(graph) {
        true => other.parts_easily(graph) && other.likeness[0] == own.likeness[0],
        false => own.is_like(other),
    };
    strands
        .filter(|strand| needed[strand.end(graph)] && joins(strand))
        .collect()
}

/// Strands in groups of those that are joined as a whole.
fn together(strands: Vec<Strand>) -> Vec<Vec<Strand>> {
    let mut groups: Vec<Vec<Strand>> = Vec::new();
    for strand in strands {
        match groups.iter_mut().find(|group| group[0].is_like(&strand)) {
            Some(group) => group.push(strand),
            None => groups.push(vec![strand]),
        }
    }
    groups
}

/// The longest strand that begins with a node, if that can be joined to another.
fn strand(model: &Model, first: usize) -> Option<Strand> {
    let graph = &model.graph;
    let mut strand = Strand {
        nodes: vec![first],
        likeness: vec![likeness(graph, first, true)?],
        is_bound: false,
    };
    while let Some(next) = only_reader(model, strand.end(graph))
        && let Some(likeness) = likeness(graph, next, false)
    {
        strand.nodes.push(next);
        strand.likeness.push(likeness);
    }
    let end = strand.end(graph);
    let joined = |at: usize| graph.nodes[at].caps(graph).alias == Alias::Joined;
    strand.is_bound = is_logits(model, end) || graph.consumers(end).any(joined);
    Some(strand)
}

/// Joins the first nodes of all strands, and the others of those that are a group.
fn join(graph: &mut Graph, groups: &[Vec<Strand>]) {
    let all: Vec<&Strand> = groups.iter().flatten().collect();
    let first = all[0].nodes[0];
    let x = graph.nodes[first].inputs[0];
    let channels = all.iter().map(|s| graph.shape(s.made(graph, 0)).columns());
    let layer = graph.nodes[first].layer.joined(channels.sum());
    let layer = layer.expect("its likeness says so");
    let node = joined_node(graph, layer, &nodes_at(graph, &all, 0), x);
    let mut starts = vec![node.outputs[0]];
    let mut joined = vec![node];
    if let [_, _, ..] = groups {
        starts = groups.iter().map(|group| start(graph, group)).collect();
        joined.push(split(graph, &joined[0], &starts));
    }
    let mut gone: Vec<usize> = all.iter().map(|strand| strand.nodes[0]).collect();
    for (group, start) in groups.iter().zip(starts) {
        let group: Vec<&Strand> = group.iter().collect();
        let ([_, _, ..], length) = (&group[..], group[0].nodes.len()) else {
            continue;
        };
        let mut x = start;
        for step in 1..length {
            let layer = graph.nodes[group[0].nodes[step]].layer.clone();
            let node = joined_node(graph, layer, &nodes_at(graph, &group, step), x);
            x = node.outputs[0];
            joined.push(node);
        }
        let parts: Vec<TensorId> = group.iter().map(|strand| strand.end(graph)).collect();
        let last = joined.iter().rfind(|node| node.outputs.contains(&x));
        let last = last.expect("it made the start, or what came of that");
        joined.push(split(graph, last, &parts));
        gone.extend(group.iter().flat_map(|strand| &strand.nodes));
    }
    replace(graph, &gone, first, joined);
}

fn nodes_at(graph: &Graph, strands: &[&Strand], step: usize) -> Vec<Node> {
    let nodes = strands
        .iter()
        .map(|strand| graph.nodes[strand.nodes[step]].clone());
    nodes.collect()
}

/// What the layers behind the first of a group read: of one strand what they read before.
fn start(graph: &mut Graph, group: &[Strand]) -> TensorId {
    let made: Vec<TensorId> = group.iter().map(|strand| strand.made(graph, 0)).collect();
    if let [one] = made[..] {
        return one;
    }
    let [n, h, w, _] = graph.shape(made[0]).nhwc();
    let channels = made.iter().map(|&id| graph.shape(id).columns()).sum();
    let names = made.iter().map(|&id| graph.tensors[id].name.as_str());
    let name = joined_name(names);
    graph.add_tensor(
        name,
        Shape::new([n, h, w, channels]),
        Kind::Activation,
        None,
    )
}

/// Hands each part its channels of what a node makes.
fn split(graph: &Graph, node: &Node, parts: &[TensorId]) -> Node {
    let channels = parts.iter().map(|&id| graph.shape(id).columns());
    Node {
        name: node.name.clone(),
        layer: Arc::new(Split {
            channels: channels.collect(),
        }),
        pass: Pass::Forward,
        inputs: vec![node.outputs[0]],
        outputs: parts.to_vec(),
        own: Vec::new(),
        layer_inputs: vec![node.outputs[0]],
    }
}
