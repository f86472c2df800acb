//! What a picture of a network says, before anything has a place: a leaf for each layer and, where there are
//! several, each head; the edges between them; and the blocks, layers whose names share what stands before a
//! slash, one within another.

use crate::graph::{Kind, Node, Pass};
use crate::network::{Head, LayerRow, Model};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a layer is for, which colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    Input,
    Convolution,
    Pooling,
    Dense,
    /// Several tensors become one.
    Merge,
    /// The same numbers in another shape.
    Shape,
    Normalization,
    /// Element by element: activations, dropout.
    Activation,
    Other,
}

impl Family {
    /// By Keras's class name.
    fn of(kind: &str) -> Family {
        let ends = |ends: &[&str]| ends.iter().any(|end| kind.ends_with(end));
        let begins = |begins: &[&str]| begins.iter().any(|begin| kind.starts_with(begin));
        match kind {
            "InputLayer" => Family::Input,
            "Concatenate" | "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" => {
                Family::Merge
            }
            "Softmax" | "Activation" => Family::Activation,
            _ if kind.contains("Pooling") => Family::Pooling,
            _ if kind.contains("Conv") => Family::Convolution,
            _ if ends(&["Normalization"]) => Family::Normalization,
            _ if ends(&["Dense"]) => Family::Dense,
            _ if ends(&["Dropout", "LU", "Dropout1D", "Dropout2D"]) => Family::Activation,
            _ if begins(&[
                "Flatten", "Reshape", "Permute", "ZeroPad", "Crop", "UpSampl", "Resiz",
            ]) =>
            {
                Family::Shape
            }
            _ => Family::Other,
        }
    }
}

/// A box: a layer, or a head.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The layer's whole name, or the head's.
    pub name: String,
    pub what: What,
    /// Numbers of the leaves that it reads, in its order.
    pub inputs: Vec<usize>,
}

#[derive(Clone, Debug)]
pub enum What {
    Layer(Layer),
    /// The head that predictions come from, or another and its share of the loss.
    Head {
        weight: Option<f32>,
    },
}

#[derive(Clone, Debug)]
pub struct Layer {
    /// Keras's class name.
    pub kind: &'static str,
    pub family: Family,
    /// What counts most of its arguments, `3×3, stride 2, ReLU` say; may be empty.
    pub detail: String,
    /// Keras's arguments as `name=value`.
    pub arguments: Vec<String>,
    /// Extents without the batch.
    pub takes: Vec<Vec<u32>>,
    pub makes: Vec<u32>,
    pub parameters: usize,
    /// Its weights stay as they are.
    pub is_frozen: bool,
    /// The layer whose tensors it uses.
    pub shares: Option<String>,
}

/// Leaves and blocks, in the network's order.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Leaf(usize),
    Block(Block),
}

/// Layers whose names begin so.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Without the last slash; empty for the whole network.
    pub name: String,
    pub items: Vec<Item>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Content {
    pub title: String,
    /// A line below the title.
    pub about: String,
    pub leaves: Vec<Leaf>,
    pub network: Block,
}

impl Content {
    pub fn of(model: &Model) -> Content {
        let mut leaves: Vec<Leaf> = model.layers.iter().map(|row| leaf(model, row)).collect();
        if let [_, _, ..] = model.heads[..] {
            leaves.extend(model.heads.iter().map(|head| head_leaf(model, head)));
        }
        let mut network = tree(&leaves);
        tidy(&mut network, &leaves);
        let [h, w, c] = model.image_shape();
        Content {
            title: model.name.clone(),
            about: format!(
                "{} parameters, images of {}, {} classes",
                grouped(model.parameters()),
                extents(&[h, w, c]),
                model.classes,
            ),
            leaves,
            network,
        }
    }
}

