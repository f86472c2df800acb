//! max_pool2d: any window, stride and padding, overlapping windows included.

mod backward;

use super::conv2d::{Padding, output_size};
use super::params::params;
use super::{
    Binding, Case, Cost, FEW, Family, Fill, Op, Step, UNUSED, Variant, anywhere, out, per_element,
    read, shader,
};
use crate::ops::reference::{Expected, max_pool2d as reference};
pub use backward::Backward;

params! {
    MaxPool2d {
        n: u32 as batch,
        c: u32,
        h_in: u32,
        w_in: u32,
        h_out: u32,
        w_out: u32,
        kh: u32,
        kw: u32,
        stride_h: u32,
        stride_w: u32,
        pad_top: u32 as detail,
        pad_left: u32 as detail,
        x_channels: u32 as detail,
        x_first: u32 as place,
        y_channels: u32 as detail,
        y_first: u32 as place,
        /// Backward: is the gradient stopped where `relu_mask` is not positive? 2 where that is x, which a kernel has.
        masked: u32,
        /// Of the buffer that holds `relu_mask`, a range of which goes with x.
        mask_channels: u32 as detail,
        mask_first: u32 as place,
    }
}

impl MaxPool2d {
    /// Pooling of whole buffers of `c` channels.
    pub fn new(
        [n, h_in, w_in, c]: [u32; 4],
        [kh, kw]: [u32; 2],
        [stride_h, stride_w]: [u32; 2],
        padding: Padding,
    ) -> MaxPool2d {
        let (h_out, pad_top) = output_size(h_in, kh, stride_h, padding);
        let (w_out, pad_left) = output_size(w_in, kw, stride_w, padding);
        let (x_channels, y_channels) = (c, c);
        MaxPool2d {
            n,
            c,
            h_in,
            w_in,
            h_out,
            w_out,
            kh,
            kw,
            stride_h,
            stride_w,
            pad_top,
            pad_left,
            x_channels,
            y_channels,
            ..MaxPool2d::default()
        }
    }

    pub(super) fn inputs(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.h_in as u64 * self.w_in as u64
    }
    pub(super) fn outputs(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.h_out as u64 * self.w_out as u64
    }
    pub(super) fn x_len(&self) -> usize {
        self.n as usize * self.x_channels as usize * (self.h_in * self.w_in) as usize
    }
    pub(super) fn y_len(&self) -> usize {
        self.n as usize * self.y_channels as usize * (self.h_out * self.w_out) as usize
    }
    pub(super) fn mask_len(&self) -> usize {
        match self.masked {
            0 => UNUSED,
            _ => self.n as usize * self.mask_channels as usize * (self.h_in * self.w_in) as usize,
        }
    }
    /// Bytes of the mask that a backward pass reads.
    pub(super) fn mask_bytes(&self) -> u64 {
        4 * u64::from(self.masked == 1) * self.inputs()
    }

    /// The same, its gradient stopped where x itself is not positive.
    pub fn own_mask(&self) -> MaxPool2d {
        MaxPool2d {
            masked: 2,
            mask_channels: self.x_channels,
            mask_first: self.x_first,
            ..*self
        }
    }

    /// The same, its gradient stopped by a range of a wider buffer.
    pub(super) fn masked(&self) -> MaxPool2d {
        MaxPool2d {
            masked: 1,
            mask_channels: self.c + 4,
            mask_first: 3,
            ..*self
        }
    }
}

/// The parameter block of every pooling over windows.
pub(super) static PARAMS: super::Shader = shader!("pool2d_params.wgsl");
static SHADER: super::Shader = shader!("max_pool2d.wgsl", PARAMS);
static BY_ONE: super::Shader = shader!("max_pool2d_strips_scalars.wgsl");
static BY_FOUR: super::Shader = shader!("max_pool2d_strips_vectors.wgsl");
static STRIPS: super::Shader = shader!("max_pool2d_strips.wgsl", BY_ONE, PARAMS);
static STRIPS4: super::Shader = shader!("max_pool2d_strips.wgsl", BY_FOUR, PARAMS);

/// Columns of a strip, by numbers and by vectors: as the shaders have it.
const WIDTH: u32 = 6;
const WIDTH4: u32 = 4;

