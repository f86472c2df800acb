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

/// The elements of a share that lie in valid rows, by number in their channel.
fn share(p: &BatchNorm, step: &Step, share: u32) -> std::ops::Range<u32> {
    let all = step.valid_rows * p.pixels;
    let first = (share * p.share).min(all);
    first..(first + p.share).min(all)
}

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
    fn told(&self, [about, first, second]: [f64; 3], off: f64) -> [(f64, [f64; 4]); 2] {
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

fn both(told: Vec<[(f64, [f64; 4]); 2]>) -> Vec<Expected> {
    let of = |i: usize| Expected::chain(told.iter().map(|both| both[i]).collect());
    vec![of(0), of(1)]
}

/// Mean and variance of each share of each channel: (shares, c) each.
pub fn statistics(p: &BatchNorm, step: &Step, x: &[u32]) -> Vec<Expected> {
    let x = floats(x);
    let one = |s: u32, c: u32| {
        let value = move |i: u32| x[x_view(p).at(i / p.pixels, place(p, c), i % p.pixels)] as f64;
        let all = share(p, step, s);
        let parts = |range: std::ops::Range<u32>| range.map(move |i| (1.0, value(i), 0.0));
        // The first eighth, in fours.
        let end = (all.start + (all.end - all.start).div_ceil(32) * 4).min(all.end);
        let first = Sample::of(parts(all.start..end));
        let whole = Sample::of(parts(all));
        whole.told([2.0, 2.0, 4.0], (first.mean - whole.mean).abs())
    };
    let all = (0..p.shares).flat_map(|s| (0..p.c).map(move |c| one(s, c)));
    both(all.collect())
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
fn root(epsilon: f32, variance: f32) -> f64 {
    1.0 / (variance as f64 + epsilon as f64).sqrt()
}

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, ReLU where asked. The product is 2.5 units off by the
/// root, one by each of the difference, gamma and itself.
pub fn apply(p: &BatchNorm, bindings: &[&[u32]]) -> Expected {
    let [x, mean, variance, gamma, beta] = [0, 1, 2, 3, 4].map(|i| floats(bindings[i]));
    let mut values = Vec::with_capacity(p.len_of_channels());
    for n in 0..p.n {
        for c in 0..p.c {
            let at = feature(p, c) as usize;
            let gamma = if p.scale != 0 { gamma[at] as f64 } else { 1.0 };
            let beta = if p.center != 0 { beta[at] as f64 } else { 0.0 };
            let slope = gamma * root(p.epsilon, variance[at]);
            for pixel in 0..p.pixels {
                let d = x[x_view(p).at(n, c, pixel)] as f64 - mean[at] as f64;
                let y = d * slope + beta;
                let bound = E * (6.5 * (d * slope).abs() + beta.abs())
                    + FLUSH * (d.abs() + slope.abs() + 2.0);
                let closed = p.relu != 0 && y < 0.0;
                values.push((if closed { 0.0 } else { y }, bound));
            }
        }
    }
    Expected::absolute(y_view(p).embed(p.n, p.c, values))
}

/// sum(dy) and sum(dy (x - mean)) of each share of each channel: (shares, 2, c). The difference is rounded once, in
/// the place of an epilogue.
pub fn backward_sums(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Expected {
    let [x, dy, mean] = [0, 1, 2].map(|i| floats(bindings[i]));
    let mut values = Vec::with_capacity(2 * (p.shares * p.c) as usize);
    for s in 0..p.shares {
        let term = |c: u32, i: u32| {
            let (n, pixel) = (i / p.pixels, i % p.pixels);
            let lies = place(p, c);
            let d = x[x_view(p).at(n, lies, pixel)] as f64 - mean[c as usize] as f64;
            (dy[y_view(p).at(n, lies, pixel)] as f64, d)
        };
        let sum = |c: u32, of: &dyn Fn((f64, f64)) -> f64| {
            let terms = share(p, step, s).map(|i| of(term(c, i)));
            terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()))
        };
        values.extend((0..p.c).map(|c| sum(c, &|(dy, _)| dy)));
        values.extend((0..p.c).map(|c| sum(c, &|(dy, d)| dy * d)));
    }
    Expected::sum(values)
}

/// The gradients of gamma and beta, and (mean, slope, offset, tilt) of each channel.
pub fn backward_merge(p: &BatchNorm, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [sums, mean, variance, gamma] = [0, 1, 2, 3].map(|i| floats(bindings[i]));
    let count = (step.valid_rows * p.pixels).max(1) as f64;
    let (mut grad_gamma, mut grad_beta, mut coefficients) = (Vec::new(), Vec::new(), Vec::new());
    for c in 0..p.c as usize {
        let total = |which: u32| {
            let at = |s: u32| ((2 * s + which) * p.c) as usize + c;
            let terms = (0..p.shares).map(|s| sums[at(s)] as f64);
            terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()))
        };
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
        let (root, [beta, dot]) = (root(p.epsilon, variance[c]), [0, 1].map(total));
        grad_beta.push((beta.0, off(beta.1, 1.0, 2.0)));
        grad_gamma.push((root * dot.0, off(dot.1, root, 3.5)));
        let gamma = if p.scale != 0 { gamma[c] as f64 } else { 1.0 };
        let slope = gamma * root;
        coefficients.push((mean[c] as f64, [0.0; 4]));
        coefficients.push((slope, [3.5 * E * slope.abs(), 0.0, 0.0, 0.0]));
        coefficients.push((beta.0 / count, off(beta.1, 1.0 / count, 3.5)));
        let tilt = root * root / count;
        coefficients.push((tilt * dot.0, off(dot.1, tilt, 10.5)));
    }
    vec![
        Expected::chain(grad_gamma),
        Expected::chain(grad_beta),
        Expected::chain(coefficients),
    ]
}

/// dx = slope (dy - offset - (x - mean) tilt), or slope dy; zero in padded rows and where the ReLU before was
/// closed. Of the tilt's term five roundings count, of the offset three, of dy two.
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
                let terms = 2.0 * dy.abs() + 3.0 * offset.abs() + 5.0 * (d * tilt).abs();
                let flushed = FLUSH * slope.abs() * (tilt.abs() + 3.0);
                values.push((
                    slope * (dy - offset - d * tilt),
                    E * slope.abs() * terms + flushed,
                ));
            }
        }
    }
    Expected::absolute(values)
}

/// gamma / sqrt(variance + epsilon) of a channel: 3.5 units off.
fn slope(p: &FoldBatchNorm, variance: &[f32], gamma: &[f32], c: usize) -> f64 {
    let gamma = if p.scale != 0 { gamma[c] as f64 } else { 1.0 };
    gamma * root(p.epsilon, variance[c])
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
        let d = bias - mean[c] as f64;
        let bound =
            E * (6.5 * (d * slope).abs() + beta.abs()) + FLUSH * (d.abs() + slope.abs() + 2.0);
        (d * slope + beta, bound)
    };
    Expected::absolute((0..p.c as usize).map(one).collect())
}
