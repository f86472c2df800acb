//! Mean and variance of each channel: of shares, and merged.

use super::cases::{self, NAN_AT};
use super::{
    BatchNorm, MOMENTS, PARAMS, SCALARS, SETTLED, STEP, Shader, TREE, VECTORS, Variant, walking,
};
use crate::ops::reference::{Expected, batch_norm as reference};
use crate::ops::{Binding, Case, Cost, Fill, Op, Step, out, read, shader};

static BY_ONE: Shader = walking!("batch_norm_statistics.wgsl", SCALARS, MOMENTS, SETTLED);
static BY_FOUR: Shader = walking!("batch_norm_statistics.wgsl", VECTORS, MOMENTS, SETTLED);
static MERGE: Shader = shader!("batch_norm_merge.wgsl", SETTLED, TREE, PARAMS, STEP);

/// Mean and variance of each share of each channel, over its elements in valid rows.
pub struct Statistics;

impl Op for Statistics {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_statistics";
    const BINDINGS: &'static [Binding] = &[read("x"), out("mean"), out("variance")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] = &super::sums(
        [&BY_ONE, &BY_FOUR],
        ["batch_norm_statistics", "batch_norm_statistics_tree"],
    );

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        vec![p.len(p.x_channels), p.parts(), p.parts()]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::statistics(p, step, bindings[0])
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 5 * p.elements(),
            bytes: 4 * (p.elements() + 2 * p.parts() as u64),
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (name, params, step) in cases::shared() {
            let mut add = |suffix: &str, fill: Fill| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step,
                    fills: vec![fill],
                    exact: false,
                });
            };
            add("", Fill::Uniform(2.0));
            add("_mean10000", Fill::Range(1e4 - 1.0, 1e4 + 1.0));
            add("_mean100000", Fill::Range(-1e5 - 2.0, -1e5 + 2.0));
        }
        // Means and differences from them are multiples of 1/64, their squares of 1/4096.
        cases.extend(cases::powers_of_two().map(|(name, params)| Case {
            name: format!("{name}_integers"),
            params,
            step: cases::valid(params.n),
            fills: vec![Fill::Integers(-3, 3)],
            exact: true,
        }));
        // What is looked at first, the first image, is nothing like the seven others.
        for pixels in [15, 16] {
            let params = BatchNorm::new([8, 3, pixels], 1e-3);
            let values = (0..params.len(3)).map(|i| match i < params.len(3) / 8 {
                true => i as f32 / 64.0,
                false => 1000.0 + (i * 37 % 101) as f32 / 64.0,
            });
            cases.push(Case {
                name: format!("far_from_the_first_p{pixels}"),
                params,
                step: cases::valid(8),
                fills: vec![Fill::Values(values.collect())],
                exact: false,
            });
        }
        let params = BatchNorm::new([2, 3, 4], 1e-3);
        let mut values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        values[NAN_AT] = f32::NAN;
        cases.push(Case {
            name: "nan".into(),
            params,
            step: cases::valid(2),
            fills: vec![Fill::Values(values)],
            exact: false,
        });
        cases
    }
}

/// Mean and variance of each channel from those of its shares.
pub struct Merge;

impl Op for Merge {
    type Params = BatchNorm;
    const NAME: &'static str = "batch_norm_merge";
    const BINDINGS: &'static [Binding] = &[
        read("means"),
        read("variances"),
        out("mean"),
        out("variance"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<BatchNorm>] =
        &super::merges(&MERGE, ["batch_norm_merge", "batch_norm_merge_tree"]);

    fn lengths(p: &BatchNorm) -> Vec<usize> {
        vec![p.parts(), p.parts(), p.c as usize, p.c as usize]
    }
    fn reference(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::merge(p, step, bindings[0], bindings[1])
    }
    fn cost(p: &BatchNorm) -> Cost {
        Cost {
            flops: 8 * p.parts() as u64,
            bytes: 8 * (p.parts() as u64 + p.c as u64),
        }
    }
    fn cases() -> Vec<Case<BatchNorm>> {
        let mut cases = Vec::new();
        for (name, params, step) in cases::shared().into_iter().chain(cases::many_shares()) {
            let mut add = |suffix: &str, means: Fill, variances: Fill| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step,
                    fills: vec![means, variances],
                    exact: false,
                });
            };
            add("", Fill::Uniform(1.0), Fill::Range(0.0, 2.0));
            add(
                "_mean10000",
                Fill::Range(1e4 - 0.1, 1e4 + 0.1),
                Fill::Range(0.0, 1.0),
            );
            add(
                "_mean1000000",
                Fill::Range(1e6, 1e6 + 1.0),
                Fill::Range(0.0, 0.01),
            );
        }
        cases.extend(cases::powers_of_two().map(|(name, params)| Case {
            name: format!("{name}_integers"),
            params,
            step: cases::valid(params.n),
            fills: vec![Fill::Integers(-3, 3), Fill::Integers(0, 9)],
            exact: true,
        }));
        let params = BatchNorm::new([2, 3, 4], 1e-3).in_shares_of(4);
        cases.push(Case {
            name: "nan".into(),
            params,
            step: cases::valid(2),
            fills: vec![
                Fill::Uniform(1.0),
                Fill::Values(vec![1.0, f32::NAN, 2.0, 0.5, 1.0, 2.0]),
            ],
            exact: false,
        });
        cases
    }
}
