//! batch_norm and its gradients (Keras `BatchNormalization`).
//!
//! Bounds. E is EPSILON with room for products of errors, K the chain and 2. A number `about` is found near the mean: the
//! mean of a sample, which lies s off the one of all, by a sum of chain K - 2, a division (2.5 units) and a bit cut off:
//! e = s + E (K + 2) mean|x| off at most. Differences d from it have the mean shift = mean - about and the mean square
//! V + shift^2, and mean|d| <= sqrt(V) + e. Therefore
//!
//! - mean = about + sum(d) / count is E |mean| + E (K + 2) (sqrt(V) + e) off: the size of the mean counts once, not K
//!   times;
//! - variance = sum(d d) / count - shift^2 is off by E (K + 4) (V + e^2) for the first term, by
//!   2 e E (K + 2) (sqrt(V) + e) <= E (K + 2) (V + 3 e^2) and its square for the second, and by E V for the
//!   difference: E (K + 4) (2.2 V + 4.2 e^2) in all.
//!
//! A merge's sample is all there is. It multiplies by counts and adds variances, which takes up to three roundings more:
//! K + 3, K + 4 and K + 7, and adds the mean W of the shares' variances to V. inverseSqrt is 2 units off, its argument
//! one: 2.5 in all.

use super::{EPSILON, Expected, FLUSH, View, floats};
use crate::ops::batch_norm::BatchNorm;
use crate::ops::fold_batch_norm::FoldBatchNorm;
use crate::ops::params::Step;

const E: f64 = 1.01 * EPSILON;

fn x_view(p: &BatchNorm) -> View {
    View {
        channels: p.x_channels,
        first: p.x_first,
        pixels: p.pixels,
    }
}

/// Where feature `c` lies among the channels: a row flattened from an image has them by channel, then pixel.
fn place(p: &BatchNorm, c: u32) -> u32 {
    let channels = p.c / p.flattened;
    (c % channels) * p.flattened + c / channels
}

/// The feature that lies there.
fn feature(p: &BatchNorm, at: u32) -> u32 {
    (at % p.flattened) * (p.c / p.flattened) + at / p.flattened
}

/// Of y and dy.
fn y_view(p: &BatchNorm) -> View {
    View {
        channels: p.y_channels,
        first: p.y_first,
        pixels: p.pixels,
    }
}

/// Of the gradient of x.
fn gradient_view(p: &BatchNorm) -> View {
    View {
        channels: p.grad_channels,
        first: p.grad_first,
        pixels: p.pixels,
    }
}

/// The elements of a share that lie in valid rows, by number in their channel.
fn share(p: &BatchNorm, step: &Step, share: u32) -> std::ops::Range<u32> {
    let all = step.valid_rows * p.pixels;
    let first = (share * p.share).min(all);
    first..(first + p.share).min(all)
}

/// A value and the polynomial of its bound.
type Told = (f64, [f64; 4]);

/// A weighted sample: means of parts with their counts and variances.
struct Sample {
    mean: f64,
    /// The variance of the means, and the mean of the variances.
    between: f64,
    within: f64,
    /// The mean of |mean|.
    size: f64,
}

impl Sample {
    /// Of (count, mean, variance) of each part; zero of none.
    fn of(parts: impl Iterator<Item = (f64, f64, f64)> + Clone) -> Sample {
        let count = parts.clone().map(|(n, _, _)| n).sum::<f64>().max(1.0);
        let mean_of = |f: &dyn Fn(f64, f64) -> f64| {
            let terms = parts.clone().map(|(n, m, v)| n * f(m, v));
            terms.sum::<f64>() / count
        };
        let mean = mean_of(&|m, _| m);
        let scatter = mean_of(&|m, _| (m - mean) * (m - mean));
        Sample {
            mean,
            between: scatter,
            within: mean_of(&|_, v| v),
            size: mean_of(&|m, _| m.abs()),
        }
    }

