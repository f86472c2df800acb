//! What several layers must have in common to be one, and the node that does their work.
//!
//! Its tensors hold theirs side by side along the last axis ([`Kind::Columns`]).

use crate::graph::{Graph, Held, Kind, Layer, Node, Pass, TensorId};
use crate::network::Model;
use serde_json::Value;
use std::sync::Arc;

/// What must be the same of two nodes.
#[derive(PartialEq)]
pub(super) struct Likeness {
    kind: &'static str,
    /// But for the channels that it makes.
    arguments: Value,
    /// What becomes of its tensors in training.
    tensors: Vec<Kind>,
}

pub(super) fn is_logits(model: &Model, tensor: TensorId) -> bool {
    model.heads.iter().any(|head| head.logits == tensor)
}

/// The node that reads a tensor which nobody else looks at.
pub(super) fn only_reader(model: &Model, tensor: TensorId) -> Option<usize> {
    let mut readers = model.graph.consumers(tensor);
    let reader = readers.next().filter(|_| readers.next().is_none());
    reader.filter(|_| !is_logits(model, tensor))
}

/// What joins a node to another: one that reads the same tensor, where a strand `begins`, else one that is each channel's
/// affair in another strand or branch. None where it cannot be joined to any, or shares its tensors with another.
pub(super) fn likeness(graph: &Graph, at: usize, begins: bool) -> Option<Likeness> {
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

/// One node for several, over x, with tensors that hold theirs.
pub(super) fn joined_node(
    graph: &mut Graph,
    layer: Arc<dyn Layer>,
    members: &[Node],
    x: TensorId,
) -> Node {
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

/// Takes out the nodes that are `gone`, and puts others where the one at `at` stands.
pub(super) fn replace(graph: &mut Graph, gone: &[usize], at: usize, mut by: Vec<Node>) {
    for (number, node) in std::mem::take(&mut graph.nodes).into_iter().enumerate() {
        if number == at {
            graph.nodes.append(&mut by);
        }
        if !gone.contains(&number) {
            graph.nodes.push(node);
        }
    }
}

/// `block/{3x3,5x5}_reduce` of `block/3x3_reduce` and `block/5x5_reduce`: what the names share, in whole words, once.
pub(super) fn joined_name<'a>(names: impl Iterator<Item = &'a str>) -> String {
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
