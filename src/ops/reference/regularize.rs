//! What happens to gradients before the rule spends them: g += factor * w; g within a limit; g times its block's
//! scale.

use super::near::{given, product, sum, times};
use super::{Expected, floats};
use crate::ops::update::{BLOCK, Weighted};

pub fn l2_gradient(p: &Weighted, g: &[u32], w: &[u32]) -> Expected {
    let pairs = floats(g).iter().zip(floats(w));
    let one = |(&g, &w)| sum([given(g), product(p.factor as f64, given(w))]);
    Expected::absolute(pairs.map(one).collect())
}

pub fn clip_value(p: &Weighted, g: &[u32]) -> Expected {
    let limit = p.factor as f64;
    let one = |&g: &f32| match g as f64 {
        g if g > limit => limit,
        g if g < -limit => -limit,
        g => g,
    };
    Expected::exact(floats(g).iter().map(one).collect())
}

pub fn scale_gradient(_: &Weighted, g: &[u32], scale: &[u32]) -> Expected {
    let scale = floats(scale);
    let numbered = floats(g).iter().enumerate();
    let one = |(i, &g): (usize, &f32)| times(given(g), given(scale[i / BLOCK]));
    Expected::absolute(numbered.map(one).collect())
}
