//! Shapes that the cases of batch normalization share.

use super::BatchNorm;
use crate::ops::Step;

/// Keras's.
const EPSILON: f32 = 1e-3;

/// The element of a small image that is no number, in the middle channel of three of four pixels.
pub(super) const NAN_AT: usize = 18;

/// A step with so many rows that count.
pub(super) fn valid(rows: u32) -> Step {
    Step::new(1, rows, [0.0; 4])
}

/// Odd sizes, workgroups' edges, rows of features, and channels of wider buffers; each in one share.
pub(super) fn shapes() -> Vec<(String, BatchNorm)> {
    let list = [
        [1, 1, 1],
        [4, 6, 15],
        [3, 5, 12],
        [5, 7, 9],
        [2, 3, 64],
        [1, 2, 63],
        [1, 2, 65],
        [1, 3, 252],
        [1, 2, 260],
        [64, 3, 1],
        [7, 70, 1],
    ];
    let one = |[n, c, pixels]: [u32; 3]| {
        let params = BatchNorm::new([n, c, pixels], EPSILON);
        (format!("n{n}_c{c}_p{pixels}"), params)
    };
    let mut all: Vec<_> = list.into_iter().map(one).collect();
    let flattened = BatchNorm {
        flattened: 10,
        ..BatchNorm::new([5, 70, 1], EPSILON)
    };
    all.push(("flattened".into(), flattened));
    for (name, pixels) in [("ranges", 35), ("ranges_by_four", 36)] {
        let ranges = BatchNorm {
            x_channels: 7,
            x_first: 2,
            y_channels: 5,
            y_first: 1,
            grad_channels: 6,
            grad_first: 1,
            ..BatchNorm::new([3, 4, pixels], EPSILON)
        };
        all.push((name.into(), ranges));
    }
    all
}

/// These in shares, of which the last is short, with all rows and with some; and as large as a network has them.
pub(super) fn shared() -> Vec<(String, BatchNorm, Step)> {
    let mut all = Vec::new();
    for (name, params) in shapes() {
        let mut add = |share: u32, rows: u32| {
            let params = params.in_shares_of(share);
            all.push((format!("{name}_s{share}_v{rows}"), params, valid(rows)));
        };
        let (n, pixels) = (params.n, params.pixels);
        add(n * pixels, n);
        if n > 1 {
            add(n * pixels, n - 1);
            add(4 * (n * pixels).div_ceil(12), n);
            add(4 * (n * pixels).div_ceil(12), n.div_ceil(3));
            add(4 * (n * pixels).div_ceil(12), 0);
        }
    }
    let large = BatchNorm::new([64, 5, 2304], EPSILON).split(9_000);
    all.push(("network".into(), large, valid(60)));
    all
}

/// Those in one share.
pub(super) fn whole() -> impl Iterator<Item = (String, BatchNorm, Step)> {
    shared()
        .into_iter()
        .filter(|(_, params, _)| params.shares == 1)
}

/// More shares than a workgroup has invocations.
pub(super) fn many_shares() -> Vec<(String, BatchNorm, Step)> {
    let one = |[n, c, pixels]: [u32; 3], share: u32, rows: u32| {
        let params = BatchNorm::new([n, c, pixels], EPSILON).in_shares_of(share);
        let name = format!("n{n}_c{c}_p{pixels}_s{share}_v{rows}");
        (name, params, valid(rows))
    };
    vec![
        one([63, 3, 8], 8, 63),
        one([65, 66, 8], 8, 65),
        one([70, 3, 8], 8, 66),
        one([150, 2, 5], 4, 131),
    ]
}

/// Shares and channels of powers of two, by which integers divide without rounding.
pub(super) fn powers_of_two() -> impl Iterator<Item = (String, BatchNorm)> {
    let list = [
        ([4, 3, 16], 64),
        ([4, 3, 16], 16),
        ([64, 5, 1], 64),
        ([2, 66, 32], 32),
    ];
    list.into_iter().map(|([n, c, pixels], share)| {
        let params = BatchNorm::new([n, c, pixels], EPSILON).in_shares_of(share);
        (format!("n{n}_c{c}_p{pixels}_s{share}"), params)
    })
}
