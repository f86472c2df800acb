//! The gradient of an image that convolutions of one pixel read, and others, as the branches of an Inception block do:
//! one sum of products, stored once, instead of a gradient of each and their sum.

use super::params::params;
use super::{
    Binding, Case, Cost, ELEMENTWISE, Family, Fill, LANE_QUADS, Op, Phase, SPREAD, Shader, Step,
    UNUSED, Variant, always, anywhere, out, per_element, read, shader, written_out,
};
use crate::ops::add::Channels;
use crate::ops::reference::{self, Expected};

/// The most convolutions of a dispatch.
pub const PRODUCTS: usize = 3;

params! {
    /// grad_x = other + w_a dy_a + w_b dy_b + w_c dy_c for each pixel, over a range of channels of each buffer.
    Products {
        n: u32 as batch,
        /// Height * width.
        pixels: u32,
        /// Of grad_x.
        channels: u32,
        /// Channels that each convolution made; none of those that are not there.
        depth_a: u32,
        depth_b: u32,
        depth_c: u32,
        a_channels: u32 as detail,
        a_first: u32 as place,
        b_channels: u32 as detail,
        b_first: u32 as place,
        c_channels: u32 as detail,
        c_first: u32 as place,
        /// The word of `w` where each kernel begins.
        w_a: u32 as place,
        w_b: u32 as place,
        w_c: u32 as place,
        /// Is there another layer's gradient to add?
        added: u32,
        other_channels: u32 as detail,
        other_first: u32 as place,
        /// Is the sum stopped where `relu_mask` is not positive?
        masked: u32,
        mask_channels: u32 as detail,
        mask_first: u32 as place,
        x_channels: u32 as detail,
        x_first: u32 as place,
    }
}

/// What one convolution contributes: the channels that it made, where they lie, and where its kernel begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    pub depth: u32,
    pub dy: Channels,
    pub kernel: u32,
}

impl Products {
    /// Of up to three convolutions, over (n, channels, pixels).
    ///
    /// # Panics
    /// Where there are others.
    pub fn new([n, channels, pixels]: [u32; 3], terms: &[Product], x: Channels) -> Products {
        assert!(
            (1..=PRODUCTS).contains(&terms.len()),
            "{} products",
            terms.len()
        );
        let none = Product {
            depth: 0,
            dy: [0, 0],
            kernel: 0,
        };
        let [a, b, c] = [0, 1, 2].map(|at| terms.get(at).copied().unwrap_or(none));
        Products {
            n,
            pixels,
            channels,
            depth_a: a.depth,
            depth_b: b.depth,
            depth_c: c.depth,
            a_channels: a.dy[0],
            a_first: a.dy[1],
            b_channels: b.dy[0],
            b_first: b.dy[1],
            c_channels: c.dy[0],
            c_first: c.dy[1],
            w_a: a.kernel,
            w_b: b.kernel,
            w_c: c.kernel,
            x_channels: x[0],
            x_first: x[1],
            ..Products::default()
        }
    }

    /// The same with another layer's gradient.
    pub fn added(self, other: Channels) -> Products {
        Products {
            added: 1,
            other_channels: other[0],
            other_first: other[1],
            ..self
        }
    }

    /// The same, stopped where the mask is closed.
    pub fn masked(self, mask: Channels) -> Products {
        Products {
            masked: 1,
            mask_channels: mask[0],
            mask_first: mask[1],
            ..self
        }
    }

    /// Each convolution, without channels where there are fewer.
    pub(super) fn products(&self) -> [Product; PRODUCTS] {
        let product = |depth, channels, first, kernel| Product {
            depth,
            dy: [channels, first],
            kernel,
        };
        [
            product(self.depth_a, self.a_channels, self.a_first, self.w_a),
            product(self.depth_b, self.b_channels, self.b_first, self.w_b),
            product(self.depth_c, self.c_channels, self.c_first, self.w_c),
        ]
    }

    fn depth(&self) -> u64 {
        u64::from(self.depth_a + self.depth_b + self.depth_c)
    }

    fn elements(&self) -> u64 {
        u64::from(self.n) * u64::from(self.channels) * u64::from(self.pixels)
    }

    /// Elements of a buffer of that many channels.
    fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }
}

static NAIVE_SHADER: Shader = shader!("pointwise_backward_sum.wgsl", PARAMS);
static SUBGROUP_SHADER: Shader = written_out!(
    "pointwise_backward_sum_subgroup.wgsl",
    LANE_QUADS,
    SPREAD,
    PARAMS
);
static PARAMS: Shader = shader!("pointwise_backward_sum_params.wgsl");

const NAIVE: Variant<Products> = Variant {
    name: "naive",
    family: Family::Naive,
    suits: always,
    twin: None,
    shader: &NAIVE_SHADER,
    entry: "pointwise_backward_sum",
    constants: &[("WORKGROUP", ELEMENTWISE as f64)],
    workgroups: |p| per_element(p.elements()),
    chain: |p| p.depth() + u64::from(p.added),
    supports: anywhere,
};

/// Channels of a tile, and quads of pixels: four would be 3 % faster, and twice the code for a driver to compile.
const CHANNELS: u32 = 32;
const QUADS: u32 = 2;

