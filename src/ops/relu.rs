//! relu and the parameter block of every kernel that maps one element to one element over
//! channel ranges of NCHW buffers.

use super::params::params;
use super::{
    Binding, Case, Cost, Fill, Op, Phase, Step, Variant, anywhere, no_chain, out, per_element,
    read, shader,
};
use crate::ops::reference::{self, Expected};

params! {
    /// y[n, c, pixel] = f(a[n, c, pixel], b[n, c, pixel]) for c in a range of each buffer.
    Planes {
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
    }
}

impl Planes {
    /// Whole buffers of `c` channels.
    pub fn whole(n: u32, c: u32, pixels: u32) -> Planes {
        let (a_channels, b_channels, y_channels) = (c, c, c);
        Planes {
            n,
            c,
            pixels,
            a_channels,
            b_channels,
            y_channels,
            ..Planes::default()
        }
    }

    pub fn elements(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.pixels as u64
    }

    /// Elements of a buffer of that many channels.
    pub fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }

    /// Cost of one operation an element over `buffers` buffers.
    pub fn cost(&self, buffers: u64) -> Cost {
        Cost {
            flops: self.elements(),
            bytes: 4 * buffers * self.elements(),
        }
    }

    /// Odd sizes, workgroup edges, and ranges inside wider buffers.
    pub fn cases(fill: Fill, inputs: usize) -> Vec<Case<Planes>> {
        let ranges = Planes {
            n: 2,
            c: 3,
            pixels: 35,
            a_channels: 7,
            a_first: 2,
            b_channels: 5,
            b_first: 1,
            y_channels: 9,
            y_first: 6,
        };
        let mut all = vec![("ranges".to_string(), ranges)];
        for (n, c, pixels) in [
            (1, 1, 1),
            (1, 1, 63),
            (1, 1, 64),
            (1, 1, 65),
            (3, 5, 47),
            (64, 10, 2304),
        ] {
            all.push((format!("n{n}_c{c}_p{pixels}"), Planes::whole(n, c, pixels)));
        }
        let case = |(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![fill.clone(); inputs],
            exact: true,
        };
        all.into_iter().map(case).collect()
    }

    /// A case of two workgroups and a bit, to be filled.
    fn small_case() -> Case<Planes> {
        Case {
            name: String::new(),
            params: Planes::whole(1, 3, 47),
            step: Step::default(),
            fills: Vec::new(),
            exact: true,
        }
    }
}

/// A variant list of one elementwise entry point.
macro_rules! elementwise {
    ($shader:expr, $entry:literal) => {
        &[Variant {
            name: "naive",
            family: $crate::ops::Family::Naive,
            suits: crate::ops::always,
            twin: None,
            shader: &$shader,
            entry: $entry,
            constants: &[("WORKGROUP", $crate::ops::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.elements()),
            chain: no_chain,
            supports: anywhere,
        }]
    };
}
pub(crate) use elementwise;

/// The parameter block of what works element by element on ranges of channels.
pub(super) static PLANES: super::Shader = shader!("planes.wgsl");
static SHADER: super::Shader = shader!("relu.wgsl", PLANES);

/// Where y = max(a, 0) could go wrong: NaN of either sign (x86 makes negative ones) must stay NaN.
const EDGES: [f32; 12] = [
    f32::NAN,
    -f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-7,
    -1e-7,
    0.0,
    -0.0,
];

/// y = max(a, 0)
pub struct Forward;

impl Op for Forward {
    type Params = Planes;
    const NAME: &'static str = "relu_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<Planes>] = elementwise!(SHADER, "relu_forward");

    fn lengths(p: &Planes) -> Vec<usize> {
        vec![p.len(p.a_channels), p.len(p.y_channels)]
    }
    fn reference(p: &Planes, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::elementwise::relu_forward(p, bindings[0])]
    }
    fn cost(p: &Planes) -> Cost {
        p.cost(2)
    }
    fn cases() -> Vec<Case<Planes>> {
        let mut cases = Planes::cases(Fill::Uniform(2.0), 1);
        cases.push(Case {
            name: "tiny".into(),
            fills: vec![Fill::Tiny(-2, 2)],
            ..Planes::small_case()
        });
        cases.push(Case {
            name: "edges".into(),
            params: Planes::whole(1, 1, EDGES.len() as u32),
            fills: vec![Fill::Values(EDGES.to_vec())],
            ..Planes::small_case()
        });
        cases
    }
}

/// dx = dy where y > 0, else 0
pub struct Backward;

impl Op for Backward {
    type Params = Planes;
    const NAME: &'static str = "relu_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<Planes>] = elementwise!(SHADER, "relu_backward");

    fn lengths(p: &Planes) -> Vec<usize> {
        vec![
            p.len(p.a_channels),
            p.len(p.b_channels),
            p.len(p.y_channels),
        ]
    }
    fn reference(p: &Planes, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::elementwise::relu_backward(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn cost(p: &Planes) -> Cost {
        p.cost(3)
    }
    fn cases() -> Vec<Case<Planes>> {
        let mut cases = Planes::cases(Fill::Integers(-2, 2), 2);
        cases.push(Case {
            name: "tiny_mask".into(),
            fills: vec![Fill::Integers(1, 9), Fill::Tiny(-2, 2)],
            ..Planes::small_case()
        });
        cases
    }
}
