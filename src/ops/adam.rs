//! adam: one optimiser step over a flat block of weights.

use super::update::{self, METRICS, Update, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, STEP, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{self, Expected};

/// Keras 3's defaults.
pub const BETA1: f64 = 0.9;
pub const BETA2: f64 = 0.999;
pub const EPSILON_HAT: f64 = 1e-7;

/// Scalars of step `t` (from 1): the rate with the bias correction, lr * sqrt(1 - beta2^t) / (1 - beta1^t);
/// 1 - beta1; 1 - beta2; epsilon. All computed in f64: from an f32 beta2 its gain would be off by 5e-5.
pub fn scalars(learning_rate: f64, t: u64) -> [f32; 4] {
    scalars_with([BETA1, BETA2, EPSILON_HAT], learning_rate, t)
}

/// The same with other betas and another epsilon.
pub fn scalars_with([beta1, beta2, epsilon]: [f64; 3], learning_rate: f64, t: u64) -> [f32; 4] {
    let power = |beta: f64| beta.powf(t as f64);
    let rate = learning_rate * (1.0 - power(beta2)).sqrt() / (1.0 - power(beta1));
    [rate, 1.0 - beta1, 1.0 - beta2, epsilon].map(|scalar| scalar as f32)
}

/// The formula, for every kernel that applies it.
pub(super) static RULE: Shader = shader!("adam_rule.wgsl");
static SHADER: Shader = shader!("adam.wgsl", RULE, update::PARAMS, STEP);

/// What both moments hold in test cases.
pub(super) const MOMENTS: [Fill; 2] = [Fill::Uniform(0.05), Fill::Range(0.0, 0.01)];

/// (w, moment1, moment2) updated in place from g; nothing where the non-finite flag is up.
pub struct Adam;

impl Op for Adam {
    type Params = Update;
    const NAME: &'static str = "adam";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[
        read("g"),
        METRICS,
        in_out("w"),
        in_out("moment1"),
        in_out("moment2"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "adam")];

    fn lengths(p: &Update) -> Vec<usize> {
        let count = p.count as usize;
        let metrics = super::softmax_cross_entropy::METRICS;
        vec![count, metrics, count, count, count]
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::adam::adam(p, step, bindings)
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 12 * p.count as u64,
            bytes: 28 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        update::cases(|t| scalars(1e-3, t), &MOMENTS)
    }
}
