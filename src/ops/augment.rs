//! augment: each image of a batch as its record wants it: moved, toned, partly erased, mixed with another.

use super::params::params;
use super::{
    Binding, Case, Cost, ELEMENTWISE, Family, Fill, Op, Phase, STEP, Step, Variant, anywhere,
    no_chain, out, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::random::unit;

params! {
    /// A batch of planes, and the range of its pixels.
    Augment {
        rows: u32 as batch,
        channels: u32,
        height: u32,
        width: u32,
        /// What is toned stays in low..high.
        low: f32,
        high: f32,
        /// What is erased is that.
        fill: f32,
    }
}

impl Augment {
    /// Of a batch of images (height, width, channels) whose pixels lie there.
    pub fn of(rows: u32, [height, width, channels]: [u32; 3], range: Bounds) -> Augment {
        Augment {
            rows,
            channels,
            height,
            width,
            low: range.low,
            high: range.high,
            fill: range.middle(),
        }
    }

    pub fn elements(&self) -> usize {
        (self.rows * self.channels * self.height * self.width) as usize
    }
}

/// Where the pixels of images lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub low: f32,
    pub high: f32,
}

impl Bounds {
    pub fn middle(&self) -> f32 {
        (self.low + self.high) / 2.0
    }
}

/// What becomes of one image, as the kernel reads it: whole numbers are f32 too.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Record {
    /// Pixel (px, py) comes from column `to_x[0] px + to_x[1] py + to_x[2]`.
    pub to_x: [f32; 3],
    /// Is it moved at all, 0 or 1?
    pub moved: f32,
    /// The row, in the same way.
    pub to_y: [f32; 3],
    /// Is it toned at all, 0 or 1?
    pub toned: f32,
    /// A pixel is multiplied with that,
    pub gain: f32,
    /// and that is added.
    pub offset: f32,
    /// The row of the batch that it is mixed with.
    pub partner: f32,
    /// What it keeps of itself then; 1 where it is not mixed.
    pub share: f32,
    /// Left, top, right and bottom of what is erased, the last two behind it.
    pub erased: [f32; 4],
}

impl Record {
    /// As the image was.
    pub const PLAIN: Record = Record {
        to_x: [1.0, 0.0, 0.0],
        moved: 0.0,
        to_y: [0.0, 1.0, 0.0],
        toned: 0.0,
        gain: 1.0,
        offset: 0.0,
        partner: 0.0,
        share: 1.0,
        erased: [0.0; 4],
    };
}

/// Words of a record.
pub const RECORD: usize = size_of::<Record>() / 4;

static SHADER: super::Shader = shader!("augment.wgsl", STEP);

/// Each row of x as its record wants it; zero behind the valid rows.
pub struct Apply;

impl Op for Apply {
    type Params = Augment;
    const NAME: &'static str = "augment";
    const PHASE: Phase = Phase::Input;
    const BINDINGS: &'static [Binding] = &[read("x"), read("records"), out("y")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Augment>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "augment",
        constants: &[("WORKGROUP", ELEMENTWISE as f64)],
        workgroups: |p| {
            let pieces = (p.height as u64 * p.width as u64).div_ceil(ELEMENTWISE);
            p.rows as u64 * p.channels as u64 * pieces
        },
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &Augment) -> Vec<usize> {
        vec![p.elements(), p.rows as usize * RECORD, p.elements()]
    }
    fn reference(p: &Augment, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [x, records, _] = bindings else {
            unreachable!("three bindings")
        };
        vec![reference::augment::augment(p, step, x, records)]
    }
    fn cost(p: &Augment) -> Cost {
        let (elements, records) = (p.elements() as u64, p.rows as u64 * RECORD as u64);
        Cost {
            flops: 20 * elements,
            bytes: 8 * elements + 4 * records,
        }
    }
    fn cases() -> Vec<Case<Augment>> {
        // rows, channels, height, width, valid rows: a piece of a plane, one less and one more, the networks' own.
        let shapes = [
            (1, 1, 1, 1, 1),
            (3, 2, 7, 5, 3),
            (5, 3, 9, 7, 4),
            (2, 1, 8, 8, 2),
            (9, 1, 13, 5, 9),
            (4, 2, 1, 67, 4),
            (4, 1, 64, 1, 3),
            (16, 1, 48, 48, 11),
        ];
        let mut cases = Vec::new();
        for (rows, channels, height, width, valid) in shapes {
            let p = Augment {
                rows,
                channels,
                height,
                width,
                low: 0.0,
                high: 1.0,
                fill: 0.5,
            };
            let wide = Augment {
                low: -1.0,
                high: 0.75,
                fill: -0.125,
                ..p
            };
            for (name, p, fill, record) in [
                ("plain", p, Fill::Uniform(9.0), plain as Draw),
                ("whole", p, Fill::Integers(-9, 9), whole),
                ("tiny", p, Fill::Tiny(-9, 9), alone),
                ("moved", p, Fill::Range(0.0, 1.0), moved),
                ("toned", wide, Fill::Uniform(1.0), toned),
                ("mixed", p, Fill::Range(0.0, 1.0), mixed),
                ("all", wide, Fill::Uniform(1.0), all),
            ] {
                let exact = ["plain", "whole", "tiny"].contains(&name);
                cases.push(case(name, p, valid, fill, record, exact));
            }
        }
        cases.push(padding());
        cases
    }
}

