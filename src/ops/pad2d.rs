//! pad2d: images with rows and columns of zeros around them, and the crop that is its gradient.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, Step, Variant, anywhere, no_chain, out,
    per_element, read, shader,
};
use crate::ops::reference::{Expected, pad2d as reference};

params! {
    Pad2d {
        n: u32 as batch,
        c: u32,
        h_in: u32,
        w_in: u32,
        h_out: u32,
        w_out: u32,
        /// Rows above and columns to the left.
        top: u32 as detail,
        left: u32 as detail,
        /// Channels of the buffer of x or dx, and the first that this layer reads.
        x_channels: u32 as detail,
        x_first: u32 as place,
        /// The same of y or dy.
        y_channels: u32 as detail,
        y_first: u32 as place,
    }
}

impl Pad2d {
    /// Whole buffers with ((above, below), (left, right)) of zeros.
    pub fn new([n, h_in, w_in, c]: [u32; 4], [rows, columns]: [[u32; 2]; 2]) -> Pad2d {
        Pad2d {
            n,
            c,
            h_in,
            w_in,
            h_out: rows[0] + h_in + rows[1],
            w_out: columns[0] + w_in + columns[1],
            top: rows[0],
            left: columns[0],
            x_channels: c,
            x_first: 0,
            y_channels: c,
            y_first: 0,
        }
    }

    fn inputs(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.h_in as u64 * self.w_in as u64
    }
    fn outputs(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.h_out as u64 * self.w_out as u64
    }
    fn x_len(&self) -> usize {
        self.n as usize * self.x_channels as usize * (self.h_in * self.w_in) as usize
    }
    fn y_len(&self) -> usize {
        self.n as usize * self.y_channels as usize * (self.h_out * self.w_out) as usize
    }
}

static SHADER: super::Shader = shader!("pad2d.wgsl");

/// The one implementation of either direction.
const fn naive(entry: &'static str, workgroups: fn(&Pad2d) -> u64) -> Variant<Pad2d> {
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry,
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups,
        chain: no_chain,
        supports: anywhere,
    }
}

/// The cases of either direction.
fn cases() -> Vec<Case<Pad2d>> {
    let shapes = [
        ([2, 5, 7, 3], [[1, 2], [3, 4]]),
        ([1, 4, 4, 2], [[0, 0], [0, 0]]),
        ([1, 1, 1, 5], [[0, 3], [2, 0]]),
        ([3, 6, 5, 1], [[1, 1], [1, 1]]),
        // Around the 64 invocations of a workgroup.
        ([1, 6, 8, 1], [[1, 0], [0, 1]]),
        ([1, 7, 7, 1], [[1, 0], [1, 0]]),
        ([1, 4, 12, 1], [[1, 0], [0, 1]]),
        ([1, 8, 8, 1], [[0, 1], [0, 0]]),
    ];
    let name = |[n, h, w, c]: [u32; 4], [rows, columns]: [[u32; 2]; 2]| {
        let ([top, bottom], [left, right]) = (rows, columns);
        format!("n{n}_h{h}_w{w}_c{c}_t{top}_b{bottom}_l{left}_r{right}")
    };
    let named = |&(input, around): &([u32; 4], [[u32; 2]; 2])| {
        (name(input, around), Pad2d::new(input, around))
    };
    let mut all: Vec<(String, Pad2d)> = shapes.iter().map(named).collect();
    let ranges = Pad2d {
        x_channels: 7,
        x_first: 3,
        y_channels: 5,
        y_first: 2,
        ..all[0].1
    };
    all.push(("ranges".into(), ranges));
    let case = |(name, params)| Case {
        name,
        params,
        step: Step::default(),
        fills: vec![Fill::Uniform(1.0)],
        exact: true,
    };
    all.into_iter().map(case).collect()
}

/// y = x between zeros
pub struct Forward;

impl Op for Forward {
    type Params = Pad2d;
    const NAME: &'static str = "pad2d_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<Pad2d>] =
        &[naive("pad2d_forward", |p| per_element(p.outputs()))];

    fn lengths(p: &Pad2d) -> Vec<usize> {
        vec![p.x_len(), p.y_len()]
    }
    fn reference(p: &Pad2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::pad2d_forward(p, bindings[0])]
    }
    fn cost(p: &Pad2d) -> Cost {
        let bytes = 4 * (p.inputs() + p.outputs());
        Cost { flops: 0, bytes }
    }
    fn cases() -> Vec<Case<Pad2d>> {
        cases()
    }
}

/// dx = dy without its border
pub struct Backward;

impl Op for Backward {
    type Params = Pad2d;
    const NAME: &'static str = "pad2d_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), out("grad_x")];
    const VARIANTS: &'static [Variant<Pad2d>] =
        &[naive("pad2d_backward", |p| per_element(p.inputs()))];

    fn lengths(p: &Pad2d) -> Vec<usize> {
        vec![p.y_len(), p.x_len()]
    }
    fn reference(p: &Pad2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::pad2d_backward(p, bindings[0])]
    }
    fn cost(p: &Pad2d) -> Cost {
        let bytes = 4 * 2 * p.inputs();
        Cost { flops: 0, bytes }
    }
    fn cases() -> Vec<Case<Pad2d>> {
        cases()
    }
}
