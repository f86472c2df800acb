//! square_sums, clip_scale, scale_gradient, l2_penalty: norms of weights and gradients, in two stages: blocks of 64
//! words, then a range of blocks.

use super::params::params;
use super::update::BLOCK;
use super::{
    Binding, Case, Cost, Family, Fill, MAX_ITERATIONS, Op, Phase, Shader, Step, Variant, anywhere,
    in_out, no_chain, read, shader,
};
use crate::ops::reference::{Expected, norms as reference};
use crate::ops::softmax_cross_entropy::METRICS;

params! {
    /// A range of blocks of 64 words.
    Norm {
        /// Blocks that have a sum or a scale.
        blocks: u32,
        /// The range of them that is worked on.
        first: u32 as place,
        count: u32,
        /// What the norm is to be at most, or the factor of the squares.
        limit: f32,
    }
}

static SHADER: Shader = shader!("norms.wgsl");

/// Invocations that add a range up.
const TREE: u64 = 256;

/// One workgroup for a range of blocks.
const fn tree(entry: &'static str) -> Variant<Norm> {
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry,
        constants: &[("WORKGROUP", TREE as f64)],
        workgroups: |_| 1,
        // A share of the range, then the tree's eight levels.
        chain: |p| (p.count as u64).div_ceil(TREE) + 8,
        supports: |p, _| 2 * (p.count as u64).div_ceil(TREE) <= MAX_ITERATIONS,
    }
}

/// Blocks of the buffers, and the ranges tried of each.
fn ranges() -> Vec<Norm> {
    let list = [
        (1, 0, 1),
        (5, 2, 3),
        (255, 0, 255),
        (256, 0, 256),
        (257, 0, 257),
        (600, 7, 513),
    ];
    let range = |(blocks, first, count)| Norm {
        blocks,
        first,
        count,
        limit: 1.0,
    };
    list.into_iter().map(range).collect()
}

fn name(p: &Norm, what: &str) -> String {
    format!(
        "blocks{}_first{}_count{}_{what}",
        p.blocks, p.first, p.count
    )
}

/// A case of each range for each of `fills`.
fn on_ranges(fills: &[(&str, Vec<Fill>, bool)]) -> Vec<Case<Norm>> {
    let case = |params: Norm| {
        fills.iter().map(move |(what, fills, exact)| Case {
            name: name(&params, what),
            params,
            step: Step::default(),
            fills: fills.clone(),
            exact: *exact,
        })
    };
    ranges().into_iter().flat_map(case).collect()
}

/// block_sums\[first + b\] = the sum of v^2 over block b
pub struct SquareSums;

impl Op for SquareSums {
    type Params = Norm;
    const NAME: &'static str = "square_sums";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("v"), in_out("block_sums")];
    const VARIANTS: &'static [Variant<Norm>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "square_sums",
        constants: &[("WORKGROUP", 64.0)],
        workgroups: |p| (p.count as u64).div_ceil(64),
        chain: |_| 16 + 3,
        supports: anywhere,
    }];

    fn lengths(p: &Norm) -> Vec<usize> {
        vec![BLOCK * p.count as usize, p.blocks as usize]
    }
    fn reference(p: &Norm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::square_sums(p, bindings[0])]
    }
    fn cost(p: &Norm) -> Cost {
        Cost {
            flops: 2 * (BLOCK as u64) * p.count as u64,
            bytes: 4 * (BLOCK as u64 + 1) * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Norm>> {
        let fills = [
            ("random", vec![Fill::Uniform(1.0); 2], false),
            (
                "integers",
                vec![Fill::Integers(-100, 100), Fill::Uniform(1.0)],
                true,
            ),
        ];
        on_ranges(&fills)
    }
}

/// scale\[b\] = limit / max(norm, limit) for the blocks of the range
pub struct ClipScale;

impl Op for ClipScale {
    type Params = Norm;
    const NAME: &'static str = "clip_scale";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("sums"), in_out("scale")];
    const VARIANTS: &'static [Variant<Norm>] = &[tree("clip_scale")];

    fn lengths(p: &Norm) -> Vec<usize> {
        vec![p.blocks as usize; 2]
    }
    fn reference(p: &Norm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let chain = (Self::VARIANTS[0].chain)(p);
        vec![reference::clip_scale(p, chain, bindings[0], bindings[1])]
    }
    fn cost(p: &Norm) -> Cost {
        Cost {
            flops: p.count as u64,
            bytes: 8 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Norm>> {
        let mut cases = Vec::new();
        for p in ranges() {
            // Far above the limit, and below it.
            for (what, limit, exact) in [("above", 0.1, false), ("below", 1e3, true)] {
                let params = Norm { limit, ..p };
                cases.push(Case {
                    name: name(&p, what),
                    params,
                    step: Step::default(),
                    fills: vec![Fill::Range(0.0, 1.0), Fill::Uniform(1.0)],
                    exact,
                });
            }
        }
        cases
    }
}

/// g *= scale\[first + b\] in block b
pub struct ScaleGradient;

impl Op for ScaleGradient {
    type Params = Norm;
    const NAME: &'static str = "scale_gradient";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[in_out("g"), read("factors")];
    const VARIANTS: &'static [Variant<Norm>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "scale_gradient",
        constants: &[("WORKGROUP", 64.0)],
        workgroups: |p| (p.count as u64 * 16).div_ceil(64),
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &Norm) -> Vec<usize> {
        vec![BLOCK * p.count as usize, p.blocks as usize]
    }
    fn reference(p: &Norm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::scale_gradient(p, bindings[0], bindings[1])]
    }
    fn cost(p: &Norm) -> Cost {
        Cost {
            flops: BLOCK as u64 * p.count as u64,
            bytes: 4 * (2 * BLOCK as u64 + 1) * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Norm>> {
        let fills = [
            (
                "random",
                vec![Fill::Uniform(0.1), Fill::Range(0.0, 1.0)],
                false,
            ),
            ("integers", vec![Fill::Integers(-1000, 1000); 2], true),
        ];
        on_ranges(&fills)
    }
}

/// metrics\[3\] += limit * the sum of the range's sums
pub struct L2Penalty;

impl Op for L2Penalty {
    type Params = Norm;
    const NAME: &'static str = "l2_penalty";
    const PHASE: Phase = Phase::Loss;
    const BINDINGS: &'static [Binding] = &[read("sums"), in_out("metrics")];
    const VARIANTS: &'static [Variant<Norm>] = &[tree("l2_penalty")];

    fn lengths(p: &Norm) -> Vec<usize> {
        vec![p.blocks as usize, METRICS]
    }
    fn reference(p: &Norm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let chain = (Self::VARIANTS[0].chain)(p);
        vec![reference::l2_penalty(p, chain, bindings[0], bindings[1])]
    }
    fn cost(p: &Norm) -> Cost {
        Cost {
            flops: p.count as u64,
            bytes: 4 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Norm>> {
        let mut cases = Vec::new();
        let metrics = Fill::Values(vec![3.0, 2.0, 0.0, 5.0]);
        for p in ranges() {
            let fills = [
                ("random", 5e-4, Fill::Range(0.0, 1.0), false),
                ("integers", 2.0, Fill::Integers(0, 1000), true),
            ];
            for (what, limit, sums, exact) in fills {
                cases.push(Case {
                    name: name(&p, what),
                    params: Norm { limit, ..p },
                    step: Step::default(),
                    fills: vec![sums, metrics.clone()],
                    exact,
                });
            }
        }
        cases
    }
}
