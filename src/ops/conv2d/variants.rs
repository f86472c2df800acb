//! The implementations of the convolution kernels, the readable one first.

use super::Conv2d;
use crate::ops::{ELEMENTWISE, MAX_ITERATIONS, Shader, Variant, anywhere, per_element, shader};

static NAIVE: Shader = shader!("conv2d.wgsl");
static NAIVE_WEIGHT: Shader = shader!("conv2d_weight.wgsl");
static REDUCE: Shader = shader!("conv2d_reduce.wgsl");

const WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64)];

pub const FORWARD: &[Variant<Conv2d>] = &[Variant {
    name: "naive",
    shader: &NAIVE,
    entry: "conv2d_forward",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.outputs()),
    chain: |p| p.taps() + 1,
    supports: anywhere,
}];

pub const BACKWARD_INPUT: &[Variant<Conv2d>] = &[Variant {
    name: "naive",
    shader: &NAIVE,
    entry: "conv2d_backward_input",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.inputs()),
    chain: |p| (p.kh * p.kw * p.c_out) as u64,
    supports: anywhere,
}];

/// Outputs that one share of the batch adds up.
fn share(p: &Conv2d) -> u64 {
    p.images_per_split() as u64 * (p.h_out * p.w_out) as u64
}

pub const BACKWARD_WEIGHT: &[Variant<Conv2d>] = &[Variant {
    name: "naive",
    shader: &NAIVE_WEIGHT,
    entry: "conv2d_backward_weight",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.partial_len() as u64),
    chain: share,
    supports: |p, _| share(p) + p.images_per_split() as u64 * p.h_out as u64 <= MAX_ITERATIONS,
}];

pub const REDUCE_WEIGHT: &[Variant<Conv2d>] = &[Variant {
    name: "naive",
    shader: &REDUCE,
    entry: "conv2d_reduce_weight",
    constants: WORKGROUP,
    workgroups: |p| per_element((p.partial_len() / p.splits as usize) as u64),
    chain: |p| p.splits as u64,
    supports: anywhere,
}];
