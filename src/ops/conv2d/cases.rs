//! Test cases of the four convolution kernels: odd sizes, strides, both paddings, channel
//! counts around every tile's edge, ranges of wider buffers, and the seed network's own shapes
//! with integers, where f32 must be exact.

use super::Conv2d;
use super::Padding::{self, Same, Valid};
use crate::ops::{Case, Fill, Step, nan_among};

/// Input (n, h, w, c), filters, kernel, stride, padding.
type Config = ([u32; 4], u32, [u32; 2], [u32; 2], Padding);

/// Convolutions of whole buffers.
const WHOLE: [Config; 75] = [
    ([2, 9, 7, 1], 10, [1, 1], [1, 1], Same),
    ([2, 9, 7, 10], 10, [3, 3], [1, 1], Same),
    ([2, 9, 7, 10], 10, [5, 5], [1, 1], Same),
    ([1, 12, 12, 3], 8, [7, 7], [2, 2], Same),
    ([2, 11, 8, 5], 6, [3, 3], [2, 2], Same),
    ([2, 11, 8, 5], 6, [3, 3], [2, 2], Valid),
    ([1, 6, 5, 4], 3, [2, 2], [1, 1], Same),
    ([1, 10, 10, 2], 2, [4, 3], [3, 2], Valid),
    ([3, 17, 13, 17], 33, [3, 3], [1, 1], Same),
    ([1, 1, 1, 7], 5, [3, 3], [1, 1], Same),
    ([1, 8, 8, 65], 67, [1, 1], [1, 1], Same),
    // Widths around four pixels, and heights around two rows.
    ([1, 3, 31, 3], 9, [3, 3], [1, 1], Same),
    ([1, 4, 32, 3], 11, [3, 3], [1, 1], Same),
    ([1, 5, 33, 2], 20, [3, 3], [1, 1], Valid),
    ([1, 2, 64, 2], 21, [5, 5], [1, 1], Same),
    // One output channel and one input channel.
    ([2, 7, 6, 3], 1, [3, 3], [1, 1], Same),
    ([2, 7, 6, 1], 3, [5, 3], [1, 1], Same),
    // Kernels larger than the image, and tiles of 63 to 65 channels.
    ([1, 3, 3, 2], 4, [5, 5], [1, 1], Same),
    ([1, 5, 5, 2], 63, [3, 3], [1, 1], Same),
    ([1, 5, 5, 2], 64, [3, 3], [1, 1], Same),
    ([1, 13, 5, 2], 65, [3, 3], [1, 1], Valid),
    // 15 to 17 channels, 63 to 65 lines of weights with the bias, 127 to 129 pixels.
    ([1, 9, 14, 15], 16, [3, 2], [1, 1], Same),
    ([1, 127, 1, 16], 15, [2, 2], [1, 1], Same),
    ([3, 43, 1, 62], 17, [1, 1], [1, 1], Same),
    ([2, 8, 8, 7], 16, [3, 3], [2, 1], Same),
    // Rows of whole vectors: one, three, four, seven and nine of them, and ten channels and one more.
    ([2, 5, 4, 3], 10, [3, 3], [1, 1], Same),
    ([3, 7, 12, 11], 9, [5, 5], [1, 1], Same),
    ([2, 2, 12, 17], 20, [1, 1], [1, 1], Same),
    ([1, 6, 16, 3], 21, [3, 3], [1, 1], Same),
    ([3, 5, 28, 10], 11, [3, 3], [1, 1], Same),
    ([1, 1, 28, 2], 10, [2, 5], [1, 1], Same),
    ([1, 8, 28, 3], 12, [5, 3], [1, 1], Same),
    ([2, 3, 36, 4], 3, [3, 1], [1, 1], Same),
    // More than 64 columns, and workgroups that run over several images.
    ([1, 3, 70, 2], 3, [3, 3], [1, 1], Same),
    ([9, 2, 6, 5], 18, [5, 5], [1, 1], Same),
    ([17, 3, 3, 9], 6, [3, 3], [1, 1], Valid),
    // Kernels of one pixel: 31, 32 and 33 pixels and channels, 63 to 65, images that end within a vector of pixels and
    // many that end within a step; odd sums of some steps, and of fewer terms than a team has.
    ([31, 1, 1, 31], 33, [1, 1], [1, 1], Same),
    ([1, 4, 8, 32], 31, [1, 1], [1, 1], Same),
    ([11, 3, 1, 33], 32, [1, 1], [1, 1], Valid),
    ([7, 3, 3, 63], 64, [1, 1], [1, 1], Same),
    ([16, 2, 2, 64], 63, [1, 1], [1, 1], Same),
    ([1, 5, 13, 3], 65, [1, 1], [1, 1], Same),
    ([5, 6, 6, 70], 10, [1, 1], [1, 1], Same),
    ([3, 2, 30, 4], 5, [1, 1], [1, 1], Same),
    ([2, 1, 20, 130], 17, [1, 1], [1, 1], Same),
    ([1, 3, 5, 16], 129, [1, 1], [1, 1], Same),
    // Rows of a workgroup: as many as workgroup memory holds, and one more than it would hold.
    ([7, 1, 17, 2], 3, [5, 5], [1, 1], Same),
    ([6, 3, 9, 2], 3, [3, 3], [1, 1], Same),
    // Strips of 12 columns, of images lower than the kernel too, and blocks of eight channels.
    ([2, 1, 4, 9], 8, [5, 5], [1, 1], Same),
    ([2, 3, 24, 8], 17, [3, 3], [1, 1], Same),
    ([1, 6, 20, 7], 8, [3, 3], [1, 1], Same),
    ([4, 4, 12, 17], 7, [3, 3], [1, 1], Same),
    // Whole images of 6 by 6 and 3 by 3, of channels beside blocks of 8 and 32.
    ([5, 6, 6, 9], 7, [3, 3], [1, 1], Same),
    ([4, 6, 6, 17], 33, [3, 3], [1, 1], Same),
    ([3, 6, 6, 8], 9, [5, 5], [1, 1], Same),
    ([5, 3, 3, 8], 12, [3, 3], [1, 1], Same),
    ([4, 3, 3, 36], 8, [1, 1], [1, 1], Same),
    ([1, 3, 3, 32], 20, [3, 3], [1, 1], Same),
    // Few channels at stride 2: less and more than 24 columns.
    ([2, 10, 24, 2], 17, [7, 7], [2, 2], Same),
    ([3, 9, 56, 1], 9, [7, 7], [2, 2], Same),
    ([2, 7, 56, 1], 18, [3, 3], [2, 2], Same),
    ([2, 4, 56, 3], 16, [1, 1], [1, 1], Same),
    // Small images as a whole: eight to a workgroup and one more, channels around its 8 and 16.
    ([9, 6, 6, 7], 9, [3, 3], [1, 1], Same),
    ([3, 6, 6, 9], 8, [5, 5], [1, 1], Same),
    ([9, 3, 3, 17], 15, [3, 3], [1, 1], Same),
    ([8, 3, 3, 4], 17, [5, 5], [1, 1], Same),
    ([7, 3, 3, 16], 5, [1, 1], [1, 1], Same),
    // Whole rows of 4 to 24 columns, and parts of longer ones.
    ([2, 3, 24, 9], 7, [3, 3], [1, 1], Same),
    ([1, 4, 20, 3], 8, [3, 3], [1, 1], Same),
    ([3, 1, 8, 5], 17, [5, 5], [1, 1], Same),
    ([1, 7, 48, 8], 9, [5, 5], [1, 1], Same),
    ([2, 5, 36, 10], 20, [5, 5], [1, 1], Same),
    // Every other pixel, seven by seven.
    ([2, 10, 16, 2], 9, [7, 7], [2, 2], Same),
    // Kernels of one pixel: blocks of 8, 16, 24 and 32 channels with some too many, four quads that cross images.
    ([5, 6, 6, 8], 22, [1, 1], [1, 1], Same),
    ([3, 2, 6, 12], 47, [1, 1], [1, 1], Same),
];

