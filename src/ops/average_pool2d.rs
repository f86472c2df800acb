//! average_pool2d: any window, stride and padding, overlapping windows included. What lies in the padding does
//! not count, as in Keras: a window at the edge divides by the cells that it has inside the image.
//!
//! It shares its parameter block with max_pool2d.

use super::conv2d::Padding;
use super::max_pool2d::{MaxPool2d, PARAMS};
use super::{
    Binding, Case, Cost, Family, Fill, MAX_ITERATIONS, Op, Phase, Step, Variant, out, per_element,
    read, shader,
};
use crate::ops::reference::{Expected, average_pool2d as reference};
use crate::profile::{Class, Profile};

static SHADER: super::Shader = shader!("average_pool2d.wgsl", PARAMS);

/// Rows and columns of the largest part of a window that lies inside the image.
fn cells(p: &MaxPool2d) -> [u64; 2] {
    [p.kh.min(p.h_in), p.kw.min(p.w_in)].map(u64::from)
}

/// The most windows that hold one pixel, along each axis.
fn windows(p: &MaxPool2d) -> [u64; 2] {
    let along = |size: u32, stride: u32, count: u32| size.div_ceil(stride).min(count).into();
    [
        along(p.kh, p.stride_h, p.h_out),
        along(p.kw, p.stride_w, p.w_out),
    ]
}

/// Can an invocation of this adapter go through that many rows and columns? GPUs have no limit. llvmpipe counts
/// each row, and the turn in which its loop over the columns ends, too.
fn within([rows, columns]: [u64; 2], profile: &Profile) -> bool {
    profile.class == Class::Gpu || rows * (columns + 2) <= MAX_ITERATIONS
}

/// Input (n, h, w, c), window, stride, padding.
type Config = ([u32; 4], [u32; 2], [u32; 2], Padding);

fn named(list: &[Config]) -> Vec<(String, MaxPool2d)> {
    let one = |&([n, h, w, c], [kh, kw], [sh, sw], padding): &Config| {
        (
            format!("n{n}_h{h}_w{w}_c{c}_k{kh}x{kw}_s{sh}x{sw}_{padding}"),
            MaxPool2d::new([n, h, w, c], [kh, kw], [sh, sw], padding),
        )
    };
    list.iter().map(one).collect()
}

/// The first of `shapes` once more, between channels of wider buffers.
fn ranges(shapes: &[(String, MaxPool2d)]) -> (String, MaxPool2d) {
    let ranges = MaxPool2d {
        x_channels: 7,
        x_first: 3,
        y_channels: 5,
        y_first: 2,
        ..shapes[0].1
    };
    ("ranges".into(), ranges)
}

fn shapes() -> Vec<(String, MaxPool2d)> {
    use Padding::{Same, Valid};
    let mut all = named(&[
        ([2, 9, 8, 3], [3, 3], [1, 1], Same),
        ([2, 8, 8, 4], [2, 2], [2, 2], Valid),
        ([1, 12, 12, 6], [3, 3], [2, 2], Same),
        ([1, 11, 7, 2], [3, 3], [2, 2], Valid),
        ([1, 7, 9, 2], [2, 5], [3, 1], Same),
        ([1, 9, 7, 2], [5, 2], [1, 3], Same),
        ([3, 5, 7, 2], [2, 3], [1, 2], Valid),
        // One pixel; windows far larger than the image; windows of one.
        ([1, 1, 1, 5], [3, 3], [1, 1], Same),
        ([2, 3, 2, 2], [9, 7], [1, 1], Same),
        ([2, 5, 3, 2], [1, 1], [2, 1], Same),
        // Gaps between the windows.
        ([1, 10, 10, 2], [2, 2], [3, 3], Valid),
        ([2, 10, 11, 1], [1, 2], [3, 3], Same),
        // Around the 64 invocations of a workgroup.
        ([1, 7, 9, 1], [2, 3], [1, 1], Same),
        ([1, 8, 8, 1], [2, 3], [1, 1], Same),
        ([1, 5, 13, 1], [2, 3], [1, 1], Same),
        // GoogLeNet's, before its auxiliary heads.
        ([4, 14, 14, 8], [5, 5], [3, 3], Valid),
        // Many terms.
        ([1, 24, 20, 1], [24, 20], [1, 1], Same),
    ]);
    all.push(ranges(&all));
    all
}

/// Every window of these has a power of two of cells, at the edges too: the division is exact as well.
fn powers_of_two() -> Vec<(String, MaxPool2d)> {
    use Padding::{Same, Valid};
    let mut all = named(&[
        ([2, 9, 8, 3], [2, 2], [1, 1], Same),
        ([2, 8, 6, 3], [2, 2], [2, 2], Valid),
        ([1, 10, 7, 2], [2, 2], [3, 3], Same),
        ([2, 9, 11, 2], [4, 2], [1, 1], Valid),
        ([1, 9, 11, 2], [2, 8], [3, 1], Valid),
        ([1, 5, 4, 3], [1, 1], [1, 2], Same),
        ([1, 21, 19, 1], [16, 16], [1, 1], Valid),
    ]);
    all.push(ranges(&all));
    for (name, _) in &mut all {
        name.insert_str(0, "integers_");
    }
    all
}

