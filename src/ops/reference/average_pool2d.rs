//! average_pool2d and its gradient (Keras `AveragePooling2D`): cells of the padding do not count.
//!
//! The bounds are those of sums. Forward: the first of K terms is added to zero exactly, so a sum passes K - 1
//! roundings, and WGSL's division may be off by 2.5 units: (K + 1.5) EPSILON of sum abs(x) / cells, within the
//! K + 2 of a chain of K. Backward each of K terms is divided, which costs every one the 2.5, and then summed:
//! the same.

use super::max_pool2d::mask_view;
use super::{Expected, Sum, View, floats};
use crate::ops::max_pool2d::MaxPool2d;

fn views(p: &MaxPool2d) -> (View, View) {
    let image = View {
        channels: p.x_channels,
        first: p.x_first,
        pixels: p.h_in * p.w_in,
    };
    let pooled = View {
        channels: p.y_channels,
        first: p.y_first,
        pixels: p.h_out * p.w_out,
    };
    (image, pooled)
}

/// The pixels of the image that window `pixel` holds, in row-major order.
fn cells(p: &MaxPool2d, pixel: u32) -> Vec<u32> {
    let (oy, ox) = (pixel / p.w_out, pixel % p.w_out);
    let inside = |from: u32, tap: u32, pad: u32, size: u32| {
        let at = (from + tap).checked_sub(pad);
        at.filter(|&at| at < size)
    };
    let mut cells = Vec::new();
    for ky in 0..p.kh {
        for kx in 0..p.kw {
            let row = inside(oy * p.stride_h, ky, p.pad_top, p.h_in);
            let column = inside(ox * p.stride_w, kx, p.pad_left, p.w_in);
            if let (Some(row), Some(column)) = (row, column) {
                cells.push(row * p.w_in + column);
            }
        }
    }
    cells
}

/// `y[n,c,pixel]` = mean of x over the cells of the window.
pub fn average_pool2d_forward(p: &MaxPool2d, x: &[u32]) -> Expected {
    let x = floats(x);
    let (from, to) = views(p);
    let windows: Vec<Vec<u32>> = (0..to.pixels).map(|pixel| cells(p, pixel)).collect();
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            for window in &windows {
                let mut sum = Sum::default();
                for &cell in window {
                    sum.add(x[from.at(n, c, cell)]);
                }
                let count = window.len() as f64;
                values.push((sum.value / count, sum.magnitude / count));
            }
        }
    }
    Expected::sum(to.embed(p.n, p.c, values))
}

/// `dx[n,c,pixel]` = sum of dy / cells over the windows that hold the pixel, windows in row-major order;
/// zero where the ReLU before (`mask`) was closed.
pub fn average_pool2d_backward(p: &MaxPool2d, dy: &[u32], mask: &[u32]) -> Expected {
    let (dy, mask) = (floats(dy), floats(mask));
    let masks = mask_view(p);
    let (to, from) = views(p);
    let windows: Vec<Vec<u32>> = (0..from.pixels).map(|pixel| cells(p, pixel)).collect();
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            let mut sums = vec![(0.0, 0.0); to.pixels as usize];
            for (pixel, window) in windows.iter().enumerate() {
                let share = dy[from.at(n, c, pixel as u32)] as f64 / window.len() as f64;
                for &cell in window {
                    let (value, magnitude) = &mut sums[cell as usize];
                    *value += share;
                    *magnitude += share.abs();
                }
            }
            let open = |pixel| p.masked == 0 || mask[masks.at(n, c, pixel)] > 0.0;
            let stopped = |(pixel, sum)| if open(pixel) { sum } else { (0.0, 0.0) };
            values.extend((0..).zip(sums).map(stopped));
        }
    }
    Expected::sum(to.embed(p.n, p.c, values))
}