/// Windows of 3x3, STRIDE from each other?
fn of_three<const STRIDE: u32>(p: &MaxPool2d) -> bool {
    [p.kh, p.kw, p.stride_h, p.stride_w] == [3, 3, STRIDE, STRIDE]
}

/// Do rows of x hold whole vectors, and the windows begin such that a vector of y lies over whole ones?
fn in_vectors<const STRIDE: u32>(p: &MaxPool2d) -> bool {
    let begin = p.pad_left == 2 - STRIDE && p.w_in == STRIDE * p.w_out;
    of_three::<STRIDE>(p) && begin && p.w_in.is_multiple_of(4)
}

/// Such windows in strips down the image, for software adapters: GPUs want more invocations.
const fn strips<const STRIDE: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<MaxPool2d> {
    Variant {
        name,
        family: Family::Rows,
        suits: crate::ops::always,
        twin: None,
        shader: &STRIPS,
        entry: "max_pool2d_forward_strips",
        constants,
        workgroups: |p| strips_of(p, p.w_out, WIDTH),
        chain: super::no_chain,
        supports: |p, _| of_three::<STRIDE>(p),
    }
}

/// Workgroups of strips `width` wide in images of so many columns.
fn strips_of(p: &MaxPool2d, columns: u32, width: u32) -> u64 {
    (p.n as u64 * p.c as u64 * columns.div_ceil(width) as u64).div_ceil(FEW)
}

/// The same where a strip is a vector wide.
const fn strips4<const STRIDE: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<MaxPool2d> {
    Variant {
        shader: &STRIPS4,
        workgroups: |p| strips_of(p, p.w_out, WIDTH4),
        supports: |p, _| in_vectors::<STRIDE>(p) && p.w_out.is_multiple_of(4),
        ..strips::<STRIDE>(name, constants)
    }
}

const STRIDE_1: &[(&str, f64)] = &[("WORKGROUP", FEW as f64), ("STRIDE", 1.0)];
const STRIDE_2: &[(&str, f64)] = &[("WORKGROUP", FEW as f64), ("STRIDE", 2.0)];

/// Input (n, h, w, c), window, stride, padding.
type Config = ([u32; 4], [u32; 2], [u32; 2], Padding);

fn shapes() -> Vec<(String, MaxPool2d)> {
    use Padding::{Same, Valid};
    let list: [Config; 33] = [
        ([2, 9, 8, 3], [3, 3], [1, 1], Same),
        ([2, 8, 8, 4], [2, 2], [2, 2], Valid),
        ([1, 12, 12, 6], [3, 3], [2, 2], Same),
        ([1, 11, 7, 2], [3, 3], [2, 2], Valid),
        ([1, 7, 9, 2], [2, 5], [3, 1], Same),
        ([1, 9, 7, 2], [5, 2], [1, 3], Same),
        ([1, 1, 1, 5], [3, 3], [1, 1], Same),
        ([1, 10, 10, 2], [2, 2], [3, 3], Valid),
        ([64, 48, 48, 1], [3, 3], [1, 1], Same),
        // Rows of one, two and three vectors.
        ([2, 5, 4, 3], [3, 3], [1, 1], Same),
        ([1, 7, 8, 2], [2, 5], [1, 1], Same),
        ([3, 1, 12, 1], [5, 3], [1, 1], Same),
        // Windows of 3x3: images of one row or column, odd and even, with and without padding.
        ([2, 1, 5, 2], [3, 3], [1, 1], Same),
        ([2, 7, 1, 2], [3, 3], [1, 1], Same),
        ([1, 2, 2, 3], [3, 3], [1, 1], Same),
        ([2, 3, 3, 7], [3, 3], [1, 1], Same),
        ([2, 6, 6, 5], [3, 3], [1, 1], Same),
        ([1, 14, 11, 2], [3, 3], [1, 1], Valid),
        ([1, 1, 1, 5], [3, 3], [2, 2], Same),
        ([1, 2, 1, 2], [3, 3], [2, 2], Same),
        ([2, 5, 9, 3], [3, 3], [2, 2], Same),
        ([1, 13, 7, 2], [3, 3], [2, 2], Same),
        ([2, 8, 6, 3], [3, 3], [2, 2], Valid),
        ([3, 6, 6, 3], [3, 3], [2, 2], Same),
        // Whole vectors: rows of x and y, of x alone, and strips of several; or as many columns without the padding.
        ([1, 9, 24, 2], [3, 3], [1, 1], Same),
        ([2, 7, 24, 3], [3, 3], [2, 2], Same),
        ([1, 8, 16, 2], [3, 3], [2, 2], Same),
        ([2, 6, 12, 3], [3, 3], [2, 2], Same),
        ([1, 9, 12, 2], [3, 3], [1, 1], Valid),
        // Windows that share no pixel, some with a border or gaps.
        ([2, 3, 3, 5], [3, 3], [3, 3], Same),
        ([2, 9, 7, 2], [2, 2], [2, 2], Same),
        ([1, 11, 9, 2], [2, 1], [3, 2], Same),
        // Windows larger than the image.
        ([2, 3, 2, 2], [9, 7], [1, 1], Same),
    ];
    let name = |s: &Config| {
        let ([n, h, w, c], [kh, kw], [sh, sw], padding) = s;
        format!("n{n}_h{h}_w{w}_c{c}_k{kh}x{kw}_s{sh}x{sw}_{padding}")
    };
    let mut all: Vec<_> = list
        .iter()
        .map(|s| (name(s), MaxPool2d::new(s.0, s.1, s.2, s.3)))
        .collect();
    let ranges = MaxPool2d {
        x_channels: 7,
        x_first: 3,
        y_channels: 5,
        y_first: 2,
        ..all[0].1
    };
    all.push(("ranges".into(), ranges));
    let (w_in, w_out) = (12, 12);
    all.push((
        "ranges_rows".into(),
        MaxPool2d {
            w_in,
            w_out,
            ..ranges
        },
    ));
    all
}

