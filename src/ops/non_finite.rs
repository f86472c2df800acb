//! non_finite: how many values of a block are infinite or NaN. A run asks it of its weights
//! before it saves them; only the counts are read back.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, MAX_ITERATIONS, Op, Step, Variant, no_chain, out, read,
    shader,
};
use crate::ops::reference::{self, Expected};

/// Invocations, each with a share of the values and a count of its own.
pub const SHARES: usize = 8192;

/// Of them in a workgroup.
pub const WORKGROUP: usize = 64;

params! {
    NonFinite {
        /// Values, a multiple of 4 (blocks are padded).
        count: u32,
    }
}

static SHADER: super::Shader = shader!("non_finite.wgsl");

/// counts\[share\] = how many of its values are not finite.
pub struct Count;

impl Op for Count {
    type Params = NonFinite;
    const NAME: &'static str = "non_finite";
    const BINDINGS: &'static [Binding] = &[read("x"), out("counts")];
    const VARIANTS: &'static [Variant<NonFinite>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "non_finite",
        constants: &[("WORKGROUP", WORKGROUP as f64), ("SHARES", SHARES as f64)],
        workgroups: |_| (SHARES / WORKGROUP) as u64,
        chain: no_chain,
        supports: |p, _| (p.count as u64 / 4).div_ceil(SHARES as u64) <= MAX_ITERATIONS,
    }];

    fn lengths(p: &NonFinite) -> Vec<usize> {
        vec![p.count as usize, SHARES]
    }
    fn reference(p: &NonFinite, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::non_finite::non_finite(p, bindings[0])]
    }
    fn cost(p: &NonFinite) -> Cost {
        Cost {
            flops: 0,
            bytes: 4 * (p.count as u64 + SHARES as u64),
        }
    }
    fn cases() -> Vec<Case<NonFinite>> {
        let case = |name: String, values: Vec<f32>| Case {
            name,
            params: NonFinite {
                count: values.len() as u32,
            },
            step: Step::default(),
            fills: vec![Fill::Values(values)],
            exact: true,
        };
        let bad = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN];
        let good = [f32::MAX, f32::MIN, 0.0, -0.0, 1.0, f32::MIN_POSITIVE];
        let values = |count: usize, bad_at: &dyn Fn(usize) -> bool| -> Vec<f32> {
            let value = |i: usize| {
                let (good, bad) = (good[i % good.len()], bad[i % bad.len()]);
                if bad_at(i) { bad } else { good }
            };
            (0..count).map(value).collect()
        };
        let round = 4 * SHARES;
        let mut cases = vec![
            case("none_of_4".into(), values(4, &|_| false)),
            case(format!("none_of_{round}"), values(round, &|_| false)),
            case("all_of_260".into(), values(260, &|_| true)),
        ];
        for count in [4, 252, round - 4, round, round + 4, 3 * round + 8] {
            for (name, at) in [("first", 0), ("third", 2), ("last", count - 1)] {
                let values = values(count, &|i| i == at);
                cases.push(case(format!("{name}_of_{count}"), values));
            }
            let several = values(count, &|i| i % 7 == 3);
            cases.push(case(format!("sevenths_of_{count}"), several));
        }
        cases
    }
}
