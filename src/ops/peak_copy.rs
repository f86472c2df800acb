//! peak_copy and peak_update: the ceilings of memory traffic that `bench` measures every kernel against. No
//! network uses them; they are ops so that they are verified like one.

use super::params::params;
use super::{
    Binding, Case, Cost, ELEMENTWISE, Fill, Op, Step, Variant, anywhere, in_out, no_chain, out,
    per_element, read, shader,
};
use crate::ops::reference::{self, Expected};

params! {
    CopyParams {
        /// Vectors of four to copy.
        vectors: u32,
    }
}

static SHADER: super::Shader = shader!("peak_copy.wgsl");

/// y = x
pub struct PeakCopy;

const TURNS_1: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64), ("TURNS", 1.0)];
const TURNS_16: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64), ("TURNS", 16.0)];

/// Workgroups whose invocations copy four vectors at a time, so many times.
fn turns(p: &CopyParams, turns: u64) -> u64 {
    per_element((p.vectors as u64).div_ceil(4 * turns))
}

const fn variant(
    name: &'static str,
    entry: &'static str,
    constants: &'static [(&'static str, f64)],
    workgroups: fn(&CopyParams) -> u64,
) -> Variant<CopyParams> {
    Variant {
        name,
        family: super::Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry,
        constants,
        workgroups,
        chain: no_chain,
        supports: anywhere,
    }
}

impl Op for PeakCopy {
    type Params = CopyParams;
    const NAME: &'static str = "peak_copy";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<CopyParams>] = &[
        variant("float", "peak_copy_float", TURNS_1, |p| {
            per_element(4 * p.vectors as u64)
        }),
        variant("vector", "peak_copy_vector", TURNS_1, |p| {
            per_element(p.vectors as u64)
        }),
        variant("vectors4", "peak_copy_vectors", TURNS_1, |p| turns(p, 1)),
        variant("vectors64", "peak_copy_vectors", TURNS_16, |p| turns(p, 16)),
    ];

    fn lengths(p: &CopyParams) -> Vec<usize> {
        vec![4 * p.vectors as usize; 2]
    }
    fn reference(_: &CopyParams, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::peak_copy::peak_copy(bindings[0])]
    }
    fn cost(p: &CopyParams) -> Cost {
        Cost {
            flops: 0,
            bytes: 32 * p.vectors as u64,
        }
    }
    fn cases() -> Vec<Case<CopyParams>> {
        cases()
    }
}

/// z = -z
pub struct PeakUpdate;

impl Op for PeakUpdate {
    type Params = CopyParams;
    const NAME: &'static str = "peak_update";
    const BINDINGS: &'static [Binding] = &[in_out("z")];
    const VARIANTS: &'static [Variant<CopyParams>] = &[
        variant("update", "peak_update", TURNS_1, |p| {
            per_element(p.vectors as u64)
        }),
        variant("update16", "peak_update", TURNS_16, |p| {
            per_element((p.vectors as u64).div_ceil(16))
        }),
    ];

    fn lengths(p: &CopyParams) -> Vec<usize> {
        vec![4 * p.vectors as usize]
    }
    fn reference(_: &CopyParams, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::peak_copy::peak_update(bindings[0])]
    }
    fn cost(p: &CopyParams) -> Cost {
        PeakCopy::cost(p)
    }
    fn cases() -> Vec<Case<CopyParams>> {
        cases()
    }
}

fn cases() -> Vec<Case<CopyParams>> {
    let case = |vectors| Case {
        name: format!("{vectors}"),
        params: CopyParams { vectors },
        step: Step::default(),
        fills: vec![Fill::Uniform(1.0)],
        exact: true,
    };
    [1, 63, 64, 65, 193, 256, 257, 1025, 5000].map(case).into()
}
