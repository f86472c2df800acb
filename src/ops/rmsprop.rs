//! rmsprop, rmsprop_momentum: one step of RMSprop over a flat block of weights.

use super::update::{self, METRICS, Update, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, STEP, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::ops::softmax_cross_entropy;

/// Scalars of any step: rate, 1 - rho, momentum, epsilon; all computed in f64.
pub fn scalars(learning_rate: f64, rho: f64, momentum: f64, epsilon: f64) -> [f32; 4] {
    [learning_rate, 1.0 - rho, momentum, epsilon].map(|scalar| scalar as f32)
}

static SHADER: Shader = shader!("rmsprop.wgsl", update::PARAMS, STEP);

/// What is kept for each weight in test cases: the mean of the squares, and the last step.
const SLOTS: [Fill; 2] = [Fill::Range(0.0, 0.01), Fill::Uniform(0.05)];

fn lengths(p: &Update, slots: usize) -> Vec<usize> {
    let mut lengths = vec![p.count as usize; 3 + slots];
    lengths[1] = softmax_cross_entropy::METRICS;
    lengths
}

/// (w, velocity) updated in place from g; nothing where the non-finite flag is up.
pub struct RmsProp;

impl Op for RmsProp {
    type Params = Update;
    const NAME: &'static str = "rmsprop";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("g"), METRICS, in_out("w"), in_out("velocity")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "rmsprop")];

    fn lengths(p: &Update) -> Vec<usize> {
        lengths(p, 1)
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::rmsprop::rmsprop(p, step, bindings)
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 9 * p.count as u64,
            bytes: 20 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        update::cases(|_| scalars(1e-3, 0.9, 0.0, 1e-7), &SLOTS[..1])
    }
}

/// (w, velocity, momentum) updated in place from g; nothing where the non-finite flag is up.
pub struct RmsPropMomentum;

impl Op for RmsPropMomentum {
    type Params = Update;
    const NAME: &'static str = "rmsprop_momentum";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[
        read("g"),
        METRICS,
        in_out("w"),
        in_out("velocity"),
        in_out("momentum"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "rmsprop_momentum")];

    fn lengths(p: &Update) -> Vec<usize> {
        lengths(p, 2)
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::rmsprop::rmsprop_momentum(p, step, bindings)
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 11 * p.count as u64,
            bytes: 28 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        update::cases(|_| scalars(1e-3, 0.9, 0.9, 1e-7), &SLOTS)
    }
}
