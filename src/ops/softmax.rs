//! softmax over the classes of each row, and its gradient.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, Step, Variant, anywhere, no_chain, out,
    per_element, read, shader,
};
use crate::ops::reference::{self, Expected};

params! {
    Softmax {
        rows: u32 as batch,
        classes: u32,
    }
}

impl Softmax {
    pub fn elements(&self) -> usize {
        self.rows as usize * self.classes as usize
    }

    pub fn shapes() -> impl Iterator<Item = Softmax> {
        [(1, 1), (9, 7), (63, 2), (64, 7), (65, 13), (130, 33)]
            .into_iter()
            .map(|(rows, classes)| Softmax { rows, classes })
    }
}

/// The parameter block of what works on rows of classes.
pub(super) static PARAMS: super::Shader = shader!("softmax_params.wgsl");
static SHADER: super::Shader = shader!("softmax.wgsl", PARAMS);

macro_rules! by_row {
    ($entry:literal) => {
        &[Variant {
            name: "naive",
            family: Family::Naive,
            suits: crate::ops::always,
            twin: None,
            shader: &SHADER,
            entry: $entry,
            constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.rows as u64),
            chain: no_chain,
            supports: anywhere,
        }]
    };
}

/// y = softmax(x) along each row
pub struct Forward;

impl Op for Forward {
    type Params = Softmax;
    const NAME: &'static str = "softmax_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<Softmax>] = by_row!("softmax_forward");

    fn lengths(p: &Softmax) -> Vec<usize> {
        vec![p.elements(); 2]
    }
    fn reference(p: &Softmax, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::softmax::softmax_forward(p, bindings[0])]
    }
    fn cost(p: &Softmax) -> Cost {
        Cost {
            flops: 5 * p.elements() as u64,
            bytes: 8 * p.elements() as u64,
        }
    }
    fn cases() -> Vec<Case<Softmax>> {
        let scales = [("", 1.0), ("_x60", 60.0), ("_x10000", 1e4)];
        let case = |(params, (suffix, scale)): (Softmax, (&str, f32))| Case {
            name: format!("n{}_c{}{suffix}", params.rows, params.classes),
            params,
            step: Step::default(),
            fills: vec![Fill::Uniform(scale)],
            exact: false,
        };
        Softmax::shapes()
            .flat_map(|p| scales.map(|s| case((p, s))))
            .collect()
    }
}

/// dx = y * (dy - sum(dy * y))
pub struct Backward;

impl Op for Backward {
    type Params = Softmax;
    const NAME: &'static str = "softmax_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("probabilities"), read("dy"), out("grad_x")];
    const VARIANTS: &'static [Variant<Softmax>] = by_row!("softmax_backward");

    fn lengths(p: &Softmax) -> Vec<usize> {
        vec![p.elements(); 3]
    }
    fn reference(p: &Softmax, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::softmax::softmax_backward(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn cost(p: &Softmax) -> Cost {
        Cost {
            flops: 4 * p.elements() as u64,
            bytes: 12 * p.elements() as u64,
        }
    }
    fn cases() -> Vec<Case<Softmax>> {
        let case = |params: Softmax, name: &str, fills: [Fill; 2], exact| Case {
            name: format!("n{}_c{}{name}", params.rows, params.classes),
            params,
            step: Step::default(),
            fills: fills.to_vec(),
            exact,
        };
        let random = |p| case(p, "", [Fill::Range(0.0, 1.0), Fill::Uniform(1.0)], false);
        let exact = |p| {
            case(
                p,
                "_integers",
                [Fill::Integers(0, 5), Fill::Integers(-9, 9)],
                true,
            )
        };
        Softmax::shapes()
            .flat_map(|p| [random(p), exact(p)])
            .collect()
    }
}
