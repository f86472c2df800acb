//! All of a pass at once, where a channel is one share: what is summed is still in a cache when it is used.

use super::cases;
use super::{
    BatchNorm, GRADIENT, GRADIENT_SUMS, LINE, MOMENTS, RESULT, SCALARS, SETTLED, Shader, VECTORS,
    Variant, walking,
};
use crate::ops::reference::{Expected, batch_norm as reference};
use crate::ops::{Binding, Case, Cost, Fill, Op, Phase, Step, out, read};

static FORWARD_BY_ONE: Shader =
    walking!("batch_norm_forward.wgsl", SCALARS, MOMENTS, SETTLED, LINE);
static FORWARD_BY_FOUR: Shader =
    walking!("batch_norm_forward.wgsl", VECTORS, MOMENTS, SETTLED, LINE);
static BACKWARD_BY_ONE: Shader = walking!(
    "batch_norm_backward.wgsl",
    SCALARS,
    GRADIENT_SUMS,
    RESULT,
    GRADIENT
);
static BACKWARD_BY_FOUR: Shader = walking!(
    "batch_norm_backward.wgsl",
    VECTORS,
    GRADIENT_SUMS,
    RESULT,
    GRADIENT
);

/// [`Statistics`](super::Statistics) and [`Apply`](super::Apply) at once. What lies in `gamma` and `beta` is not looked
/// at where there are none.
pub struct Forward;

impl Op for Forward {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_forward";
    const BINDINGS: &'static [Binding] = &[
        read("x"),
        read("gamma"),
        read("beta"),
        out("mean"),
        out("variance"),
        out("y"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::sums(
        [&FORWARD_BY_ONE, &FORWARD_BY_FOUR],
        ["batch_norm_forward", "batch_norm_forward_tree"],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        let c = p.c as usize;
        vec![p.len(p.x_channels), c, c, c, c, p.len(p.y_channels)]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::forward(p, step, bindings)
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 8 * p.elements(),
            bytes: 8 * p.elements() + 16 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (at, (name, params, step)) in cases::whole().enumerate() {
            let params = BatchNorm {
                relu: u32::from(at % 2 == 1),
                scale: u32::from(at % 3 != 2),
                center: u32::from(at % 4 != 2),
                ..params
            };
            let mut add = |suffix: &str, x: Fill| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step,
                    fills: vec![x, Fill::Uniform(2.0), Fill::Uniform(1.0)],
                    exact: false,
                });
            };
            add("", Fill::Uniform(2.0));
            add("_mean10000", Fill::Range(1e4 - 1.0, 1e4 + 1.0));
        }
        cases
    }
}

/// [`BackwardSums`](super::BackwardSums), [`BackwardMerge`](super::BackwardMerge) and
/// [`BackwardInput`](super::BackwardInput) at once, of the batch's statistics and without a mask.
pub struct Backward;

impl Op for Backward {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("x"),
        read("dy"),
        read("mean"),
        read("variance"),
        read("gamma"),
        out("grad_gamma"),
        out("grad_beta"),
        out("grad_x"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::sums(
        [&BACKWARD_BY_ONE, &BACKWARD_BY_FOUR],
        ["batch_norm_backward", "batch_norm_backward_tree"],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        let (x, dy, c) = (p.len(p.x_channels), p.len(p.y_channels), p.c as usize);
        vec![x, dy, c, c, c, c, c, p.len(p.grad_channels)]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::backward(p, step, bindings)
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 9 * p.elements() + 7 * p.c as u64,
            bytes: 12 * p.elements() + 20 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (at, (name, params, step)) in cases::whole().enumerate() {
            let params = BatchNorm {
                scale: u32::from(at % 3 != 2),
                ..params
            };
            let mut add = |suffix: &str, [x, dy, mean]: [Fill; 3]| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step,
                    fills: vec![x, dy, mean, Fill::Range(0.0, 0.01), Fill::Uniform(2.0)],
                    exact: false,
                });
            };
            let one = || Fill::Uniform(1.0);
            add("", [one(), one(), one()]);
            let far = || Fill::Range(1e4 - 1.0, 1e4 + 1.0);
            add("_mean10000", [far(), one(), far()]);
        }
        cases
    }
}
