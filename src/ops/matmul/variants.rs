//! The implementations of the dense products, the readable one first.

use super::{Matmul, MatmulWeight, PANEL, shared, tree};
use crate::ops::adam::RULE;
use crate::ops::{
    ELEMENTWISE, Family, MAX_ITERATIONS, STEP, Shader, Variant, anywhere, per_element, shader,
};

pub(super) static PARAMS: Shader = shader!("matmul_params.wgsl");
pub(super) static WEIGHT_PARAMS: Shader = shader!("matmul_weight_params.wgsl");
static NAIVE: Shader = shader!("matmul.wgsl", PARAMS);
static NAIVE_WEIGHT: Shader = shader!("matmul_weight.wgsl", WEIGHT_PARAMS);
static NAIVE_WEIGHT_ADAM: Shader = shader!("matmul_weight_adam.wgsl", RULE, STEP, WEIGHT_PARAMS);
static ROWS: Shader = shader!("rows.wgsl");
static OUTER_PRODUCT: Shader = shader!("outer_product.wgsl");
static MATMUL_ROWS: Shader = shader!("matmul_rows.wgsl");
static SUBGROUP: Shader = shader!(
    "matmul_subgroup.wgsl",
    MATMUL_ROWS,
    OUTER_PRODUCT,
    ROWS,
    PARAMS
);
static OUTER_PRODUCTS: Shader = shader!("outer_products.wgsl");
static TILE: Shader = shader!("tile.wgsl");
static OPERAND_VECTORS: Shader = shader!("operand_vectors.wgsl");
static OPERAND_SCALARS: Shader = shader!("operand_scalars.wgsl");
static SUBGROUP_WIDE4: Shader = shader!(
    "matmul_subgroup_wide.wgsl",
    OPERAND_VECTORS,
    MATMUL_ROWS,
    OUTER_PRODUCTS,
    TILE,
    ROWS,
    PARAMS
);
static SUBGROUP_WIDE: Shader = shader!(
    "matmul_subgroup_wide.wgsl",
    OPERAND_SCALARS,
    MATMUL_ROWS,
    OUTER_PRODUCTS,
    TILE,
    ROWS,
    PARAMS
);
static SUBGROUP_WEIGHT_TILE: Shader = shader!("matmul_weight_subgroup_tile.wgsl");
static SUBGROUP_WEIGHT_WIDE_TILE: Shader = shader!("matmul_weight_subgroup_wide_tile.wgsl");
static SUBGROUP_WEIGHT: Shader = shader!(
    "matmul_weight_subgroup.wgsl",
    SUBGROUP_WEIGHT_TILE,
    OPERAND_SCALARS,
    OUTER_PRODUCT,
    ROWS,
    WEIGHT_PARAMS
);
static SUBGROUP_WEIGHT_WIDE: Shader = shader!(
    "matmul_weight_subgroup.wgsl",
    SUBGROUP_WEIGHT_WIDE_TILE,
    OPERAND_SCALARS,
    OUTER_PRODUCTS,
    TILE,
    ROWS,
    WEIGHT_PARAMS
);
static SUBGROUP_WEIGHT_WIDE4: Shader = shader!(
    "matmul_weight_subgroup.wgsl",
    SUBGROUP_WEIGHT_WIDE_TILE,
    OPERAND_VECTORS,
    OUTER_PRODUCTS,
    TILE,
    ROWS,
    WEIGHT_PARAMS
);
static SUBGROUP_WEIGHT_ADAM: Shader = shader!(
    "matmul_weight_adam_subgroup.wgsl",
    SUBGROUP_WEIGHT_TILE,
    OPERAND_SCALARS,
    OUTER_PRODUCT,
    ROWS,
    RULE,
    STEP,
    WEIGHT_PARAMS
);
static SUBGROUP_WEIGHT_ADAM_WIDE4: Shader = shader!(
    "matmul_weight_adam_subgroup.wgsl",
    SUBGROUP_WEIGHT_WIDE_TILE,
    OPERAND_VECTORS,
    OUTER_PRODUCTS,
    TILE,
    ROWS,
    RULE,
    STEP,
    WEIGHT_PARAMS
);
static REGISTERS: Shader = shader!("matmul_registers.wgsl", MATMUL_ROWS, ROWS, PARAMS);
static REGISTERS_WEIGHT: Shader = shader!("matmul_weight_registers.wgsl", WEIGHT_PARAMS);
static REDUCE: Shader = shader!("matmul_reduce.wgsl", PARAMS);

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

pub(super) fn window_columns(p: &Matmul) -> u64 {
    p.columns().len() as u64 + 1
}

/// Invocations of a workgroup of the register tiles: as many as a software adapter has lanes, so
/// that small layers occupy all cores.
const LANES: u64 = 8;
const LANES_WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", LANES as f64)];