/// Some of them on ranges of wider buffers.
const RANGES: [(&str, Config); 9] = [
    ("ranges", ([2, 9, 7, 10], 10, [3, 3], [1, 1], Same)),
    ("ranges_stride", ([2, 11, 8, 5], 6, [3, 3], [2, 2], Same)),
    ("ranges_rows", ([3, 5, 28, 10], 11, [3, 3], [1, 1], Same)),
    (
        "ranges_pointwise",
        ([5, 6, 6, 70], 10, [1, 1], [1, 1], Same),
    ),
    (
        "ranges_pointwise_odd",
        ([7, 3, 3, 63], 64, [1, 1], [1, 1], Same),
    ),
    ("ranges_image", ([9, 6, 6, 7], 9, [3, 3], [1, 1], Same)),
    (
        "ranges_pointwise_quads",
        ([5, 6, 6, 8], 22, [1, 1], [1, 1], Same),
    ),
    ("ranges_images", ([5, 6, 6, 9], 7, [3, 3], [1, 1], Same)),
    ("ranges_few_by2", ([2, 10, 24, 2], 17, [7, 7], [2, 2], Same)),
];

/// Planes of nine pixels that begin with a vector nevertheless, by ranges of four channels.
const RANGES_OF_FOUR: [(&str, Config); 2] = [
    ("ranges_images3", ([5, 3, 3, 8], 12, [3, 3], [1, 1], Same)),
    (
        "ranges_images3_1x1",
        ([4, 3, 3, 36], 8, [1, 1], [1, 1], Same),
    ),
];

