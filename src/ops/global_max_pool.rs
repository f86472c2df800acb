//! global_max_pool: the largest element of each channel of each image, and where it was.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, Shader, Step, UNUSED, Variant, anywhere,
    no_chain, out, per_element, read, shader,
};
use crate::ops::reference::{Expected, global_max_pool as reference};

params! {
    GlobalMaxPool {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
        /// Backward: is the gradient stopped where `relu_mask` is not positive?
        masked: u32,
        x_channels: u32 as detail,
        x_first: u32 as place,
        mask_channels: u32 as detail,
        mask_first: u32 as place,
    }
}

impl GlobalMaxPool {
    /// Whole buffers of `c` channels.
    pub fn new([n, c, pixels]: [u32; 3]) -> GlobalMaxPool {
        GlobalMaxPool {
            n,
            c,
            pixels,
            x_channels: c,
            mask_channels: c,
            ..GlobalMaxPool::default()
        }
    }

    fn planes(&self) -> u64 {
        self.n as u64 * self.c as u64
    }
    fn elements(&self) -> u64 {
        self.planes() * self.pixels as u64
    }
    /// Elements of a buffer of that many channels.
    fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }
}

static PARAMS: Shader = shader!("global_max_pool_params.wgsl");
static SHADER: Shader = shader!("global_max_pool.wgsl", PARAMS);
static BACKWARD: Shader = shader!("global_max_pool_backward.wgsl", PARAMS);

fn shapes() -> Vec<(String, GlobalMaxPool)> {
    let list = [
        [1, 1, 1],
        [3, 7, 30],
        [2, 3, 63],
        [1, 2, 64],
        [2, 3, 65],
        [5, 13, 257],
    ];
    let one = |[n, c, pixels]: [u32; 3]| {
        let params = GlobalMaxPool::new([n, c, pixels]);
        (format!("n{n}_c{c}_p{pixels}"), params)
    };
    let mut all: Vec<_> = list.into_iter().map(one).collect();
    let ranges = GlobalMaxPool {
        x_channels: 7,
        x_first: 2,
        mask_channels: 6,
        mask_first: 1,
        ..GlobalMaxPool::new([2, 4, 70])
    };
    all.push(("ranges".into(), ranges));
    all
}

/// y = the largest element of each plane, winner = its pixel, a whole number in f32; ties go to the first
pub struct Forward;

impl Op for Forward {
    type Params = GlobalMaxPool;
    const NAME: &'static str = "global_max_pool_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y"), out("winner")];
    const VARIANTS: &'static [Variant<GlobalMaxPool>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: super::always,
            twin: None,
            shader: &SHADER,
            entry: "global_max_pool_forward",
            constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.planes()),
            chain: no_chain,
            supports: anywhere,
        },
        Variant {
            name: "tree",
            family: Family::Tree,
            suits: super::always,
            twin: None,
            shader: &SHADER,
            entry: "global_max_pool_forward_tree",
            constants: &[("WORKGROUP", 64.0)],
            workgroups: |p| p.planes(),
            chain: no_chain,
            supports: anywhere,
        },
    ];

    fn lengths(p: &GlobalMaxPool) -> Vec<usize> {
        let planes = p.planes() as usize;
        vec![p.len(p.x_channels), planes, planes]
    }
    fn reference(p: &GlobalMaxPool, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::global_max_pool_forward(p, bindings[0])
    }
    fn cost(p: &GlobalMaxPool) -> Cost {
        Cost {
            flops: p.elements(),
            bytes: 4 * (p.elements() + 2 * p.planes()),
        }
    }
    fn cases() -> Vec<Case<GlobalMaxPool>> {
        let mut cases = Vec::new();
        for (name, params) in shapes() {
            let mut add = |suffix: &str, fill: Fill| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step: Step::default(),
                    fills: vec![fill],
                    exact: true,
                });
            };
            add("", Fill::Uniform(1.0));
            add("_negative", Fill::Range(-2.0, -1.0));
            // Most planes hold ties, or lead by as little as f32 can say.
            add("_ties", Fill::Integers(0, 2));
            add("_near", Fill::Near(4));
            add("_tiny", Fill::Tiny(-2, 2));
        }
        cases
    }
}

/// dx = dy at the winner, zero elsewhere, stopped by the ReLU before
pub struct Backward;

impl Op for Backward {
    type Params = GlobalMaxPool;
    const NAME: &'static str = "global_max_pool_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] =
        &[read("dy"), read("winner"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<GlobalMaxPool>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: super::always,
        twin: None,
        shader: &BACKWARD,
        entry: "global_max_pool_backward",
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups: |p| per_element(p.elements()),
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &GlobalMaxPool) -> Vec<usize> {
        let planes = p.planes() as usize;
        let mask = match p.masked {
            0 => UNUSED,
            _ => p.len(p.mask_channels),
        };
        vec![planes, planes, mask, p.len(p.c)]
    }
    fn reference(p: &GlobalMaxPool, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::global_max_pool_backward(p, bindings)]
    }
    fn cost(p: &GlobalMaxPool) -> Cost {
        Cost {
            flops: p.elements(),
            bytes: 4 * (p.elements() + 3 * p.planes()),
        }
    }
    fn cases() -> Vec<Case<GlobalMaxPool>> {
        let mut cases = Vec::new();
        for (name, params) in shapes() {
            let winners = (0..params.planes()).map(|i| (i * 29 % params.pixels as u64) as f32);
            let winners: Vec<f32> = winners.collect();
            let mut add = |suffix: &str, masked: u32, mask: Fill| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params: GlobalMaxPool { masked, ..params },
                    step: Step::default(),
                    fills: vec![Fill::Range(1.0, 2.0), Fill::Values(winners.clone()), mask],
                    exact: true,
                });
            };
            add("", 1, Fill::Integers(-1, 1));
            add("_open", 0, Fill::Zero);
            add("_tiny_mask", 1, Fill::Tiny(-1, 1));
        }
        cases
    }
}
