//! The dense products in tiles over workgroup memory, for GPUs: shapes of tiles, each with rows in whole vectors
//! or of any length. `fer-gpu tune` chooses on the card at hand; where nobody has, tiles of 64 x 64 do where they
//! fill it, smaller ones elsewhere: those of 64 x 128 take fewer instructions, but on the one card that was timed
//! too few of them run at once.

use super::variants::{PARAMS, WEIGHT_PARAMS, window_columns};
use super::{Matmul, MatmulWeight, PANEL};
use crate::ops::adam::RULE;
use crate::ops::{Family, MAX_ITERATIONS, STEP, Shader, Variant, shader};
use crate::profile::{Class, Profile};

static SHARED_TILE: Shader = shader!("matmul_shared_tile.wgsl");
static SHARED_VECTORS: Shader = shader!("matmul_shared_vectors.wgsl");
static SHARED_SCALARS: Shader = shader!("matmul_shared_scalars.wgsl");
static SHARED4: Shader = shader!("matmul_shared.wgsl", SHARED_VECTORS, SHARED_TILE, PARAMS);
static SHARED: Shader = shader!("matmul_shared.wgsl", SHARED_SCALARS, SHARED_TILE, PARAMS);
static WEIGHT_SHARED_TILE: Shader = shader!("matmul_weight_shared_tile.wgsl");
static WEIGHT_VECTORS: Shader = shader!("matmul_weight_shared_vectors.wgsl");
static WEIGHT_SCALARS: Shader = shader!("matmul_weight_shared_scalars.wgsl");
static SHARED_WEIGHT4: Shader = shader!(
    "matmul_weight_shared.wgsl",
    WEIGHT_VECTORS,
    WEIGHT_SHARED_TILE,
    SHARED_TILE,
    WEIGHT_PARAMS
);
static SHARED_WEIGHT: Shader = shader!(
    "matmul_weight_shared.wgsl",
    WEIGHT_SCALARS,
    WEIGHT_SHARED_TILE,
    SHARED_TILE,
    WEIGHT_PARAMS
);
static SHARED_WEIGHT_ADAM4: Shader = shader!(
    "matmul_weight_adam_shared.wgsl",
    WEIGHT_VECTORS,
    WEIGHT_SHARED_TILE,
    SHARED_TILE,
    RULE,
    STEP,
    WEIGHT_PARAMS
);
static SHARED_WEIGHT_ADAM: Shader = shader!(
    "matmul_weight_adam_shared.wgsl",
    WEIGHT_SCALARS,
    WEIGHT_SHARED_TILE,
    SHARED_TILE,
    RULE,
    STEP,
    WEIGHT_PARAMS
);

/// Workgroups that occupy a large card, about one for each of its cores.
const FILL: u64 = 100;

/// Terms of the longest step, the fewest that a variant for whole vectors takes: behind its last step it reads a
/// step's terms from the start of a row, whatever its sum.
const FEWEST: u32 = 16;

/// The `override` constants of a tile: 8 lines by 8 columns an invocation, by 4, or for small register files 4 by
/// 4. An invocation loads at most two vectors of either operand for a step.
const fn constants(lines: u32, columns: u32) -> &'static [(&'static str, f64)] {
    match (lines, columns) {
        (64, 128) => &[
            ("DEPTH", 8.0),
            ("GROUP_LINES", 8.0),
            ("GROUP_COLUMNS", 16.0),
            ("LINE_VECTORS", 2.0),
            ("COLUMN_VECTORS", 2.0),
        ],
        (64, 64) => &[
            ("DEPTH", FEWEST as f64),
            ("GROUP_LINES", 8.0),
            ("GROUP_COLUMNS", 16.0),
            ("LINE_VECTORS", 2.0),
            ("COLUMN_VECTORS", 1.0),
        ],
        (32, 32) => &[
            ("DEPTH", FEWEST as f64),
            ("GROUP_LINES", 8.0),
            ("GROUP_COLUMNS", 8.0),
            ("LINE_VECTORS", 1.0),
            ("COLUMN_VECTORS", 1.0),
        ],
        _ => panic!("no tile of that shape"),
    }
}

pub(super) fn tiles(lines: u32, line_tile: u32, columns: u32, column_tile: u32) -> u64 {
    lines.div_ceil(line_tile) as u64 * columns.div_ceil(column_tile) as u64
}

