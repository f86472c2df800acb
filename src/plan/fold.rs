//! Folds what only multiplies and shifts channels, batch normalization with its moving averages, into the convolution
//! before it: predictions need no kernel for it, and ReLU rides in the convolution as usual.
//!
//! The graph of predictions gets the folded layers in place of the pairs, with a kernel and a bias of their own. A
//! program of the plan makes these on the device from the weights, once whenever they have changed. Which layers can
//! be folded they say themselves ([`crate::graph::Caps`]).

use super::placement::ALIGNMENT;
use super::{BufferId, BufferSpec};
use crate::graph::{
    Emit, Folding, Graph, Held, Init, Kind, Layout, Node, Own, Pass, Place, TensorId,
};
use crate::network::Head;
use crate::tensor::Shape;
use std::collections::HashMap;

/// The graph of predictions with the folded layers in it.
pub(super) struct Folded {
    pub graph: Graph,
    /// Where the kernels and biases of folded layers lie.
    pub places: HashMap<TensorId, Place>,
    pairs: Vec<Pair>,
}

/// Two layers that became one.
struct Pair {
    /// As they were.
    before: Node,
    behind: Node,
    /// Which own tensor of the first is its kernel; the next one, if it is there, is its bias.
    kernel: usize,
    /// What the one layer has instead.
    folded: [TensorId; 2],
}

/// Folds what can be folded in the graph of predictions, appending the buffer where the results lie.
pub(super) fn fold(graph: Graph, heads: &[Head], buffers: &mut Vec<BufferSpec>) -> Folded {
    let mut folded = Folded {
        places: HashMap::new(),
        pairs: Vec::new(),
        graph,
    };
    let ports: Vec<TensorId> = heads.iter().map(|head| head.logits).collect();
    for (before, behind, kernel) in foldable(&folded.graph, &ports) {
        folded.pair(before, behind, kernel);
    }
    let is_folded = |node: &Node| {
        let mut behind = folded.pairs.iter().map(|pair| &pair.behind);
        behind.any(|behind| behind.outputs == node.outputs && behind.name == node.name)
    };
    let mut nodes = std::mem::take(&mut folded.graph.nodes);
    nodes.retain(|node| !is_folded(node));
    folded.graph.nodes = nodes;
    folded.place(buffers);
    folded
}

/// (producer, what folds into it, the producer's own tensor that is its kernel) by number, where nobody else reads what
/// lies between them.
fn foldable(graph: &Graph, ports: &[TensorId]) -> Vec<(usize, usize, usize)> {
    let pair = |(at, node): (usize, &Node)| {
        if node.pass != Pass::Forward || !node.caps(graph).folds {
            return None;
        }
        let between = node.inputs[0];
        let producer = graph.producer(between)?;
        let before = &graph.nodes[producer];
        let kernel = before.caps(graph).kernel?;
        let is_flat = |id: TensorId| {
            let held = graph.tensors[id].held;
            held.is_some_and(|held| held.layout == Layout::Flat)
        };
        let alone = graph.consumers(between).count() == 1 && !ports.contains(&between);
        let plain = before.outputs[0] == between && is_flat(before.own[kernel]);
        (alone && plain).then_some((producer, at, kernel))
    };
    graph.nodes.iter().enumerate().filter_map(pair).collect()
}

impl Folded {
    /// Puts a layer of its own in the place of the first of two, which makes what the second made.
    fn pair(&mut self, before: usize, behind: usize, kernel: usize) {
        let graph = &mut self.graph;
        let (first, second) = (graph.nodes[before].clone(), graph.nodes[behind].clone());
        let channels = graph.shape(first.outputs[0]).nhwc()[3];
        let shape = graph.shape(first.own[kernel]).clone();
        let held = Held {
            own: Own::Vector,
            init: Init::Zeros,
            layout: Layout::Flat,
        };
        let mut tensor = |what: &str, shape| {
            let name = format!("{}/folded_{what}", first.name);
            graph.add_tensor(name, shape, Kind::Frozen, Some(held))
        };
        let folded = [
            tensor("kernel", shape),
            tensor("bias", Shape::new([channels])),
        ];
        let node = &mut graph.nodes[before];
        node.own.truncate(kernel);
        node.own.extend(folded);
        node.outputs[0] = second.outputs[0];
        self.pairs.push(Pair {
            before: first,
            behind: second,
            kernel,
            folded,
        });
    }

    /// Places what is folded in one buffer.
    fn place(&mut self, buffers: &mut Vec<BufferSpec>) {
        let mut bytes = 0;
        let buffer: BufferId = buffers.len();
        for id in self.pairs.iter().flat_map(|pair| pair.folded) {
            let offset = bytes;
            bytes += (4 * self.graph.shape(id).len() as u64).next_multiple_of(ALIGNMENT);
            self.places.insert(id, Place { buffer, offset });
        }
        if !self.pairs.is_empty() {
            let name = "folded".into();
            buffers.push(BufferSpec { name, bytes });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Emits what makes each folded kernel and bias, telling `begin` of the layer that it belongs to.
    pub fn lower<E: Emit>(&self, emitter: &mut E, begin: fn(&mut E, &str)) {
        for pair in &self.pairs {
            begin(emitter, &pair.before.name);
            let own = |at: usize| pair.before.own.get(at).map(|&id| emitter.held(id));
            let folding = Folding {
                kernel: own(pair.kernel).expect("a kernel"),
                bias: own(pair.kernel + 1),
                words: self.graph.shape(pair.folded[0]).len() as u32,
                channels: self.graph.shape(pair.folded[1]).len() as u32,
                into: pair.folded.map(|id| self.places[&id]),
            };
            pair.behind.layer.fold(&pair.behind, &folding, emitter);
        }
    }
}