/// Workgroups of register tiles of 8 by 8.
fn register_tiles(lines: u32, columns: u32) -> u64 {
    (lines.div_ceil(8) as u64 * columns.div_ceil(8) as u64).div_ceil(LANES)
}

/// Tiles of 64 lines by two panels.
fn shared_tiles(lines: u32, panels: u32) -> u64 {
    lines.div_ceil(64) as u64 * panels.div_ceil(2) as u64
}

/// Do tiles of 64 rows or inputs waste less than they save?
fn wide(lines: u32) -> bool {
    lines > 32
}

pub const FORWARD: &[Variant<Matmul>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE,
        entry: "matmul_forward",
        constants: WORKGROUP,
        workgroups: |p| per_element(outputs(p)),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, _| (p.k_chunk as u64) < MAX_ITERATIONS,
    },
    Variant {
        name: "subgroup8_wide4",
        family: Family::Subgroup,
        suits: |p| wide(p.m),
        twin: Some("subgroup8"),
        shader: &SUBGROUP_WIDE4,
        entry: "matmul_forward_subgroup_wide",
        constants: &[],
        workgroups: |p| p.splits as u64 * shared_tiles(p.m, p.panels),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, profile| {
            profile.has_subgroup(8) && p.k % 4 == 0 && (p.k_chunk as u64) < MAX_ITERATIONS
        },
    },
    Variant {
        name: "subgroup8_wide",
        family: Family::Subgroup,
        suits: |p| wide(p.m),
        twin: Some("subgroup8"),
        shader: &SUBGROUP_WIDE,
        entry: "matmul_forward_subgroup_wide",
        constants: &[],
        workgroups: |p| p.splits as u64 * shared_tiles(p.m, p.panels),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, profile| profile.has_subgroup(8) && (p.k_chunk as u64) < MAX_ITERATIONS,
    },
    Variant {
        name: "subgroup8",
        family: Family::Subgroup,
        suits: crate::ops::always,
        twin: None,
        shader: &SUBGROUP,
        entry: "matmul_forward_subgroup",
        constants: &[],
        workgroups: |p| p.splits as u64 * p.panels as u64 * row_blocks(p),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
    Variant {
        name: "registers",
        family: Family::Registers,
        suits: crate::ops::always,
        twin: None,
        shader: &REGISTERS,
        entry: "matmul_forward_registers",
        constants: LANES_WORKGROUP,
        workgroups: |p| register_tiles(p.m, p.splits * p.panels * PANEL),
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, _| p.k % 4 == 0,
    },
    shared::forward::<64, 64, true>("shared_4"),
    shared::forward::<64, 64, false>("shared"),
    shared::forward::<32, 32, true>("shared32x32_4"),
    shared::forward::<32, 32, false>("shared32x32"),
    shared::forward::<64, 128, true>("shared64x128_4"),
    tree::forward(),
];

pub const REDUCE_FORWARD: &[Variant<Matmul>] = &[Variant {
    name: "naive",
    family: Family::Naive,
    suits: crate::ops::always,
    twin: None,
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
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE,
        entry: "matmul_backward_input",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.m as u64 * p.k as u64),
        chain: window_columns,
        supports: anywhere,
    },
    Variant {
        name: "subgroup8_wide4",
        family: Family::Subgroup,
        suits: |p| wide(p.m),
        twin: None,
        shader: &SUBGROUP_WIDE4,
        entry: "matmul_backward_input_subgroup_wide",
        constants: &[],
        workgroups: |p| (p.m as u64).div_ceil(64) * (p.k as u64).div_ceil(64),
        chain: window_columns,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0 && p.n % 4 == 0,
    },
    Variant {
        name: "subgroup8_wide",
        family: Family::Subgroup,
        suits: |p| wide(p.m),
        twin: None,
        shader: &SUBGROUP_WIDE,
        entry: "matmul_backward_input_subgroup_wide",
        constants: &[],
        workgroups: |p| (p.m as u64).div_ceil(64) * (p.k as u64).div_ceil(64),
        chain: window_columns,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
    Variant {
        name: "subgroup8",
        family: Family::Subgroup,
        suits: crate::ops::always,
        twin: None,
        shader: &SUBGROUP,
        entry: "matmul_backward_input_subgroup",
        constants: &[],
        workgroups: |p| row_blocks(p) * (p.k as u64).div_ceil(32),
        chain: window_columns,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0 && p.n % 4 == 0,
    },
    Variant {
        name: "registers",
        family: Family::Registers,
        suits: crate::ops::always,
        twin: None,
        shader: &REGISTERS,
        entry: "matmul_backward_input_registers",
        constants: LANES_WORKGROUP,
        workgroups: |p| register_tiles(p.m, p.k),
        chain: window_columns,
        supports: |p, _| p.k % 4 == 0 && p.n % 4 == 0,
    },
    shared::backward_input::<64, 64, true>("shared_4"),
    shared::backward_input::<64, 64, false>("shared"),
    shared::backward_input::<32, 32, true>("shared32x32_4"),
    shared::backward_input::<32, 32, false>("shared32x32"),
    shared::backward_input::<64, 128, true>("shared64x128_4"),
];

