//! Small dense products whose terms are shared out inside of a workgroup, for GPUs: no other dispatch adds up shares.

use super::variants::PARAMS;
use super::{Matmul, PANEL, shared};
use crate::ops::{Family, Shader, Variant, shader};

pub(super) static SHARE_TILE: Shader = shader!("share_tile.wgsl");
static FORWARD: Shader = shader!("matmul_tree.wgsl", SHARE_TILE, PARAMS);

/// Lines and columns of a workgroup's tile, and the invocations that share out the terms of a sum.
const TILE: u32 = 16;
const SHARES: u32 = 16;

/// An invocation for each share of each block of 4 by 4.
pub(super) const WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", 256.0)];

pub(super) fn tiles(lines: u32, columns: u32) -> u64 {
    shared::tiles(lines, TILE, columns, TILE)
}

/// An invocation's own terms, then the shares in order.
pub(super) fn chain(terms: u32) -> u64 {
    (terms.div_ceil(SHARES) + SHARES) as u64
}

pub(super) const fn forward() -> Variant<Matmul> {
    Variant {
        name: "tree",
        family: Family::Tree,
        // Of more columns, tiles that share operands make as many workgroups.
        suits: |p| p.is_small() && p.n <= PANEL,
        twin: None,
        shader: &FORWARD,
        entry: "matmul_forward_tree",
        constants: WORKGROUP,
        workgroups: |p| tiles(p.m, p.panels * PANEL),
        chain: |p| chain(p.k) + 1,
        supports: |p, _| p.splits == 1,
    }
}
