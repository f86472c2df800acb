//! Counter-based random numbers: a value is a pure function of (stream, index), so that
//! weights, shuffles and test inputs are the same on every machine and after every resume.

use rayon::prelude::*;

/// The step between the states of SplitMix64.
pub const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64 (Steele, Lea, Flood 2014) of `(stream << 40) + index`.
pub fn splitmix64(stream: u64, index: u64) -> u64 {
    let mut z = (stream << 40).wrapping_add(index).wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in [0, 1) with 24 random bits: exact in f32.
pub fn unit(stream: u64, index: u64) -> f64 {
    (splitmix64(stream, index) >> 40) as f64 / (1u64 << 24) as f64
}

/// Uniform numbers in [-limit, limit): element `first` of the stream and those behind it.
pub fn fill_uniform(stream: u64, first: u64, limit: f64, values: &mut [f32]) {
    fill(first, values, |index| {
        (2.0 * unit(stream, index) - 1.0) * limit
    });
}

/// Normal numbers of mean 0 that are cut off at two standard deviations and then have the standard deviation
/// `deviation`, as Keras's `VarianceScaling` draws them.
pub fn fill_normal(stream: u64, first: u64, deviation: f64, values: &mut [f32]) {
    /// The standard deviation of a standard normal number that is cut off so.
    const CUT: f64 = 0.879_625_661_034_239_8;
    fill(first, values, |index| {
        truncated_normal(stream, index) * (deviation / CUT)
    });
}

/// A number of Beta(alpha, alpha), the `index`-th of a stream: by Joehnk's rejection up to an alpha of 1, by Ulrich's
/// polar one above (Devroye 1986, IX.3.5 and IX.4.1). Each attempt is taken with a probability of a half or more.
pub fn beta(stream: u64, index: u64, alpha: f64) -> f64 {
    /// Attempts that have numbers of their own.
    const ATTEMPTS: u64 = 64;
    let one = |number: u64| {
        let word = splitmix64(stream, (index * ATTEMPTS * 2).wrapping_add(number));
        ((word >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let attempt = |attempt: u64| {
        let (u, v) = (one(2 * attempt), one(2 * attempt + 1));
        if alpha <= 1.0 {
            // x / (x + y) of x = u^(1 / alpha) and y = v^(1 / alpha), which may both be too small for f64.
            let [x, y] = [u, v].map(|u| libm::log(u) / alpha);
            let within = libm::exp(x) + libm::exp(y) <= 1.0;
            return within.then(|| 1.0 / (1.0 + libm::exp(y - x)));
        }
        let v = 2.0 * v - 1.0;
        let square = u * u + v * v;
        let radius = || (1.0 - libm::pow(square, 2.0 / (2.0 * alpha - 1.0))).sqrt();
        (square <= 1.0).then(|| 0.5 + u * v / square * radius())
    };
    (0..ATTEMPTS).find_map(attempt).unwrap_or(0.5)
}

fn fill(first: u64, values: &mut [f32], one: impl Fn(u64) -> f64 + Sync) {
    const PART: usize = 1 << 16;
    values
        .par_chunks_mut(PART)
        .enumerate()
        .for_each(|(part, values)| {
            let first = first + (part * PART) as u64;
            for (value, index) in values.iter_mut().zip(first..) {
                *value = one(index) as f32;
            }
        });
}

/// A standard normal number within (-2, 2).
fn truncated_normal(stream: u64, index: u64) -> f64 {
    /// The probability of (-2, 2).
    const WITHIN: f64 = 0.954_499_736_103_641_6;
    let uniform = ((splitmix64(stream, index) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    quantile((uniform - 0.5) * WITHIN)
}

/// The standard normal number below which a share of 0.5 + `q` lies, for shares of 0.0001 to 0.9999: AS 241
/// (Wichura 1988), to 1e-15 of its value. Additions, products, quotients and a root: the same everywhere.
fn quantile(q: f64) -> f64 {
    let at = |terms: &[f64; 8], r: f64| terms.iter().rev().fold(0.0, |sum, term| sum * r + term);
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * at(&MIDDLE[0], r) / at(&MIDDLE[1], r);
    }
    let r = (-logarithm(0.5 - q.abs())).sqrt() - 1.6;
    (at(&TAIL[0], r) / at(&TAIL[1], r)).copysign(q)
}

/// ln of a number in (0.0001, 0.1), by the series of artanh: a library's differs from system to system.
fn logarithm(x: f64) -> f64 {
    // x = m 2^-k with m in [0.75, 1.5).
    let (mut m, mut k) = (x, 0.0);
    while m < 0.75 {
        m *= 2.0;
        k += 1.0;
    }
    let s = (m - 1.0) / (m + 1.0);
    let series = (0..16)
        .rev()
        .fold(0.0, |sum, n| sum * (s * s) + 1.0 / (2 * n + 1) as f64);
    2.0 * s * series - k * std::f64::consts::LN_2
}

/// Numerator and denominator of AS 241 around the middle, the constant terms first.
const MIDDLE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];

/// The same of the tails.
const TAIL: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];

/// Four well-mixed words of four: pcg4d of Jarzynski and Olano, Hash Functions for GPU Rendering (2020). Kernels
/// compute the same (`shaders/random.wgsl`).
pub fn pcg4d(words: [u32; 4]) -> [u32; 4] {
    let start = |word: u32| word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    let [mut x, mut y, mut z, mut w] = words.map(start);
    let mix = |[x, y, z, w]: [&mut u32; 4]| {
        *x = x.wrapping_add(y.wrapping_mul(*w));
        *y = y.wrapping_add(z.wrapping_mul(*x));
        *z = z.wrapping_add(x.wrapping_mul(*y));
        *w = w.wrapping_add(y.wrapping_mul(*z));
    };
    mix([&mut x, &mut y, &mut z, &mut w]);
    [x, y, z, w] = [x, y, z, w].map(|word| word ^ (word >> 16));
    mix([&mut x, &mut y, &mut z, &mut w]);
    [x, y, z, w]
}

/// A seed in the 32 bits that a step has for it: small seeds as they are.
pub fn folded(seed: u64) -> u32 {
    seed as u32 ^ (seed >> 32) as u32
}

/// A stream number made of several parts (seed, purpose, epoch, ...).
pub fn stream(parts: &[u64]) -> u64 {
    parts.iter().fold(0x5EED, |state, &part| {
        splitmix64(0, state ^ part.rotate_left(17))
    })
}

/// The order in which an epoch visits `count` rows (Fisher and Yates).
pub fn permutation(stream: u64, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for i in (1..count).rev() {
        // Multiply-shift maps 64 random bits to 0..=i with a bias below 2^-32.
        let j = ((splitmix64(stream, i as u64) as u128 * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (share, quantile)
    const QUANTILES: [(f64, f64); 8] = [
        (0.5, 0.0),
        (0.6, 0.2533471031357998),
        (0.9, 1.2815515655446008),
        (0.925, 1.439531470938456),
        (0.9251, 1.4402382675279632),
        (0.95, 1.6448536269514715),
        (0.97, 1.8807936081512504),
        (0.977, 1.9953933101678243),
    ];

    /// Quantiles by the normal distribution's tables (Python's `statistics.NormalDist`).
    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (share, expected) in QUANTILES {
            let found = quantile(share - 0.5);
            assert!((found - expected).abs() <= 1e-14, "{share}: {found}");
            assert_eq!(quantile(0.5 - share), -found);
        }
    }

    #[test]
    fn truncated_normals_have_the_deviation_that_was_asked_for() {
        let mut values = vec![0.0; 200_000];
        fill_normal(stream(&[3]), 0, 0.1, &mut values);
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| v as f64).sum::<f64>() / count;
        let squares = values.iter().map(|&v| (v as f64 - mean).powi(2));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        assert!(mean.abs() < 1e-3, "{mean}");
        assert!((deviation - 0.1).abs() < 5e-4, "{deviation}");
        let largest = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert!(largest > 0.2265 && largest < 0.2274, "{largest}");
        // A part of the stream is the same wherever it is begun.
        let mut part = vec![0.0; 100];
        fill_normal(stream(&[3]), 77, 0.1, &mut part);
        assert_eq!(part, values[77..177]);
    }

    /// Moments of Beta(a, a) about its middle: 1 / (4 (2 a + 1)), and the fourth, 3 / (16 (2 a + 1) (2 a + 3)).
    #[test]
    fn betas_have_the_moments_of_the_distribution() {
        const COUNT: u64 = 100_000;
        for alpha in [0.05, 0.2, 0.5, 1.0, 1.5, 4.0, 50.0] {
            let draw = |index| beta(stream(&[9]), index, alpha) - 0.5;
            let moment =
                |power| (0..COUNT).map(|i| draw(i).powi(power)).sum::<f64>() / COUNT as f64;
            let second = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            let fourth = second * 3.0 / (4.0 * (2.0 * alpha + 3.0));
            assert!(
                moment(1).abs() < 4.0 * (second / COUNT as f64).sqrt(),
                "{alpha}"
            );
            assert!((moment(2) / second - 1.0).abs() < 0.02, "{alpha}");
            assert!((moment(4) / fourth - 1.0).abs() < 0.04, "{alpha}");
        }
        // However small alpha is, a number comes of it.
        assert!((0..1000).all(|i| (0.0..=1.0).contains(&beta(7, i, 0.01))));
    }

    #[test]
    fn a_permutation_holds_every_row_once_and_depends_on_its_stream() {
        let order = permutation(stream(&[1, 2]), 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(i, &v)| i as u32 == v));
        assert_ne!(order, permutation(stream(&[1, 3]), 1000));
        assert_ne!(order, sorted);
    }
}
