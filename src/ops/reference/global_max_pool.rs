//! global_max_pool and its gradient (Keras `GlobalMaxPooling2D`): ties go to the first pixel.

use super::{Expected, View, floats};
use crate::ops::global_max_pool::GlobalMaxPool;

/// The largest of each plane, and its pixel.
pub fn global_max_pool_forward(p: &GlobalMaxPool, x: &[u32]) -> Vec<Expected> {
    let x = floats(x);
    let view = View {
        channels: p.x_channels,
        first: p.x_first,
        pixels: p.pixels,
    };
    let best = |i: u32| {
        let plane = &x[view.at(i / p.c, i % p.c, 0)..][..p.pixels as usize];
        let pixels = 0..p.pixels as usize;
        let winner = pixels.fold(0, |b, i| if plane[i] > plane[b] { i } else { b });
        (plane[winner] as f64, winner as f64)
    };
    let (largest, winners) = (0..p.n * p.c).map(best).unzip();
    vec![Expected::exact(largest), Expected::exact(winners)]
}

/// dy at the winner of each plane and zero elsewhere, where the ReLU before (`mask`) was open.
pub fn global_max_pool_backward(p: &GlobalMaxPool, bindings: &[&[u32]]) -> Expected {
    let [dy, winner, mask] = [0, 1, 2].map(|i| floats(bindings[i]));
    let view = View {
        channels: p.mask_channels,
        first: p.mask_first,
        pixels: p.pixels,
    };
    let value = |i: u32| {
        let (plane, pixel) = (i / p.pixels, i % p.pixels);
        let open = p.masked == 0 || mask[view.at(plane / p.c, plane % p.c, pixel)] > 0.0;
        let wins = pixel == winner[plane as usize] as u32;
        if open && wins {
            dy[plane as usize] as f64
        } else {
            0.0
        }
    };
    Expected::exact((0..p.n * p.c * p.pixels).map(value).collect())
}