/// Small integers, among which a few numbers are NaN or infinite: only the windows that hold one may know of it.
fn spoilt(len: usize) -> Fill {
    let one = |i| match i % 29 {
        5 => f32::NAN,
        17 => f32::INFINITY,
        r => r as f32 - 14.0,
    };
    Fill::Values((0..len).map(one).collect())
}

/// The cases of either direction; `input` is the length of what the kernel reads.
fn cases(input: fn(&MaxPool2d) -> usize) -> Vec<Case<MaxPool2d>> {
    let case = |(name, params), fill, exact| Case {
        name,
        params,
        step: Step::default(),
        fills: vec![fill],
        exact,
    };
    let random = shapes().into_iter();
    let random = random.map(|shape| case(shape, Fill::Uniform(1.0), false));
    let exact = powers_of_two().into_iter();
    let exact = exact.map(|shape| case(shape, Fill::Integers(-9, 9), true));
    let spoilt = powers_of_two().into_iter().take(2).map(|(name, params)| {
        let name = name.replacen("integers", "spoilt", 1);
        case((name, params), spoilt(input(&params)), true)
    });
    random.chain(exact).chain(spoilt).collect()
}

/// y = the mean of each window
pub struct Forward;

impl Op for Forward {
    type Params = MaxPool2d;
    const NAME: &'static str = "average_pool2d_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const VARIANTS: &'static [Variant<MaxPool2d>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "average_pool2d_forward",
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups: |p| per_element(p.outputs()),
        chain: |p| cells(p).iter().product(),
        supports: |p, profile| within(cells(p), profile),
    }];

    fn lengths(p: &MaxPool2d) -> Vec<usize> {
        vec![p.x_len(), p.y_len()]
    }
    fn reference(p: &MaxPool2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::average_pool2d_forward(p, bindings[0])]
    }
    fn cost(p: &MaxPool2d) -> Cost {
        Cost {
            flops: p.outputs() * cells(p).iter().product::<u64>(),
            bytes: 4 * (p.inputs() + p.outputs()),
        }
    }
    fn cases() -> Vec<Case<MaxPool2d>> {
        let window = |name: &str, [h, w]: [u32; 2], fill, exact| Case {
            name: name.into(),
            params: MaxPool2d::new([1, h, w, 1], [h, w], [1, 1], Padding::Valid),
            step: Step::default(),
            fills: vec![fill],
            exact,
        };
        // As many iterations as there may be: the last is the one that counts.
        let mut last = vec![0.0; 255 * 255];
        last[255 * 255 - 1] = 1.0;
        let mut all = cases(MaxPool2d::x_len);
        all.push(window("longest", [255, 255], Fill::Values(last), false));
        let integers = Fill::Integers(-9, 9);
        all.push(window("integers_long", [256, 128], integers, true));
        all
    }
}

/// dx = the sum of dy / cells over the windows that hold an element
pub struct Backward;

impl Op for Backward {
    type Params = MaxPool2d;
    const NAME: &'static str = "average_pool2d_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<MaxPool2d>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "average_pool2d_backward",
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups: |p| per_element(p.inputs()),
        chain: |p| windows(p).iter().product(),
        supports: |p, profile| within(windows(p), profile),
    }];

    fn lengths(p: &MaxPool2d) -> Vec<usize> {
        vec![p.y_len(), p.mask_len(), p.x_len()]
    }
    fn reference(p: &MaxPool2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [dy, mask] = [bindings[0], bindings[1]];
        vec![reference::average_pool2d_backward(p, dy, mask)]
    }
    fn cost(p: &MaxPool2d) -> Cost {
        Cost {
            flops: 2 * p.outputs() * cells(p).iter().product::<u64>(),
            bytes: 4 * (p.inputs() + p.outputs()) + p.mask_bytes(),
        }
    }
    fn cases() -> Vec<Case<MaxPool2d>> {
        let mut all = cases(MaxPool2d::y_len);
        for case in &mut all {
            case.fills.push(Fill::Integers(-1, 1));
        }
        let masked = |(name, params): (String, MaxPool2d), mask: Fill| Case {
            name,
            params: params.masked(),
            step: Step::default(),
            fills: vec![Fill::Integers(-9, 9), mask],
            exact: true,
        };
        for (name, params) in powers_of_two() {
            all.push(masked(
                (format!("{name}_mask"), params),
                Fill::Integers(-1, 1),
            ));
            all.push(masked(
                (format!("{name}_tiny_mask"), params),
                Fill::Tiny(-1, 1),
            ));
        }
        all
    }
}
