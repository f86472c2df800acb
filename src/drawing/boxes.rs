//! The boxes of leaves: what stands in them, how large they are, their marks and tooltips.

use super::content::{Layer, Leaf, What, all_extents, extents, grouped, short};
use super::font;
use super::palette::Style;
use super::scene::{Mark, Step};

/// Room left and right of the text.
const SIDE: f64 = 12.0;
/// Letters that stand in for those of the font may be wider by so much.
const WIDER: f64 = 1.08;
/// Narrower boxes grow to the width of their widest neighbour up to this.
const EVEN: f64 = 210.0;
const NARROWEST: f64 = 96.0;
/// A longer line of shapes becomes two.
const LONG: f64 = 230.0;
const LINE: f64 = 15.5;
const PILL: f64 = 28.0;

type Spans = Vec<(String, Style)>;

/// A box before it has a place.
pub(super) struct Card {
    pub width: f64,
    pub height: f64,
    title: String,
    lines: Vec<Spans>,
    /// The lines below the rule.
    facts: Vec<Spans>,
    look: Style,
}

impl Card {
    /// Of a leaf that stands in the block of that name.
    pub(super) fn of(leaf: &Leaf, block: &str, shapes: bool) -> Card {
        match &leaf.what {
            What::Layer(layer) => layer_card(leaf, layer, short(&leaf.name, block), shapes),
            What::Head { weight } => head_card(leaf, *weight),
        }
    }

    /// The same, at least that wide.
    pub(super) fn widened(mut self, width: f64) -> Card {
        if self.look != Style::Head {
            self.width = self.width.max(width);
        }
        self
    }

    /// Its marks, the left upper corner at 0, 0.
    pub(super) fn marks(self) -> Mark {
        let is_pill = self.look == Style::Head;
        let mut marks = vec![Mark::Rectangle {
            left: 0.0,
            top: 0.0,
            width: self.width,
            height: self.height,
            radius: if is_pill { PILL / 2.0 } else { 8.0 },
            style: self.look,
        }];
        let mut y = 18.5;
        let write = |lines: Vec<Spans>, y: &mut f64, marks: &mut Vec<Mark>| {
            for spans in lines {
                marks.push(Mark::Text {
                    x: self.width / 2.0,
                    y: *y,
                    is_centred: true,
                    spans,
                });
                *y += LINE;
            }
        };
        write(self.lines, &mut y, &mut marks);
        if let (false, Style::Box(family)) = (self.facts.is_empty(), self.look) {
            let at = y - LINE + 9.5;
            marks.push(Mark::Path {
                steps: vec![Step::Move([0.0, at]), Step::Line([self.width, at])],
                style: Style::Rule(family),
            });
            y += 10.0;
            write(self.facts, &mut y, &mut marks);
        }
        Mark::Titled {
            title: self.title,
            marks,
        }
    }
}

/// The width that neighbours are given: that of the widest, where they are not too different.
pub(super) fn even_width<'a>(cards: impl Iterator<Item = &'a Card>) -> f64 {
    let widths = cards
        .filter(|card| card.look != Style::Head)
        .map(|card| card.width);
    widths.filter(|&width| width <= EVEN).fold(0.0, f64::max)
}

fn measured(title: String, lines: Vec<Spans>, facts: Vec<Spans>, look: Style) -> Card {
    let width = |spans: &Spans| -> f64 {
        let widths = spans.iter().map(|(text, style)| font::width(text, *style));
        widths.sum()
    };
    let widest = lines.iter().chain(&facts).map(width).fold(0.0, f64::max);
    let under = match facts.len() {
        0 => 0.0,
        lines => 10.0 + lines as f64 * LINE,
    };
    let height = if look == Style::Head {
        PILL
    } else {
        12.0 + lines.len() as f64 * LINE + under
    };
    Card {
        width: (widest * WIDER + 2.0 * SIDE).max(NARROWEST).ceil(),
        height,
        title,
        lines,
        facts,
        look,
    }
}

fn layer_card(leaf: &Leaf, layer: &Layer, name: &str, shapes: bool) -> Card {
    let mut class = vec![(layer.kind.to_string(), Style::Class(layer.family))];
    if !layer.detail.is_empty() {
        class.push((format!("\u{a0} {}", layer.detail), Style::Detail));
    }
    let lines = vec![vec![(name.to_string(), Style::Name)], class];
    let facts = if shapes { facts(layer) } else { Vec::new() };
    measured(tooltip(leaf, layer), lines, facts, Style::Box(layer.family))
}

fn head_card(leaf: &Leaf, weight: Option<f32>) -> Card {
    let mut spans = vec![(leaf.name.clone(), Style::HeadName)];
    let title = match weight {
        Some(weight) => {
            spans.push((format!("\u{a0} loss × {weight}"), Style::HeadDetail));
            format!(
                "{}: an auxiliary head, whose loss counts {weight} times",
                leaf.name
            )
        }
        None => "the head that predictions come from".into(),
    };
    measured(title, vec![spans], Vec::new(), Style::Head)
}

/// Input and output shapes, parameters.
fn facts(layer: &Layer) -> Vec<Spans> {
    let line = |text: String| vec![(text, Style::Detail)];
    let makes = extents(&layer.makes);
    let mut facts = match (all_extents(&layer.takes), makes) {
        (takes, makes) if takes.is_empty() => vec![line(makes)],
        (takes, makes) => {
            let both = format!("{takes} → {makes}");
            match font::width(&both, Style::Detail) <= LONG {
                true => vec![line(both)],
                false => vec![line(takes), line(format!("→ {makes}"))],
            }
        }
    };
    facts.push(line(weights(layer)));
    facts
}

/// What the layer owns.
fn weights(layer: &Layer) -> String {
    let frozen = if layer.is_frozen { ", frozen" } else { "" };
    match (&layer.shares, layer.parameters) {
        (Some(owner), _) => format!("parameters of {owner}"),
        (None, 0) => "no parameters".into(),
        (None, n) => format!("{} parameters{frozen}", grouped(n)),
    }
}

fn tooltip(leaf: &Leaf, layer: &Layer) -> String {
    let tuple = |shape: &Vec<u32>| {
        let dims: Vec<String> = shape.iter().map(u32::to_string).collect();
        format!("(batch, {})", dims.join(", "))
    };
    let takes: Vec<String> = layer.takes.iter().map(tuple).collect();
    let mut lines = vec![
        leaf.name.clone(),
        format!("{}({})", layer.kind, layer.arguments.join(", ")),
    ];
    if !takes.is_empty() {
        lines.push(format!("takes {}", takes.join(", ")));
    }
    lines.push(format!("makes {}", tuple(&layer.makes)));
    lines.push(weights(layer));
    lines.join("\n")
}
