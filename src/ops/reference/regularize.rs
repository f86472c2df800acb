//! What happens to gradients before the rule spends them: g = earlier + g; g += factor * w; g within a limit.

use super::near::{given, product, sum};
use super::{Expected, floats};
use crate::ops::update::Weighted;

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

pub fn accumulate(g: &[u32], earlier: &[u32]) -> Expected {
    let pairs = floats(g).iter().zip(floats(earlier));
    let one = |(&g, &earlier)| sum([given(earlier), given(g)]);
    Expected::absolute(pairs.map(one).collect())
}
