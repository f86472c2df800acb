//! global_average_pool and its gradient (Keras `GlobalAveragePooling2D`).

use super::{EPSILON, Expected, Sum, floats};
use crate::ops::global_average_pool::GlobalAveragePool;

/// `y[n,c]` = mean over the pixels of `x[n,c,:]`.
pub fn global_average_pool_forward(p: &GlobalAveragePool, x: &[u32]) -> Expected {
    let pixels = p.pixels as usize;
    let mean = |plane: &[f32]| {
        let mut sum = Sum::default();
        plane.iter().for_each(|&value| sum.add(value));
        // The division adds 2.5 units; the sum's own bound has room for two of them.
        (
            sum.value / pixels as f64,
            1.5 * sum.magnitude / pixels as f64,
        )
    };
    Expected::sum(
        floats(x)
            .chunks(pixels)
            .take((p.n * p.c) as usize)
            .map(mean)
            .collect(),
    )
}

/// `dx[n,c,:]` = `dy[n,c]` / pixels, zero where the ReLU before (`mask`) was closed.
pub fn global_average_pool_backward(p: &GlobalAveragePool, dy: &[u32], mask: &[u32]) -> Expected {
    let (dy, mask) = (floats(dy), floats(mask));
    let pixels = p.pixels as usize;
    let values = (0..(p.n * p.c) as usize * pixels).map(|i| {
        let open = p.masked == 0 || mask[i] > 0.0;
        let value = dy[i / pixels] as f64 / pixels as f64;
        if open {
            (value, 3.0 * EPSILON * value.abs())
        } else {
            (0.0, 0.0)
        }
    });
    Expected::absolute(values.collect())
}
