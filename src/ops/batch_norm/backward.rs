//! The gradients of batch normalization: sums of shares, their merge, and the gradient of each element.

use super::cases;
use super::{
    BatchNorm, GRADIENT, GRADIENT_SUMS, ORDER, PARAMS, RESULT, SCALARS, STEP, Shader, TREE,
    VECTORS, Variant, walking,
};
use crate::ops::reference::{Expected, batch_norm as reference};
use crate::ops::{Binding, Case, Cost, Fill, Op, Phase, Step, out, read, shader};

static SUMS_BY_ONE: Shader = walking!("batch_norm_backward_sums.wgsl", SCALARS, GRADIENT_SUMS);
static SUMS_BY_FOUR: Shader = walking!("batch_norm_backward_sums.wgsl", VECTORS, GRADIENT_SUMS);
static MERGE: Shader = shader!("batch_norm_backward_merge.wgsl", RESULT, TREE, PARAMS, STEP);
static INPUT_BY_ONE: Shader = shader!(
    "batch_norm_backward_input.wgsl",
    GRADIENT,
    SCALARS,
    ORDER,
    PARAMS,
    STEP
);
static INPUT_BY_FOUR: Shader = shader!(
    "batch_norm_backward_input.wgsl",
    GRADIENT,
    VECTORS,
    ORDER,
    PARAMS,
    STEP
);

/// sum(dy) and sum(dy (x - mean)) of each share of each channel, over its elements in valid rows.
pub struct BackwardSums;

impl Op for BackwardSums {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_backward_sums";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("x"), read("dy"), read("mean"), out("sums")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::sums(
        [&SUMS_BY_ONE, &SUMS_BY_FOUR],
        ["batch_norm_backward_sums", "batch_norm_backward_sums_tree"],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        let (x, dy) = (p.len(p.x_channels), p.len(p.y_channels));
        vec![x, dy, p.c as usize, 2 * p.parts()]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::backward_sums(p, step, bindings)]
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 4 * p.elements(),
            bytes: 8 * (p.elements() + p.parts() as u64),
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (name, params, step) in cases::shared() {
            let mut add = |suffix: &str, fills: [Fill; 3], exact: bool| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step,
                    fills: fills.to_vec(),
                    exact,
                });
            };
            let one = || Fill::Uniform(1.0);
            add("", [one(), one(), one()], false);
            let few = || Fill::Integers(-3, 3);
            add("_integers", [few(), few(), Fill::Integers(-5, 5)], true);
            let far = || Fill::Range(1e4 - 1.0, 1e4 + 1.0);
            add("_mean10000", [far(), one(), far()], false);
        }
        cases
    }
}

/// The gradients of gamma and beta, and the coefficients of the gradient of x: mean, slope, offset and tilt of each
/// channel. Without shares all sums are zero, and `sums` is not looked at.
pub struct BackwardMerge;

impl Op for BackwardMerge {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_backward_merge";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("sums"),
        read("mean"),
        read("variance"),
        read("gamma"),
        out("grad_gamma"),
        out("grad_beta"),
        out("coefficients"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::merges(
        &MERGE,
        [
            "batch_norm_backward_merge",
            "batch_norm_backward_merge_tree",
        ],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        let c = p.c as usize;
        vec![(2 * p.parts()).max(c), c, c, c, c, c, 4 * c]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::backward_merge(p, step, bindings)
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 2 * p.parts() as u64 + 7 * p.c as u64,
            bytes: 8 * p.parts() as u64 + 36 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let none = BatchNorm {
            shares: 0,
            ..BatchNorm::new([3, 70, 5], 1e-3)
        };
        let none = ("no_shares".to_string(), none, cases::valid(3));
        let all = cases::shared().into_iter().chain(cases::many_shares());
        let case = |(at, (name, params, step)): (usize, (String, BatchNorm, Step))| Case {
            name,
            params: BatchNorm {
                scale: u32::from(at % 3 != 2),
                ..params
            },
            step,
            fills: vec![
                Fill::Uniform(9.0),
                Fill::Uniform(1.0),
                Fill::Range(0.0, 0.01),
                Fill::Uniform(2.0),
            ],
            exact: false,
        };
        all.chain([none]).enumerate().map(case).collect()
    }
}

/// dx = slope (dy - offset - (x - mean) tilt), or slope dy where the statistics are constants; zero in padded rows,
/// stopped by the ReLU before. What is not needed of `x` and `relu_mask` may be any buffer as large as dy.
pub struct BackwardInput;

impl Op for BackwardInput {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_backward_input";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("x"),
        read("dy"),
        read("coefficients"),
        read("relu_mask"),
        out("grad_x"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::elementwise(
        [&INPUT_BY_ONE, &INPUT_BY_FOUR],
        [
            "batch_norm_backward_input",
            "batch_norm_backward_input_planes",
        ],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        let dy = p.len(p.y_channels);
        let or_dy = |used: bool, channels| if used { p.len(channels) } else { dy };
        vec![
            or_dy(p.constant == 0, p.x_channels),
            dy,
            4 * p.c as usize,
            or_dy(p.masked != 0, p.mask_channels),
            p.len(p.grad_channels),
        ]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::backward_input(p, step, bindings)]
    }
    fn cost(p: &BatchNorm) -> Cost {
        let read = 1 + u64::from(p.constant == 0) + u64::from(p.masked != 0);
        Cost {
            flops: 5 * p.elements(),
            bytes: 4 * (read + 1) * p.elements() + 16 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (at, (name, whole)) in cases::shapes().into_iter().enumerate() {
            let params = BatchNorm {
                masked: u32::from(at % 2 == 1),
                constant: u32::from(at % 4 == 2),
                mask_channels: whole.c,
                ..whole
            };
            let params = match name.as_str() {
                "ranges" | "ranges_by_four" => BatchNorm {
                    masked: 1,
                    constant: 0,
                    mask_channels: whole.c + 3,
                    mask_first: 1,
                    ..params
                },
                _ => params,
            };
            let mut add = |suffix: &str, fills: [Fill; 4], exact: bool| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step: cases::valid(whole.n.div_ceil(2)),
                    fills: fills.to_vec(),
                    exact,
                });
            };
            let one = || Fill::Uniform(1.0);
            add("", [one(), one(), one(), one()], false);
            let few = || Fill::Integers(-5, 5);
            add("_integers", [few(), few(), few(), few()], true);
            add("_tiny_mask", [few(), few(), few(), Fill::Tiny(-1, 1)], true);
        }
        cases
    }
}
