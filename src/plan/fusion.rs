//! Which tensors share storage and which nodes need no dispatch of their own:
//! - ReLU rides in the epilogue of the kernel before it;
//! - branches of a concatenation write straight into their range of channels, and read their gradient
//!   from there; those that several layers made as one read their range, and write its gradient there; flattening is a
//!   change of name;
//! - the ReLU mask of the backward pass rides in the epilogue of the kernel that makes the
//!   gradient, where everybody who reads that gradient wants it masked;
//! - where the schedule wants it, gradients that are products are computed by the kernel that adds them up, and one kernel
//!   makes all gradients of a small layer.
//!
//! What a layer allows it says itself ([`Caps`]); no layer is named here.

use crate::graph::{Alias, Caps, Graph, Kind, Mask, Pass, TensorId};
use crate::ops::pointwise_sum::PRODUCTS;
use std::collections::{HashMap, HashSet};

/// A tensor that lies inside another one's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    pub root: TensorId,
    /// First channel inside the root.
    pub first: u32,
}

#[derive(Default)]
pub(super) struct Fusion {
    caps: Vec<Caps>,
    alias: HashMap<TensorId, Inside>,
    /// Nodes without a dispatch.
    pub skipped: HashSet<usize>,
    /// Forward nodes that apply ReLU to their output.
    pub relu: HashSet<usize>,
    /// Backward nodes that mask their output: where the mask lies.
    pub mask: HashMap<usize, Inside>,
    /// Nodes whose kernel computes their terms.
    pub sums: HashMap<usize, Terms>,
    /// Backward nodes whose kernel does the work of the node behind them.
    pub with_next: HashSet<usize>,
}

/// The terms of a sum: the nodes that make products, and one tensor more.
pub(super) struct Terms {
    pub products: Vec<usize>,
    pub other: Option<TensorId>,
}

impl Fusion {
    /// Tensors that are `ports` lie where the host looks for them, inside no other.
    pub fn new(graph: &Graph, ports: &[TensorId], concat_in_place: bool) -> Fusion {
        let mut fusion = Fusion {
            caps: graph.nodes.iter().map(|node| node.caps(graph)).collect(),
            ..Fusion::default()
        };
        fusion.fuse_relu(graph, ports);
        if concat_in_place {
            fusion.join_branches(graph, ports);
        }
        fusion.alias_shapes(graph, ports, concat_in_place);
        fusion.share_masks(graph);
        fusion.fuse_masks(graph);
        fusion
    }

    /// Where a tensor lies: inside another, or as itself.
    pub fn place(&self, tensor: TensorId) -> Inside {
        match self.alias.get(&tensor) {
            None => Inside {
                root: tensor,
                first: 0,
            },
            Some(outer) => {
                let place = self.place(outer.root);
                Inside {
                    root: place.root,
                    first: place.first + outer.first,
                }
            }
        }
    }

    /// Does a tensor fill its root?
    pub fn is_whole(&self, graph: &Graph, tensor: TensorId) -> bool {
        let place = self.place(tensor);
        place.first == 0 && graph.shape(place.root).len() == graph.shape(tensor).len()
    }

    fn join(&mut self, node: usize, tensor: TensorId, root: TensorId, first: u32) {
        self.alias.insert(tensor, Inside { root, first });
        self.skipped.insert(node);
    }

    /// Side by side, along the channels.
    fn join_ranges(&mut self, graph: &Graph, node: usize, tensors: &[TensorId], root: TensorId) {
        let mut first = 0;
        for &tensor in tensors {
            self.join(node, tensor, root, first);
            first += graph.shape(tensor).columns();
        }
    }

