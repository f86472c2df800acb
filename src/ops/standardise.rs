//! standardise: images brought to mean 0 and deviation 1 before a network sees them, by figures of each channel that
//! are constants, or by each image's own. The last op between the data set and the network.

use super::params::params;
use super::{
    Binding, Case, Cost, ELEMENTWISE, Family, Fill, MAX_ITERATIONS, Op, Phase, SCALARS, STEP,
    Shader, Step, VECTORS, Variant, always, anywhere, no_chain, out, per_element, read, shader,
};
use crate::ops::reference::{Expected, standardise as reference};

/// What is made of images, in units of the scaled pixels.
#[derive(Clone, Debug, PartialEq)]
pub enum Standard {
    /// (x - mean) * scale, a number of each for each channel.
    Channels { mean: Vec<f32>, scale: Vec<f32> },
    /// (x - mean) / max(deviation, epsilon) of each image over all its values.
    Pictures { epsilon: f32 },
}

params! {
    Channels {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
    }
}

params! {
    Pictures {
        n: u32 as batch,
        /// Of an image: channels * height * width.
        values: u32,
        /// The least deviation that is divided by.
        epsilon: f32,
    }
}

impl Channels {
    fn elements(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.pixels as u64
    }
}

impl Pictures {
    fn elements(&self) -> u64 {
        self.n as u64 * self.values as u64
    }
    /// How many runs of neighbours an invocation meets in one pass.
    fn runs(&self, lanes: u64) -> u64 {
        (self.values as u64 / lanes).div_ceil(GROUP)
    }
}

/// Invocations that share an image.
const GROUP: u64 = 64;

/// Additions behind the longest chain of the tree over them.
const TREE_DEPTH: u64 = 6;

static CHANNELS_BY_ONE: Shader = shader!("standardise_channels.wgsl", SCALARS, STEP);
static CHANNELS_BY_FOUR: Shader = shader!("standardise_channels.wgsl", VECTORS, STEP);
static TREE: Shader = shader!("pair_tree.wgsl");
static PICTURES_BY_ONE: Shader = shader!("standardise_pictures.wgsl", TREE, SCALARS, STEP);
static PICTURES_BY_FOUR: Shader = shader!("standardise_pictures.wgsl", TREE, VECTORS, STEP);

/// `y[n,c,:]` = (`x[n,c,:]` - `mean[c]`) * `scale[c]`; zero behind the valid rows.
pub struct ByChannels;

impl Op for ByChannels {
    type Params = Channels;
    const NAME: &'static str = "standardise_channels";
    const PHASE: Phase = Phase::Input;
    const BINDINGS: &'static [Binding] = &[read("x"), read("statistics"), out("y")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Channels>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: always,
            twin: None,
            shader: &CHANNELS_BY_ONE,
            entry: "standardise_channels",
            constants: &[("WORKGROUP", ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.elements()),
            chain: no_chain,
            supports: anywhere,
        },
        Variant {
            name: "vectors",
            family: Family::Vectors,
            suits: always,
            twin: Some("naive"),
            shader: &CHANNELS_BY_FOUR,
            entry: "standardise_channels",
            constants: &[("WORKGROUP", ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.elements() / 4),
            chain: no_chain,
            supports: |p, _| p.pixels.is_multiple_of(4),
        },
    ];

    fn lengths(p: &Channels) -> Vec<usize> {
        let elements = p.elements() as usize;
        vec![elements, 2 * p.c as usize, elements]
    }
    fn reference(p: &Channels, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::channels(p, step, bindings[0], bindings[1])]
    }
    fn cost(p: &Channels) -> Cost {
        Cost {
            flops: 2 * p.elements(),
            bytes: 8 * p.elements() + 8 * p.c as u64,
        }
    }
    fn cases() -> Vec<Case<Channels>> {
        let shapes = [
            (1, 1, 1, 1),
            (3, 2, 35, 3),
            (5, 3, 20, 4),
            (4, 1, 63, 2),
            (7, 1, 64, 7),
            (2, 3, 65, 2),
            (64, 1, 2304, 50),
        ];
        let statistics = |c: u32, mean: f32, scale: f32| {
            let means = (0..c).map(|c| mean + c as f32);
            let scales = (0..c).map(|c| scale * 2f32.powi(c as i32));
            Fill::Values(means.chain(scales).collect())
        };
        let case = |(n, c, pixels, valid): (u32, u32, u32, u32), exact: bool| Case {
            name: format!(
                "{}n{n}_c{c}_p{pixels}_valid{valid}",
                if exact { "integers_" } else { "" }
            ),
            params: Channels { n, c, pixels },
            step: Step::new(1, valid, [0.0; 4]),
            fills: match exact {
                true => vec![Fill::Integers(-9, 9), statistics(c, 3.0, 0.5)],
                false => vec![Fill::Range(0.0, 1.0), statistics(c, 0.5077, 3.92)],
            },
            exact,
        };
        let random = shapes.into_iter().map(|shape| case(shape, false));
        let exact = shapes.into_iter().map(|shape| case(shape, true));
        random.chain(exact).collect()
    }
}

