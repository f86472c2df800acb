//! A network's content as a scene: each block is laid out by itself, from the innermost to the whole, and is one
//! node of the block around it. Edges go in and out of its frame through ports, so that no frame lies over
//! another and no edge over a box.

use super::boxes::{Card, even_width};
use super::content::{Block, Content, Item, Leaf, What, extents, grouped, items_of, short};
use super::font;
use super::layout::{Edge, Gaps, Layout, Node, Pin, Stretch, layout};
use super::palette::Style;
use super::scene::{Mark, Scene, Step};
use std::collections::{BTreeMap, BTreeSet};

const GAPS: Gaps = Gaps {
    beside: 22.0,
    below: 30.0,
    ports: 20.0,
};

/// Around the whole picture, and inside a frame.
const MARGIN: f64 = 36.0;
const PAD: f64 = 18.0;
/// A frame's top where no edge enters.
const STRIP: f64 = 34.0;
/// Title and line below it.
const HEADER: f64 = 58.0;
/// How wide a port is, beside others.
const PORT: f64 = 16.0;

/// A part of the picture, the left upper corner at 0, 0.
struct Sketch {
    width: f64,
    height: f64,
    marks: Vec<Mark>,
    /// For each leaf outside that something inside reads: where its edge enters, right of the middle.
    enters: BTreeMap<usize, f64>,
    /// For each leaf inside that something outside reads: where its edge leaves.
    leaves: BTreeMap<usize, f64>,
}

/// The whole picture.
pub(super) fn scene(content: &Content, shapes: bool) -> Scene {
    let drawing = Drawing::new(content, shapes);
    let network = drawing.inside(&content.network, 0);
    let title = font::width(&content.title, Style::Title);
    let about = font::width(&content.about, Style::About);
    let inner = network.width.max(title).max(about);
    let (width, height) = (inner + 2.0 * MARGIN, network.height + HEADER + 2.0 * MARGIN);
    let mut marks = vec![Mark::Rectangle {
        left: 0.0,
        top: 0.0,
        width: width.ceil(),
        height: height.ceil(),
        radius: 0.0,
        style: Style::Paper,
    }];
    for (text, style, y) in [
        (&content.title, Style::Title, MARGIN + 17.0),
        (&content.about, Style::About, MARGIN + 38.0),
    ] {
        marks.push(Mark::Text {
            x: MARGIN,
            y,
            is_centred: false,
            spans: vec![(text.clone(), style)],
        });
    }
    let left = MARGIN + (inner - network.width) / 2.0;
    let shifted = network.marks.into_iter();
    marks.extend(shifted.map(|mark| mark.shifted(left, MARGIN + HEADER)));
    Scene {
        width: width.ceil(),
        height: height.ceil(),
        title: content.title.clone(),
        about: content.about.clone(),
        marks,
    }
}

struct Drawing<'a> {
    content: &'a Content,
    shapes: bool,
    /// The width of boxes, by what a block holds: blocks that are alike look alike.
    widths: BTreeMap<Vec<String>, f64>,
}

/// The nodes of a block: its items, then the ports where edges enter, then those where they leave.
struct Nodes {
    /// Leaves outside that are read inside, and leaves inside that are read outside.
    sources: Vec<usize>,
    sinks: Vec<usize>,
    nodes: Vec<Node>,
}