    fn fuse_relu(&mut self, graph: &Graph, ports: &[TensorId]) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if !(self.caps[index].is_relu && node.pass == Pass::Forward) {
                continue;
            }
            let before = node.inputs[0];
            let producer = graph.producer(before).filter(|&p| self.caps[p].relu);
            if let Some(producer) = producer
                && graph.consumers(before).count() == 1
                && !ports.contains(&before)
            {
                self.relu.insert(producer);
                self.join(index, before, node.outputs[0], 0);
            }
        }
    }

    /// Before any change of name: what was flattened out of a branch could not follow it into a range.
    fn join_branches(&mut self, graph: &Graph, ports: &[TensorId]) {
        for (index, node) in graph.nodes.iter().enumerate() {
            let joined = self.caps[index].alias == Alias::Joined;
            if joined && self.can_join_all(graph, &node.inputs, ports) {
                self.join_ranges(graph, index, &node.inputs, node.outputs[0]);
            }
        }
    }

    fn alias_shapes(&mut self, graph: &Graph, ports: &[TensorId], concat_in_place: bool) {
        for (index, node) in graph.nodes.iter().enumerate() {
            match self.caps[index].alias {
                // A part of a concatenation is not contiguous: it stays a copy.
                Alias::Renamed
                    if self.is_whole(graph, node.inputs[0])
                        && !ports.contains(&node.outputs[0]) =>
                {
                    self.join(index, node.outputs[0], node.inputs[0], 0);
                }
                Alias::Part { first } if concat_in_place => {
                    self.join(index, node.outputs[0], node.inputs[0], first);
                }
                Alias::Parts if concat_in_place && self.are_free(&node.outputs, ports) => {
                    self.join_ranges(graph, index, &node.outputs, node.inputs[0]);
                }
                _ => {}
            }
        }
    }

    /// Do tensors lie nowhere else?
    fn are_free(&self, tensors: &[TensorId], ports: &[TensorId]) -> bool {
        let lies = |id| self.alias.contains_key(id) || ports.contains(id);
        !tensors.iter().any(lies)
    }

    /// Each branch lies nowhere else, and is computed by kernels that can write a range and read no other branch:
    /// no dispatch may read a buffer that it writes.
    fn can_join_all(&self, graph: &Graph, branches: &[TensorId], ports: &[TensorId]) -> bool {
        let distinct = branches.iter().collect::<HashSet<_>>().len() == branches.len();
        let of_images = |branch: &TensorId| match graph.tensors[*branch].kind {
            Kind::Gradient { of } => !graph.tensors[of].kind.is_held(),
            kind => kind == Kind::Activation,
        };
        let inside = |&id: &TensorId| branches.contains(&self.place(id).root);
        let nodes = graph.nodes.iter().enumerate();
        let mut writers = nodes.filter(|(index, node)| {
            !self.skipped.contains(index) && node.outputs.iter().any(inside)
        });
        distinct
            && self.are_free(branches, ports)
            && branches.iter().all(of_images)
            && writers.all(|(at, node)| self.caps[at].ranged && !node.inputs.iter().any(inside))
    }

    /// A mask over what several write side by side is each one's over its own channels.
    fn share_masks(&mut self, graph: &Graph) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if !(self.caps[index].is_relu && node.pass != Pass::Forward) {
                continue;
            }
            let [dy, y] = node.inputs[..] else {
                continue;
            };
            let Some(writers) = self.writers_of_parts(graph, dy) else {
                continue;
            };
            let mask = self.place(y);
            let mut first = mask.first;
            for writer in writers {
                let root = mask.root;
                self.mask.insert(writer, Inside { root, first });
                first += graph.shape(graph.nodes[writer].outputs[0]).columns();
            }
            self.join(index, node.outputs[0], dy, 0);
        }
    }

    /// The nodes that write the parts of a tensor that lie side by side in it, if nobody else reads it or any of them,
    /// and each can mask what it writes.
    fn writers_of_parts(&self, graph: &Graph, whole: TensorId) -> Option<Vec<usize>> {
        let join = graph.producer(whole)?;
        let joined = self.caps[join].alias == Alias::Joined && self.skipped.contains(&join);
        if !joined || graph.consumers(whole).count() != 1 {
            return None;
        }
        let writer = |&part: &TensorId| {
            let writer = graph.producer(part)?;
            let can = self.caps[writer].mask == Mask::Range && !self.skipped.contains(&writer);
            let alone = graph.consumers(part).count() == 1;
            (can && alone && graph.nodes[writer].outputs[0] == part).then_some(writer)
        };
        graph.nodes[join].inputs.iter().map(writer).collect()
    }

    fn fuse_masks(&mut self, graph: &Graph) {
        for (index, node) in graph.nodes.iter().enumerate() {
            let can = self.caps[index].mask;
            if can == Mask::No {
                continue;
            }
            let mut masked = Vec::new();
            if !self.readers(graph, node.outputs[0], &mut masked) {
                continue;
            }
            if let Some(mask) = self.common_mask(graph, node.outputs[0], &masked) {
                let whole = mask.first == 0
                    && graph.shape(mask.root).len() == graph.shape(node.outputs[0]).len();
                if can == Mask::Range || whole {
                    self.mask.insert(index, mask);
                    for reader in masked {
                        let relu = &graph.nodes[reader];
                        self.join(reader, relu.outputs[0], relu.inputs[0], 0);
                    }
                }
            }
        }
    }

    /// Lets sums compute those of their terms that are products of nobody else's, where no more than one other term
    /// is left. `together` says whether held tensors lie in one buffer.
    pub fn join_products(&mut self, graph: &Graph, together: impl Fn(&[TensorId]) -> bool) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if !self.caps[index].sum || self.skipped.contains(&index) {
                continue;
            }
            let (mut products, mut others) = (Vec::new(), Vec::new());
            for &term in &node.inputs {
                match graph.producer(term).filter(|&p| self.is_free(graph, p)) {
                    Some(product) if products.len() < PRODUCTS => products.push(product),
                    _ => others.push(term),
                }
            }
            let other = match others[..] {
                [] => None,
                [one] => Some(one),
                _ => continue,
            };
            let kernels = products.iter().map(|&p| graph.nodes[p].own[0]);
            let all = products.len() + others.len();
            if !products.is_empty() && all > 1 && together(&kernels.collect::<Vec<_>>()) {
                self.skipped.extend(&products);
                self.sums.insert(index, Terms { products, other });
            }
        }
    }

    /// Lets one kernel do two passes of a layer that follow each other. `stored` says whether a held tensor's gradient is.
    pub fn join_passes(&mut self, graph: &Graph, stored: impl Fn(TensorId) -> bool) {
        for (index, pair) in graph.nodes.windows(2).enumerate() {
            let [node, next] = pair else { continue };
            let (Pass::Backward(pass), Pass::Backward(then)) = (node.pass, next.pass) else {
                continue;
            };
            let one_layer = node.name == next.name && then == pass + 1;
            let skipped = [index, index + 1]
                .iter()
                .any(|at| self.skipped.contains(at));
            if self.caps[index].joins_next && one_layer && !skipped && stored(node.own[0]) {
                self.skipped.insert(index + 1);
                self.with_next.insert(index);
            }
        }
    }

    /// Does a node make a product that is stored as it is, for one reader?
    fn is_free(&self, graph: &Graph, node: usize) -> bool {
        let output = graph.nodes[node].outputs[0];
        let plain = !self.skipped.contains(&node) && !self.mask.contains_key(&node);
        let own = !self.alias.contains_key(&output) && graph.consumers(output).count() == 1;
        self.caps[node].product && plain && own
    }

    /// Collects the ReLU masks that read a gradient, through changes of name; false if anybody
    /// else reads it.
    fn readers(&self, graph: &Graph, gradient: TensorId, masked: &mut Vec<usize>) -> bool {
        graph.consumers(gradient).all(|reader| {
            let node = &graph.nodes[reader];
            if self.caps[reader].is_relu && node.inputs[0] == gradient {
                masked.push(reader);
                return true;
            }
            let renamed = matches!(self.caps[reader].alias, Alias::Renamed | Alias::Part { .. });
            renamed
                && self.skipped.contains(&reader)
                && self.readers(graph, node.outputs[0], masked)
        })
    }

    /// Where the masks of all readers lie, if together they cover the gradient in its own order.
    fn common_mask(&self, graph: &Graph, gradient: TensorId, readers: &[usize]) -> Option<Inside> {
        let own = self.place(gradient);
        let mut covered = 0;
        let mut common: Option<Inside> = None;
        for &reader in readers {
            let [dy, y] = graph.nodes[reader].inputs[..] else {
                return None;
            };
            let (gradient, mask) = (self.place(dy), self.place(y));
            let ahead = gradient.first - own.first;
            let start = Inside {
                root: mask.root,
                first: mask.first.checked_sub(ahead)?,
            };
            if *common.get_or_insert(start) != start {
                return None;
            }
            covered += graph.shape(dy).len();
        }
        common.filter(|_| covered == graph.shape(gradient).len())
    }
}