fn leaf(model: &Model, row: &LayerRow) -> Leaf {
    let graph = &model.graph;
    let named = |node: &&Node| node.name == row.name && node.pass == Pass::Forward;
    let nodes: Vec<&Node> = graph.nodes.iter().filter(named).collect();
    let without_batch = |id: usize| graph.shape(id).0[1..].to_vec();
    let (first, behind) = match nodes.split_first() {
        Some((first, behind)) => (Some(*first), behind),
        None => (None, &[][..]),
    };
    let own = first.map_or(&[][..], |node| &node.own);
    let shares = own.iter().find_map(|&id| {
        let (owner, _) = graph.tensors[id].name.rsplit_once('/')?;
        (owner != row.name).then(|| owner.to_string())
    });
    let config = first.map_or(Value::Null, |node| node.layer.config());
    let number = |name: &String| model.layers.iter().position(|other| other.name == *name);
    Leaf {
        name: row.name.clone(),
        inputs: row.inputs.iter().filter_map(number).collect(),
        what: What::Layer(Layer {
            kind: row.kind,
            family: Family::of(row.kind),
            detail: detail(&config, behind),
            arguments: arguments(&config, behind),
            takes: first
                .map_or(&[][..], |node| &node.inputs)
                .iter()
                .map(|&id| without_batch(id))
                .collect(),
            makes: without_batch(row.output),
            parameters: row.parameters,
            is_frozen: own.iter().any(|&id| graph.tensors[id].kind == Kind::Frozen),
            shares,
        }),
    }
}

fn head_leaf(model: &Model, head: &Head) -> Leaf {
    let is_main = head.name.is_empty();
    let logits = model
        .layers
        .iter()
        .position(|row| row.output == head.logits);
    Leaf {
        name: if is_main {
            "predictions".into()
        } else {
            head.name.clone()
        },
        what: What::Head {
            weight: (!is_main).then_some(head.weight),
        },
        inputs: logits.into_iter().collect(),
    }
}

/// A window, a stride, a rate, and what is applied behind.
fn detail(config: &Value, behind: &[&Node]) -> String {
    let pair = |name: &str| {
        let pair: Vec<u64> = config
            .get(name)?
            .as_array()?
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        <[u64; 2]>::try_from(pair).ok()
    };
    let mut said = Vec::new();
    said.extend(
        ["kernel_size", "pool_size"]
            .into_iter()
            .filter_map(pair)
            .map(|[h, w]| format!("{h}×{w}")),
    );
    match pair("strides") {
        None | Some([1, 1]) => {}
        Some([h, w]) if h == w => said.push(format!("stride {h}")),
        Some([h, w]) => said.push(format!("stride {h}×{w}")),
    }
    if let Some(rate) = config.get("rate").and_then(Value::as_f64) {
        said.push(format!("{rate}"));
    }
    let configs = [config.clone()]
        .into_iter()
        .chain(behind.iter().map(|node| node.layer.config()));
    let functions: Vec<Value> = configs
        .filter_map(|c| c.get("activation").cloned())
        .collect();
    said.extend(
        functions
            .iter()
            .filter_map(Value::as_str)
            .map(|name| match name {
                "relu" => "ReLU".into(),
                other => other.into(),
            }),
    );
    said.join(", ")
}

fn arguments(config: &Value, behind: &[&Node]) -> Vec<String> {
    let of = |config: &Value| -> Vec<String> {
        let object = config.as_object().into_iter().flatten();
        object
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    };
    let configs = behind.iter().map(|node| of(&node.layer.config()));
    [of(config)].into_iter().chain(configs).flatten().collect()
}

