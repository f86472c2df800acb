//! The network of the seed article (Fabien, "A guide to Inception Model in Keras"): one
//! Inception module as in figure 2b of Szegedy et al. 2014, then dense layers; and its small
//! sibling with global average pooling instead of the flattening.

use super::Builder;
use super::Network;
use crate::graph::{TensorId, Window};
use crate::ops::conv2d::Padding::Same;

/// 83,760,487 parameters with seven classes.
pub const INCEPTION: Network = Network {
    name: "inception",
    about: "the seed article's network: Inception module, Flatten, Dense 1200, 600, 150",
    image: [48, 48, 1],
    layers: |b, image, classes| {
        let mid = module(b, image);
        let flat = b.flatten("flat_1", mid);
        let dense = b.dense("dense_1", flat, 1200, true);
        let dense = b.dense("dense_2", dense, 600, true);
        let dense = b.dense("dense_3", dense, 150, true);
        b.dense("output", dense, classes, false)
    },
};

/// 9,187 parameters with seven classes.
pub const INCEPTION_GAP: Network = Network {
    name: "inception-gap",
    about: "the same module, global average pooling, Dense 150",
    image: [48, 48, 1],
    layers: |b, image, classes| {
        let mid = module(b, image);
        let pooled = b.global_average_pool("gap", mid);
        let dense = b.dense("dense_1", pooled, 150, true);
        b.dense("output", dense, classes, false)
    },
};

/// Three branches of ten channels: 1x1 then 3x3, 1x1 then 5x5, max-pool then 1x1.
fn module(b: &mut Builder, x: TensorId) -> TensorId {
    let conv = |b: &mut Builder, name: &str, x, size| {
        b.conv2d(
            &format!("mid_1/{name}"),
            x,
            10,
            Window::square(size, 1, Same),
            true,
        )
    };
    let reduce3 = conv(b, "3x3_reduce", x, 1);
    let reduce5 = conv(b, "5x5_reduce", x, 1);
    let conv3 = conv(b, "3x3", reduce3, 3);
    let conv5 = conv(b, "5x5", reduce5, 5);
    let pooled = b.max_pool2d("mid_1/pool", x, Window::square(3, 1, Same));
    let projected = conv(b, "pool_proj", pooled, 1);
    b.concat("mid_1", &[conv3, conv5, projected])
}
