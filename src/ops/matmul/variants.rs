//! The implementations of the dense products, the readable one first.

use super::{Matmul, MatmulWeight, PANEL};
use crate::ops::{ELEMENTWISE, MAX_ITERATIONS, Shader, Variant, anywhere, per_element, shader};

static NAIVE: Shader = shader!("matmul.wgsl");
static NAIVE_WEIGHT: Shader = shader!("matmul_weight.wgsl");
static NAIVE_WEIGHT_ADAM: Shader = shader!("matmul_weight_adam.wgsl");
static SUBGROUP: Shader = shader!("matmul_subgroup.wgsl");
static SUBGROUP_WEIGHT: Shader = shader!("matmul_weight_subgroup.wgsl");
static REDUCE: Shader = shader!("matmul_reduce.wgsl");

const WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64)];

/// Outputs of the forward product, shares of k counted apart.
fn outputs(p: &Matmul) -> u64 {
    p.splits as u64 * p.m as u64 * p.columns().len() as u64
}

/// Blocks of 32 rows.
fn row_blocks(p: &Matmul) -> u64 {
    (p.m as u64).div_ceil(32)
}

fn weights(p: &MatmulWeight) -> u64 {
    p.panels as u64 * p.k as u64 * PANEL as u64
}

fn window_columns(p: &Matmul) -> u64 {
    p.columns().len() as u64 + 1
}

pub const FORWARD: &[Variant<Matmul>] = &[
    Variant {
        name: "naive",
        shader: &NAIVE,
        entry: "matmul_forward",
        constants: WORKGROUP,
        workgroups: |p| per_element(outputs(p)),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, _| (p.k_chunk as u64) < MAX_ITERATIONS,
    },
    Variant {
        name: "subgroup8",
        shader: &SUBGROUP,
        entry: "matmul_forward_subgroup",
        constants: &[],
        workgroups: |p| p.splits as u64 * p.panels as u64 * row_blocks(p),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
];

pub const REDUCE_FORWARD: &[Variant<Matmul>] = &[Variant {
    name: "naive",
    shader: &REDUCE,
    entry: "matmul_reduce_forward",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.m as u64 * p.n as u64),
    chain: |p| p.splits as u64 + 1,
    supports: anywhere,
}];

pub const BACKWARD_INPUT: &[Variant<Matmul>] = &[
    Variant {
        name: "naive",
        shader: &NAIVE,
        entry: "matmul_backward_input",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.m as u64 * p.k as u64),
        chain: window_columns,
        supports: anywhere,
    },
    Variant {
        name: "subgroup8",
        shader: &SUBGROUP,
        entry: "matmul_backward_input_subgroup",
        constants: &[],
        workgroups: |p| row_blocks(p) * (p.k as u64).div_ceil(32),
        chain: window_columns,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0 && p.n % 4 == 0,
    },
];

pub const BACKWARD_WEIGHT: &[Variant<MatmulWeight>] = &[
    Variant {
        name: "naive",
        shader: &NAIVE_WEIGHT,
        entry: "matmul_backward_weight",
        constants: WORKGROUP,
        workgroups: |p| per_element(weights(p)),
        chain: |p| p.m as u64,
        supports: anywhere,
    },
    Variant {
        name: "subgroup8",
        shader: &SUBGROUP_WEIGHT,
        entry: "matmul_backward_weight_subgroup",
        constants: &[],
        workgroups: |p| p.panels as u64 * (p.k as u64).div_ceil(32),
        chain: |p| p.m as u64,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
];

pub const BACKWARD_WEIGHT_ADAM: &[Variant<MatmulWeight>] = &[Variant {
    name: "naive",
    shader: &NAIVE_WEIGHT_ADAM,
    entry: "matmul_backward_weight_adam",
    constants: WORKGROUP,
    workgroups: |p| per_element(weights(p)),
    chain: |p| p.m as u64,
    supports: anywhere,
}];

pub const BACKWARD_BIAS: &[Variant<Matmul>] = &[Variant {
    name: "naive",
    shader: &REDUCE,
    entry: "matmul_backward_bias",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.n as u64),
    chain: |p| p.m as u64,
    supports: anywhere,
}];
