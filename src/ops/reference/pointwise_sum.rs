//! The gradient of an image that several convolutions of one pixel read.

use super::conv2d::planes;
use super::{Expected, Sum, View, floats};
use crate::ops::add::Channels;
use crate::ops::pointwise_sum::Products;

/// `grad_x[n,c,p]` = `other[n,c,p]` + sum over each convolution's d of `w[c,d]` * `dy[n,d,p]`, zero where the ReLU
/// before was closed.
pub fn backward(p: &Products, bindings: &[&[u32]]) -> Expected {
    let view = |[channels, first]: Channels| View {
        channels,
        first,
        pixels: p.pixels,
    };
    let products = p.products();
    let gradients = [0, 1, 2].map(|i| floats(bindings[i]));
    let [w, other, mask] = [3, 4, 5].map(|i| floats(bindings[i]));
    let others = view([p.other_channels, p.other_first]);
    let masks = view([p.mask_channels, p.mask_first]);
    let values = planes(p.n, p.channels, p.pixels, |n, c, pixel| {
        let mut sum = match p.added {
            0 => Sum::default(),
            _ => Sum::of(other[others.at(n, c, pixel)]),
        };
        for (product, dy) in products.iter().zip(&gradients) {
            for d in 0..product.depth {
                let weight = w[(product.kernel + c * product.depth + d) as usize];
                sum.add_product(dy[view(product.dy).at(n, d, pixel)], weight);
            }
        }
        sum.masked(p.masked == 0 || mask[masks.at(n, c, pixel)] > 0.0)
    });
    Expected::sum(view([p.x_channels, p.x_first]).embed(p.n, p.channels, values))
}
