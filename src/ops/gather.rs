//! gather: the batch, picked by row number from the u8 data set that lives on the device.

use super::params::params;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, STEP, Step, Variant, anywhere, integers,
    no_chain, out, per_element, shader,
};
use crate::ops::reference::{self, Expected};

params! {
    GatherParams {
        /// Rows of the batch.
        rows: u32 as batch,
        /// Words of four bytes that one row of the data set takes.
        row_words: u32,
        /// Height * width.
        pixels: u32,
        channels: u32,
        /// Rows of the data set.
        data_rows: u32,
        /// 1/255, or 1 for images taken as they are.
        scale: f32,
    }
}

impl GatherParams {
    fn elements(&self) -> u64 {
        self.rows as u64 * self.pixels as u64 * self.channels as u64
    }
}

static SHADER: super::Shader = shader!("gather.wgsl", STEP);

/// `x[i, c, pixel] = data[rows[i], pixel * channels + c] * scale`
pub struct Gather;

impl Op for Gather {
    type Params = GatherParams;
    const NAME: &'static str = "gather";
    const PHASE: Phase = Phase::Input;
    const BINDINGS: &'static [Binding] = &[integers("data"), integers("rows"), out("x")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<GatherParams>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "gather",
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups: |p| per_element(p.elements()),
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &GatherParams) -> Vec<usize> {
        vec![
            p.data_rows as usize * p.row_words as usize,
            p.rows as usize,
            p.elements() as usize,
        ]
    }
    fn reference(p: &GatherParams, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::gather::gather(p, step, bindings[0], bindings[1])]
    }
    fn cost(p: &GatherParams) -> Cost {
        Cost {
            flops: p.elements(),
            bytes: 5 * p.elements() + 4 * p.rows as u64,
        }
    }
    fn cases() -> Vec<Case<GatherParams>> {
        let shapes = [
            (1, 4, 1, 3, 1),
            (5, 35, 1, 9, 5),
            (7, 13, 3, 11, 4),
            (64, 2304, 1, 100, 64),
            (64, 2304, 1, 70, 1),
        ];
        let case =
            |(rows, pixels, channels, data_rows, valid_rows): (u32, u32, u32, u32, u32)| Case {
                name: format!("rows{rows}_p{pixels}_c{channels}_valid{valid_rows}"),
                params: GatherParams {
                    rows,
                    row_words: (pixels * channels).div_ceil(4),
                    pixels,
                    channels,
                    data_rows,
                    scale: 1.0 / 255.0,
                },
                step: Step {
                    valid_rows,
                    ..Step::default()
                },
                fills: vec![Fill::Words(u32::MAX), Fill::Words(data_rows)],
                exact: true,
            };
        shapes.into_iter().map(case).collect()
    }
}
