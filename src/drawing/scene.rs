//! A picture as data: marks in their places, each with a style of the palette. `svg` writes it as text, `raster`
//! as pixels.

use super::palette::Style;

/// All marks, from back to front.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub width: f64,
    pub height: f64,
    pub title: String,
    pub about: String,
    pub marks: Vec<Mark>,
}

#[derive(Clone, Debug)]
pub enum Mark {
    Rectangle {
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        radius: f64,
        style: Style,
    },
    Path {
        steps: Vec<Step>,
        style: Style,
    },
    /// A line of text; `x` is where it begins or its middle, `y` where it stands.
    Text {
        x: f64,
        y: f64,
        is_centred: bool,
        spans: Vec<(String, Style)>,
    },
    /// Pixels, each a square of the picture: nothing is smoothed.
    Picture {
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        /// Columns and rows.
        size: [usize; 2],
        /// Red, green, blue of each.
        pixels: Vec<u8>,
    },
    /// Marks that have a tooltip.
    Titled {
        title: String,
        marks: Vec<Mark>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Move([f64; 2]),
    Line([f64; 2]),
    Curve([[f64; 2]; 3]),
    Close,
}

impl Mark {
    /// The same, further right and down.
    pub fn shifted(mut self, right: f64, down: f64) -> Mark {
        let shift = |point: &mut [f64; 2]| {
            point[0] += right;
            point[1] += down;
        };
        match &mut self {
            Mark::Rectangle { left, top, .. } | Mark::Picture { left, top, .. } => {
                *left += right;
                *top += down;
            }
            Mark::Text { x, y, .. } => {
                *x += right;
                *y += down;
            }
            Mark::Path { steps, .. } => {
                for step in steps {
                    match step {
                        Step::Move(to) | Step::Line(to) => shift(to),
                        Step::Curve(points) => points.iter_mut().for_each(shift),
                        Step::Close => {}
                    }
                }
            }
            Mark::Titled { marks, .. } => {
                let inner = std::mem::take(marks).into_iter();
                *marks = inner.map(|mark| mark.shifted(right, down)).collect();
            }
        }
        self
    }
}
