//! What goes over flat blocks of weights, the optimisers' updates and what stands around them: the parameter
//! blocks, the flag that stops them, and how such a dispatch is launched, cut and tried.

use super::params::params;
use super::{
    Binding, Case, Family, Fill, Op, Params, Piece, Shader, Step, Variant, anywhere, no_chain,
    read, shader,
};
use crate::ops::softmax_cross_entropy;

params! {
    /// A flat block of weights.
    Update {
        /// Weights, a multiple of 4 (blocks are padded).
        count: u32,
    }
}

params! {
    /// A flat block of weights, and a number for it.
    Weighted {
        /// Weights, a multiple of 4; of 64 where blocks of 64 have something of their own.
        count: u32,
        factor: f32,
    }
}

/// A block that says on how many words a kernel works, four an invocation.
pub(super) trait Flat: Params {
    fn words(&self) -> u32;
    /// The same for a part of them.
    fn part(&self, words: u32) -> Self;
}

impl Flat for Update {
    fn words(&self) -> u32 {
        self.count
    }
    fn part(&self, count: u32) -> Update {
        Update { count }
    }
}

impl Flat for Weighted {
    fn words(&self) -> u32 {
        self.count
    }
    fn part(&self, count: u32) -> Weighted {
        Weighted { count, ..*self }
    }
}

/// Weights that have a scale in common.
pub const BLOCK: usize = 64;

/// The parameter blocks in WGSL.
pub(super) static PARAMS: Shader = shader!("update_params.wgsl");
pub(super) static WEIGHTED: Shader = shader!("weighted_params.wgsl");

/// What the loss wrote: where its third word is not zero, nothing changes.
pub(super) const METRICS: Binding = read("metrics");

/// The one variant of such an op: an invocation for each vector of four words.
pub(super) const fn vectors<P: Flat>(shader: &'static Shader, entry: &'static str) -> Variant<P> {
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader,
        entry,
        constants: &[("WORKGROUP", 64.0)],
        workgroups: |p| (p.words() as u64 / 4).div_ceil(64),
        chain: no_chain,
        supports: anywhere,
    }
}

/// Cuts a dispatch whose bindings are as long as the block, or are the metrics.
pub(super) fn pieces<O: Op<Params: Flat>>(p: &O::Params, elements: usize) -> Vec<Piece<O::Params>> {
    let bindings = O::BINDINGS;
    let all = p.words() as usize;
    let each = elements.next_multiple_of(4);
    let piece = |first: usize| {
        let count = each.min(all - first);
        let range = |binding: &Binding| match binding.name == METRICS.name {
            true => 0..softmax_cross_entropy::METRICS,
            false => first..first + count,
        };
        Piece {
            params: p.part(count as u32),
            ranges: bindings.iter().map(range).collect(),
        }
    };
    (0..all).step_by(each).map(piece).collect()
}

/// Cases of an update whose scalars at step `t` are `scalars(t)` and whose slots are filled with `slots`.
pub(super) fn cases(scalars: fn(u64) -> [f32; 4], slots: &[Fill]) -> Vec<Case<Update>> {
    let mut cases = Vec::new();
    for count in [4, 252, 256, 260, 9188] {
        for (t, flag) in [(1, 0.0), (1000, 0.0), (7, 1.0)] {
            let mut fills = vec![Fill::Uniform(0.1), flagged(flag), Fill::Uniform(1.0)];
            fills.extend_from_slice(slots);
            cases.push(Case {
                name: format!("count{count}_t{t}_flag{flag}"),
                params: Update { count },
                step: Step::new(t, 1, scalars(t as u64)),
                fills,
                exact: false,
            });
        }
    }
    cases
}

/// Metrics with the flag up or down.
pub(super) fn flagged(flag: f32) -> Fill {
    Fill::Values(vec![0.0, 0.0, flag, 0.0])
}

/// Cases of whatever goes over a block of `counts` words: each of `fills` with its name, exact or not.
pub(super) fn flat_cases<P: Params>(
    counts: &[u32],
    params: impl Fn(u32) -> P,
    step: Step,
    fills: &[(&str, Vec<Fill>, bool)],
) -> Vec<Case<P>> {
    let case = |&count: &u32| {
        let params = params(count);
        fills.iter().map(move |(name, fills, exact)| Case {
            name: format!("count{count}_{name}"),
            params,
            step,
            fills: fills.clone(),
            exact: *exact,
        })
    };
    counts.iter().flat_map(case).collect()
}