    /// Mean and variance with the polynomials of their bounds, where the roundings beside the chain are those
    /// of `about`, of the mean and of the variance, and the sample's mean is `off` by so much.
    fn told(&self, [about, first, second]: [f64; 3], off: f64) -> [Told; 2] {
        let deviation = self.between.sqrt() + off;
        let e = E * self.size;
        let mean = [
            E * (self.mean.abs() + first * (deviation + about * e)) + 4.0 * FLUSH,
            E * (deviation + (first + about) * e),
            E * e,
            0.0,
        ];
        // 2.2 V + 4.2 (off + e (K + about))^2, by powers of K.
        let v = 2.2 * (self.between + self.within) + 4.2 * (off + e * about).powi(2);
        let (l, q) = (8.4 * e * (off + e * about), 4.2 * e * e);
        let variance = [
            E * second * v + 4.0 * FLUSH,
            E * (v + second * l),
            E * (l + second * q),
            E * q,
        ];
        [(self.mean, mean), (self.between + self.within, variance)]
    }
}

fn both(told: Vec<[Told; 2]>) -> Vec<Expected> {
    let of = |i: usize| Expected::chain(told.iter().map(|both| both[i]).collect());
    vec![of(0), of(1)]
}

/// Mean and variance of each share of each channel: (shares, c) each.
pub fn statistics(p: &BatchNorm, step: &Step, x: &[u32]) -> Vec<Expected> {
    let all = (0..p.shares).flat_map(|s| (0..p.c).map(move |c| moments(p, step, x, (s, c))));
    both(all.collect())
}

/// Mean and variance of share s of channel c.
fn moments(p: &BatchNorm, step: &Step, x: &[u32], (s, c): (u32, u32)) -> [Told; 2] {
    let x = floats(x);
    let value = |i: u32| x[x_view(p).at(i / p.pixels, place(p, c), i % p.pixels)] as f64;
    let all = share(p, step, s);
    let parts = |range: std::ops::Range<u32>| range.map(|i| (1.0, value(i), 0.0));
    // The first eighth, in fours.
    let end = (all.start + (all.end - all.start).div_ceil(32) * 4).min(all.end);
    let first = Sample::of(parts(all.start..end));
    let whole = Sample::of(parts(all));
    whole.told([2.0, 2.0, 4.0], (first.mean - whole.mean).abs())
}

/// Mean and variance of each channel from those of its shares.
pub fn merge(p: &BatchNorm, step: &Step, means: &[u32], variances: &[u32]) -> Vec<Expected> {
    let (means, variances) = (floats(means), floats(variances));
    let one = |c: u32| {
        let part = move |s: u32| {
            let at = (s * p.c + c) as usize;
            let count = share(p, step, s).len() as f64;
            (count, means[at] as f64, variances[at] as f64)
        };
        Sample::of((0..p.shares).map(part)).told([4.0, 4.0, 7.0], 0.0)
    };
    both((0..p.c).map(one).collect())
}

/// 1 / sqrt(variance + epsilon)
fn root(epsilon: f32, variance: f64) -> f64 {
    1.0 / (variance + epsilon as f64).sqrt()
}

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, ReLU where asked.
pub fn apply(p: &BatchNorm, bindings: &[&[u32]]) -> Expected {
    let [x, mean, variance, gamma, beta] = [0, 1, 2, 3, 4].map(|i| floats(bindings[i]));
    let mut values = Vec::with_capacity(p.len_of_channels());
    for n in 0..p.n {
        for c in 0..p.c {
            let at = feature(p, c) as usize;
            let line = line(p, variance[at] as f64, [gamma[at], beta[at]]);
            for pixel in 0..p.pixels {
                let d = x[x_view(p).at(n, c, pixel)] as f64 - mean[at] as f64;
                values.push(applied(p, d, line));
            }
        }
    }
    Expected::absolute(y_view(p).embed(p.n, p.c, values))
}

