//! What batch normalization does to each element.

use super::cases;
use super::{BatchNorm, LINE, ORDER, PARAMS, SCALARS, Shader, VECTORS, Variant};
use crate::ops::reference::{Expected, batch_norm as reference};
use crate::ops::{Binding, Case, Cost, Fill, Op, Step, nan_among, out, read, shader};

static BY_ONE: Shader = shader!("batch_norm_apply.wgsl", LINE, SCALARS, ORDER, PARAMS);
static BY_FOUR: Shader = shader!("batch_norm_apply.wgsl", LINE, VECTORS, ORDER, PARAMS);

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, then ReLU where asked. What lies in `gamma` and `beta` is
/// not looked at where there are none.
pub struct Apply;

impl Op for Apply {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_apply";
    const BINDINGS: &'static [Binding] = &[
        read("x"),
        read("mean"),
        read("variance"),
        read("gamma"),
        read("beta"),
        out("y"),
    ];
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::elementwise(
        [&BY_ONE, &BY_FOUR],
        ["batch_norm_apply", "batch_norm_apply_planes"],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        let c = p.c as usize;
        vec![p.len(p.x_channels), c, c, c, c, p.len(p.y_channels)]
    }
    fn reference(p: &BatchNorm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::apply(p, bindings)]
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 3 * p.elements(),
            bytes: 8 * p.elements() + 16 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (at, (name, params)) in cases::shapes().into_iter().enumerate() {
            let mut add = |suffix: &str, [x, mean, beta]: [Fill; 3]| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params: BatchNorm {
                        relu: u32::from(at % 2 == 1),
                        scale: u32::from(at % 3 != 2),
                        center: u32::from(at % 4 != 2),
                        ..params
                    },
                    step: Step::default(),
                    fills: vec![x, mean, Fill::Range(0.0, 0.01), Fill::Uniform(2.0), beta],
                    exact: false,
                });
            };
            let one = || Fill::Uniform(1.0);
            add("", [one(), one(), one()]);
            let far = || Fill::Range(1e4 - 1.0, 1e4 + 1.0);
            add("_mean10000", [far(), far(), one()]);
            add("_nan", [one(), one(), nan_among(params.c)]);
        }
        cases
    }
}