/// `y[n,:]` = (`x[n,:]` - mean) / max(deviation, epsilon), by each image's own; zero behind the valid rows.
pub struct ByPictures;

impl Op for ByPictures {
    type Params = Pictures;
    const NAME: &'static str = "standardise_pictures";
    const PHASE: Phase = Phase::Input;
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Pictures>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: always,
            twin: None,
            shader: &PICTURES_BY_ONE,
            entry: "standardise_pictures",
            constants: &[("WORKGROUP", GROUP as f64)],
            workgroups: |p| p.n as u64,
            chain: |p| p.runs(1) + TREE_DEPTH,
            supports: |p, _| 3 * p.runs(1) + TREE_DEPTH <= MAX_ITERATIONS,
        },
        Variant {
            name: "vectors",
            family: Family::Vectors,
            suits: always,
            twin: None,
            shader: &PICTURES_BY_FOUR,
            entry: "standardise_pictures",
            constants: &[("WORKGROUP", GROUP as f64)],
            workgroups: |p| p.n as u64,
            // Four lanes are two levels more.
            chain: |p| p.runs(4) + 2 + TREE_DEPTH,
            supports: |p, _| {
                p.values.is_multiple_of(4) && 3 * p.runs(4) + TREE_DEPTH <= MAX_ITERATIONS
            },
        },
    ];

    fn lengths(p: &Pictures) -> Vec<usize> {
        vec![p.elements() as usize; 2]
    }
    fn reference(p: &Pictures, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::pictures(p, step, bindings[0])]
    }
    fn cost(p: &Pictures) -> Cost {
        Cost {
            flops: 8 * p.elements(),
            bytes: 8 * p.elements(),
        }
    }
    fn cases() -> Vec<Case<Pictures>> {
        let shapes = [
            (1, 1, 1),
            (2, 3, 2),
            (3, 35, 2),
            (4, 63, 4),
            (3, 64, 3),
            (2, 65, 2),
            (5, 252, 5),
            (3, 256, 2),
            (4, 260, 4),
            (6, 2304, 6),
        ];
        let mut cases = Vec::new();
        for (n, values, valid) in shapes {
            let mut add = |what: &str, fill: Fill, exact: bool| {
                cases.push(Case {
                    name: format!("{what}n{n}_v{values}_valid{valid}"),
                    params: Pictures {
                        n,
                        values,
                        epsilon: 1e-3,
                    },
                    step: Step::new(1, valid, [0.0; 4]),
                    fills: vec![fill],
                    exact,
                });
            };
            let each = |value: &dyn Fn(u32, u32) -> f32| {
                let of = |i| value(i / values, i % values);
                Fill::Values((0..n * values).map(of).collect())
            };
            add("", Fill::Range(0.0, 1.0), false);
            // Of one colour, another for each, the last a bright one: zeros.
            add("plain_", each(&|image, _| 0.1 + 0.3 * image as f32), true);
            // Nothing but one value, first, last or in between: no sum may miss it.
            for (name, place) in [("first_", 0), ("last_", values - 1), ("mid_", values / 2)] {
                let spike = |_, i| if i == place { 1.0 } else { 0.25 };
                add(name, each(&spike), false);
            }
            // Below epsilon: not to be told from it.
            let faint = |_, i: u32| 0.5 + 2e-4 * (i % 3) as f32;
            add("faint_", each(&faint), false);
        }
        cases
    }
}
