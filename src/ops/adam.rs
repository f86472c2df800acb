//! adam: one optimiser step over a flat block of weights.

use super::params::params;
use super::{
    Access, Binding, Case, Cost, Fill, Op, Piece, Step, Variant, anywhere, in_out, no_chain, read,
    shader,
};
use crate::reference::{self, Expected};

/// Keras 3's defaults.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;

params! {
    AdamParams {
        /// Weights, a multiple of 4 (blocks are padded).
        count: u32,
        /// 1 - beta1 and 1 - beta2, computed in f64: from an f32 beta2 the latter would be off by 5e-5.
        gain1: f32,
        gain2: f32,
        epsilon: f32,
    }
}

impl AdamParams {
    /// Keras 3's defaults.
    pub fn keras(count: u32) -> AdamParams {
        AdamParams {
            count,
            gain1: (1.0 - BETA1) as f32,
            gain2: (1.0 - BETA2) as f32,
            epsilon: 1e-7,
        }
    }
}

/// The rate of step `t` (from 1): lr * sqrt(1 - beta2^t) / (1 - beta1^t), in f64.
pub fn bias_corrected_rate(learning_rate: f64, t: u64) -> f32 {
    let power = |beta: f64| beta.powf(t as f64);
    (learning_rate * (1.0 - power(BETA2)).sqrt() / (1.0 - power(BETA1))) as f32
}

pub(super) const METRICS: Binding = Binding {
    name: "metrics",
    access: Access::Read,
};

static SHADER: super::Shader = shader!("adam.wgsl");

/// (w, m, v) updated in place from g; nothing where the non-finite flag is up.
pub struct Adam;

impl Op for Adam {
    type Params = AdamParams;
    const NAME: &'static str = "adam";
    const BINDINGS: &'static [Binding] =
        &[read("g"), METRICS, in_out("w"), in_out("m"), in_out("v")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<AdamParams>] = &[Variant {
        name: "naive",
        shader: &SHADER,
        entry: "adam",
        constants: &[("WORKGROUP", 64.0)],
        workgroups: |p| (p.count as u64 / 4).div_ceil(64),
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &AdamParams) -> Vec<usize> {
        let count = p.count as usize;
        vec![
            count,
            super::softmax_cross_entropy::METRICS,
            count,
            count,
            count,
        ]
    }
    fn reference(p: &AdamParams, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::adam::adam(p, step, bindings)
    }
    fn pieces(p: &AdamParams, elements: usize) -> Vec<Piece<AdamParams>> {
        let each = elements.next_multiple_of(4) as u32;
        let piece = |first: u32| {
            let count = each.min(p.count - first);
            let range = first as usize..(first + count) as usize;
            let metrics = 0..super::softmax_cross_entropy::METRICS;
            let [g, w, m, v] = std::array::from_fn(|_| range.clone());
            Piece {
                params: AdamParams { count, ..*p },
                ranges: vec![g, metrics, w, m, v],
            }
        };
        (0..p.count).step_by(each as usize).map(piece).collect()
    }
    fn cost(p: &AdamParams) -> Cost {
        Cost {
            flops: 12 * p.count as u64,
            bytes: 28 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<AdamParams>> {
        let mut cases = Vec::new();
        for count in [4, 252, 256, 260, 9188] {
            for (t, flag) in [(1, 0.0), (1000, 0.0), (7, 1.0)] {
                cases.push(Case {
                    name: format!("count{count}_t{t}_flag{flag}"),
                    params: AdamParams::keras(count),
                    step: Step {
                        step: t,
                        valid_rows: 1,
                        rate: bias_corrected_rate(1e-3, t as u64),
                    },
                    fills: vec![
                        Fill::Uniform(0.1),
                        Fill::Values(vec![0.0, 0.0, flag, 0.0]),
                        Fill::Uniform(1.0),
                        Fill::Uniform(0.05),
                        Fill::Range(0.0, 0.01),
                    ],
                    exact: false,
                });
            }
        }
        cases
    }
}
