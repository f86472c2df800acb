//! activation: the functions of one element beside ReLU, and their gradients.

use super::params::params;
use super::relu::{Planes, elementwise};
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Step, Variant, anywhere, no_chain, out, per_element,
    read, shader,
};
use crate::ops::reference::{self, Expected};

/// Which function, with Keras 3's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// min(max(x, 0), 6)
    Relu6,
    /// x where it is positive, else 0.2 x
    LeakyRelu,
    /// x where it is positive, else exp(x) - 1
    Elu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    Tanh,
    /// x sigmoid(x)
    Silu,
    /// x times the share of a normal distribution below x
    Gelu,
}

/// Keras's `negative_slope` of leaky_relu.
pub const NEGATIVE_SLOPE: f32 = 0.2;

impl Curve {
    pub const ALL: [Curve; 7] = [
        Curve::Relu6,
        Curve::LeakyRelu,
        Curve::Elu,
        Curve::Sigmoid,
        Curve::Tanh,
        Curve::Silu,
        Curve::Gelu,
    ];

    /// Does the gradient follow from the output? Else it needs the input.
    pub fn by_output(self) -> bool {
        !matches!(self, Curve::Silu | Curve::Gelu)
    }
}

params! {
    /// [`Planes`] and a function.
    Activation {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
        a_channels: u32 as detail,
        a_first: u32 as place,
        b_channels: u32 as detail,
        b_first: u32 as place,
        y_channels: u32 as detail,
        y_first: u32 as place,
        /// Number of a [`Curve`].
        curve: u32,
    }
}

impl Activation {
    pub fn new(curve: Curve, p: Planes) -> Activation {
        Activation {
            n: p.n,
            c: p.c,
            pixels: p.pixels,
            a_channels: p.a_channels,
            a_first: p.a_first,
            b_channels: p.b_channels,
            b_first: p.b_first,
            y_channels: p.y_channels,
            y_first: p.y_first,
            curve: curve as u32,
        }
    }

    pub fn planes(&self) -> Planes {
        Planes {
            n: self.n,
            c: self.c,
            pixels: self.pixels,
            a_channels: self.a_channels,
            a_first: self.a_first,
            b_channels: self.b_channels,
            b_first: self.b_first,
            y_channels: self.y_channels,
            y_first: self.y_first,
        }
    }

    /// The function.
    pub fn curve(&self) -> Curve {
        Curve::ALL[self.curve as usize]
    }

    fn elements(&self) -> u64 {
        self.planes().elements()
    }
}

static SHADER: super::Shader = shader!("activation.wgsl");

/// Operations of an element, about.
const FLOPS: u64 = 10;

fn cost(p: &Activation, buffers: u64) -> Cost {
    Cost {
        flops: FLOPS * p.elements(),
        ..p.planes().cost(buffers)
    }
}

/// Thresholds, where series and exponential meet, and numbers whose exponentials overflow or vanish.
fn edges() -> Vec<f32> {
    let near = |x: f32| [x.next_down(), x, x.next_up()];
    let around = [0.0, 6.0, -0.5, -0.25, 20.0].map(near).concat();
    let others = [
        -0.0,
        1e-7,
        -1e-7,
        5e-7,
        1e-3,
        -1e-3,
        0.5,
        -1.0,
        -1.278,
        3.0,
        -3.0,
        -6.0,
        13.0,
        -13.0,
        50.0,
        -50.0,
        -87.0,
        88.8,
        -88.8,
        -104.0,
        1e4,
        -1e4,
        1e30,
        -1e30,
        f32::MAX,
        f32::MIN,
    ];
    let tiny = [f32::MIN_POSITIVE, -f32::MIN_POSITIVE];
    [&around[..], &others, &tiny].concat()
}

/// A row of given numbers; binding by binding.
fn row(name: String, curve: Curve, fills: Vec<Vec<f32>>) -> Case<Activation> {
    let count = fills[0].len() as u32;
    Case {
        name,
        params: Activation::new(curve, Planes::whole(1, 1, count)),
        step: Step::default(),
        fills: fills.into_iter().map(Fill::Values).collect(),
        exact: false,
    }
}

