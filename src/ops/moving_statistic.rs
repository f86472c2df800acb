//! moving_statistic: what a layer keeps of the batches' statistics moves towards the last one.

use super::params::params;
use super::update::{self, Flat, METRICS, flagged, flat_cases, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::ops::softmax_cross_entropy;

params! {
    Moving {
        /// Words, a multiple of 4.
        count: u32,
        /// The share of the old that is kept.
        momentum: f32,
        /// What the statistic, summed over the shards, is multiplied with: (1 - momentum) / shards.
        gain: f32,
    }
}

impl Flat for Moving {
    fn words(&self) -> u32 {
        self.count
    }
    fn part(&self, count: u32) -> Moving {
        Moving { count, ..*self }
    }
}

static SHADER: Shader = shader!("moving_statistic.wgsl");

/// state = momentum * state + gain * statistic; nothing where the non-finite flag is up.
pub struct MovingStatistic;

impl Op for MovingStatistic {
    type Params = Moving;
    const NAME: &'static str = "moving_statistic";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("statistic"), METRICS, in_out("state")];
    const VARIANTS: &'static [Variant<Moving>] = &[vectors(&SHADER, "moving_statistic")];

    fn lengths(p: &Moving) -> Vec<usize> {
        let count = p.count as usize;
        vec![count, softmax_cross_entropy::METRICS, count]
    }
    fn reference(p: &Moving, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::averages::moving_statistic(p, bindings)]
    }
    fn pieces(p: &Moving, elements: usize) -> Vec<Piece<Moving>> {
        update::pieces(p, &Self::lengths(p), elements)
    }
    fn cost(p: &Moving) -> Cost {
        Cost {
            flops: 3 * p.count as u64,
            bytes: 12 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Moving>> {
        let moving = |momentum: f32| {
            move |count| Moving {
                count,
                momentum,
                gain: 1.0 - momentum,
            }
        };
        let filled = |flag, fill: Fill| vec![fill.clone(), flagged(flag), fill];
        let usual = [
            ("random", filled(0.0, Fill::Uniform(1.0)), false),
            ("flag", filled(1.0, Fill::Uniform(1.0)), true),
        ];
        let exact = [("integers", filled(0.0, Fill::Integers(-1000, 1000)), true)];
        let mut cases = flat_cases(
            &[4, 252, 256, 260, 2048],
            moving(0.99),
            Step::default(),
            &usual,
        );
        cases.extend(flat_cases(&[260], moving(0.75), Step::default(), &exact));
        cases
    }
}
