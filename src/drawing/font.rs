//! The letters: Inter, two weights, Latin-1 and a few signs, embedded so that text measures and looks the same
//! on every machine. Text in, widths and outlines out.

use super::palette::Style;
use super::scene::Step;
use std::sync::LazyLock;
use ttf_parser::{Face, OutlineBuilder};

static REGULAR: LazyLock<Face> =
    LazyLock::new(|| face(include_bytes!("../../data/font/Inter-Regular.otf")));
static BOLD: LazyLock<Face> =
    LazyLock::new(|| face(include_bytes!("../../data/font/Inter-SemiBold.otf")));

fn face(bytes: &'static [u8]) -> Face<'static> {
    Face::parse(bytes, 0).expect("a font of ours")
}

/// The face of a style, and pixels of one of its units.
fn of(style: Style) -> (&'static Face<'static>, f64) {
    let look = style.look();
    let face: &Face = if look.is_bold { &BOLD } else { &REGULAR };
    (face, f64::from(look.size) / f64::from(face.units_per_em()))
}

/// How wide a line is, pixels.
pub(super) fn width(text: &str, style: Style) -> f64 {
    let (face, scale) = of(style);
    text.chars().map(|c| advance(face, c)).sum::<f64>() * scale
}

/// The width of a letter, in the font's units. A letter that the font lacks is an empty box.
fn advance(face: &Face, letter: char) -> f64 {
    let glyph = face.glyph_index(letter).unwrap_or_default();
    f64::from(face.glyph_hor_advance(glyph).unwrap_or_default())
}

/// The outlines of a line that begins at `x` and stands on `y`.
pub(super) fn outlines(text: &str, style: Style, x: f64, y: f64) -> Vec<Step> {
    let (face, scale) = of(style);
    let mut pen = Pen {
        steps: Vec::new(),
        x,
        y,
        scale,
        at: [0.0; 2],
    };
    for letter in text.chars() {
        let glyph = face.glyph_index(letter).unwrap_or_default();
        // A space has none.
        let _bounds = face.outline_glyph(glyph, &mut pen);
        pen.x += advance(face, letter) * scale;
    }
    pen.steps
}

struct Pen {
    steps: Vec<Step>,
    x: f64,
    y: f64,
    scale: f64,
    /// Where the outline is.
    at: [f64; 2],
}

impl Pen {
    fn point(&self, x: f32, y: f32) -> [f64; 2] {
        [
            self.x + f64::from(x) * self.scale,
            self.y - f64::from(y) * self.scale,
        ]
    }

    fn step(&mut self, step: Step, at: [f64; 2]) {
        self.steps.push(step);
        self.at = at;
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let to = self.point(x, y);
        self.step(Step::Move(to), to);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.point(x, y);
        self.step(Step::Line(to), to);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (pull, to) = (self.point(x1, y1), self.point(x, y));
        let towards = |end: [f64; 2]| [0, 1].map(|i| end[i] + (pull[i] - end[i]) * 2.0 / 3.0);
        self.step(Step::Curve([towards(self.at), towards(to), to]), to);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let to = self.point(x, y);
        self.step(
            Step::Curve([self.point(x1, y1), self.point(x2, y2), to]),
            to,
        );
    }

    fn close(&mut self) {
        self.steps.push(Step::Close);
    }
}