/// Small cases of a function: of all sizes for the first one, of ranges and odd sizes for the others.
fn sized(curve: Curve, exact: bool, name: &str, fills: &[Fill]) -> Vec<Case<Activation>> {
    let all = Planes::cases(Fill::Zero, fills.len()).into_iter();
    let wanted = all.filter(|case| curve == Curve::Relu6 || case.params.elements() < 1000);
    let case = |case: Case<Planes>| Case {
        name: format!("{curve:?}_{}{name}", case.name).to_lowercase(),
        params: Activation::new(curve, case.params),
        step: case.step,
        fills: fills.to_vec(),
        exact,
    };
    wanted.map(case).collect()
}

/// y = f(x)
pub struct Forward;

impl Op for Forward {
    type Params = Activation;
    const NAME: &'static str = "activation_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<Activation>] = elementwise!(SHADER, "activation_forward");

    fn lengths(p: &Activation) -> Vec<usize> {
        let planes = p.planes();
        vec![planes.len(p.a_channels), planes.len(p.y_channels)]
    }
    fn reference(p: &Activation, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::activation::activation_forward(p, bindings[0])]
    }
    fn cost(p: &Activation) -> Cost {
        cost(p, 2)
    }
    fn cases() -> Vec<Case<Activation>> {
        let mut cases = Vec::new();
        for curve in Curve::ALL {
            cases.extend(sized(curve, false, "", &[Fill::Uniform(8.0)]));
            let mut values = edges();
            values.extend([f32::NAN, -f32::NAN]);
            if matches!(curve, Curve::Relu6 | Curve::LeakyRelu) {
                values.extend([f32::INFINITY, f32::NEG_INFINITY]);
            }
            cases.push(row(format!("{curve:?}_edges"), curve, vec![values]));
            // From zero to where nothing is left: a sweep of each size.
            let sweep = (0..1000).map(|i| 0.01 * i as f32 * if i % 2 == 0 { 1.0 } else { -1.0 });
            cases.push(row(
                format!("{curve:?}_sweep"),
                curve,
                vec![sweep.collect()],
            ));
        }
        cases.extend(sized(
            Curve::Relu6,
            true,
            "_integers",
            &[Fill::Integers(-3, 9)],
        ));
        cases.extend(sized(Curve::Relu6, true, "_tiny", &[Fill::Tiny(-2, 2)]));
        cases.extend(sized(Curve::LeakyRelu, true, "_tiny", &[Fill::Tiny(0, 2)]));
        cases
    }
}

/// dx = dy f'(x), from y or x: see [`Curve::by_output`]
pub struct Backward;

impl Op for Backward {
    type Params = Activation;
    const NAME: &'static str = "activation_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), read("kept"), out("grad_x")];
    const VARIANTS: &'static [Variant<Activation>] = elementwise!(SHADER, "activation_backward");

    fn lengths(p: &Activation) -> Vec<usize> {
        let planes = p.planes();
        vec![
            planes.len(p.a_channels),
            planes.len(p.b_channels),
            planes.len(p.y_channels),
        ]
    }
    fn reference(p: &Activation, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [dy, kept, ..] = bindings else {
            unreachable!("the op's bindings");
        };
        vec![reference::activation::activation_backward(p, dy, kept)]
    }
    fn cost(p: &Activation) -> Cost {
        cost(p, 3)
    }
    fn cases() -> Vec<Case<Activation>> {
        let mut cases = Vec::new();
        for curve in Curve::ALL {
            if curve.by_output() {
                // f'(y) of integers is an integer, but that of leaky_relu.
                let fills = [Fill::Integers(-3, 3), Fill::Integers(-2, 8)];
                let exact = curve != Curve::LeakyRelu;
                cases.extend(sized(curve, exact, "_integers", &fills));
                let fills = [Fill::Uniform(2.0), Fill::Uniform(1.0)];
                cases.extend(sized(curve, false, "", &fills));
            } else {
                let fills = [Fill::Uniform(2.0), Fill::Uniform(8.0)];
                cases.extend(sized(curve, false, "", &fills));
                let all = edges();
                let dy = vec![1.5; all.len()];
                cases.push(row(format!("{curve:?}_edges"), curve, vec![dy, all]));
            }
        }
        for curve in [Curve::Relu6, Curve::LeakyRelu, Curve::Elu] {
            // One unit above and below each threshold.
            let near = |x: f32| [x.next_down(), x, x.next_up()];
            let mut kept = near(6.0).to_vec();
            kept.extend([0.0, -0.0, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, 5e-7]);
            let dy = vec![5.0; kept.len()];
            let case = row(format!("{curve:?}_thresholds"), curve, vec![dy, kept]);
            cases.push(Case {
                exact: curve == Curve::Relu6,
                ..case
            });
        }
        cases
    }
}
