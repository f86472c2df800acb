//! pad2d and its gradient (Keras `ZeroPadding2D`): copies, so they are exact.

use super::{Expected, View, floats};
use crate::ops::pad2d::Pad2d;

fn views(p: &Pad2d) -> (View, View) {
    let image = View {
        channels: p.x_channels,
        first: p.x_first,
        pixels: p.h_in * p.w_in,
    };
    let padded = View {
        channels: p.y_channels,
        first: p.y_first,
        pixels: p.h_out * p.w_out,
    };
    (image, padded)
}

/// Where pixel `pixel` of the image lies in the padded one.
fn padded(p: &Pad2d, pixel: u32) -> u32 {
    (pixel / p.w_in + p.top) * p.w_out + pixel % p.w_in + p.left
}

/// A copy `to` of (n, c, pixel) values, exact, into a buffer that stays as it was elsewhere.
fn exact(p: &Pad2d, to: View, values: Vec<(f64, f64)>) -> Expected {
    let pairs = to.embed(p.n, p.c, values).into_iter();
    Expected::exact(pairs.map(|(value, _)| value).collect())
}

/// y = x with zeros around it.
pub fn pad2d_forward(p: &Pad2d, x: &[u32]) -> Expected {
    let x = floats(x);
    let (from, to) = views(p);
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            let mut plane = vec![(0.0, 0.0); to.pixels as usize];
            for pixel in 0..from.pixels {
                plane[padded(p, pixel) as usize].0 = x[from.at(n, c, pixel)] as f64;
            }
            values.extend(plane);
        }
    }
    exact(p, to, values)
}

/// dx = dy where the image lies.
pub fn pad2d_backward(p: &Pad2d, dy: &[u32]) -> Expected {
    let dy = floats(dy);
    let (to, from) = views(p);
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            let one = |pixel| (dy[from.at(n, c, padded(p, pixel))] as f64, 0.0);
            values.extend((0..to.pixels).map(one));
        }
    }
    exact(p, to, values)
}
