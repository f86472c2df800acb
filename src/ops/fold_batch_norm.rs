//! fold_batch_norm: a convolution's kernel and bias with the batch normalization behind it in them.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Shader, Step, Variant, anywhere, no_chain, out,
    per_element, read, shader,
};
use crate::ops::reference::{Expected, batch_norm as reference};

params! {
    /// A kernel of so many words, whose last axis is the output channels.
    FoldBatchNorm {
        words: u32,
        c: u32,
        /// Is there a gamma? Without one it is 1.
        scale: u32,
        /// Is there a beta? Without one it is 0.
        center: u32,
        /// Has the convolution a bias?
        biased: u32,
        /// What is added to the variance.
        epsilon: f32,
    }
}

static SHADER: Shader = shader!("fold_batch_norm.wgsl");

/// An invocation for each word that is written.
const fn naive(
    entry: &'static str,
    workgroups: fn(&FoldBatchNorm) -> u64,
) -> Variant<FoldBatchNorm> {
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: super::always,
        twin: None,
        shader: &SHADER,
        entry,
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups,
        chain: no_chain,
        supports: anywhere,
    }
}

fn shapes() -> impl Iterator<Item = (String, FoldBatchNorm)> {
    let shapes = [(1, 1), (9, 7), (27, 63), (1, 64), (2, 65), (40, 130)];
    shapes.into_iter().enumerate().map(|(at, (k, c))| {
        let at = at as u32;
        let params = FoldBatchNorm {
            words: k * c,
            c,
            scale: u32::from(at % 3 != 2),
            center: u32::from(at % 4 != 2),
            biased: at % 2,
            epsilon: 1e-3,
        };
        (format!("k{k}_c{c}"), params)
    })
}

/// kernel' = kernel gamma / sqrt(variance + epsilon). What lies in `gamma` is not looked at where there is none.
pub struct Kernel;

impl Op for Kernel {
    type Params = FoldBatchNorm;
    const NAME: &'static str = "fold_batch_norm_kernel";
    const BINDINGS: &'static [Binding] = &[
        read("variance"),
        read("gamma"),
        read("kernel"),
        out("folded_kernel"),
    ];
    const VARIANTS: &'static [Variant<FoldBatchNorm>] = &[naive("fold_batch_norm_kernel", |p| {
        per_element(p.words as u64)
    })];

    fn lengths(p: &FoldBatchNorm) -> Vec<usize> {
        let (words, c) = (p.words as usize, p.c as usize);
        vec![c, c, words, words]
    }
    fn reference(p: &FoldBatchNorm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::fold_kernel(p, bindings)]
    }
    fn cost(p: &FoldBatchNorm) -> Cost {
        Cost {
            flops: p.words as u64,
            bytes: 8 * (p.words as u64 + p.c as u64),
        }
    }
    fn cases() -> Vec<Case<FoldBatchNorm>> {
        let case = |(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![
                Fill::Range(0.0, 0.01),
                Fill::Uniform(2.0),
                Fill::Uniform(1.0),
            ],
            exact: false,
        };
        shapes().map(case).collect()
    }
}

/// bias' = (bias - mean) gamma / sqrt(variance + epsilon) + beta. What there is not is not looked at.
pub struct Bias;

impl Op for Bias {
    type Params = FoldBatchNorm;
    const NAME: &'static str = "fold_batch_norm_bias";
    const BINDINGS: &'static [Binding] = &[
        read("variance"),
        read("gamma"),
        read("mean"),
        read("beta"),
        read("bias"),
        out("folded_bias"),
    ];
    const VARIANTS: &'static [Variant<FoldBatchNorm>] =
        &[naive("fold_batch_norm_bias", |p| per_element(p.c as u64))];

    fn lengths(p: &FoldBatchNorm) -> Vec<usize> {
        vec![p.c as usize; 6]
    }
    fn reference(p: &FoldBatchNorm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::fold_bias(p, bindings)]
    }
    fn cost(p: &FoldBatchNorm) -> Cost {
        Cost {
            flops: 4 * p.c as u64,
            bytes: 24 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<FoldBatchNorm>> {
        let case = |(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![
                Fill::Range(0.0, 0.01),
                Fill::Uniform(2.0),
                Fill::Uniform(1.0),
                Fill::Uniform(1.0),
                Fill::Uniform(1.0),
            ],
            exact: false,
        };
        shapes().map(case).collect()
    }
}
