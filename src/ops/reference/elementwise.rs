//! Kernels that take one element to one element, over channel ranges of NCHW buffers.

use super::{EPSILON, Expected, View, floats};
use crate::ops::relu::Planes;

pub(super) fn map(p: &Planes, one: impl Fn(u32, u32, u32) -> (f64, f64)) -> Vec<(f64, f64)> {
    let mut values = Vec::with_capacity((p.n * p.c * p.pixels) as usize);
    for n in 0..p.n {
        for c in 0..p.c {
            values.extend((0..p.pixels).map(|pixel| one(n, c, pixel)));
        }
    }
    View {
        channels: p.y_channels,
        first: p.y_first,
        pixels: p.pixels,
    }
    .embed(p.n, p.c, values)
}

pub(super) fn a(p: &Planes) -> View {
    View {
        channels: p.a_channels,
        first: p.a_first,
        pixels: p.pixels,
    }
}

pub(super) fn b(p: &Planes) -> View {
    View {
        channels: p.b_channels,
        first: p.b_first,
        pixels: p.pixels,
    }
}

fn exact(pairs: Vec<(f64, f64)>) -> Expected {
    Expected::exact(pairs.into_iter().map(|(value, _)| value).collect())
}

/// y = a: concat's copy of one branch into its range, and back.
pub fn copy(p: &Planes, x: &[u32]) -> Expected {
    let x = floats(x);
    exact(map(p, |n, c, i| (x[a(p).at(n, c, i)] as f64, 0.0)))
}

/// y = max(a, 0)
pub fn relu_forward(p: &Planes, x: &[u32]) -> Expected {
    let x = floats(x);
    exact(map(p, |n, c, i| {
        let value = x[a(p).at(n, c, i)] as f64;
        (if value < 0.0 { 0.0 } else { value }, 0.0)
    }))
}

/// dx = dy where the output y was positive, else 0.
pub fn relu_backward(p: &Planes, dy: &[u32], y: &[u32]) -> Expected {
    let (dy, y) = (floats(dy), floats(y));
    exact(map(p, |n, c, i| {
        let open = y[b(p).at(n, c, i)] > 0.0;
        (
            if open {
                dy[a(p).at(n, c, i)] as f64
            } else {
                0.0
            },
            0.0,
        )
    }))
}

/// y = a + b, one rounding.
pub fn add(p: &Planes, left: &[u32], right: &[u32]) -> Expected {
    let (left, right) = (floats(left), floats(right));
    Expected::absolute(map(p, |n, c, i| {
        let sum = left[a(p).at(n, c, i)] as f64 + right[b(p).at(n, c, i)] as f64;
        (sum, EPSILON * sum.abs())
    }))
}