/// Blocks by the names alone; a head stands with the layer that it reads.
fn tree(leaves: &[Leaf]) -> Block {
    let mut network = Block {
        name: String::new(),
        items: Vec::new(),
    };
    let is_layer = |leaf: &&Leaf| matches!(leaf.what, What::Layer(_));
    let holds = |prefix: &str| {
        leaves.iter().filter(is_layer).any(|leaf| {
            let rest = leaf.name.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    };
    for (number, leaf) in leaves.iter().enumerate() {
        let beside = match leaf.inputs[..] {
            [logits] if !is_layer(&leaf) => &leaves[logits],
            _ => leaf,
        };
        let mut block = &mut network;
        let ends = beside.name.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([beside.name.len()]) {
            if holds(&beside.name[..end]) {
                block = block.inner(&beside.name[..end]);
            }
        }
        block.items.push(Item::Leaf(number));
    }
    network
}

impl Block {
    /// The block of that name in this one.
    fn inner(&mut self, name: &str) -> &mut Block {
        let is_it = |item: &Item| matches!(item, Item::Block(block) if block.name == name);
        let at = self.items.iter().position(is_it).unwrap_or_else(|| {
            self.items.push(Item::Block(Block {
                name: name.into(),
                items: Vec::new(),
            }));
            self.items.len() - 1
        });
        match &mut self.items[at] {
            Item::Block(block) => block,
            Item::Leaf(_) => unreachable!("its position is that of a block"),
        }
    }

    /// All leaves, however deep.
    pub fn leaves(&self) -> Vec<usize> {
        let of = |item: &Item| match item {
            Item::Leaf(leaf) => vec![*leaf],
            Item::Block(block) => block.leaves(),
        };
        self.items.iter().flat_map(of).collect()
    }
}

/// Opens blocks that would be a frame around one thing, and those that cannot be drawn: what they hold lies
/// before and behind something outside.
fn tidy(block: &mut Block, leaves: &[Leaf]) {
    loop {
        let circles = in_circles(block, leaves);
        let opens = |(i, item): (usize, &Item)| match item {
            Item::Block(inner) => circles[i] || inner.items.len() < 2,
            Item::Leaf(_) => false,
        };
        let Some(at) = block.items.iter().enumerate().position(opens) else {
            break;
        };
        if let Item::Block(inner) = block.items.remove(at) {
            block.items.splice(at..at, inner.items);
        }
    }
    for item in &mut block.items {
        if let Item::Block(inner) = item {
            tidy(inner, leaves);
        }
    }
}

/// Which items lie on a circle, or between two, if each block is one thing.
fn in_circles(block: &Block, leaves: &[Leaf]) -> Vec<bool> {
    let edges = edges(block, leaves);
    let mut left = vec![true; block.items.len()];
    loop {
        let before = left.clone();
        for (i, is_left) in left.iter_mut().enumerate() {
            let ends = |end: fn(&(usize, usize)) -> (usize, usize)| {
                let mut ends = edges.iter().map(end);
                ends.any(|(this, other)| this == i && before[other])
            };
            *is_left &= ends(|&(a, b)| (a, b)) && ends(|&(a, b)| (b, a));
        }
        if left == before {
            return left;
        }
    }
}

/// The edges between the items of a block.
fn edges(block: &Block, leaves: &[Leaf]) -> Vec<(usize, usize)> {
    let item_of = items_of(block);
    let mut edges = Vec::new();
    for (&leaf, &to) in &item_of {
        let from = leaves[leaf]
            .inputs
            .iter()
            .filter_map(|input| item_of.get(input));
        edges.extend(from.filter(|&&from| from != to).map(|&from| (from, to)));
    }
    edges
}

/// The item that each leaf of a block lies in.
pub(super) fn items_of(block: &Block) -> BTreeMap<usize, usize> {
    let mut items = BTreeMap::new();
    for (number, item) in block.items.iter().enumerate() {
        match item {
            Item::Leaf(leaf) => {
                items.insert(*leaf, number);
            }
            Item::Block(inner) => {
                items.extend(inner.leaves().into_iter().map(|leaf| (leaf, number)))
            }
        }
    }
    items
}

/// A name as it is told inside a block: without what the frame says.
pub(super) fn short<'a>(name: &'a str, block: &str) -> &'a str {
    let rest = name
        .strip_prefix(block)
        .and_then(|rest| rest.strip_prefix('/'));
    match rest {
        Some(rest) => rest,
        // The block's own last layer.
        None if !block.is_empty() && name == block => name.rsplit('/').next().unwrap_or(name),
        None => name,
    }
}

/// `28×28×192`.
pub(super) fn extents(shape: &[u32]) -> String {
    let extents: Vec<String> = shape
        .iter()
        .map(|&extent| grouped(extent as usize))
        .collect();
    extents.join("×")
}

/// Several shapes in one line: `28×28×(64 + 128 + 32)` where they differ in channels alone.
pub(super) fn all_extents(shapes: &[Vec<u32>]) -> String {
    let told: Vec<String> = shapes.iter().map(|shape| extents(shape)).collect();
    let pixels = |shape: &Vec<u32>| shape[..shape.len().saturating_sub(1)].to_vec();
    let kinds: BTreeSet<&String> = told.iter().collect();
    match shapes {
        [] | [_] => told.join(""),
        _ if kinds.len() == 1 => format!("{} of {}", shapes.len(), told[0]),
        [first, rest @ ..] if rest.iter().all(|shape| pixels(shape) == pixels(first)) => {
            let channels: Vec<String> = shapes
                .iter()
                .filter_map(|shape| shape.last())
                .map(u32::to_string)
                .collect();
            let channels = format!("({})", channels.join(" + "));
            match pixels(first)[..] {
                [] => channels,
                ref pixels => format!("{}×{channels}", extents(pixels)),
            }
        }
        _ => told.join(", "),
    }
}

/// 83760487 as `83,760,487`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
