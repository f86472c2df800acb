//! Kernels that take one element to one element, over channel ranges of NCHW buffers.

use super::{EPSILON, Expected, FLUSH, View, floats};
use crate::ops::add::{Channels, Sum, TERMS};
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

/// y = a + b + ..., zero where the ReLU before (`relu_mask`) was closed. Each addition rounds the sum so far.
pub fn add(p: &Sum, bindings: &[&[u32]]) -> Expected {
    let view = |[channels, first]: Channels| View {
        channels,
        first,
        pixels: p.pixels,
    };
    let operands = p.operands().into_iter().zip(bindings);
    let terms: Vec<(View, &[f32])> = operands
        .map(|(place, words)| (view(place), floats(words)))
        .collect();
    let mask = floats(bindings[TERMS]);
    let masks = view([p.mask_channels, p.mask_first]);
    let one = |n, c, i| {
        let mut terms = terms.iter().map(|(at, x)| x[at.at(n, c, i)] as f64);
        let mut sum = terms.next().expect("two terms at least");
        let mut bound = 0.0;
        for term in terms {
            sum += term;
            bound += EPSILON * (sum.abs() + bound) + FLUSH;
        }
        match p.masked == 0 || mask[masks.at(n, c, i)] > 0.0 {
            true => (sum, bound),
            false => (0.0, 0.0),
        }
    };
    let images = (0..p.n).flat_map(|n| (0..p.channels).map(move |c| (n, c)));
    let values = images.flat_map(|(n, c)| (0..p.pixels).map(move |i| (n, c, i)));
    let values = values.map(|(n, c, i)| one(n, c, i)).collect();
    let y = view([p.y_channels, p.y_first]);
    Expected::absolute(y.embed(p.n, p.channels, values))
}