/// For software adapters.
const SUBGROUP: Variant<Products> = Variant {
    name: "subgroup8",
    family: Family::Subgroup,
    shader: &SUBGROUP_SHADER,
    entry: "pointwise_backward_sum_subgroup",
    constants: &[("CHANNELS", CHANNELS as f64), ("QUADS", QUADS as f64)],
    workgroups: |p| {
        let quads = u64::from(p.n) * u64::from(p.pixels / 4);
        quads.div_ceil(u64::from(QUADS) * 8) * u64::from(p.channels.div_ceil(CHANNELS))
    },
    supports: |p, profile| {
        let products = p.products();
        let mut words = products.iter().flat_map(|t| [t.depth, t.kernel]);
        let vectors = p.pixels.is_multiple_of(4) && words.all(|words| words.is_multiple_of(4));
        vectors && profile.has_subgroup(8)
    },
    ..NAIVE
};

/// grad_x = other + the sum of each convolution's w dy, stopped by the ReLU before
pub struct BackwardSum;

impl Op for BackwardSum {
    type Params = Products;
    const NAME: &'static str = "pointwise_backward_sum";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("dy_a"),
        read("dy_b"),
        read("dy_c"),
        read("w"),
        read("other"),
        read("relu_mask"),
        out("grad_x"),
    ];
    const VARIANTS: &'static [Variant<Products>] = &[NAIVE, SUBGROUP];

    fn lengths(p: &Products) -> Vec<usize> {
        let when = |there: bool, channels: u32| if there { p.len(channels) } else { UNUSED };
        let products = p.products();
        let [a, b, c] = products.map(|t| when(t.depth > 0, t.dy[0]));
        let ends = products.map(|t| (t.kernel + p.channels * t.depth) as usize);
        let w = ends.into_iter().max().expect("some");
        let other = when(p.added != 0, p.other_channels);
        let mask = when(p.masked != 0, p.mask_channels);
        vec![a, b, c, w, other, mask, p.len(p.x_channels)]
    }
    fn reference(p: &Products, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::pointwise_sum::backward(p, bindings)]
    }
    fn cost(p: &Products) -> Cost {
        let depth = p.depth();
        let pixels = u64::from(p.n) * u64::from(p.pixels);
        let planes = u64::from(p.channels) * (1 + u64::from(p.added) + u64::from(p.masked));
        Cost {
            flops: (2 * depth + u64::from(p.added)) * p.elements(),
            bytes: 4 * (pixels * (planes + depth) + u64::from(p.channels) * depth),
        }
    }
    fn cases() -> Vec<Case<Products>> {
        let mut cases = Vec::new();
        for (name, params) in shapes() {
            let mut add = |suffix: &str, params, fill: Fill, mask: Fill, exact| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step: Step::default(),
                    fills: [vec![fill; 5], vec![mask]].concat(),
                    exact,
                });
            };
            let integers = || Fill::Integers(-20, 20);
            let other = params.added([params.channels + 1, 1]);
            let masked = other.masked([params.channels + 3, 2]);
            add("", params, integers(), Fill::Zero, true);
            add("_added", other, integers(), Fill::Zero, true);
            add("_random", other, Fill::Uniform(2.0), Fill::Zero, false);
            add("_mask", masked, integers(), Fill::Integers(-1, 1), true);
            add("_tiny_mask", masked, integers(), Fill::Tiny(-1, 1), true);
        }
        cases
    }
}

/// One, two and three convolutions of few and odd channels, tiles that end within images, channels around a tile's 32, and
/// ranges of wider buffers, kernels apart and in any order.
fn shapes() -> Vec<(String, Products)> {
    let mut all = Vec::new();
    let list = [
        ([1, 1, 1], vec![1, 1]),
        ([2, 3, 9], vec![2, 5, 3]),
        ([3, 31, 4], vec![4, 8]),
        ([9, 32, 36], vec![8, 4, 4]),
        ([5, 33, 28], vec![4, 4, 12]),
        ([1, 65, 132], vec![16, 8, 24]),
        ([33, 8, 12], vec![4, 4, 4]),
        ([5, 40, 20], vec![12]),
    ];
    for (shape, depths) in list {
        let name = |kind: &str| {
            let [n, c, p] = shape;
            let depths: Vec<String> = depths.iter().map(u32::to_string).collect();
            format!("{kind}n{n}_c{c}_p{p}_d{}", depths.join("_"))
        };
        let mut kernel = 0;
        let close = depths.iter().map(|&depth| {
            let at = kernel;
            kernel += shape[1] * depth;
            Product {
                depth,
                dy: [depth, 0],
                kernel: at,
            }
        });
        let close: Vec<_> = close.collect();
        let params = Products::new(shape, &close, [shape[1], 0]);
        all.push((name(""), params));
        // The last kernel first, and what belongs to nobody between them.
        let mut kernel = 8;
        let apart = close.iter().rev().enumerate().map(|(at, product)| {
            let own = kernel;
            kernel += (shape[1] * product.depth).next_multiple_of(4) + 4;
            Product {
                dy: [product.depth + at as u32 + 1, at as u32],
                kernel: own,
                ..*product
            }
        });
        let mut apart: Vec<_> = apart.collect();
        apart.reverse();
        let ranges = Products::new(shape, &apart, [shape[1] + 5, 3]);
        all.push((name("ranges_"), ranges));
    }
    all
}
