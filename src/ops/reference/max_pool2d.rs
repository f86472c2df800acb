//! max_pool2d and its gradient (Keras `MaxPooling2D`): ties go to the first element of the
//! window in row-major order; padding never wins.

use super::{Expected, Sum, View, floats};
use crate::ops::max_pool2d::MaxPool2d;

fn views(p: &MaxPool2d) -> (View, View) {
    (
        View {
            channels: p.x_channels,
            first: p.x_first,
            pixels: p.h_in * p.w_in,
        },
        View {
            channels: p.y_channels,
            first: p.y_first,
            pixels: p.h_out * p.w_out,
        },
    )
}

/// Where the mask of the gradient of x lies.
pub(super) fn mask_view(p: &MaxPool2d) -> View {
    View {
        channels: p.mask_channels,
        first: p.mask_first,
        pixels: p.h_in * p.w_in,
    }
}

/// The winning input pixel of output pixel (oy, ox).
fn winner(p: &MaxPool2d, x: &[f32], plane: usize, oy: u32, ox: u32) -> u32 {
    let rows = (oy * p.stride_h).saturating_sub(p.pad_top)
        ..(oy * p.stride_h + p.kh - p.pad_top).min(p.h_in);
    let mut best: Option<u32> = None;
    for iy in rows {
        let columns = (ox * p.stride_w).saturating_sub(p.pad_left)
            ..(ox * p.stride_w + p.kw - p.pad_left).min(p.w_in);
        for ix in columns {
            let pixel = iy * p.w_in + ix;
            if best.is_none_or(|b| x[plane + pixel as usize] > x[plane + b as usize]) {
                best = Some(pixel);
            }
        }
    }
    best.expect("a window holds at least one pixel")
}

pub fn max_pool2d_forward(p: &MaxPool2d, x: &[u32]) -> Expected {
    let x = floats(x);
    let (from, to) = views(p);
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            let plane = from.at(n, c, 0);
            for pixel in 0..to.pixels {
                let best = winner(p, x, plane, pixel / p.w_out, pixel % p.w_out);
                values.push((x[plane + best as usize] as f64, 0.0));
            }
        }
    }
    let values = to.embed(p.n, p.c, values);
    Expected::exact(values.into_iter().map(|(value, _)| value).collect())
}

/// `dx[pixel]` = sum of dy over the windows that the pixel won, windows in row-major order; zero where the ReLU
/// before (`mask`) was closed.
pub fn max_pool2d_backward(p: &MaxPool2d, x: &[u32], dy: &[u32], mask: &[u32]) -> Expected {
    let (x, dy, mask) = (floats(x), floats(dy), floats(mask));
    let (to, from) = views(p);
    let masks = mask_view(p);
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            let plane = to.at(n, c, 0);
            let mut sums = vec![Sum::default(); to.pixels as usize];
            for pixel in 0..from.pixels {
                let best = winner(p, x, plane, pixel / p.w_out, pixel % p.w_out);
                sums[best as usize].add(dy[from.at(n, c, pixel)]);
            }
            let open = |pixel| p.masked == 0 || mask[masks.at(n, c, pixel)] > 0.0;
            values.extend((0..).zip(sums).map(|(i, sum)| sum.masked(open(i))));
        }
    }
    Expected::sum(to.embed(p.n, p.c, values))
}