/// Slope and shift.
fn line(p: &BatchNorm, variance: f64, [gamma, beta]: [f32; 2]) -> [f64; 2] {
    let gamma = if p.scale != 0 { gamma as f64 } else { 1.0 };
    let beta = if p.center != 0 { beta as f64 } else { 0.0 };
    [gamma * root(p.epsilon, variance), beta]
}

/// d slope + shift, and its bound. The product is 2.5 units off by the root, one by each of the difference, gamma and
/// itself.
fn mapped(d: f64, [slope, shift]: [f64; 2]) -> (f64, f64) {
    let bound = E * (6.5 * (d * slope).abs() + shift.abs()) + FLUSH * (d.abs() + slope.abs() + 2.0);
    (d * slope + shift, bound)
}

/// The same behind ReLU where asked.
fn applied(p: &BatchNorm, d: f64, line: [f64; 2]) -> (f64, f64) {
    let (y, bound) = mapped(d, line);
    let closed = p.relu != 0 && y < 0.0;
    (if closed { 0.0 } else { y }, bound)
}

/// Mean and variance, and y as in [`apply`], of channels that are one share. A mean that is m off brings slope m, and a
/// variance that is v off, below a tenth of V + epsilon, d slope 0.6 v / (V + epsilon): the root's derivative is half of
/// it at V, and 0.59 a tenth below.
pub fn forward(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [x, gamma, beta] = [0, 1, 2].map(|i| floats(bindings[i]));
    let channels: Vec<_> = (0..p.c)
        .map(|c| moments(p, step, bindings[0], (0, c)))
        .collect();
    let mut values = Vec::with_capacity(p.len_of_channels());
    for n in 0..p.n {
        for c in 0..p.c {
            let at = feature(p, c) as usize;
            let [(mean, mean_off), (variance, variance_off)] = channels[at];
            let line = line(p, variance, [gamma[at], beta[at]]);
            for pixel in 0..p.pixels {
                let d = x[x_view(p).at(n, c, pixel)] as f64 - mean;
                let (y, bound) = applied(p, d, line);
                let by = [1.0, 0.6 * d.abs() / (variance + p.epsilon as f64)]
                    .map(|by| by * line[0].abs());
                let mut off: [f64; 4] =
                    std::array::from_fn(|k| by[0] * mean_off[k] + by[1] * variance_off[k]);
                off[0] += bound;
                values.push((y, off));
            }
        }
    }
    let y = y_view(p).embed(p.n, p.c, values);
    let mut all = both(channels);
    all.push(Expected::chain(y));
    all
}

/// sum(dy) and sum(dy (x - mean)) of each share of each channel: (shares, 2, c). The difference is rounded once, in
/// the place of an epilogue.
pub fn backward_sums(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Expected {
    let mut values = Vec::with_capacity(2 * (p.shares * p.c) as usize);
    for s in 0..p.shares {
        for of in [OF_DY, OF_PRODUCT] {
            values.extend((0..p.c).map(|c| share_sum(p, step, bindings, (s, c), of)));
        }
    }
    Expected::sum(values)
}

/// What is summed of dy and x - mean.
type Term = fn(f64, f64) -> f64;
const OF_DY: Term = |dy, _| dy;
const OF_PRODUCT: Term = |dy, d| dy * d;

/// A sum over share s of channel c of x, dy and mean, and the sum of the terms' sizes.
fn share_sum(
    p: &BatchNorm,
    step: &Step,
    bindings: &[&[u32]],
    (s, c): (u32, u32),
    of: Term,
) -> (f64, f64) {
    let [x, dy, mean] = [0, 1, 2].map(|i| floats(bindings[i]));
    let lies = place(p, c);
    let terms = share(p, step, s).map(|i| {
        let (n, pixel) = (i / p.pixels, i % p.pixels);
        let d = x[x_view(p).at(n, lies, pixel)] as f64 - mean[c as usize] as f64;
        of(dy[y_view(p).at(n, lies, pixel)] as f64, d)
    });
    terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()))
}

