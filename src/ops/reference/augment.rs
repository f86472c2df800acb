//! augment: the same in f64. What moves nothing by parts of pixels is exact in f32 too; else where a pixel comes from is
//! rounded, and so are the three interpolations, the tone and the mixture.

use super::{EPSILON, Expected, FLUSH, floats};
use crate::ops::augment::{Augment, Record};
use crate::ops::params::Step;

/// y of the valid rows, zero behind them.
pub fn augment(p: &Augment, step: &Step, x: &[u32], records: &[u32]) -> Expected {
    let (x, records): (&[f32], &[Record]) = (floats(x), bytemuck::cast_slice(records));
    let mut values = Vec::with_capacity(p.elements());
    for (row, record) in records.iter().take(p.rows as usize).enumerate() {
        for plane in (0..p.channels as usize).map(|c| row * p.channels as usize + c) {
            for pixel in 0..p.height * p.width {
                let at = [pixel % p.width, pixel / p.width];
                values.push(match row < step.valid_rows as usize {
                    true => mixed(p, x, records, record, plane, at),
                    false => (0.0, 0.0),
                });
            }
        }
    }
    Expected::absolute(values)
}

/// A pixel and its error.
fn mixed(
    p: &Augment,
    x: &[f32],
    records: &[Record],
    record: &Record,
    plane: usize,
    at: [u32; 2],
) -> (f64, f64) {
    let (own, own_error) = seen(p, x, record, plane, at);
    let share = record.share as f64;
    if share >= 1.0 {
        return (own, own_error);
    }
    let partner = record.partner as usize;
    let channels = p.channels as usize;
    let plane = partner * channels + plane % channels;
    let (other, other_error) = seen(p, x, &records[partner], plane, at);
    let (a, b) = (share * own, (1.0 - share) * other);
    // One difference, two products, a sum.
    let rounded = 4.0 * EPSILON * (a.abs() + b.abs()) + 2.0 * FLUSH;
    let error = share * own_error + (1.0 - share) * other_error + rounded;
    (a + b, error)
}

/// A pixel without its partner, and its error.
fn seen(p: &Augment, x: &[f32], record: &Record, plane: usize, at: [u32; 2]) -> (f64, f64) {
    let place = at.map(f64::from);
    let [left, top, right, bottom] = record.erased.map(f64::from);
    if place[0] >= left && place[0] < right && place[1] >= top && place[1] < bottom {
        return (p.fill as f64, 0.0);
    }
    let pixels = (p.height * p.width) as usize;
    let image = &x[plane * pixels..][..pixels];
    let (mut value, mut error) = match record.moved == 0.0 {
        true => (image[(at[1] * p.width + at[0]) as usize] as f64, 0.0),
        false => moved(p, image, record, place),
    };
    if record.toned != 0.0 {
        let product = value * record.gain as f64;
        let sum = product + record.offset as f64;
        // Bounds to a range enlarge no error.
        error = error * record.gain.abs() as f64
            + 2.0 * EPSILON * (product.abs() + sum.abs())
            + 2.0 * FLUSH;
        value = sum.clamp(p.low as f64, p.high as f64);
    }
    (value, error)
}

/// Bilinear, edges repeated: a function of the place that is continuous, so that a place that is off by d changes it
/// by no more than d times the steepest slope within d.
fn moved(p: &Augment, image: &[f32], record: &Record, at: [f64; 2]) -> (f64, f64) {
    let from = |[a, b, c]: [f32; 3]| {
        let terms = [a as f64 * at[0], b as f64 * at[1], c as f64];
        let off = 4.0 * EPSILON * terms.iter().map(|term| term.abs()).sum::<f64>();
        (terms.iter().sum::<f64>(), off)
    };
    let ((column, off_x), (row, off_y)) = (from(record.to_x), from(record.to_y));
    let last = [p.width, p.height].map(|size| (size - 1) as f64);
    let pixel = |column: f64, row: f64| {
        let (column, row) = (column.clamp(0.0, last[0]), row.clamp(0.0, last[1]));
        image[row as usize * p.width as usize + column as usize] as f64
    };
    let (inside_x, inside_y) = (column.clamp(0.0, last[0]), row.clamp(0.0, last[1]));
    let (first_x, first_y) = (inside_x.floor(), inside_y.floor());
    let (way_x, way_y) = (inside_x - first_x, inside_y - first_y);
    let along = |row: f64| {
        let (a, b) = (pixel(first_x, row), pixel(first_x + 1.0, row));
        a + way_x * (b - a)
    };
    let (above, below) = (along(first_y), along(first_y + 1.0));
    let value = above + way_y * (below - above);
    // The pixels that a place which is off may see.
    let reach = |inside: f64, off: f64| {
        let first = (inside - off).floor() as i64;
        first..=(inside + off).floor() as i64 + 1
    };
    let (mut steep_x, mut steep_y, mut largest) = (0f64, 0f64, 0f64);
    for row in reach(inside_y, off_y).map(|row| row as f64) {
        for column in reach(inside_x, off_x).map(|column| column as f64) {
            let here = pixel(column, row);
            largest = largest.max(here.abs());
            steep_x = steep_x.max((pixel(column + 1.0, row) - here).abs());
            steep_y = steep_y.max((pixel(column, row + 1.0) - here).abs());
        }
    }
    // Each interpolation rounds a difference (of at most twice the largest), its product and a sum; the last one sees
    // the errors of the first two.
    let rounded = 11.0 * EPSILON * largest + 6.0 * FLUSH;
    (value, off_x * steep_x + off_y * steep_y + rounded)
}
