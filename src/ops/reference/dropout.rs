//! Dropout: an element is zero, or scaled with one rounding. What is dropped is exact: integers.

use super::{EPSILON, Expected, View, floats};
use crate::ops::dropout::Dropout;
use crate::ops::params::Step;

/// y = 0 where dropped, else scale x
pub fn dropout(p: &Dropout, step: &Step, x: &[u32]) -> Expected {
    let view = |channels, first| View {
        channels,
        first,
        pixels: p.pixels,
    };
    let (from, to) = (view(p.x_channels, p.x_first), view(p.y_channels, p.y_first));
    let x = floats(x);
    let mut values = Vec::with_capacity((p.n * p.c * p.pixels) as usize);
    for n in 0..p.n {
        for c in 0..p.c {
            values.extend((0..p.pixels).map(|pixel| {
                if p.is_dropped(step, n, c, pixel) {
                    return (0.0, 0.0);
                }
                let y = p.scale as f64 * x[from.at(n, c, pixel)] as f64;
                (y, EPSILON * y.abs())
            }));
        }
    }
    Expected::absolute(to.embed(p.n, p.c, values))
}
