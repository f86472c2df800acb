//! decay_weights: each weight loses a share of itself, decoupled from the gradient (Loshchilov and Hutter 2019).

use super::update::{self, METRICS, Update, flagged, flat_cases, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, STEP, Shader, Step, Variant, in_out, shader,
};
use crate::ops::reference::{self, Expected};
use crate::ops::softmax_cross_entropy;

static SHADER: Shader = shader!("decay.wgsl", update::PARAMS, STEP);

/// w -= decay * w; nothing where the non-finite flag is up.
pub struct DecayWeights;

impl Op for DecayWeights {
    type Params = Update;
    const NAME: &'static str = "decay_weights";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[METRICS, in_out("w")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "decay_weights")];

    fn lengths(p: &Update) -> Vec<usize> {
        vec![softmax_cross_entropy::METRICS, p.count as usize]
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::decay::decay_weights(
            p,
            step,
            bindings[0],
            bindings[1],
        )]
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 2 * p.count as u64,
            bytes: 8 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        let step = |decay| Step {
            decay,
            ..Step::new(3, 1, [0.0; 4])
        };
        let params = |count| Update { count };
        let usual = [
            ("random", vec![flagged(0.0), Fill::Uniform(1.0)], false),
            ("flag", vec![flagged(1.0), Fill::Uniform(1.0)], true),
        ];
        let exact = [(
            "integers",
            vec![flagged(0.0), Fill::Integers(-1000, 1000)],
            true,
        )];
        let mut cases = flat_cases(&[4, 252, 256, 260, 9188], params, step(4e-5), &usual);
        cases.extend(flat_cases(&[260], params, step(0.25), &exact));
        cases
    }
}
