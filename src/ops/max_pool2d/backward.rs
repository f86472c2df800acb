//! The gradient of max_pool2d: who won each window is found anew, once for each window where a variant can.

use super::{
    MaxPool2d, PARAMS, SHADER, in_vectors, near_ties, of_three, shapes, spoilt, strips_of,
};
use crate::ops::reference::{Expected, max_pool2d as reference};
use crate::ops::{
    Binding, Case, Cost, ELEMENTWISE, FEW, Family, Fill, MAX_ITERATIONS, Op, Phase, Shader, Step,
    Variant, always, anywhere, out, per_element, read, shader, written_out,
};
use crate::profile::{Class, Profile};

static STRIDE_1: Shader = shader!("max_pool2d_stride1.wgsl");
static STRIDE_2: Shader = shader!("max_pool2d_stride2.wgsl");
static STRIPS_1: Shader = shader!("max_pool2d_backward_strips.wgsl", STRIDE_1, PARAMS);
static STRIPS_2: Shader = shader!("max_pool2d_backward_strips.wgsl", STRIDE_2, PARAMS);

static BY_ONE: Shader = shader!("max_pool2d_backward_rows_scalars.wgsl");
static BY_FOUR: Shader = shader!("max_pool2d_backward_rows_vectors.wgsl");
static ROWS: Shader = written_out!("max_pool2d_backward_rows.wgsl", BY_ONE, PARAMS);
static ROWS4: Shader = written_out!("max_pool2d_backward_rows.wgsl", BY_FOUR, PARAMS);

/// Rows of a strip for GPUs, which want many invocations: each finds the winners above it anew.
const SHORT: u32 = 6;

/// The most windows that hold one pixel.
fn windows(p: &MaxPool2d) -> u64 {
    p.kh.div_ceil(p.stride_h) as u64 * p.kw.div_ceil(p.stride_w) as u64
}

/// Windows of 3x3, STRIDE from each other, in strips of two columns and SHORT rows.
const fn registers<const STRIDE: u32>(
    name: &'static str,
    shader: &'static Shader,
) -> Variant<MaxPool2d> {
    Variant {
        name,
        family: Family::Registers,
        suits: always,
        twin: None,
        shader,
        entry: "max_pool2d_backward_strips",
        constants: &[WORKGROUP, ("ROWS", SHORT as f64)],
        workgroups: |p| {
            let along = |size: u32, pad: u32, strip: u32| (size + pad % STRIDE).div_ceil(strip);
            let strips =
                along(p.h_in, p.pad_top, SHORT) as u64 * along(p.w_in, p.pad_left, 2) as u64;
            per_element(p.n as u64 * p.c as u64 * strips)
        },
        chain: windows,
        supports: |p, _| of_three::<STRIDE>(p),
    }
}

/// The same in strips WIDTH wide down the image, for software adapters: in images of any size, or by vectors.
const fn rows<const STRIDE: u32, const WIDTH: u32>(
    name: &'static str,
    shader: &'static Shader,
) -> Variant<MaxPool2d> {
    Variant {
        family: Family::Rows,
        shader,
        entry: "max_pool2d_backward_rows",
        constants: const {
            &[
                ("WORKGROUP", FEW as f64),
                ("STRIDE", STRIDE as f64),
                ("WIDTH", WIDTH as f64),
            ]
        },
        workgroups: |p| strips_of(p, p.w_in + p.pad_left % STRIDE, WIDTH),
        ..registers::<STRIDE>(name, shader)
    }
}

const fn rows4<const STRIDE: u32, const WIDTH: u32>(name: &'static str) -> Variant<MaxPool2d> {
    Variant {
        supports: |p, _| {
            let planes = (p.h_out * p.w_out).is_multiple_of(4);
            in_vectors::<STRIDE>(p) && p.w_in.is_multiple_of(WIDTH) && planes
        },
        ..rows::<STRIDE, WIDTH>(name, &ROWS4)
    }
}

