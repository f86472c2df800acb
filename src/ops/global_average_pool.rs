//! global_average_pool: the mean of each channel of each image.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, Step, UNUSED, Variant, anywhere, no_chain, out,
    per_element, read, shader,
};
use crate::ops::reference::{Expected, global_average_pool as reference};

params! {
    GlobalAveragePool {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
        /// Backward: is the gradient stopped where `mask` is not positive?
        masked: u32,
    }
}

impl GlobalAveragePool {
    fn planes(&self) -> u64 {
        self.n as u64 * self.c as u64
    }
    fn elements(&self) -> u64 {
        self.planes() * self.pixels as u64
    }
}

static PARAMS: super::Shader = shader!("global_average_pool_params.wgsl");
static SHADER: super::Shader = shader!("global_average_pool.wgsl", PARAMS);
static VECTORS: super::Shader = shader!("global_average_pool_vectors.wgsl", PARAMS);

fn shapes(masked: bool) -> impl Iterator<Item = (String, GlobalAveragePool)> {
    let shapes = [
        (1, 1, 1),
        (3, 7, 30),
        (2, 3, 63),
        (3, 5, 12),
        (2, 3, 65),
        (5, 13, 257),
        (64, 30, 2304),
    ];
    shapes.into_iter().map(move |(n, c, pixels)| {
        let masked = u32::from(masked);
        (
            format!("n{n}_c{c}_p{pixels}"),
            GlobalAveragePool {
                n,
                c,
                pixels,
                masked,
            },
        )
    })
}

/// `y[n,c]` = mean of `x[n,c,:]`
pub struct Forward;

impl Op for Forward {
    type Params = GlobalAveragePool;
    const NAME: &'static str = "global_average_pool_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<GlobalAveragePool>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: crate::ops::always,
            twin: None,
            shader: &SHADER,
            entry: "global_average_pool_forward",
            constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.planes()),
            chain: |p| p.pixels as u64 / 4 + 4,
            supports: anywhere,
        },
        Variant {
            name: "tree",
            family: Family::Tree,
            suits: crate::ops::always,
            twin: None,
            shader: &SHADER,
            entry: "global_average_pool_forward_tree",
            constants: &[("WORKGROUP", 64.0)],
            workgroups: |p| p.planes(),
            chain: |p| (p.pixels as u64).div_ceil(64) + 6,
            supports: anywhere,
        },
    ];

    fn lengths(p: &GlobalAveragePool) -> Vec<usize> {
        vec![p.elements() as usize, p.planes() as usize]
    }
    fn reference(p: &GlobalAveragePool, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::global_average_pool_forward(p, bindings[0])]
    }
    fn cost(p: &GlobalAveragePool) -> Cost {
        Cost {
            flops: p.elements(),
            bytes: 4 * (p.elements() + p.planes()),
        }
    }
    fn cases() -> Vec<Case<GlobalAveragePool>> {
        let random = shapes(false).map(|(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![Fill::Uniform(1.0)],
            exact: false,
        });
        // Powers of two divide exactly.
        let exact = [64, 1024].map(|pixels| Case {
            name: format!("integers_p{pixels}"),
            params: GlobalAveragePool {
                n: 3,
                c: 5,
                pixels,
                masked: 0,
            },
            step: Step::default(),
            fills: vec![Fill::Integers(-9, 9)],
            exact: true,
        });
        random.chain(exact).collect()
    }
}

/// `dx[n,c,:]` = `dy[n,c]` / pixels, stopped by the ReLU before
pub struct Backward;

impl Op for Backward {
    type Params = GlobalAveragePool;
    const NAME: &'static str = "global_average_pool_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<GlobalAveragePool>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: crate::ops::always,
            twin: None,
            shader: &SHADER,
            entry: "global_average_pool_backward",
            constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.elements()),
            chain: no_chain,
            supports: anywhere,
        },
        Variant {
            name: "vectors",
            family: Family::Vectors,
            suits: crate::ops::always,
            twin: None,
            shader: &VECTORS,
            entry: "global_average_pool_backward_vectors",
            constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.elements() / 4),
            chain: no_chain,
            supports: |p, _| p.pixels % 4 == 0,
        },
    ];

    fn lengths(p: &GlobalAveragePool) -> Vec<usize> {
        let mask = if p.masked != 0 {
            p.elements()
        } else {
            UNUSED as u64
        };
        vec![p.planes() as usize, mask as usize, p.elements() as usize]
    }
    fn reference(p: &GlobalAveragePool, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::global_average_pool_backward(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn cost(p: &GlobalAveragePool) -> Cost {
        let mask = if p.masked != 0 { p.elements() } else { 0 };
        Cost {
            flops: p.elements(),
            bytes: 4 * (p.planes() + mask + p.elements()),
        }
    }
    fn cases() -> Vec<Case<GlobalAveragePool>> {
        let case = |(name, params)| Case {
            name,
            params,
            step: Step::default(),
            fills: vec![Fill::Uniform(1.0), Fill::Integers(-1, 1)],
            exact: false,
        };
        let exact = Case {
            exact: true,
            fills: vec![Fill::Integers(-9, 9), Fill::Integers(-1, 1)],
            ..case((
                "integers".to_string(),
                GlobalAveragePool {
                    n: 3,
                    c: 5,
                    pixels: 64,
                    masked: 1,
                },
            ))
        };
        let masked = shapes(true).map(case);
        let open = shapes(false)
            .take(3)
            .map(|(name, params)| case((format!("{name}_open"), params)));
        let tiny = shapes(true).take(4).map(case).map(|case| Case {
            name: format!("{}_tiny_mask", case.name),
            fills: vec![Fill::Range(1.0, 2.0), Fill::Tiny(-1, 1)],
            ..case
        });
        masked.chain(open).chain(tiny).chain([exact]).collect()
    }
}
