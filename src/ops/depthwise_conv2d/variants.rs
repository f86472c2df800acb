//! The implementations of the depthwise kernels, the readable ones first.

use crate::ops::conv2d::{Conv2d, PARAMS};
use crate::ops::{
    ELEMENTWISE, Family, MAX_ITERATIONS, ROW_TAPS, SHARE_WALK, Shader, Variant, always, anywhere,
    per_element, shader,
};
use crate::profile::{Class, Profile};

static NAIVE: Shader = shader!("depthwise_conv2d.wgsl", PARAMS);
static VECTORS: Shader = shader!("depthwise_conv2d_vectors.wgsl", ROW_TAPS, PARAMS);
static WEIGHT: Shader = shader!("depthwise_conv2d_weight.wgsl", SHARE_WALK, PARAMS);
static WEIGHT_ROWS: Shader = shader!(
    "depthwise_conv2d_weight_rows.wgsl",
    SHARE_WALK,
    ROW_TAPS,
    PARAMS
);

const WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64)];
const TAPS_3: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64), ("TAPS", 3.0)];
const TAPS_5: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64), ("TAPS", 5.0)];

/// Can rows be loaded in vectors for a kernel of TAPS columns? Its middle column must lie over the output's.
fn whole_rows<const TAPS: u32>(p: &Conv2d) -> bool {
    let unit_stride = p.stride_h == 1 && p.stride_w == 1;
    let same = p.kw == TAPS && p.pad_left == TAPS / 2 && p.w_out == p.w_in;
    unit_stride && same && p.w_in.is_multiple_of(4)
}

/// The forward pass by rows of vectors: the taps of a row make a sum of their own.
const fn forward<const TAPS: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Vectors,
        suits: always,
        twin: None,
        shader: &VECTORS,
        entry: "depthwise_conv2d_forward_vectors",
        constants,
        workgroups: |p| per_element(p.outputs() / 4),
        chain: |p| (p.kh + p.kw) as u64,
        supports: |p, _| whole_rows::<TAPS>(p),
    }
}

/// The backward pass by rows of vectors.
const fn backward_input<const TAPS: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<Conv2d> {
    Variant {
        entry: "depthwise_conv2d_backward_input_vectors",
        workgroups: |p| per_element(p.inputs() / 4),
        chain: |p| (p.c_out / p.c_in * p.kh + p.kw) as u64,
        ..forward::<TAPS>(name, constants)
    }
}

pub const FORWARD: &[Variant<Conv2d>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: always,
        twin: None,
        shader: &NAIVE,
        entry: "depthwise_conv2d_forward",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.outputs()),
        chain: |p| (p.kh * p.kw) as u64 + 1,
        supports: anywhere,
    },
    forward::<3>("vectors3", TAPS_3),
    forward::<5>("vectors5", TAPS_5),
];

pub const BACKWARD_INPUT: &[Variant<Conv2d>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: always,
        twin: None,
        shader: &NAIVE,
        entry: "depthwise_conv2d_backward_input",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.inputs()),
        chain: |p| (p.kh * p.kw * (p.c_out / p.c_in)) as u64,
        supports: anywhere,
    },
    backward_input::<3>("vectors3", TAPS_3),
    backward_input::<5>("vectors5", TAPS_5),
];

/// Outputs that one share of the batch adds up.
fn share(p: &Conv2d) -> u64 {
    p.images_per_split() as u64 * (p.h_out * p.w_out) as u64
}

/// Vectors of such outputs.
fn vectors(p: &Conv2d) -> u64 {
    share(p) / 4
}

/// Numbers of all shares, and the rows of kernels and biases that they make.
fn numbers(p: &Conv2d) -> u64 {
    super::partial_len(p) as u64
}
fn rows(p: &Conv2d) -> u64 {
    p.splits as u64 * (p.kh as u64 + 1) * p.c_out as u64
}

/// Can an invocation walk over that many places and halve its workgroup's sums? GPUs have no limit.
fn within(places: u64, profile: &Profile) -> bool {
    profile.class == Class::Gpu || places + 8 < MAX_ITERATIONS
}

/// The weight gradient by rows of vectors, an invocation for each row of a kernel.
const fn weight_rows<const TAPS: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Rows,
        suits: always,
        twin: None,
        shader: &WEIGHT_ROWS,
        entry: "depthwise_conv2d_backward_weight_rows",
        constants,
        workgroups: |p| per_element(rows(p)),
        chain: |p| vectors(p) + 2,
        supports: |p, profile| whole_rows::<TAPS>(p) && within(vectors(p), profile),
    }
}

/// The same with a workgroup for each row of a kernel, whose lanes' sums are added as a tree.
const fn weight_tree<const TAPS: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<Conv2d> {
    Variant {
        family: Family::Tree,
        entry: "depthwise_conv2d_backward_weight_rows_tree",
        workgroups: rows,
        chain: |p| vectors(p).div_ceil(ELEMENTWISE) + 2 + 6,
        supports: |p, profile| {
            let places = vectors(p).div_ceil(ELEMENTWISE);
            whole_rows::<TAPS>(p) && within(places, profile)
        },
        ..weight_rows::<TAPS>(name, constants)
    }
}

pub const BACKWARD_WEIGHT: &[Variant<Conv2d>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: always,
        twin: None,
        shader: &WEIGHT,
        entry: "depthwise_conv2d_backward_weight",
        constants: WORKGROUP,
        workgroups: |p| per_element(numbers(p)),
        chain: share,
        supports: |p, profile| within(share(p), profile),
    },
    weight_rows::<3>("rows3", TAPS_3),
    weight_rows::<5>("rows5", TAPS_5),
    weight_tree::<3>("tree_rows3", TAPS_3),
    weight_tree::<5>("tree_rows5", TAPS_5),
    Variant {
        name: "tree",
        family: Family::Tree,
        suits: always,
        twin: None,
        shader: &WEIGHT,
        entry: "depthwise_conv2d_backward_weight_tree",
        constants: WORKGROUP,
        workgroups: numbers,
        chain: |p| share(p).div_ceil(ELEMENTWISE) + 6,
        supports: |p, profile| within(share(p).div_ceil(ELEMENTWISE), profile),
    },
];