const WORKGROUP: (&str, f64) = ("WORKGROUP", ELEMENTWISE as f64);

/// Cells from one window to the next, which an invocation goes through.
fn apart(p: &MaxPool2d, profile: &Profile) -> bool {
    let cells = p.stride_h as u64 * (p.stride_w as u64 + 2);
    let within = profile.class == Class::Gpu || cells <= MAX_ITERATIONS;
    p.stride_h >= p.kh && p.stride_w >= p.kw && within
}

/// dx = the sum of dy over the windows that an element won; ties go to the first in row-major order
pub struct Backward;

impl Op for Backward {
    type Params = MaxPool2d;
    const NAME: &'static str = "max_pool2d_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("x"), read("dy"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<MaxPool2d>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: always,
            twin: None,
            shader: &SHADER,
            entry: "max_pool2d_backward",
            constants: &[WORKGROUP],
            workgroups: |p| per_element(p.inputs()),
            chain: windows,
            supports: anywhere,
        },
        registers::<1>("registers3", &STRIPS_1),
        registers::<2>("registers3_2", &STRIPS_2),
        rows4::<1, 24>("rows24"),
        rows4::<2, 24>("rows24_2"),
        rows4::<1, 12>("rows12"),
        rows4::<2, 12>("rows12_2"),
        rows4::<1, 4>("rows4"),
        rows4::<2, 4>("rows4_2"),
        rows::<1, 6>("rows", &ROWS),
        rows::<2, 6>("rows_2", &ROWS),
        Variant {
            name: "registers",
            family: Family::Registers,
            suits: always,
            twin: None,
            shader: &SHADER,
            entry: "max_pool2d_backward_apart",
            constants: &[WORKGROUP],
            workgroups: |p| {
                let down = (p.h_in + p.pad_top).div_ceil(p.stride_h) as u64;
                let across = (p.w_in + p.pad_left).div_ceil(p.stride_w) as u64;
                per_element(p.n as u64 * p.c as u64 * down * across)
            },
            chain: windows,
            supports: apart,
        },
    ];

    fn lengths(p: &MaxPool2d) -> Vec<usize> {
        vec![p.x_len(), p.y_len(), p.mask_len(), p.x_len()]
    }
    fn reference(p: &MaxPool2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [x, dy, mask] = [0, 1, 2].map(|i| bindings[i]);
        vec![reference::max_pool2d_backward(p, x, dy, mask)]
    }
    fn cost(p: &MaxPool2d) -> Cost {
        Cost {
            flops: p.outputs() * (p.kh * p.kw) as u64,
            bytes: 4 * (2 * p.inputs() + p.outputs()) + p.mask_bytes(),
        }
    }
    fn cases() -> Vec<Case<MaxPool2d>> {
        let mut cases = Vec::new();
        let some = || Fill::Integers(-50, 50);
        for (name, params) in shapes() {
            let case = |suffix: &str, params, [x, dy, mask]: [Fill; 3], exact| Case {
                name: format!("{name}{suffix}"),
                params,
                step: Step::default(),
                fills: vec![x, dy, mask],
                exact,
            };
            let mask = || Fill::Integers(-1, 1);
            let random = || Fill::Uniform(1.0);
            cases.push(case("", params, [random(), random(), mask()], false));
            // Few distinct values: most windows hold ties.
            let ties = [Fill::Integers(0, 2), some(), mask()];
            cases.push(case("_ties", params, ties, true));
            let masked = params.masked();
            let spoilt = spoilt(params.x_len());
            let fills = [spoilt.clone(), some(), mask()];
            cases.push(case("_mask", masked, fills, true));
            let fills = [spoilt.clone(), some(), spoilt];
            cases.push(case("_own_mask", params.own_mask(), fills, true));
            for (suffix, fill) in near_ties(&params) {
                let fills = [fill, some(), Fill::Tiny(-1, 1)];
                cases.push(case(suffix, masked, fills, true));
            }
        }
        cases
    }
}
