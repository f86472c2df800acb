//! Images brought to mean 0 and deviation 1.
//!
//! Bounds of `pictures`. E is EPSILON with room for products of errors, K the chain and 2; means are over the values of
//! an image, d is a value's distance from its image's mean, V the mean of d d, S = max(sqrt V, epsilon).
//!
//! - `about` lies among the values, but for two roundings: its distance from the mean is at most
//!   R = max|d| + 2 E max|x|, so the kernel's first distances a = x - about have |a| <= |d| + R;
//! - their mean, a sum of chain K - 2 behind one rounding and a division (2.5 units), is e = E (K + 2) (mean|d| + R)
//!   off at most;
//! - a second difference is |d| off by p = E (2|d| + R) + e;
//! - the variance by v = E (K + 2) V + 2 mean(|d| p) + mean(p p), where mean(|d| p) = E (2 V + R mean|d|) + e mean|d| and
//!   mean(p p) <= 2 E E (8 V + 2 R R) + 2 e e;
//! - S by v / S, for roots differ by v over their sum, of which one is at least S or both are epsilon; and the root is
//!   4.5 units off, its inverse 2.5 and the product one.
//!
//! An element is p / S + |d| / S (v / (S S) + 8 E) off in all.

use super::{EPSILON, Expected, FLUSH, floats};
use crate::ops::params::Step;
use crate::ops::standardise::{Channels, Pictures};

const E: f64 = 1.1 * EPSILON;

/// `y[n,c,:]` = (`x[n,c,:]` - `mean[c]`) * `scale[c]`: a difference and a product, a unit each. A difference that is
/// flushed costs as much times the scale.
pub fn channels(p: &Channels, step: &Step, x: &[u32], statistics: &[u32]) -> Expected {
    let (x, statistics) = (floats(x), floats(statistics));
    let image = (p.c * p.pixels) as usize;
    let element = |i: usize| {
        if i / image >= step.valid_rows as usize {
            return (0.0, 0.0);
        }
        let c = i % image / p.pixels as usize;
        let [mean, scale] = [statistics[c], statistics[p.c as usize + c]].map(f64::from);
        let value = (f64::from(x[i]) - mean) * scale;
        let bound = 2.0 * E * value.abs() + FLUSH * scale.abs();
        (value, bound)
    };
    Expected::absolute((0..p.n as usize * image).map(element).collect())
}

/// `y[n,:]` = (`x[n,:]` - mean) / max(deviation, epsilon), of each image over all its values.
pub fn pictures(p: &Pictures, step: &Step, x: &[u32]) -> Expected {
    let images = floats(x).chunks(p.values as usize).take(p.n as usize);
    let of = |(row, image): (usize, &[f32])| match row < step.valid_rows as usize {
        true => picture(image, p.epsilon.into()),
        false => vec![(0.0, [0.0; 4]); image.len()],
    };
    Expected::chain(images.enumerate().flat_map(of).collect())
}

fn picture(image: &[f32], epsilon: f64) -> Vec<(f64, [f64; 4])> {
    let count = image.len() as f64;
    let mean_of = |f: &dyn Fn(f64) -> f64| image.iter().map(|&x| f(x.into())).sum::<f64>() / count;
    let largest = |f: &dyn Fn(f64) -> f64| image.iter().map(|&x| f(x.into())).fold(0.0, f64::max);
    let mean = mean_of(&|x| x);
    let size = mean_of(&|x| (x - mean).abs());
    let variance = mean_of(&|x| (x - mean) * (x - mean));
    let deviation = variance.sqrt().max(epsilon);
    let reach = largest(&|x| (x - mean).abs()) + 2.0 * E * largest(&f64::abs);
    // e = e1 K + 2 e1.
    let e1 = E * (size + reach);
    let v0 = 2.0 * E * variance
        + 2.0 * (E * (2.0 * variance + reach * size) + 2.0 * e1 * size)
        + 2.0 * E * E * (8.0 * variance + 2.0 * reach * reach)
        + 8.0 * e1 * e1;
    let v1 = E * variance + 2.0 * e1 * size + 8.0 * e1 * e1;
    let v2 = 2.0 * e1 * e1;
    let element = |&x: &f32| {
        let d = f64::from(x) - mean;
        let slope = d.abs() / deviation.powi(3);
        let p0 = E * (2.0 * d.abs() + reach) + 2.0 * e1 + 4.0 * FLUSH;
        let bound = [
            p0 / deviation + slope * v0 + 8.0 * E * d.abs() / deviation,
            e1 / deviation + slope * v1,
            slope * v2,
            0.0,
        ];
        (d / deviation, bound)
    };
    image.iter().map(element).collect()
}
