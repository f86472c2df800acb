//! The 48×48 canvas and the one shape everything on it is made of.

use super::SIZE;
use std::ops::Range;

/// No shape is thinner, for distances divide by its half width and heights.
const THINNEST: f32 = 0.004;

/// A bent superellipse: head, hair, eyes, brows, lips and creases are all
/// this, from a disc (`square` 0) to a rounded box (`square` 1), with its own
/// reach above and below a centre line that may slope and bend.
///
/// Face units: the head is about 1.6 wide and 2 high around the origin; x
/// grows to the right, y downward.
#[derive(Clone, Copy)]
pub struct Blob {
    x: f32,
    y: f32,
    half_width: f32,
    above: f32,
    below: f32,
    slope: f32,
    bend: f32,
    square: f32,
    axis: [f32; 2],
}

impl Blob {
    pub fn new(x: f32, y: f32, half_width: f32, half_height: f32) -> Self {
        Self {
            x,
            y,
            half_width,
            above: half_height,
            below: half_height,
            slope: 0.0,
            bend: 0.0,
            square: 0.0,
            axis: [1.0, 0.0],
        }
    }

    /// Its reaches above and below the centre line.
    pub fn heights(self, above: f32, below: f32) -> Self {
        Self {
            above: above.max(THINNEST),
            below: below.max(THINNEST),
            ..self
        }
    }

    /// How far the right end lies below the centre (and the left end above).
    pub fn slope(self, slope: f32) -> Self {
        Self { slope, ..self }
    }

    /// How far both ends lie below the centre: an arch; negative, a bowl.
    pub fn bend(self, bend: f32) -> Self {
        Self { bend, ..self }
    }

    pub fn square(self, square: f32) -> Self {
        Self {
            square: square.clamp(0.0, 1.0),
            ..self
        }
    }

    /// Turns the whole shape so that its width runs along (x, y).
    pub fn along(self, x: f32, y: f32) -> Self {
        Self {
            axis: unit([x, y]),
            ..self
        }
    }

    pub fn moved(self, dx: f32, dy: f32) -> Self {
        Self {
            x: self.x + dx,
            y: self.y + dy,
            ..self
        }
    }

    /// The outline moved outwards by `by`, inwards if negative.
    pub fn grown(self, by: f32) -> Self {
        let grow = |reach: f32| (reach + by).max(THINNEST);
        Self {
            half_width: grow(self.half_width),
            above: grow(self.above),
            below: grow(self.below),
            ..self
        }
    }

    /// Signed distance to the outline, to first order: with `k` the implicit
    /// function that is 1 on it, (√k − 1) over the length of √k's gradient,
    /// which for a disc is exact everywhere.
    #[inline(always)]
    fn distance(&self, px: f32, py: f32) -> f32 {
        let [ax, ay] = self.axis;
        let (dx, dy) = (px - self.x, py - self.y);
        let (along, across) = (dx * ax + dy * ay, dy * ax - dx * ay);

        // Reciprocals that do not change from pixel to pixel leave the loop.
        let per_width = 1.0 / self.half_width;
        let (per_above, per_below) = (1.0 / self.above, 1.0 / self.below);

        let u = along * per_width;
        // Past its ends the centre line goes on straight: the parabola would
        // come back to meet far-off pixels.
        let end = u.clamp(-1.0, 1.0);
        let rise = across - self.slope * u - self.bend * (2.0 * end * u - end * end);
        let per_height = if rise < 0.0 { per_above } else { per_below };
        let v = rise * per_height;

        let (u2, v2) = (u * u, v * v);
        let round = 1.0 - self.square;
        let k = round * (u2 + v2) + self.square * (u2 * u2 + v2 * v2);
        let du = u * (2.0 * round + 4.0 * self.square * u2) * per_width;
        let dv = v * (2.0 * round + 4.0 * self.square * v2) * per_height;
        let gx = du - dv * (self.slope + 2.0 * self.bend * end) * per_width;
        2.0 * (k - k.sqrt()) / (gx * gx + dv * dv + 1e-6).sqrt()
    }

    /// How far the shape reaches from its centre, across and down.
    fn reach(&self) -> [f32; 2] {
        let [ax, ay] = self.axis.map(f32::abs);
        let height = self.above.max(self.below) + self.slope.abs() + self.bend.abs();
        [
            self.half_width * ax + height * ay,
            self.half_width * ay + height * ax,
        ]
    }
}

/// How the face sits in the frame.
pub struct Pose {
    /// From the frame's centre to the head's, in pixels.
    pub shift: [f32; 2],
    /// The direction in the frame, any length, in which the face's x axis points.
    pub level: [f32; 2],
    /// Pixels for one face unit, across and down.
    pub scale: [f32; 2],
    /// How far the middle of the face slides over the head: a turn, a nod.
    pub turn: [f32; 2],
    pub mirrored: bool,
}

