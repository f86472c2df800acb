//! Layers that read the same tensor and differ in their number of channels alone become one: the branches of an
//! Inception block begin with such convolutions, some with the same batch normalization and activation behind it.
//!
//! What they read is read once, forward and backward, and one kernel does the work of several. The joined layer's
//! tensors hold theirs side by side along the last axis ([`Kind::Columns`]), so that files, summaries and what a tensor
//! begins with know nothing of it; behind the last layer that is joined a [`Split`] hands each branch its channels.

use super::{Model, needed};
use crate::graph::{Alias, Graph, Held, Kind, Layer, Node, Pass, TensorId};
use crate::layers::Split;
use crate::tensor::Shape;
use serde_json::Value;
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

#[derive(PartialEq)]
struct Likeness {
    kind: &'static str,
    /// But for the channels that it makes.
    arguments: Value,
    /// What becomes of its tensors in training.
    tensors: Vec<Kind>,
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

impl Model {
    /// The same network with its siblings joined; no head sees a difference but for the order of some sums.
    pub fn joined(&self) -> Model {
        let mut model = self.clone();
        let mut at = 0;
        while at < model.graph.nodes.len() {
            let strands = siblings(&model, at);
            if strands.len() > 1 {
                join(&mut model.graph, &together(strands));
            }
            at += 1;
        }
        model
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

fn is_logits(model: &Model, tensor: TensorId) -> bool {
    model.heads.iter().any(|head| head.logits == tensor)
}

/// The node that reads a tensor which nobody else looks at.
fn only_reader(model: &Model, tensor: TensorId) -> Option<usize> {
    let mut readers = model.graph.consumers(tensor);
    let reader = readers.next().filter(|_| readers.next().is_none());
    reader.filter(|_| !is_logits(model, tensor))
}

/// What joins a node to another one that reads the same, or behind such nodes to the one that is there; none where it
/// cannot be joined to any, or shares its tensors with another.
fn likeness(graph: &Graph, at: usize, begins: bool) -> Option<Likeness> {
    let node = &graph.nodes[at];
    let alone = |&id: &TensorId| graph.users(id).count() == 1;
    let layer = match begins {
        true => node.layer.joined(1),
        false => node.caps(graph).by_channel.then(|| node.layer.clone()),
    };
    let layer = layer.filter(|_| node.own.iter().all(alone))?;
    let kinds = node.own.iter().map(|&id| graph.tensors[id].kind);
    Some(Likeness {
        kind: layer.kind(),
        arguments: layer.config(),
        tensors: kinds.collect(),
    })
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
    let nodes = std::mem::take(&mut graph.nodes);
    for (at, node) in nodes.into_iter().enumerate() {
        if at == first {
            graph.nodes.append(&mut joined);
        }
        if !gone.contains(&at) {
            graph.nodes.push(node);
        }
    }
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

/// One node for several, over x, with tensors that hold theirs.
fn joined_node(graph: &mut Graph, layer: Arc<dyn Layer>, members: &[Node], x: TensorId) -> Node {
    let outline = layer.outline(&[graph.shape(x)]);
    let outline = outline.expect("what each could read");
    let name = joined_name(members.iter().map(|node| node.name.as_str()));
    let outputs = outline.outputs.into_iter().map(|shape| {
        let name = format!("{name}/{}", layer.kind());
        graph.add_tensor(name, shape, Kind::Activation, None)
    });
    let outputs = outputs.collect();
    let mut own = Vec::new();
    for (at, declared) in outline.own.into_iter().enumerate() {
        let kind = graph.tensors[members[0].own[at]].kind;
        let held = Held {
            own: declared.own,
            init: declared.init,
            layout: declared.layout,
        };
        let name = format!("{name}/{}", declared.suffix);
        let whole = graph.add_tensor(name, declared.shape, kind, Some(held));
        let mut first = 0;
        for member in members {
            let part = &mut graph.tensors[member.own[at]];
            part.kind = Kind::Columns { of: whole, first };
            first += part.shape.columns();
        }
        own.push(whole);
    }
    Node {
        name,
        layer,
        pass: Pass::Forward,
        inputs: vec![x],
        outputs,
        own,
        layer_inputs: vec![x],
    }
}

/// `block/{3x3,5x5}_reduce` of `block/3x3_reduce` and `block/5x5_reduce`: what the names share, in whole words, once.
fn joined_name<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<Vec<&str>> = names.map(words).collect();
    let first = &words[0];
    // Each keeps a word of its own.
    let most = words
        .iter()
        .map(Vec::len)
        .min()
        .unwrap_or(0)
        .saturating_sub(1);
    let in_all = |same: &dyn Fn(&[&str]) -> bool| words.iter().all(|words| same(words));
    let head = (0..most).take_while(|&i| in_all(&|w| w[i] == first[i]));
    let head = head.count();
    let tail =
        (1..=most - head).take_while(|&i| in_all(&|w| w[w.len() - i] == first[first.len() - i]));
    let tail = tail.count();
    let own = words.iter().map(|w| w[head..w.len() - tail].concat());
    let own = own.collect::<Vec<_>>().join(",");
    let [before, behind] = [&first[..head], &first[first.len() - tail..]].map(<[&str]>::concat);
    format!("{before}{{{own}}}{behind}")
}

/// A name's words, and what stands between them.
fn words(name: &str) -> Vec<&str> {
    let is_between = ['/', '_'];
    let pair = |word: &'_ str| word.trim_end_matches(is_between).len();
    name.split_inclusive(is_between)
        .flat_map(|word| <[&str; 2]>::from(word.split_at(pair(word))))
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::joined_name;

    #[test]
    fn names_share_what_is_alike() {
        let of = |names: &[&str]| joined_name(names.iter().copied());
        assert_eq!(of(&["b/3x3_reduce", "b/5x5_reduce"]), "b/{3x3,5x5}_reduce");
        assert_eq!(of(&["b/1x1", "b/3x3_reduce"]), "b/{1x1,3x3_reduce}");
        assert_eq!(of(&["left", "leap", "right"]), "{left,leap,right}");
        assert_eq!(of(&["a/1/bn", "a/2/bn"]), "a/{1,2}/bn");
        assert_eq!(of(&["a_a", "a_a_a"]), "a_{a,a_a}");
    }
}
