//! local_response_norm: each element divided by what the channels around it hold (Krizhevsky, Sutskever and Hinton
//! 2012, section 3.3; TensorFlow `lrn`, ONNX `LRN`).

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, SCALARS, Shader, Step, VECTORS, Variant,
    anywhere, no_chain, out, per_element, read, shader,
};
use crate::ops::reference::{Expected, local_response_norm as reference};

params! {
    /// Channels of images (n, c, pixels).
    LocalResponseNorm {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
        /// Channels that each one sees, itself included; of an even number one more behind it than before it.
        size: u32,
        x_channels: u32 as detail,
        x_first: u32 as place,
        /// Of y, and of dy.
        y_channels: u32 as detail,
        y_first: u32 as place,
        /// What a square counts: alpha / size.
        rate: f32,
        beta: f32,
        k: f32,
    }
}

/// The most channels that one may see: its gradient looks at size * size, which stays below
/// `MAX_ITERATIONS`.
pub const LARGEST_SIZE: u32 = 255;

impl LocalResponseNorm {
    /// Whole buffers of `c` channels.
    pub fn new(
        [n, c, pixels]: [u32; 3],
        size: u32,
        [alpha, beta, k]: [f64; 3],
    ) -> LocalResponseNorm {
        LocalResponseNorm {
            n,
            c,
            pixels,
            size,
            x_channels: c,
            x_first: 0,
            y_channels: c,
            y_first: 0,
            rate: (alpha / size as f64) as f32,
            beta: beta as f32,
            k: k as f32,
        }
    }

    fn elements(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.pixels as u64
    }
    /// Elements of a buffer of that many channels.
    fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }
}

static PARAMS: Shader = shader!("local_response_norm_params.wgsl");
static BY_ONE: Shader = shader!("local_response_norm.wgsl", SCALARS, PARAMS);
static BY_FOUR: Shader = shader!("local_response_norm.wgsl", VECTORS, PARAMS);

/// An invocation for each element, or for four neighbours.
const fn variants(entry: &'static str) -> [Variant<LocalResponseNorm>; 2] {
    let naive = Variant {
        name: "naive",
        family: Family::Naive,
        suits: super::always,
        twin: None,
        shader: &BY_ONE,
        entry,
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups: |p: &LocalResponseNorm| per_element(p.elements()),
        chain: no_chain,
        supports: anywhere,
    };
    let vectors = Variant {
        name: "vectors",
        family: Family::Vectors,
        shader: &BY_FOUR,
        workgroups: |p: &LocalResponseNorm| per_element(p.elements() / 4),
        supports: |p: &LocalResponseNorm, _| p.pixels.is_multiple_of(4),
        ..naive
    };
    [naive, vectors]
}

/// AlexNet's and GoogLeNet's, so strong that it shows, and of other exponents.
const SETTINGS: [(u32, [f64; 3]); 4] = [
    (5, [1e-4, 0.75, 1.0]),
    (5, [2.0, 0.75, 2.0]),
    (4, [0.5, 0.5, 1.0]),
    (1, [1.0, 1.25, 0.25]),
];

fn shapes() -> Vec<(String, LocalResponseNorm)> {
    let shapes = [[1, 1, 1], [2, 13, 12], [3, 4, 35], [1, 5, 64], [2, 7, 66]];
    let mut all = Vec::new();
    for (size, of) in SETTINGS {
        for [n, c, pixels] in shapes {
            let name = format!("n{n}_c{c}_p{pixels}_size{size}_alpha{}", of[0]);
            all.push((name, LocalResponseNorm::new([n, c, pixels], size, of)));
        }
    }
    for (name, pixels) in [("ranges", 15), ("ranges_by_four", 16)] {
        let ranges = LocalResponseNorm {
            x_channels: 9,
            x_first: 2,
            y_channels: 8,
            y_first: 1,
            ..LocalResponseNorm::new([2, 6, pixels], 5, SETTINGS[1].1)
        };
        all.push((name.into(), ranges));
    }
    all
}

/// Inputs as large as the settings want them for a sum that counts.
fn inputs(p: &LocalResponseNorm) -> Fill {
    Fill::Uniform(if p.rate < 1e-3 { 60.0 } else { 2.0 })
}

/// y = x s^-beta where s = k + alpha / size (sum of the squares of the channels around it)
pub struct Forward;

impl Op for Forward {
    type Params = LocalResponseNorm;
    const NAME: &'static str = "local_response_norm_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<LocalResponseNorm>] =
        &variants("local_response_norm_forward");

    fn lengths(p: &LocalResponseNorm) -> Vec<usize> {
        vec![p.len(p.x_channels), p.len(p.y_channels)]
    }
    fn reference(p: &LocalResponseNorm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::local_response_norm_forward(p, bindings[0])]
    }
    fn cost(p: &LocalResponseNorm) -> Cost {
        Cost {
            flops: (2 * p.size as u64 + 5) * p.elements(),
            bytes: 8 * p.elements(),
        }
    }
    fn cases() -> Vec<Case<LocalResponseNorm>> {
        let case = |(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![inputs(&params)],
            exact: false,
        };
        shapes().into_iter().map(case).collect()
    }
}

/// dx = dy s^-beta - 2 alpha / size beta x (sum of dy x s^(-beta - 1) over the channels that see it)
pub struct Backward;

impl Op for Backward {
    type Params = LocalResponseNorm;
    const NAME: &'static str = "local_response_norm_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("x"), read("dy"), out("grad_x")];
    const VARIANTS: &'static [Variant<LocalResponseNorm>] =
        &variants("local_response_norm_backward");

    fn lengths(p: &LocalResponseNorm) -> Vec<usize> {
        vec![p.len(p.x_channels), p.len(p.y_channels), p.len(p.c)]
    }
    fn reference(p: &LocalResponseNorm, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::local_response_norm_backward(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn cost(p: &LocalResponseNorm) -> Cost {
        let size = p.size as u64;
        Cost {
            flops: (2 * size * size + 8 * size + 8) * p.elements(),
            bytes: 12 * p.elements(),
        }
    }
    fn cases() -> Vec<Case<LocalResponseNorm>> {
        let case = |(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![inputs(&params), Fill::Uniform(1.0)],
            exact: false,
        };
        shapes().into_iter().map(case).collect()
    }
}