fn conv2d(&(input, filters, kernel, stride, padding): &Config) -> Conv2d {
    Conv2d::new(input, filters, kernel, stride, padding)
}

fn name(&([n, h, w, ci], co, [kh, kw], [sh, sw], padding): &Config) -> String {
    format!("n{n}_h{h}_w{w}_ci{ci}_co{co}_k{kh}x{kw}_s{sh}x{sw}_{padding}")
}

/// (name, shape) of everything that all four kernels must get right.
fn shapes() -> Vec<(String, Conv2d)> {
    let of_four = |p: Conv2d| Conv2d {
        c_out: p.c_out - 1,
        x_channels: p.c_in + 8,
        x_first: 4,
        y_channels: p.c_out + 8,
        y_first: 8,
        ..p
    };
    let whole = WHOLE.iter().map(|config| (name(config), conv2d(config)));
    let ranges = RANGES
        .iter()
        .map(|(name, config)| (name.to_string(), conv2d(config).in_wider_buffers()));
    let by_four = RANGES_OF_FOUR
        .iter()
        .map(|(name, config)| (name.to_string(), of_four(conv2d(config))));
    whole.chain(ranges).chain(by_four).collect()
}

/// Shapes, one at least for every variant, whose ReLU meets numbers next to zero and NaN.
fn around_zero() -> impl Iterator<Item = (String, Conv2d)> {
    let rows = |p: &Conv2d| p.w_in.is_multiple_of(4) && p.w_out == p.w_in;
    let of_shapes =
        move |(name, p): &(String, Conv2d)| name.starts_with("ranges") || rows(p) && p.w_in > 4;
    shapes().into_iter().filter(of_shapes)
}

/// The convolutions of the seed network for `n` images: each output sums what it sums at any batch.
fn seed(n: u32) -> Vec<(String, Conv2d)> {
    let conv = |ci, k| Conv2d::new([n, 48, 48, ci], 10, [k, k], [1, 1], Same);
    let into_mid = |p: Conv2d, first| Conv2d {
        y_channels: 30,
        y_first: first,
        ..p
    };
    vec![
        ("seed_1x1".into(), conv(1, 1)),
        ("seed_3x3".into(), into_mid(conv(10, 3), 0)),
        ("seed_5x5".into(), into_mid(conv(10, 5), 10)),
    ]
}

fn case(name: String, params: Conv2d, fills: Vec<Fill>, exact: bool) -> Case<Conv2d> {
    Case {
        name,
        params,
        step: Step::default(),
        fills,
        exact,
    }
}

/// Integer inputs: at the seed's K of 250 (and 4,608 in a share of the weight gradient) every
/// partial sum stays far below 2^24.
fn integers(inputs: usize) -> Vec<Fill> {
    vec![Fill::Integers(-3, 3); inputs]
}

