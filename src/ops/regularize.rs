//! accumulate, l2_gradient, clip_value: what happens to gradients before the rule spends them.

use super::update::{self, Weighted, flat_cases, vectors};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Piece, Shader, Step, Variant, in_out, read, shader,
};
use crate::ops::reference::{Expected, regularize as reference};

static SHADER: Shader = shader!("regularize.wgsl", update::WEIGHTED);

const COUNTS: [u32; 4] = [64, 192, 256, 9216];

/// A block of so many words with a factor.
fn with(factor: f32) -> impl Fn(u32) -> Weighted {
    move |count| Weighted { count, factor }
}

fn cost(p: &Weighted, flops: u64, words: u64) -> Cost {
    Cost {
        flops: flops * p.count as u64,
        bytes: 4 * words * p.count as u64,
    }
}

/// g += factor * w
pub struct L2Gradient;

impl Op for L2Gradient {
    type Params = Weighted;
    const NAME: &'static str = "l2_gradient";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[in_out("g"), read("w")];
    const VARIANTS: &'static [Variant<Weighted>] = &[vectors(&SHADER, "l2_gradient")];

    fn lengths(p: &Weighted) -> Vec<usize> {
        vec![p.count as usize; 2]
    }
    fn reference(p: &Weighted, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::l2_gradient(p, bindings[0], bindings[1])]
    }
    fn pieces(p: &Weighted, elements: usize) -> Vec<Piece<Weighted>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Weighted) -> Cost {
        cost(p, 2, 3)
    }
    fn cases() -> Vec<Case<Weighted>> {
        let random = vec![Fill::Uniform(0.1), Fill::Uniform(1.0)];
        let integers = vec![Fill::Integers(-1000, 1000); 2];
        let fills = [("random", random, false), ("integers", integers, true)];
        let usual = flat_cases(&COUNTS, with(1e-3), Step::default(), &fills[..1]);
        let exact = flat_cases(&[4, 260], with(2.0), Step::default(), &fills[1..]);
        usual.into_iter().chain(exact).collect()
    }
}

/// g = g within plus and minus the factor; NaN stays.
pub struct ClipValue;

impl Op for ClipValue {
    type Params = Weighted;
    const NAME: &'static str = "clip_value";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[in_out("g")];
    const VARIANTS: &'static [Variant<Weighted>] = &[vectors(&SHADER, "clip_value")];

    fn lengths(p: &Weighted) -> Vec<usize> {
        vec![p.count as usize]
    }
    fn reference(p: &Weighted, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::clip_value(p, bindings[0])]
    }
    fn pieces(p: &Weighted, elements: usize) -> Vec<Piece<Weighted>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Weighted) -> Cost {
        cost(p, 2, 2)
    }
    fn cases() -> Vec<Case<Weighted>> {
        let (limit, none) = (0.5f32, f32::INFINITY);
        let edges = [
            limit,
            limit.next_up(),
            limit.next_down(),
            none,
            f32::NAN,
            0.0,
        ];
        let signs = edges.iter().flat_map(|&x| [x, -x]);
        let edges = Fill::Values(signs.collect());
        let fills = [
            ("random", vec![Fill::Uniform(1.0)], true),
            ("small", vec![Fill::Uniform(0.25)], true),
        ];
        let mut cases = flat_cases(&COUNTS, with(limit), Step::default(), &fills);
        let fills = [("edges", vec![edges], true)];
        cases.extend(flat_cases(&[12], with(limit), Step::default(), &fills));
        cases
    }
}

/// g = earlier + g
pub struct Accumulate;

impl Op for Accumulate {
    type Params = Weighted;
    const NAME: &'static str = "accumulate";
    const PHASE: Phase = Phase::Update;
    const BINDINGS: &'static [Binding] = &[in_out("g"), read("earlier")];
    const VARIANTS: &'static [Variant<Weighted>] = &[vectors(&SHADER, "accumulate")];

    fn lengths(p: &Weighted) -> Vec<usize> {
        vec![p.count as usize; 2]
    }
    fn reference(_: &Weighted, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::accumulate(bindings[0], bindings[1])]
    }
    fn pieces(p: &Weighted, elements: usize) -> Vec<Piece<Weighted>> {
        update::pieces::<Self>(p, elements)
    }
    fn cost(p: &Weighted) -> Cost {
        cost(p, 1, 3)
    }
    fn cases() -> Vec<Case<Weighted>> {
        let fills = [
            ("random", vec![Fill::Uniform(0.1); 2], false),
            ("integers", vec![Fill::Integers(-1000, 1000); 2], true),
        ];
        flat_cases(
            &[4, 252, 256, 260, 9188],
            with(0.0),
            Step::default(),
            &fills,
        )
    }
}