impl<'a> Drawing<'a> {
    fn new(content: &'a Content, shapes: bool) -> Drawing<'a> {
        let mut drawing = Drawing {
            content,
            shapes,
            widths: BTreeMap::new(),
        };
        drawing.measure(&content.network);
        drawing
    }

    fn leaf(&self, leaf: usize) -> &Leaf {
        &self.content.leaves[leaf]
    }

    /// What a block holds, without its frame.
    fn inside(&self, block: &Block, depth: u8) -> Sketch {
        let sketches = self.items(block, depth);
        let nodes = self.nodes(block, &sketches);
        let (edges, carried) = self.edges(block, &sketches, &nodes);
        let mut layout = layout(&nodes.nodes, &edges, &GAPS);
        straighten(&mut layout, &edges, &nodes, block.items.len());
        let middle = layout.width / 2.0;
        let count = block.items.len();
        let port = |behind: usize| layout.tops[count + behind][0] - middle;
        let sources = nodes.sources.iter().enumerate();
        let enters = sources.map(|(i, &leaf)| (leaf, port(i))).collect();
        let sinks = nodes.sinks.iter().enumerate();
        let leaves = sinks
            .map(|(i, &leaf)| (leaf, port(nodes.sources.len() + i)))
            .collect();
        let mut marks = self.lines(&layout, &edges, &carried, count);
        for (sketch, [x, y]) in sketches.into_iter().zip(&layout.tops) {
            let left = x - sketch.width / 2.0;
            marks.extend(sketch.marks.into_iter().map(|mark| mark.shifted(left, *y)));
        }
        Sketch {
            width: layout.width,
            height: layout.height,
            marks,
            enters,
            leaves,
        }
    }

    fn items(&self, block: &Block, depth: u8) -> Vec<Sketch> {
        let width = self.widths[&self.parts(block)];
        let sketch = |item: &Item| match item {
            Item::Block(inner) => self.framed(inner, &block.name, depth),
            Item::Leaf(leaf) => Sketch::of(self.card(*leaf, block).widened(width)),
        };
        block.items.iter().map(sketch).collect()
    }

    fn card(&self, leaf: usize, block: &Block) -> Card {
        Card::of(self.leaf(leaf), &block.name, self.shapes)
    }

    /// Names of what a block holds, without its own.
    fn parts(&self, block: &Block) -> Vec<String> {
        let mut parts = Vec::new();
        for item in &block.items {
            let name = match item {
                Item::Leaf(leaf) => &self.leaf(*leaf).name,
                Item::Block(inner) => &inner.name,
            };
            if *name != block.name {
                parts.push(short(name, &block.name).to_string());
            }
        }
        parts
    }

    /// Fills the widths for a block and all in it.
    fn measure(&mut self, block: &Block) {
        let leaf = |item: &Item| match item {
            Item::Leaf(leaf) => Some(self.card(*leaf, block)),
            Item::Block(_) => None,
        };
        let cards: Vec<Card> = block.items.iter().filter_map(leaf).collect();
        let even = even_width(cards.iter());
        let width = self.widths.entry(self.parts(block)).or_default();
        *width = width.max(even);
        for item in &block.items {
            if let Item::Block(inner) = item {
                self.measure(inner);
            }
        }
    }

    fn nodes(&self, block: &Block, sketches: &[Sketch]) -> Nodes {
        let inside: BTreeSet<usize> = block.leaves().into_iter().collect();
        let reads = |leaf: &usize| self.leaf(*leaf).inputs.iter().copied();
        let outside = inside
            .iter()
            .flat_map(reads)
            .filter(|leaf| !inside.contains(leaf));
        let sources: BTreeSet<usize> = outside.collect();
        let others = (0..self.content.leaves.len()).filter(|leaf| !inside.contains(leaf));
        let sinks: BTreeSet<usize> = others
            .flat_map(|leaf| reads(&leaf))
            .filter(|leaf| inside.contains(leaf))
            .collect();
        let size = |sketch: &Sketch| Node {
            width: sketch.width,
            height: sketch.height,
            pin: Pin::Free,
        };
        let port = |pin| Node {
            width: PORT,
            height: 0.0,
            pin,
        };
        let mut nodes: Vec<Node> = sketches.iter().map(size).collect();
        nodes.extend(sources.iter().map(|_| port(Pin::First)));
        nodes.extend(sinks.iter().map(|_| port(Pin::Last)));
        Nodes {
            sources: sources.into_iter().collect(),
            sinks: sinks.into_iter().collect(),
            nodes,
        }
    }

    /// The edges of a block, and the leaf whose output each carries.
    fn edges(&self, block: &Block, sketches: &[Sketch], nodes: &Nodes) -> (Vec<Edge>, Vec<usize>) {
        let item_of = items_of(block);
        let count = block.items.len();
        let from = |leaf: usize| match item_of.get(&leaf) {
            Some(&item) => (
                item,
                sketches[item].leaves.get(&leaf).copied().unwrap_or(0.0),
            ),
            None => {
                let port = nodes.sources.iter().position(|&source| source == leaf);
                (count + port.expect("a port for each"), 0.0)
            }
        };
        let mut edges = Vec::new();
        let mut carried = Vec::new();
        let mut add = |leaf: usize, to: usize, enters: Option<f64>| {
            let (from, leaves) = from(leaf);
            edges.push(Edge {
                from,
                to,
                leaves,
                enters,
            });
            carried.push(leaf);
        };
        for (to, item) in block.items.iter().enumerate() {
            match item {
                Item::Leaf(leaf) => {
                    let inputs = self.leaf(*leaf).inputs.iter();
                    inputs.for_each(|&input| add(input, to, None));
                }
                Item::Block(_) => {
                    let ports = sketches[to].enters.iter();
                    ports.for_each(|(&source, &at)| add(source, to, Some(at)));
                }
            }
        }
        for (i, &sink) in nodes.sinks.iter().enumerate() {
            add(sink, count + nodes.sources.len() + i, Some(0.0));
        }
        (edges, carried)
    }

    /// The edges as curves; those that reach a box end in a tip.
    fn lines(&self, layout: &Layout, edges: &[Edge], carried: &[usize], items: usize) -> Vec<Mark> {
        let line = |((route, edge), &leaf): ((&Vec<Stretch>, &Edge), &usize)| {
            let is_final = edge.to < items && edge.enters.is_none();
            let mut marks = vec![Mark::Path {
                steps: curve(route, is_final),
                style: Style::Edge,
            }];
            if let (true, Some(end)) = (is_final, route.last()) {
                marks.push(tip(end.x, end.bottom));
            }
            let title = match &self.leaf(leaf).what {
                What::Layer(layer) => {
                    format!("{}: {}", self.leaf(leaf).name, extents(&layer.makes))
                }
                What::Head { .. } => self.leaf(leaf).name.clone(),
            };
            Mark::Titled { title, marks }
        };
        layout
            .routes
            .iter()
            .zip(edges)
            .zip(carried)
            .map(line)
            .collect()
    }

    /// A block with its frame.
    fn framed(&self, block: &Block, around: &str, depth: u8) -> Sketch {
        let inner = self.inside(block, depth + 1);
        let name = short(&block.name, around);
        let title = font::width(name, Style::FrameName);
        let above = if inner.enters.is_empty() { STRIP } else { 0.0 };
        let below = if inner.leaves.is_empty() { PAD } else { 0.0 };
        // The title keeps clear of the first edge that enters.
        let first = inner.enters.values().copied().fold(f64::INFINITY, f64::min);
        let needed = (title + 34.0 - first.min(title / 2.0)) * 2.0;
        let width = (inner.width + 2.0 * PAD).max(needed);
        let height = inner.height + above + below;
        let frame = Mark::Rectangle {
            left: 0.0,
            top: 0.0,
            width,
            height,
            radius: 14.0,
            style: Style::Frame(depth),
        };
        let text = Mark::Text {
            x: 14.0,
            y: 21.0,
            is_centred: false,
            spans: vec![(name.to_string(), Style::FrameName)],
        };
        let about = self.frame_about(block);
        let mut marks = vec![Mark::Titled {
            title: format!("{}\n{about}", block.name),
            marks: vec![frame, text],
        }];
        let left = (width - inner.width) / 2.0;
        marks.extend(
            inner
                .marks
                .into_iter()
                .map(|mark| mark.shifted(left, above)),
        );
        Sketch {
            width,
            height,
            marks,
            ..inner
        }
    }

    fn frame_about(&self, block: &Block) -> String {
        let parameters = |&leaf: &usize| match &self.leaf(leaf).what {
            What::Layer(layer) => layer.parameters,
            What::Head { .. } => 0,
        };
        let leaves = block.leaves();
        let sum: usize = leaves.iter().map(parameters).sum();
        format!("{} layers, {} parameters", leaves.len(), grouped(sum))
    }
}

/// What goes in and out of a block by one port each leaves where it came in: a trunk of many blocks would become
/// stairs otherwise.
fn straighten(layout: &mut Layout, edges: &[Edge], nodes: &Nodes, items: usize) {
    if let ([_], [_]) = (&nodes.sources[..], &nodes.sinks[..]) {
        let (enters, leaves) = (items, items + 1);
        let x = layout.tops[enters][0];
        layout.tops[leaves][0] = x;
        for (edge, route) in edges.iter().zip(&mut layout.routes) {
            if let (true, Some(end)) = (edge.to == leaves, route.last_mut()) {
                end.x = x;
            }
        }
    }
}

impl Sketch {
    fn of(card: Card) -> Sketch {
        Sketch {
            width: card.width,
            height: card.height,
            marks: vec![card.marks()],
            enters: BTreeMap::new(),
            leaves: BTreeMap::new(),
        }
    }
}

/// Through all stretches; with a tip it ends a little earlier.
fn curve(route: &[Stretch], has_tip: bool) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let last = route.len().saturating_sub(1);
    for (i, stretch) in route.iter().enumerate() {
        let top = [stretch.x, stretch.top];
        match i.checked_sub(1).map(|before| route[before]) {
            None => steps.push(Step::Move(top)),
            Some(before) if (before.x - stretch.x).abs() < 0.5 => steps.push(Step::Line(top)),
            Some(before) => {
                let pull = (stretch.top - before.bottom) * 0.55;
                let leaving = [before.x, before.bottom + pull];
                let entering = [stretch.x, stretch.top - pull];
                steps.push(Step::Curve([leaving, entering, top]));
            }
        }
        let short = if has_tip && i == last { 4.0 } else { 0.0 };
        let bottom = stretch.bottom - short;
        if (bottom - stretch.top).abs() > 0.05 {
            steps.push(Step::Line([stretch.x, bottom]));
        }
    }
    steps
}

fn tip(x: f64, y: f64) -> Mark {
    Mark::Path {
        steps: vec![
            Step::Move([x, y - 0.5]),
            Step::Line([x - 4.0, y - 8.0]),
            Step::Line([x + 4.0, y - 8.0]),
            Step::Close,
        ],
        style: Style::Tip,
    }
}
