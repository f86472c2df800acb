//! pack and unpack: between Keras's (in, out) rows of a dense kernel and the panels of 32
//! columns that the matmul kernels read, `[panel][k][32]`, a chunk of rows at a time.
//!
//! A dense layer behind a flattened image sees NCHW order inside and HWC order at Keras's
//! boundary, so the rows are permuted on the way.

use super::matmul::PANEL;
use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Step, Variant, anywhere, in_out, no_chain, per_element,
    read, shader,
};
use crate::ops::reference::{self, Expected};
use std::ops::Range;

params! {
    PackParams {
        /// Rows (inputs) of the whole kernel.
        k: u32,
        /// Columns (outputs).
        n: u32,
        first_row: u32 as place,
        chunk_rows: u32,
        first_panel: u32 as place,
        panels: u32,
        /// Height * width of the image that was flattened into the rows; 1 where none was.
        pixels: u32,
    }
}

impl PackParams {
    /// Columns that the window holds.
    pub fn columns(&self) -> Range<u32> {
        let first = self.first_panel * PANEL;
        first..(first + self.panels * PANEL).min(self.n)
    }

    pub fn window_len(&self) -> usize {
        self.panels as usize * self.k as usize * PANEL as usize
    }

    /// Where the window keeps the weight of Keras's (row, column).
    pub fn packed(&self, row: u32, column: u32) -> usize {
        let channels = self.k / self.pixels;
        let inner = row % channels * self.pixels + row / channels;
        let panel = column / PANEL - self.first_panel;
        (panel as usize * self.k as usize + inner as usize) * PANEL as usize
            + (column % PANEL) as usize
    }

    fn elements(&self) -> u64 {
        self.columns().len() as u64 * self.chunk_rows as u64
    }

    fn chunk_len(&self) -> usize {
        self.chunk_rows as usize * self.n as usize
    }
}

static SHADER: super::Shader = shader!("pack.wgsl");

fn cases(fill: Fill) -> Vec<Case<PackParams>> {
    let shapes = [
        (
            "small",
            PackParams {
                k: 5,
                n: 7,
                first_row: 0,
                chunk_rows: 5,
                first_panel: 0,
                panels: 1,
                pixels: 1,
            },
        ),
        (
            "window",
            PackParams {
                k: 30,
                n: 130,
                first_row: 7,
                chunk_rows: 11,
                first_panel: 1,
                panels: 2,
                pixels: 1,
            },
        ),
        (
            "last_panel",
            PackParams {
                k: 33,
                n: 97,
                first_row: 32,
                chunk_rows: 1,
                first_panel: 3,
                panels: 1,
                pixels: 1,
            },
        ),
        (
            "flattened",
            PackParams {
                // Seven channels; were they counted in n, five.
                k: 84,
                n: 65,
                first_row: 9,
                chunk_rows: 40,
                first_panel: 0,
                panels: 3,
                pixels: 12,
            },
        ),
    ];
    let case = |(name, params): (&str, PackParams)| Case {
        name: name.into(),
        params,
        step: Step::default(),
        fills: vec![fill.clone(), Fill::Uniform(1.0)],
        exact: true,
    };
    shapes.into_iter().map(case).collect()
}

macro_rules! pack_op {
    ($(#[$doc:meta])* $op:ident, $name:literal, $reference:ident, [$from:literal, $to:literal], $lengths:expr) => {
        $(#[$doc])*
        pub struct $op;

        impl Op for $op {
            type Params = PackParams;
            const NAME: &'static str = $name;
            const BINDINGS: &'static [Binding] = &[read($from), in_out($to)];
            const VARIANTS: &'static [Variant<PackParams>] = &[Variant {
                name: "naive",
                family: Family::Naive,
                suits: crate::ops::always,
                twin: None,
                shader: &SHADER,
                entry: $name,
                constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
                workgroups: |p| per_element(p.elements()),
                chain: no_chain,
                supports: anywhere,
            }];

            fn lengths(p: &PackParams) -> Vec<usize> {
                let lengths: fn(&PackParams) -> Vec<usize> = $lengths;
                lengths(p)
            }
            fn reference(p: &PackParams, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
                vec![reference::pack::$reference(p, bindings[0])]
            }
            fn cost(p: &PackParams) -> Cost {
                Cost { flops: 0, bytes: 8 * p.elements() }
            }
            fn cases() -> Vec<Case<PackParams>> {
                cases(Fill::Uniform(1.0))
            }
        }
    };
}

pack_op! {
    /// Rows of a chunk into the panels of a window; padding is left alone.
    Pack, "pack", pack, ["rows", "panels"], |p| vec![p.chunk_len(), p.window_len()]
}
pack_op! {
    /// Panels of a window into their columns of a chunk of rows.
    Unpack, "unpack", unpack, ["packed", "unpacked"], |p| vec![p.window_len(), p.chunk_len()]
}
