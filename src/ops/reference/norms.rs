//! Norms in two stages: the sum of the squares of each block of 64 words; what a range of blocks is to be scaled
//! with so that its norm is at most a limit; the L2 penalty of a range.

use super::near::{given, times};
use super::{EPSILON, Expected, FLUSH, Sum, UNTOUCHED, floats};
use crate::ops::norms::Norm;
use crate::ops::update::BLOCK;

pub fn square_sums(p: &Norm, v: &[u32]) -> Expected {
    let mut all = vec![(UNTOUCHED, 0.0); p.blocks as usize];
    for (block, at) in floats(v).chunks(BLOCK).zip(p.first as usize..) {
        let mut sum = Sum::default();
        block.iter().for_each(|&v| sum.add_product(v, v));
        all[at] = (sum.value, sum.magnitude);
    }
    Expected::sum(all)
}

pub fn scale_gradient(p: &Norm, g: &[u32], scale: &[u32]) -> Expected {
    let scale = &floats(scale)[p.first as usize..];
    let numbered = floats(g).iter().enumerate();
    let one = |(i, &g): (usize, &f32)| times(given(g), given(scale[i / BLOCK]));
    Expected::absolute(numbered.map(one).collect())
}

/// The sum of a range's sums, and how far a tree of that chain may be from it.
fn range(p: &Norm, chain: u64, sums: &[u32]) -> (f64, f64) {
    let first = p.first as usize;
    let range = &floats(sums)[first..first + p.count as usize];
    let sum: f64 = range.iter().map(|&s| s as f64).sum();
    let size: f64 = range.iter().map(|&s| (s as f64).abs()).sum();
    (sum, chain as f64 * (EPSILON * size + FLUSH))
}

pub fn clip_scale(p: &Norm, chain: u64, sums: &[u32], scale: &[u32]) -> Expected {
    let limit = p.limit as f64;
    let (sum, error) = range(p, chain, sums);
    let norm = sum.sqrt();
    // The root halves a relative error; its own, the quotient's and the product's come to 6 units.
    let relative = if sum > 0.0 { error / sum } else { 0.0 } + 6.0 * EPSILON;
    let factor = limit / norm.max(limit);
    // Where the norm is surely below the limit the factor is limit / limit.
    let bound = match norm * (1.0 + relative) < limit {
        true => 0.0,
        false => factor * relative,
    };
    let inside = |i: usize| (p.first as usize..(p.first + p.count) as usize).contains(&i);
    let one = |i| match inside(i) {
        true => (factor, bound),
        false => (UNTOUCHED, 0.0),
    };
    Expected::absolute((0..scale.len()).map(one).collect())
}

pub fn l2_penalty(p: &Norm, chain: u64, sums: &[u32], metrics: &[u32]) -> Expected {
    let metrics = floats(metrics);
    let (sum, error) = range(p, chain, sums);
    let added = p.limit as f64 * sum;
    let penalty = metrics[3] as f64 + added;
    let bound = p.limit as f64 * error + EPSILON * (2.0 * added.abs() + penalty.abs());
    let mut all: Vec<_> = metrics.iter().map(|&m| (m as f64, 0.0)).collect();
    all[3] = (penalty, bound);
    Expected::absolute(all)
}