/// Is a tile worth it that computes so many workgroups, the lines of which fill half a tile or more?
fn is_worth<const LINES: u32>(lines: u32, workgroups: u64) -> bool {
    LINES == 32 || (2 * lines > LINES && workgroups >= FILL)
}

/// Rows in whole vectors, and sums of as many terms as a step takes.
fn takes_vectors(p: &Matmul, terms: u32) -> bool {
    p.k.is_multiple_of(4) && p.n.is_multiple_of(4) && terms >= FEWEST
}

/// Can the tiles sum that many terms? They count an iteration for four terms, and one for a step of eight
/// or more; GPUs have no limit.
fn takes_terms(terms: u32, profile: &Profile) -> bool {
    profile.class == Class::Gpu
        || terms.div_ceil(4) as u64 + terms.div_ceil(8) as u64 <= MAX_ITERATIONS
}

pub(super) const fn forward<const LINES: u32, const COLUMNS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<Matmul> {
    fn workgroups<const LINES: u32, const COLUMNS: u32>(p: &Matmul) -> u64 {
        p.splits as u64 * tiles(p.m, LINES, p.panels * PANEL, COLUMNS)
    }
    Variant {
        name,
        family: Family::Shared,
        suits: |p| is_worth::<LINES>(p.m, workgroups::<LINES, COLUMNS>(p)),
        twin: None,
        shader: if VECTORS { &SHARED4 } else { &SHARED },
        entry: "matmul_forward_shared",
        constants: constants(LINES, COLUMNS),
        workgroups: workgroups::<LINES, COLUMNS>,
        chain: |p| p.k_chunk as u64 + 1,
        supports: |p, profile| {
            (!VECTORS || takes_vectors(p, p.k)) && takes_terms(p.k_chunk, profile)
        },
    }
}

pub(super) const fn backward_input<const LINES: u32, const COLUMNS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<Matmul> {
    fn workgroups<const LINES: u32, const COLUMNS: u32>(p: &Matmul) -> u64 {
        tiles(p.m, LINES, p.k, COLUMNS)
    }
    Variant {
        name,
        family: Family::Shared,
        suits: |p| is_worth::<LINES>(p.m, workgroups::<LINES, COLUMNS>(p)),
        twin: None,
        shader: if VECTORS { &SHARED4 } else { &SHARED },
        entry: "matmul_backward_input_shared",
        constants: constants(LINES, COLUMNS),
        workgroups: workgroups::<LINES, COLUMNS>,
        chain: window_columns,
        supports: |p, profile| {
            let terms = p.columns().len() as u32;
            (!VECTORS || takes_vectors(p, terms)) && takes_terms(terms, profile)
        },
    }
}

fn weight_tiles<const LINES: u32, const COLUMNS: u32>(p: &MatmulWeight) -> u64 {
    tiles(p.k, LINES, p.panels * PANEL, COLUMNS)
}

/// The stored weight gradient.
pub(super) const fn backward_weight<const LINES: u32, const COLUMNS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<MatmulWeight> {
    let shader = if VECTORS {
        &SHARED_WEIGHT4
    } else {
        &SHARED_WEIGHT
    };
    weight::<LINES, COLUMNS, VECTORS>(name, shader, "matmul_backward_weight_shared")
}

/// The weight gradient that is spent on Adam.
pub(super) const fn backward_weight_adam<
    const LINES: u32,
    const COLUMNS: u32,
    const VECTORS: bool,
>(
    name: &'static str,
) -> Variant<MatmulWeight> {
    let shader = if VECTORS {
        &SHARED_WEIGHT_ADAM4
    } else {
        &SHARED_WEIGHT_ADAM
    };
    weight::<LINES, COLUMNS, VECTORS>(name, shader, "matmul_backward_weight_adam_shared")
}

const fn weight<const LINES: u32, const COLUMNS: u32, const VECTORS: bool>(
    name: &'static str,
    shader: &'static Shader,
    entry: &'static str,
) -> Variant<MatmulWeight> {
    Variant {
        name,
        family: Family::Shared,
        suits: |p| is_worth::<LINES>(p.k, weight_tiles::<LINES, COLUMNS>(p)),
        twin: None,
        shader,
        entry,
        constants: constants(LINES, COLUMNS),
        workgroups: weight_tiles::<LINES, COLUMNS>,
        chain: |p| p.m as u64,
        // Rows behind the last are not read: any number of terms will do.
        supports: |p, profile| {
            (!VECTORS || takes_vectors(&p.matmul(), FEWEST)) && takes_terms(p.m, profile)
        },
    }
}