/// The gradients of gamma and beta, and (mean, slope, offset, tilt) of each channel.
pub fn backward_merge(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let sums = floats(bindings[0]);
    let total = |which: u32, c: u32| {
        let terms = (0..p.shares).map(|s| sums[((2 * s + which) * p.c + c) as usize] as f64);
        terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()))
    };
    let one = |c: u32| of_sums(p, step, &bindings[1..], c, [total(0, c), total(1, c)], 0.0);
    let results: Vec<OfSums> = (0..p.c).map(one).collect();
    let of = |which: fn(&OfSums) -> Told| Expected::chain(results.iter().map(which).collect());
    let coefficients = results.iter().flat_map(|r| r.coefficients).collect();
    vec![
        of(|r| r.grad_gamma),
        of(|r| r.grad_beta),
        Expected::chain(coefficients),
    ]
}

/// What the sums of a channel make, with the polynomials of the bounds.
struct OfSums {
    grad_gamma: Told,
    grad_beta: Told,
    /// Mean, slope, offset and tilt.
    coefficients: [Told; 4],
}

/// By mean, variance and gamma, and the two sums of channel c with the sums of their terms' sizes; a term of the second
/// is so many roundings off.
fn of_sums(
    p: &BatchNorm,
    step: &Step,
    bindings: &[&[u32]],
    c: u32,
    [beta, dot]: [(f64, f64); 2],
    rounded: f64,
) -> OfSums {
    let [mean, variance, gamma] = [0, 1, 2].map(|i| floats(bindings[i])[c as usize]);
    let count = (step.valid_rows * p.pixels).max(1) as f64;
    // A sum of that size, times or over `by`: `more` roundings beside the chain's.
    let off = |size: f64, by: f64, more: f64| {
        let unit = E * size * by;
        [
            (more - 2.0) * unit + FLUSH * (by + 4.0),
            unit + FLUSH * by,
            0.0,
            0.0,
        ]
    };
    let root = root(p.epsilon, variance as f64);
    let slope = if p.scale != 0 { gamma as f64 } else { 1.0 } * root;
    let tilt = root * root / count;
    OfSums {
        grad_gamma: (root * dot.0, off(dot.1, root, rounded + 3.5)),
        grad_beta: (beta.0, off(beta.1, 1.0, 2.0)),
        coefficients: [
            (mean as f64, [0.0; 4]),
            (slope, [3.5 * E * slope.abs(), 0.0, 0.0, 0.0]),
            (beta.0 / count, off(beta.1, 1.0 / count, 3.5)),
            (tilt * dot.0, off(dot.1, tilt, rounded + 10.5)),
        ],
    }
}

/// The gradients of gamma and beta, and that of x as in [`backward_input`], of channels that are one share. A term of
/// the second sum is rounded twice before it is added. To the gradient of x slope, offset and tilt bring what they are
/// off.
pub fn backward(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [x, dy] = [0, 1].map(|i| floats(bindings[i]));
    let one = |c: u32| {
        let sums = [OF_DY, OF_PRODUCT].map(|of| share_sum(p, step, bindings, (0, c), of));
        of_sums(p, step, &bindings[2..], c, sums, 2.0)
    };
    let results: Vec<OfSums> = (0..p.c).map(one).collect();
    let mut values = Vec::with_capacity(p.len_of_channels());
    for n in 0..p.n {
        for c in 0..p.c {
            let [mean, slope, offset, tilt] = results[feature(p, c) as usize].coefficients;
            for pixel in 0..p.pixels {
                if n >= step.valid_rows {
                    values.push((0.0, [0.0; 4]));
                    continue;
                }
                let dy = dy[y_view(p).at(n, c, pixel)] as f64;
                let d = x[x_view(p).at(n, c, pixel)] as f64 - mean.0;
                let (value, bound) = gradient(dy, d, [slope.0, offset.0, tilt.0]);
                let mut off: [f64; 4] =
                    std::array::from_fn(|k| slope.0.abs() * (offset.1[k] + d.abs() * tilt.1[k]));
                off[0] += bound + 3.5 * E * value.abs();
                values.push((value, off));
            }
        }
    }
    let of = |which: fn(&OfSums) -> Told| Expected::chain(results.iter().map(which).collect());
    vec![
        of(|r| r.grad_gamma),
        of(|r| r.grad_beta),
        Expected::chain(gradient_view(p).embed(p.n, p.c, values)),
    ]
}

