//! depthwise_conv2d and its gradients (Keras `DepthwiseConv2D`): `y[n,co,oy,ox]` = `b[co]` +
//! sum over ky,kx of `x[n,co/m,oy*s+ky-top,ox*s+kx-left]` * `w[ky,kx,co]`, m = c_out / c_in.
//!
//! The sums are added up as those of conv2d are: its bounds are theirs.

use super::conv2d::{planes, tap, x_view, y_view};
use super::{Expected, Sum, View, floats};
use crate::ops::conv2d::Conv2d;

/// `w[ky,kx,co]`: the kernel (kh, kw, c_in, m) in Keras's order.
fn weight(p: &Conv2d, ky: u32, kx: u32, co: u32) -> usize {
    ((ky * p.kw + kx) * p.c_out + co) as usize
}

pub fn depthwise_conv2d_forward(p: &Conv2d, x: &[u32], w: &[u32], bias: &[u32]) -> Expected {
    let (x, w, bias) = (floats(x), floats(w), floats(bias));
    let (from, to) = (x_view(p), y_view(p));
    let values = planes(p.n, p.c_out, to.pixels, |n, co, pixel| {
        let (oy, ox) = (pixel / p.w_out, pixel % p.w_out);
        let ci = co / (p.c_out / p.c_in);
        let mut sum = Sum::of(bias[co as usize]);
        for ky in 0..p.kh {
            for kx in 0..p.kw {
                if let Some(input) = tap(p, oy, ox, ky, kx) {
                    sum.add_product(x[from.at(n, ci, input)], w[weight(p, ky, kx, co)]);
                }
            }
        }
        sum.relu(p.relu != 0)
    });
    Expected::sum(to.embed(p.n, p.c_out, values))
}

/// `dx[n,ci,iy,ix]` = sum of `dy[n,co,oy,ox]` * `w[ky,kx,co]` over the channels co of ci and all outputs that
/// read it, zero where the ReLU before (`mask`) was closed.
pub fn depthwise_conv2d_backward_input(
    p: &Conv2d,
    dy: &[u32],
    w: &[u32],
    mask: &[u32],
) -> Expected {
    let (dy, w, mask) = (floats(dy), floats(w), floats(mask));
    let (from, to) = (y_view(p), x_view(p));
    let masks = View {
        channels: p.mask_channels,
        first: p.mask_first,
        pixels: to.pixels,
    };
    let mut sums = vec![Sum::default(); (p.n * p.c_in * to.pixels) as usize];
    for n in 0..p.n {
        for co in 0..p.c_out {
            let ci = co / (p.c_out / p.c_in);
            for output in 0..from.pixels {
                let (oy, ox) = (output / p.w_out, output % p.w_out);
                for ky in 0..p.kh {
                    for kx in 0..p.kw {
                        let Some(input) = tap(p, oy, ox, ky, kx) else {
                            continue;
                        };
                        let at = (n * p.c_in + ci) * to.pixels + input;
                        let gradient = dy[from.at(n, co, output)];
                        sums[at as usize].add_product(gradient, w[weight(p, ky, kx, co)]);
                    }
                }
            }
        }
    }
    let values = planes(p.n, p.c_in, to.pixels, |n, ci, pixel| {
        let sum = sums[((n * p.c_in + ci) * to.pixels + pixel) as usize];
        sum.masked(p.relu == 0 || mask[masks.at(n, ci, pixel)] > 0.0)
    });
    Expected::sum(to.embed(p.n, p.c_in, values))
}

/// Partial gradients of kernel and bias, one set for each share of the batch:
/// `partial[s]` = (`dw[ky,kx,co]` ..., `db[co]` ...) summed over the images of share s.
pub fn depthwise_conv2d_backward_weight(p: &Conv2d, x: &[u32], dy: &[u32]) -> Expected {
    let (x, dy) = (floats(x), floats(dy));
    let (inputs, outputs) = (x_view(p), y_view(p));
    let taps = p.kh * p.kw;
    let share = p.images_per_split();
    let sums = planes(p.splits, taps + 1, p.c_out, |split, row, co| {
        let ci = co / (p.c_out / p.c_in);
        let mut sum = Sum::default();
        for n in (split * share).min(p.n)..((split + 1) * share).min(p.n) {
            for pixel in 0..outputs.pixels {
                let (oy, ox) = (pixel / p.w_out, pixel % p.w_out);
                let gradient = dy[outputs.at(n, co, pixel)];
                if row == taps {
                    sum.add(gradient);
                } else if let Some(input) = tap(p, oy, ox, row / p.kw, row % p.kw) {
                    sum.add_product(x[inputs.at(n, ci, input)], gradient);
                }
            }
        }
        (sum.value, sum.magnitude)
    });
    Expected::sum(sums)
}
