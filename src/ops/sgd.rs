//! sgd, sgd_momentum: one step of stochastic gradient descent over a flat block of weights.

use super::update::{self, METRICS, Update, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, STEP, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{self, Expected};

/// Scalars of any step: rate; the share of the momentum that is kept; the shares of the new momentum and of the
/// gradient by which the weights move. Nesterov's moves by momentum * m - rate * g, where m has g already.
pub fn scalars(learning_rate: f64, momentum: f64, nesterov: bool) -> [f32; 4] {
    let (kept, ahead) = match nesterov {
        true => (momentum, learning_rate),
        false => (1.0, 0.0),
    };
    [learning_rate, momentum, kept, ahead].map(|scalar| scalar as f32)
}

static SHADER: Shader = shader!("sgd.wgsl", update::PARAMS, STEP);

/// A case without any rounding: integers, and halves of them.
fn exact(scalars: [f32; 4], slots: usize) -> Case<Update> {
    let mut fills = vec![Fill::Integers(-1000, 1000); 3 + slots];
    fills[1] = Fill::Zero;
    Case {
        name: "integers".into(),
        params: Update { count: 260 },
        step: Step::new(3, 1, scalars),
        fills,
        exact: true,
    }
}

/// w -= rate * g, in place; nothing where the non-finite flag is up.
pub struct Sgd;

impl Op for Sgd {
    type Params = Update;
    const NAME: &'static str = "sgd";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("g"), METRICS, in_out("w")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "sgd")];

    fn lengths(p: &Update) -> Vec<usize> {
        let count = p.count as usize;
        vec![count, super::softmax_cross_entropy::METRICS, count]
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::sgd::sgd(p, step, bindings)
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 2 * p.count as u64,
            bytes: 12 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        let mut cases = update::cases(|_| scalars(0.05, 0.0, false), &[]);
        cases.push(exact(scalars(0.5, 0.0, false), 0));
        cases
    }
}

/// (w, momentum) updated in place from g; nothing where the non-finite flag is up.
pub struct SgdMomentum;

impl Op for SgdMomentum {
    type Params = Update;
    const NAME: &'static str = "sgd_momentum";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[read("g"), METRICS, in_out("w"), in_out("momentum")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Update>] = &[vectors(&SHADER, "sgd_momentum")];

    fn lengths(p: &Update) -> Vec<usize> {
        let count = p.count as usize;
        vec![count, super::softmax_cross_entropy::METRICS, count, count]
    }
    fn reference(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::sgd::sgd_momentum(p, step, bindings)
    }
    fn pieces(p: &Update, elements: usize) -> Vec<Piece<Update>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Update) -> Cost {
        Cost {
            flops: 7 * p.count as u64,
            bytes: 20 * p.count as u64,
        }
    }
    fn cases() -> Vec<Case<Update>> {
        const SLOTS: [Fill; 1] = [Fill::Uniform(0.05)];
        let plain = update::cases(|_| scalars(0.05, 0.9, false), &SLOTS);
        let ahead = update::cases(|_| scalars(0.05, 0.9, true), &SLOTS);
        let exact = [false, true].map(|nesterov| exact(scalars(0.5, 0.5, nesterov), 1));
        let named = |prefix: &'static str| {
            move |case: Case<Update>| Case {
                name: format!("{prefix}_{}", case.name),
                ..case
            }
        };
        let [exact_plain, exact_ahead] = exact;
        let plain = plain.into_iter().chain([exact_plain]);
        let ahead = ahead.into_iter().chain([exact_ahead]);
        plain
            .map(named("plain"))
            .chain(ahead.map(named("nesterov")))
            .collect()
    }
}