/// slope (dy - offset - d tilt) and its bound. Of the tilt's term five roundings count, of the offset three, of dy two.
fn gradient(dy: f64, d: f64, [slope, offset, tilt]: [f64; 3]) -> (f64, f64) {
    let terms = 2.0 * dy.abs() + 3.0 * offset.abs() + 5.0 * (d * tilt).abs();
    let flushed = FLUSH * slope.abs() * (tilt.abs() + 3.0);
    (
        slope * (dy - offset - d * tilt),
        E * slope.abs() * terms + flushed,
    )
}

/// dx = slope (dy - offset - (x - mean) tilt), or slope dy; zero in padded rows and where the ReLU before was
/// closed.
pub fn backward_input(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Expected {
    let [x, dy, coefficients, mask] = [0, 1, 2, 3].map(|i| floats(bindings[i]));
    let mask_view = View {
        channels: p.mask_channels,
        first: p.mask_first,
        pixels: p.pixels,
    };
    let mut values = Vec::with_capacity(p.len_of_channels());
    for n in 0..p.n {
        for c in 0..p.c {
            let of = |i: usize| coefficients[4 * feature(p, c) as usize + i] as f64;
            let [mean, slope, offset, tilt] = [0, 1, 2, 3].map(of);
            for pixel in 0..p.pixels {
                let closed = p.masked != 0 && mask[mask_view.at(n, c, pixel)] <= 0.0;
                if closed || n >= step.valid_rows {
                    values.push((0.0, 0.0));
                    continue;
                }
                let dy = dy[y_view(p).at(n, c, pixel)] as f64;
                if p.constant != 0 {
                    values.push((slope * dy, E * (slope * dy).abs()));
                    continue;
                }
                let d = x[x_view(p).at(n, c, pixel)] as f64 - mean;
                values.push(gradient(dy, d, [slope, offset, tilt]));
            }
        }
    }
    Expected::absolute(gradient_view(p).embed(p.n, p.c, values))
}

/// gamma / sqrt(variance + epsilon) of a channel: 3.5 units off.
fn slope(p: &FoldBatchNorm, variance: &[f32], gamma: &[f32], c: usize) -> f64 {
    let gamma = if p.scale != 0 { gamma[c] as f64 } else { 1.0 };
    gamma * root(p.epsilon, variance[c] as f64)
}

/// kernel' = kernel slope, one rounding more.
pub fn fold_kernel(p: &FoldBatchNorm, bindings: &[&[u32]]) -> Expected {
    let [variance, gamma, kernel] = [0, 1, 2].map(|i| floats(bindings[i]));
    let one = |(i, &word): (usize, &f32)| {
        let value = word as f64 * slope(p, variance, gamma, i % p.c as usize);
        (value, 4.5 * E * value.abs() + FLUSH * word.abs() as f64)
    };
    let words = kernel.iter().enumerate().take(p.words as usize);
    Expected::absolute(words.map(one).collect())
}

/// bias' = (bias - mean) slope + beta, as [`apply`] of a number.
pub fn fold_bias(p: &FoldBatchNorm, bindings: &[&[u32]]) -> Expected {
    let [variance, gamma, mean, beta, bias] = [0, 1, 2, 3, 4].map(|i| floats(bindings[i]));
    let one = |c: usize| {
        let slope = slope(p, variance, gamma, c);
        let bias = if p.biased != 0 { bias[c] as f64 } else { 0.0 };
        let beta = if p.center != 0 { beta[c] as f64 } else { 0.0 };
        mapped(bias - mean[c] as f64, [slope, beta])
    };
    Expected::absolute((0..p.c as usize).map(one).collect())
}