pub const BACKWARD_WEIGHT: &[Variant<MatmulWeight>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE_WEIGHT,
        entry: "matmul_backward_weight",
        constants: WORKGROUP,
        workgroups: |p| per_element(weights(p)),
        chain: |p| p.m as u64,
        supports: anywhere,
    },
    Variant {
        name: "subgroup8_wide4",
        family: Family::Subgroup,
        suits: |p| wide(p.k),
        twin: None,
        shader: &SUBGROUP_WEIGHT_WIDE4,
        entry: "matmul_backward_weight_subgroup",
        constants: &[],
        workgroups: |p| shared_tiles(p.k, p.panels),
        chain: |p| p.m as u64,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0 && p.n % 4 == 0,
    },
    Variant {
        name: "subgroup8_wide",
        family: Family::Subgroup,
        suits: |p| wide(p.k),
        twin: None,
        shader: &SUBGROUP_WEIGHT_WIDE,
        entry: "matmul_backward_weight_subgroup",
        constants: &[],
        workgroups: |p| shared_tiles(p.k, p.panels),
        chain: |p| p.m as u64,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
    Variant {
        name: "subgroup8",
        family: Family::Subgroup,
        suits: crate::ops::always,
        twin: None,
        shader: &SUBGROUP_WEIGHT,
        entry: "matmul_backward_weight_subgroup",
        constants: &[],
        workgroups: |p| p.panels as u64 * (p.k as u64).div_ceil(32),
        chain: |p| p.m as u64,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
    Variant {
        name: "registers",
        family: Family::Registers,
        suits: crate::ops::always,
        twin: None,
        shader: &REGISTERS_WEIGHT,
        entry: "matmul_backward_weight_registers",
        constants: LANES_WORKGROUP,
        workgroups: |p| register_tiles(p.k, p.panels * PANEL),
        chain: |p| p.m as u64,
        supports: |p, _| p.k % 4 == 0,
    },
    shared::backward_weight::<64, 64, true>("shared_4"),
    shared::backward_weight::<64, 64, false>("shared"),
    shared::backward_weight::<32, 32, true>("shared32x32_4"),
    shared::backward_weight::<32, 32, false>("shared32x32"),
    shared::backward_weight::<64, 128, true>("shared64x128_4"),
];

pub const BACKWARD_WEIGHT_ADAM: &[Variant<MatmulWeight>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE_WEIGHT_ADAM,
        entry: "matmul_backward_weight_adam",
        constants: WORKGROUP,
        workgroups: |p| per_element(weights(p) / 4),
        chain: |p| p.m as u64,
        supports: anywhere,
    },
    shared::backward_weight_adam::<64, 64, true>("shared_4"),
    shared::backward_weight_adam::<64, 64, false>("shared"),
    shared::backward_weight_adam::<32, 32, true>("shared32x32_4"),
    shared::backward_weight_adam::<32, 32, false>("shared32x32"),
    shared::backward_weight_adam::<64, 128, true>("shared64x128_4"),
    Variant {
        name: "subgroup8_wide4",
        family: Family::Subgroup,
        suits: |p| wide(p.k),
        twin: None,
        shader: &SUBGROUP_WEIGHT_ADAM_WIDE4,
        entry: "matmul_backward_weight_adam_subgroup",
        constants: &[],
        workgroups: |p| shared_tiles(p.k, p.panels),
        chain: |p| p.m as u64,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0 && p.n % 4 == 0,
    },
    Variant {
        name: "subgroup8",
        family: Family::Subgroup,
        suits: crate::ops::always,
        twin: None,
        shader: &SUBGROUP_WEIGHT_ADAM,
        entry: "matmul_backward_weight_adam_subgroup",
        constants: &[],
        workgroups: |p| p.panels as u64 * (p.k as u64).div_ceil(32),
        chain: |p| p.m as u64,
        supports: |p, profile| profile.has_subgroup(8) && p.k % 4 == 0,
    },
];

pub const BACKWARD_BIAS: &[Variant<Matmul>] = &[Variant {
    name: "naive",
    family: Family::Naive,
    suits: crate::ops::always,
    twin: None,
    shader: &REDUCE,
    entry: "matmul_backward_bias",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.n as u64),
    chain: |p| p.m as u64,
    supports: anywhere,
}];
