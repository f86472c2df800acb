//! weight_average: the average of the weights over steps moves towards them.

use super::update::{self, METRICS, Update, flagged, flat_cases, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, STEP, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::ops::softmax_cross_entropy;

static SHADER: Shader = shader!("weight_average.wgsl", update::PARAMS, STEP);

/// average += averaging * (w - average); nothing where the non-finite flag is up.
pub struct WeightAverage;

impl Op for WeightAverage {
    type Params = Update;
    const NAME: &'static str = "weight_average";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("w"), METRICS, in_out("average")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "weight_average")];

    fn lengths(p: &Update) -> Vec<usize> {
        let count = p.count as usize;
        vec![count, softmax_cross_entropy::METRICS, count]
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::averages::weight_average(p, step, bindings)]
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 3 * p.count as u64,
            bytes: 12 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        let step = |averaging| Step {
            averaging,
            ..Step::new(3, 1, [0.0; 4])
        };
        let params = |count| Update { count };
        let filled = |flag, fill: Fill| vec![fill.clone(), flagged(flag), fill];
        let usual = [
            ("random", filled(0.0, Fill::Uniform(1.0)), false),
            ("flag", filled(1.0, Fill::Uniform(1.0)), true),
        ];
        let exact = [("integers", filled(0.0, Fill::Integers(-1000, 1000)), true)];
        let mut cases = flat_cases(&[4, 252, 256, 260, 9188], params, step(2e-3), &usual);
        cases.extend(flat_cases(&[260], params, step(0.25), &exact));
        cases
    }
}
