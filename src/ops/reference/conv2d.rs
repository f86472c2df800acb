//! conv2d and its gradients (Keras `Conv2D`): `y[n,co,oy,ox]` = `b[co]` +
//! sum over ky,kx,ci of `x[n,ci,oy*s+ky-top,ox*s+kx-left]` * `w[ky,kx,ci,co]`.

use super::{Expected, Sum, View, floats};
use crate::ops::conv2d::Conv2d;
use rayon::prelude::*;

pub(super) fn x_view(p: &Conv2d) -> View {
    View {
        channels: p.x_channels,
        first: p.x_first,
        pixels: p.h_in * p.w_in,
    }
}

pub(super) fn y_view(p: &Conv2d) -> View {
    View {
        channels: p.y_channels,
        first: p.y_first,
        pixels: p.h_out * p.w_out,
    }
}

fn weight(p: &Conv2d, ky: u32, kx: u32, ci: u32, co: u32) -> usize {
    (((ky * p.kw + kx) * p.c_in + ci) * p.c_out + co) as usize
}

/// The input pixel under tap (ky, kx) of output pixel (oy, ox), if it is no padding.
pub(super) fn tap(p: &Conv2d, oy: u32, ox: u32, ky: u32, kx: u32) -> Option<u32> {
    let iy = (oy * p.stride_h + ky).checked_sub(p.pad_top)?;
    let ix = (ox * p.stride_w + kx).checked_sub(p.pad_left)?;
    (iy < p.h_in && ix < p.w_in).then_some(iy * p.w_in + ix)
}

/// `one(n, c, pixel)` for every element of an (n, c, pixels) range, in order.
pub(super) fn planes(
    n: u32,
    c: u32,
    pixels: u32,
    one: impl Fn(u32, u32, u32) -> (f64, f64) + Sync,
) -> Vec<(f64, f64)> {
    (0..n * c)
        .into_par_iter()
        .flat_map_iter(|plane| {
            let one = &one;
            (0..pixels).map(move |pixel| one(plane / c, plane % c, pixel))
        })
        .collect()
}

pub fn conv2d_forward(p: &Conv2d, x: &[u32], w: &[u32], bias: &[u32]) -> Expected {
    let (x, w, bias) = (floats(x), floats(w), floats(bias));
    let (from, to) = (x_view(p), y_view(p));
    let values = planes(p.n, p.c_out, to.pixels, |n, co, pixel| {
        let (oy, ox) = (pixel / p.w_out, pixel % p.w_out);
        let mut sum = Sum::of(bias[co as usize]);
        for ky in 0..p.kh {
            for kx in 0..p.kw {
                let Some(input) = tap(p, oy, ox, ky, kx) else {
                    continue;
                };
                for ci in 0..p.c_in {
                    sum.add_product(x[from.at(n, ci, input)], w[weight(p, ky, kx, ci, co)]);
                }
            }
        }
        sum.relu(p.relu != 0)
    });
    Expected::sum(to.embed(p.n, p.c_out, values))
}

/// `dx[n,ci,iy,ix]` = sum of `dy[n,co,oy,ox]` * `w[ky,kx,ci,co]` over all outputs that read it,
/// zero where the ReLU before (`mask`) was closed.
pub fn conv2d_backward_input(p: &Conv2d, dy: &[u32], w: &[u32], mask: &[u32]) -> Expected {
    let (dy, w, mask) = (floats(dy), floats(w), floats(mask));
    let (from, to) = (y_view(p), x_view(p));
    let masks = View {
        channels: p.mask_channels,
        first: p.mask_first,
        pixels: to.pixels,
    };
    let values = planes(p.n, p.c_in, to.pixels, |n, ci, pixel| {
        let (iy, ix) = (pixel / p.w_in, pixel % p.w_in);
        let mut sum = Sum::default();
        for ky in 0..p.kh {
            for kx in 0..p.kw {
                let (Some(y), Some(x)) = (
                    (iy + p.pad_top).checked_sub(ky),
                    (ix + p.pad_left).checked_sub(kx),
                ) else {
                    continue;
                };
                let (oy, ox) = (y / p.stride_h, x / p.stride_w);
                let read = y % p.stride_h == 0 && x % p.stride_w == 0;
                if !read || oy >= p.h_out || ox >= p.w_out {
                    continue;
                }
                for co in 0..p.c_out {
                    let output = oy * p.w_out + ox;
                    sum.add_product(dy[from.at(n, co, output)], w[weight(p, ky, kx, ci, co)]);
                }
            }
        }
        sum.masked(p.relu == 0 || mask[masks.at(n, ci, pixel)] > 0.0)
    });
    Expected::sum(to.embed(p.n, p.c_in, values))
}

/// Partial gradients of kernel and bias, one set for each share of the batch:
/// `partial[s]` = (`dw[ky,kx,ci,co]` ..., `db[co]` ...) summed over the rows of share s.
pub fn conv2d_backward_weight(p: &Conv2d, x: &[u32], dy: &[u32]) -> Expected {
    let (x, dy) = (floats(x), floats(dy));
    let (inputs, outputs) = (x_view(p), y_view(p));
    let taps = p.kh * p.kw * p.c_in;
    let all = p.n * p.h_out;
    let rows = p.splits * (taps + 1);
    let pairs = (0..rows).into_par_iter().flat_map_iter(|row| {
        let (split, tap_index) = (row / (taps + 1), row % (taps + 1));
        let share = (split * p.share_rows).min(all)..((split + 1) * p.share_rows).min(all);
        let (ci, kx, ky) = (
            tap_index % p.c_in,
            tap_index / p.c_in % p.kw,
            tap_index / p.c_in / p.kw,
        );
        (0..p.c_out).map(move |co| {
            let mut sum = Sum::default();
            for row in share.clone() {
                let (n, oy) = (row / p.h_out, row % p.h_out);
                for ox in 0..p.w_out {
                    let pixel = oy * p.w_out + ox;
                    let gradient = dy[outputs.at(n, co, pixel)];
                    if tap_index == taps {
                        sum.add(gradient);
                    } else if let Some(input) = tap(p, oy, ox, ky, kx) {
                        sum.add_product(x[inputs.at(n, ci, input)], gradient);
                    }
                }
            }
            (sum.value, sum.magnitude)
        })
    });
    Expected::sum(pairs.collect())
}

/// Sums the partial gradients in the order of their shares: (dw, db).
pub fn conv2d_reduce_weight(p: &Conv2d, partial: &[u32]) -> Vec<Expected> {
    let partial = floats(partial);
    let kernel = (p.kh * p.kw * p.c_in * p.c_out) as usize;
    let set = kernel + p.c_out as usize;
    let sums: Vec<(f64, f64)> = (0..set)
        .map(|i| {
            let mut sum = Sum::default();
            (0..p.splits as usize).for_each(|s| sum.add(partial[s * set + i]));
            (sum.value, sum.magnitude)
        })
        .collect();
    let (dw, db) = sums.split_at(kernel);
    vec![Expected::sum(dw.to_vec()), Expected::sum(db.to_vec())]
}
