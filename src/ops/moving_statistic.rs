//! moving_statistic: what a layer keeps of the batches' statistics moves towards the last one.

use super::params::params;
use super::update::{self, Flat, METRICS, flagged, flat_cases, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, STEP, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::ops::softmax_cross_entropy;

params! {
    Moving {
        /// Words, a multiple of 4.
        count: u32,
        /// The share of the old that is kept.
        momentum: f32,
        /// The share of the new: 1 - momentum.
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

static SHADER: Shader = shader!("moving_statistic.wgsl", STEP);

/// state = momentum * state + gain * shard_share * statistic; nothing where the non-finite flag is up.
pub struct MovingStatistic;

impl Op for MovingStatistic {
    type Params = Moving;
    const NAME: &'static str = "moving_statistic";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("statistic"), METRICS, in_out("state")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Moving>] = &[vectors(&SHADER, "moving_statistic")];

    fn lengths(p: &Moving) -> Vec<usize> {
        let count = p.count as usize;
        vec![count, softmax_cross_entropy::METRICS, count]
    }
    fn reference(p: &Moving, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::averages::moving_statistic(p, step, bindings)]
    }
    fn pieces(p: &Moving, elements: usize) -> Vec<Piece<Moving>> {
        update::pieces::<Self>(p, elements)
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
        let step = |shard_share| Step {
            shard_share,
            ..Step::new(3, 1, [0.0; 4])
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
            step(1.0 / 3.0),
            &usual,
        );
        cases.extend(flat_cases(&[260], moving(0.75), step(0.5), &exact));
        cases
    }
}