/// Rows behind the valid ones, which hold what no pixel may be.
fn padding() -> Case<Augment> {
    let p = Augment {
        rows: 3,
        channels: 1,
        height: 2,
        width: 3,
        high: 1.0,
        ..Augment::default()
    };
    let pixels = [vec![0.25; 6], vec![f32::NAN; 12]].concat();
    case("padding", p, 1, Fill::Values(pixels), whole, true)
}

/// A record for a row, of numbers that depend on the row.
type Draw = fn(&Augment, u32, u32) -> Record;

fn case(
    name: &str,
    p: Augment,
    valid: u32,
    fill: Fill,
    record: Draw,
    exact: bool,
) -> Case<Augment> {
    let Augment {
        rows,
        channels,
        height,
        width,
        ..
    } = p;
    let records: Vec<Record> = (0..rows).map(|row| record(&p, row, valid)).collect();
    Case {
        name: format!("rows{rows}_c{channels}_{height}x{width}_valid{valid}_{name}"),
        params: p,
        step: Step::new(0, valid, [0.0; 4]),
        fills: vec![fill, Fill::Values(bytemuck::cast_slice(&records).to_vec())],
        exact,
    }
}

/// Uniform in [low, high), from a row and a number of its own.
fn uniform(row: u32, number: u64, low: f64, high: f64) -> f32 {
    (low + (high - low) * unit(31, 64 * row as u64 + number)) as f32
}

fn plain(_: &Augment, _: u32, _: u32) -> Record {
    Record::PLAIN
}

/// Mirrors, quarter turns and shifts by whole pixels, gains by whole numbers that stay in the range, whole
/// rectangles, halves of two: exact.
fn whole(p: &Augment, row: u32, valid: u32) -> Record {
    let shift = |number, by: f64| uniform(row, number, -by, by + 1.0).floor();
    let (right, down) = ((p.width - 1) as f32, (p.height - 1) as f32);
    let (dx, dy) = (shift(1, 2.0), shift(2, 3.0));
    let (to_x, to_y) = match row % 5 {
        0 => ([-1.0, 0.0, right], [0.0, 1.0, 0.0]),
        1 => ([1.0, 0.0, dx], [0.0, 1.0, dy]),
        2 => ([-1.0, 0.0, right + dx], [0.0, -1.0, down + dy]),
        3 => ([0.0, 1.0, dx], [1.0, 0.0, dy]),
        // Twice as far, and far outside.
        _ => ([2.0, 0.0, dx], [0.0, -3.0, 70.0]),
    };
    let (left, top) = (dx.abs(), dy.abs());
    Record {
        to_x,
        to_y,
        moved: 1.0,
        erased: match row % 3 {
            0 => [0.0; 4],
            _ => [left, top, left + 2.0, top + 1.0],
        },
        partner: ((row + 1) % valid) as f32,
        share: if row % 4 == 1 { 0.5 } else { 1.0 },
        ..Record::PLAIN
    }
}

/// The same without halves, which next to zero there are none of.
fn alone(p: &Augment, row: u32, valid: u32) -> Record {
    Record {
        share: 1.0,
        ..whole(p, row, valid)
    }
}

/// Turned, zoomed and shifted, a little and much.
fn moved(p: &Augment, row: u32, _: u32) -> Record {
    let entry = |number, middle| uniform(row, number, middle - 0.7, middle + 0.7);
    let shift = |number, size: u32| uniform(row, number, -0.4, 0.6) * size as f32;
    Record {
        to_x: [entry(3, 1.0), entry(4, 0.0), shift(5, p.width)],
        to_y: [entry(6, 0.0), entry(7, 1.0), shift(8, p.height)],
        moved: 1.0,
        ..Record::PLAIN
    }
}

/// Other gains and offsets, some of which leave the range.
fn toned(_: &Augment, row: u32, _: u32) -> Record {
    Record {
        toned: 1.0,
        gain: uniform(row, 9, 0.5, 1.9),
        offset: uniform(row, 10, -0.4, 0.4),
        ..Record::PLAIN
    }
}

/// With any other row, by shares from 0 to 1.
fn mixed(p: &Augment, row: u32, valid: u32) -> Record {
    Record {
        partner: (uniform(row, 11, 0.0, 1.0) * valid as f32).floor(),
        share: uniform(row, 12, 0.0, 1.0),
        ..whole(p, row, valid)
    }
}

/// Each of them, for some rows.
fn all(p: &Augment, row: u32, valid: u32) -> Record {
    let (moved, toned) = (moved(p, row, valid), toned(p, row, valid));
    let mixed = mixed(p, row, valid);
    Record {
        moved: f32::from(u8::from(row % 4 != 1)),
        toned: f32::from(u8::from(row % 4 != 2)),
        gain: toned.gain,
        offset: toned.offset,
        partner: mixed.partner,
        share: if row % 4 == 3 { 1.0 } else { mixed.share },
        erased: mixed.erased,
        ..moved
    }
}