/// Windows whose elements hardly differ, in every order: the largest leads by as little as f32 can
/// say, and must win. The network's own batch, of the same windows, is left out.
fn near_ties(p: &MaxPool2d) -> Vec<(&'static str, Fill)> {
    if p.inputs() > 10_000 {
        return Vec::new();
    }
    vec![("_near", Fill::Near(4)), ("_tiny", Fill::Tiny(-2, 2))]
}

/// Small integers, among which many are NaN, or infinite of either sign: a NaN wins only where it is the first.
fn spoilt(len: usize) -> Fill {
    let one = |i: usize| match (i * 7 + i / 5) % 23 {
        3 => f32::NAN,
        11 | 12 | 14 => f32::NEG_INFINITY,
        17 => f32::INFINITY,
        r => r as f32 - 11.0,
    };
    Fill::Values((0..len).map(one).collect())
}

/// y = the largest element of each window
pub struct Forward;

impl Op for Forward {
    type Params = MaxPool2d;
    const NAME: &'static str = "max_pool2d_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<MaxPool2d>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: crate::ops::always,
            twin: None,
            shader: &SHADER,
            entry: "max_pool2d_forward",
            constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.outputs()),
            chain: super::no_chain,
            supports: anywhere,
        },
        strips4::<1>("strips4", STRIDE_1),
        strips4::<2>("strips4_2", STRIDE_2),
        strips::<1>("strips", STRIDE_1),
        strips::<2>("strips_2", STRIDE_2),
    ];

    fn lengths(p: &MaxPool2d) -> Vec<usize> {
        vec![p.x_len(), p.y_len()]
    }
    fn reference(p: &MaxPool2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::max_pool2d_forward(p, bindings[0])]
    }
    fn cost(p: &MaxPool2d) -> Cost {
        Cost {
            flops: p.outputs() * (p.kh * p.kw) as u64,
            bytes: 4 * (p.inputs() + p.outputs()),
        }
    }
    fn cases() -> Vec<Case<MaxPool2d>> {
        let mut cases = Vec::new();
        for (name, params) in shapes() {
            let mut add = |suffix: &str, fill| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step: Step::default(),
                    fills: vec![fill],
                    exact: true,
                })
            };
            add("", Fill::Uniform(1.0));
            if params.inputs() <= 10_000 {
                add("_spoilt", spoilt(params.x_len()));
            }
            for (suffix, fill) in near_ties(&params) {
                add(suffix, fill);
            }
        }
        cases
    }
}
