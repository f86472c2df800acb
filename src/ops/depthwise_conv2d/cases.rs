//! Test cases of the depthwise kernels: odd sizes, strides, both paddings, multipliers, rows of whole vectors and
//! others, shares around a workgroup's lanes, and ranges of wider buffers.

use crate::ops::conv2d::Conv2d;
use crate::ops::conv2d::Padding::{self, Same, Valid};
use crate::ops::{Case, Fill, Step, nan_among};

/// Input (n, h, w, c), depth multiplier, kernel, stride, padding.
type Config = ([u32; 4], u32, [u32; 2], [u32; 2], Padding);

/// Convolutions of whole buffers.
const WHOLE: [Config; 27] = [
    ([2, 9, 7, 6], 1, [3, 3], [1, 1], Same),
    ([2, 9, 7, 6], 1, [3, 3], [2, 2], Same),
    ([2, 11, 8, 5], 2, [3, 3], [2, 2], Valid),
    ([1, 12, 12, 3], 1, [7, 7], [2, 2], Same),
    ([1, 10, 10, 2], 3, [4, 3], [3, 2], Valid),
    ([2, 6, 5, 4], 2, [2, 2], [1, 1], Same),
    ([1, 1, 1, 7], 1, [3, 3], [1, 1], Same),
    ([1, 3, 3, 2], 1, [5, 5], [1, 1], Same),
    ([2, 4, 6, 3], 1, [1, 1], [1, 1], Same),
    ([3, 5, 7, 1], 5, [5, 3], [1, 1], Same),
    ([3, 17, 13, 17], 1, [3, 3], [1, 1], Same),
    ([2, 8, 8, 7], 1, [3, 3], [2, 1], Same),
    // Rows of whole vectors: one, two, three and seven of them.
    ([2, 5, 4, 3], 1, [3, 3], [1, 1], Same),
    ([3, 7, 8, 5], 2, [3, 3], [1, 1], Same),
    ([2, 6, 12, 4], 1, [5, 5], [1, 1], Same),
    ([1, 1, 28, 2], 3, [2, 5], [1, 1], Same),
    ([2, 8, 28, 3], 1, [3, 3], [1, 1], Same),
    ([3, 5, 12, 2], 1, [1, 3], [1, 1], Same),
    ([2, 2, 8, 9], 2, [5, 5], [1, 1], Same),
    ([5, 3, 12, 7], 1, [4, 3], [1, 1], Same),
    // A kernel of more rows than the image has.
    ([2, 1, 4, 3], 1, [7, 3], [1, 1], Same),
    // Shares of one less than the lanes of a workgroup, as many, and one more: of vectors, and of outputs.
    ([1, 63, 4, 1], 1, [3, 3], [1, 1], Same),
    ([1, 64, 4, 1], 2, [3, 3], [1, 1], Same),
    ([1, 65, 4, 1], 1, [3, 3], [1, 1], Same),
    ([1, 7, 9, 2], 1, [3, 3], [1, 1], Valid),
    ([1, 5, 13, 2], 1, [3, 3], [1, 1], Same),
    // As in a network: enough to be timed.
    ([8, 24, 24, 32], 1, [3, 3], [1, 1], Same),
];

/// Some of them on ranges of wider buffers.
const RANGES: [(&str, Config); 4] = [
    ("ranges", ([2, 9, 7, 6], 1, [3, 3], [1, 1], Same)),
    ("ranges_stride", ([2, 11, 8, 5], 2, [3, 3], [2, 2], Valid)),
    ("ranges_rows3", ([3, 7, 8, 5], 2, [3, 3], [1, 1], Same)),
    ("ranges_rows5", ([2, 6, 12, 4], 1, [5, 5], [1, 1], Same)),
];

fn conv2d(&(input, multiplier, kernel, stride, padding): &Config) -> Conv2d {
    Conv2d::new(input, multiplier * input[3], kernel, stride, padding)
}

fn name(&([n, h, w, c], m, [kh, kw], [sh, sw], padding): &Config) -> String {
    format!("n{n}_h{h}_w{w}_c{c}_m{m}_k{kh}x{kw}_s{sh}x{sw}_{padding}")
}

/// (name, shape) of everything that all three kernels must get right.
fn shapes() -> Vec<(String, Conv2d)> {
    let whole = WHOLE.iter().map(|config| (name(config), conv2d(config)));
    let ranges = RANGES
        .iter()
        .map(|(name, config)| (name.to_string(), conv2d(config).in_wider_buffers()));
    whole.chain(ranges).collect()
}

/// Shapes, one at least for every variant, whose ReLU meets numbers next to zero and NaN.
fn around_zero() -> impl Iterator<Item = (String, Conv2d)> {
    shapes()
        .into_iter()
        .filter(|(name, _)| name.starts_with("ranges"))
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

/// Small integers: sums stay far below 2^24.
fn integers(inputs: usize) -> Vec<Fill> {
    vec![Fill::Integers(-3, 3); inputs]
}

pub fn forward() -> Vec<Case<Conv2d>> {
    let mut cases = Vec::new();
    for (name, p) in shapes() {
        cases.push(case(name.clone(), p, vec![Fill::Uniform(1.0); 3], false));
        let p = Conv2d { relu: 1, ..p };
        cases.push(case(format!("{name}_relu_integers"), p, integers(3), true));
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
    let mut random = vec![Fill::Uniform(1.0); 3];
    random[2] = Fill::Integers(-1, 1);
    for (name, p) in shapes() {
        cases.push(case(format!("{name}_integers"), p, integers(3), true));
        let p = Conv2d { relu: 1, ..p };
        cases.push(case(format!("{name}_mask"), p, random.clone(), false));
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
        let p = Conv2d {
            splits: 3,
            share_rows: p.n.div_ceil(3) * p.h_out,
            ..p
        };
        let name = format!("{name}_splits3_integers");
        cases.push(case(name, p, integers(2), true));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::super::in_shares;
    use super::*;

    /// A share keeps a workgroup busy and an invocation within its loops.
    #[test]
    fn shares_follow_from_the_size_of_the_image() {
        let of = |n, h, w| Conv2d::new([n, h, w, 8], 8, [3, 3], [1, 1], Same);
        let splits = |p, images| in_shares(p, images).splits;
        assert_eq!(splits(of(64, 48, 48), 1), 64);
        assert_eq!(splits(of(64, 48, 48), 4), 16);
        assert_eq!(splits(of(64, 6, 6), 1), 3);
        assert_eq!(splits(of(3, 1, 1), 4), 1);
        assert_eq!(splits(of(8, 224, 224), 4), 8);
        assert_eq!(splits(of(8, 300, 300), 4), 8);
    }
}
