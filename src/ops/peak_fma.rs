//! peak_fma: the ceiling of arithmetic that `bench` measures every kernel against. No network
//! uses it; it is an op so that it is verified like one.

use super::params::params;
use super::{
    Binding, Case, Cost, ELEMENTWISE, Op, Step, Variant, anywhere, no_chain, out, per_element,
    shader,
};
use crate::ops::reference::{self, Expected};

params! {
    FmaParams {
        invocations: u32,
        /// FMAs of four components that each invocation does, a multiple of 96.
        vectors: u32,
        /// 1, which the compiler must not know.
        one: f32,
    }
}

/// Every variant's loop divides this number of FMAs.
pub const UNIT: u32 = 96;

static SHADER: super::Shader = shader!("peak_fma.wgsl");

/// `y[i] = i % 64 + 4 * vectors`, by FMAs alone.
pub struct PeakFma;

const fn variant(name: &'static str, entry: &'static str) -> Variant<FmaParams> {
    Variant {
        name,
        family: super::Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry,
        constants: &[("WORKGROUP", ELEMENTWISE as f64)],
        workgroups: |p| per_element(p.invocations as u64),
        chain: no_chain,
        supports: anywhere,
    }
}

impl Op for PeakFma {
    type Params = FmaParams;
    const NAME: &'static str = "peak_fma";
    const BINDINGS: &'static [Binding] = &[out("y")];
    const VARIANTS: &'static [Variant<FmaParams>] = &[
        variant("chains8", "peak_fma_2"),
        variant("chains12", "peak_fma_3"),
        variant("chains16", "peak_fma_4"),
        variant("chains32", "peak_fma_8"),
    ];

    fn lengths(p: &FmaParams) -> Vec<usize> {
        vec![p.invocations as usize]
    }
    fn reference(p: &FmaParams, _: &Step, _: &[&[u32]]) -> Vec<Expected> {
        vec![reference::peak_fma::peak_fma(p)]
    }
    fn cost(p: &FmaParams) -> Cost {
        Cost {
            flops: 8 * p.vectors as u64 * p.invocations as u64,
            bytes: 4 * p.invocations as u64,
        }
    }
    fn cases() -> Vec<Case<FmaParams>> {
        let sizes = [(1, UNIT), (64, UNIT), (65, 2 * UNIT), (1000, 32 * UNIT)];
        let case = |(invocations, vectors)| Case {
            name: format!("{invocations}x{vectors}"),
            params: FmaParams {
                invocations,
                vectors,
                one: 1.0,
            },
            step: Step::default(),
            fills: vec![],
            exact: true,
        };
        sizes.map(case).into()
    }
}