/// Tones from 0 (black) to 1 (white), row-major, painted over one another.
pub struct Canvas {
    pub tones: Vec<f32>,
    /// Where each pixel's centre lies on the face. Two lists rather than one of
    /// pairs, which compiles to vector instructions half as wide.
    pub xs: Vec<f32>,
    pub ys: Vec<f32>,
    pose: Pose,
}

impl Canvas {
    pub fn new(pose: Pose) -> Self {
        let (xs, ys) = (0..SIZE * SIZE)
            .map(|i| pose.face_place(i % SIZE, i / SIZE))
            .unzip();
        Self {
            tones: vec![0.0; SIZE * SIZE],
            xs,
            ys,
            pose,
        }
    }

    /// Paints `tone` where all `shapes` overlap; the first one bounds the work.
    pub fn paint(&mut self, shapes: &[Blob], tone: f32) {
        self.wash(shapes, 1.0, 1.0, tone);
    }

    /// Paints thinly, with edges `soft` pixels wide.
    pub fn wash(&mut self, shapes: &[Blob], soft: f32, opacity: f32, tone: f32) {
        if opacity > 0.0 {
            self.blend(shapes, soft, |under, cover| {
                under + (tone - under) * cover * opacity
            });
        }
    }

    /// Darkens (`factor` below 1) or brightens what is already there.
    pub fn shade(&mut self, shapes: &[Blob], soft: f32, factor: f32) {
        if factor != 1.0 {
            self.blend(shapes, soft, |under, cover| {
                under * (1.0 + (factor - 1.0) * cover)
            });
        }
    }

    fn blend(&mut self, shapes: &[Blob], soft: f32, mix: impl Fn(f32, f32) -> f32) {
        let pixels_per_unit = self.pose.scale[0].min(self.pose.scale[1]);
        let steepness = pixels_per_unit / (soft + 0.4);
        let [columns, rows] = self.pose.frame_bounds(&shapes[0], soft);
        // A row at a time, shape by shape: loops that compile to vector instructions.
        for row in rows {
            let span = row * SIZE + columns.start..row * SIZE + columns.end;
            let mut covers = [1.0; SIZE];
            for shape in shapes {
                let places = self.xs[span.clone()].iter().zip(&self.ys[span.clone()]);
                for (cover, (&x, &y)) in covers.iter_mut().zip(places) {
                    *cover *= smooth(0.5 - shape.distance(x, y) * steepness);
                }
            }
            for (tone, cover) in self.tones[span].iter_mut().zip(covers) {
                *tone = mix(*tone, cover);
            }
        }
    }
}

impl Pose {
    /// Where on the face a pixel's centre lies.
    fn face_place(&self, column: usize, row: usize) -> (f32, f32) {
        let middle = SIZE as f32 / 2.0 - 0.5;
        let (dx, dy) = (
            column as f32 - middle - self.shift[0],
            row as f32 - middle - self.shift[1],
        );
        let [c, s] = unit(self.level);
        let mirror = if self.mirrored { -1.0 } else { 1.0 };
        let x = mirror * (dx * c + dy * s) / self.scale[0];
        let y = (dy * c - dx * s) / self.scale[1];
        // The nearer to the viewer, the further a turn carries a point.
        let near = (1.0 - x * x - y * y).max(0.0);
        (x - self.turn[0] * near, y - self.turn[1] * near)
    }

    /// The columns and rows that `shape` can touch.
    fn frame_bounds(&self, shape: &Blob, soft: f32) -> [Range<usize>; 2] {
        let [c, s] = unit(self.level);
        let mirror = if self.mirrored { -1.0 } else { 1.0 };
        let (x, y) = (mirror * shape.x * self.scale[0], shape.y * self.scale[1]);
        let [reach_x, reach_y] = shape.reach();
        let reach_x = (reach_x + self.turn[0].abs()) * self.scale[0] + soft;
        let reach_y = (reach_y + self.turn[1].abs()) * self.scale[1] + soft;

        let bounds = |middle: f32, reach: f32| {
            let middle = middle + SIZE as f32 / 2.0 - 0.5;
            // `as` saturates: what lies left of or above the frame starts at 0.
            let end = ((middle + reach).ceil() as usize + 1).min(SIZE);
            ((middle - reach) as usize).min(end)..end
        };
        let (c_size, s_size) = (c.abs(), s.abs());
        [
            bounds(
                x * c - y * s + self.shift[0],
                reach_x * c_size + reach_y * s_size,
            ),
            bounds(
                x * s + y * c + self.shift[1],
                reach_x * s_size + reach_y * c_size,
            ),
        ]
    }
}

fn unit([x, y]: [f32; 2]) -> [f32; 2] {
    let length = (x * x + y * y).sqrt();
    [x / length, y / length]
}

/// From 0 at 0 to 1 at 1, level at both.
fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