pub fn forward() -> Vec<Case<Conv2d>> {
    let mut cases = Vec::new();
    for (name, p) in shapes() {
        cases.push(case(name.clone(), p, vec![Fill::Uniform(1.0); 3], false));
        cases.push(case(
            format!("{name}_relu_integers"),
            Conv2d { relu: 1, ..p },
            integers(3),
            true,
        ));
    }
    for (name, p) in seed(5) {
        cases.push(case(name, Conv2d { relu: 1, ..p }, integers(3), true));
    }
    for (name, p) in around_zero() {
        let p = Conv2d { relu: 1, ..p };
        let tiny = Fill::Tiny(-3, 3);
        let fills = vec![Fill::Integers(-3, 3), tiny.clone(), tiny];
        cases.push(case(format!("{name}_relu_tiny"), p, fills, true));
        let mut fills = integers(3);
        fills[2] = nan_among(p.c_out);
        cases.push(case(format!("{name}_relu_nan"), p, fills, true));
    }
    cases
}

pub fn backward_input() -> Vec<Case<Conv2d>> {
    let mut cases = Vec::new();
    let random = vec![
        Fill::Uniform(1.0),
        Fill::Uniform(1.0),
        Fill::Integers(-1, 1),
    ];
    for (name, p) in shapes() {
        cases.push(case(
            format!("{name}_mask"),
            Conv2d { relu: 1, ..p },
            random.clone(),
            false,
        ));
        cases.push(case(format!("{name}_integers"), p, integers(3), true));
    }
    for (name, p) in seed(5).into_iter().skip(1) {
        cases.push(case(name, Conv2d { relu: 1, ..p }, integers(3), true));
    }
    for (name, p) in around_zero() {
        let mut fills = integers(3);
        fills[2] = Fill::Tiny(-1, 1);
        let p = Conv2d { relu: 1, ..p };
        cases.push(case(format!("{name}_tiny_mask"), p, fills, true));
    }
    cases
}

pub fn backward_weight() -> Vec<Case<Conv2d>> {
    let mut cases = Vec::new();
    for (name, p) in shapes() {
        cases.push(case(name.clone(), p, vec![Fill::Uniform(1.0); 2], false));
        // Three shares of one or two images: the last may be short or empty.
        cases.push(case(
            format!("{name}_splits3_integers"),
            Conv2d {
                splits: 3,
                share_rows: p.n.div_ceil(3) * p.h_out,
                ..p
            },
            integers(2),
            true,
        ));
    }
    // Two images a share, as on GPUs at batch 64, and the last share short.
    for (name, p) in seed(7) {
        cases.push(case(
            format!("{name}_splits4"),
            p.shares_of_images(2),
            integers(2),
            true,
        ));
    }
    // Shares that begin and end within images, and end in a short one.
    for (name, p) in shapes().into_iter().step_by(3).chain(seed(2)) {
        let rows = (p.n * p.h_out * 2).div_ceil(5).max(2);
        let p = p.shares_of_rows(rows);
        cases.push(case(
            format!("{name}_rows{rows}_integers"),
            p,
            integers(2),
            true,
        ));
    }
    cases
}

pub fn reduce_weight() -> Vec<Case<Conv2d>> {
    let mut shapes = Vec::new();
    for (splits, co) in [(1, 3), (2, 10), (7, 5), (64, 10), (133, 8)] {
        let p = Conv2d::new([64, 6, 6, 3], co, [3, 3], [1, 1], Same);
        shapes.push((format!("splits{splits}_co{co}"), Conv2d { splits, ..p }));
    }
    // A kernel whose sides differ.
    let p = Conv2d::new([3, 7, 9, 5], 12, [5, 3], [1, 1], Same);
    shapes.push(("splits3_co12_k5x3".into(), Conv2d { splits: 3, ..p }));
    let mut cases = Vec::new();
    for (name, p) in shapes {
        let integers = format!("{name}_integers");
        cases.push(case(name, p, vec![Fill::Uniform(1.0)], false));
        let fills = vec![Fill::Integers(-1000, 1000)];
        cases.push(case(integers, p, fills, true));
    }
    cases
}
