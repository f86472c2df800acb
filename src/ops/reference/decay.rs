//! w -= decay * w, decoupled from the gradient, as Keras 3 decays weights.

use super::near::{given, product, sum};
use super::{Expected, floats};
use crate::ops::params::Step;
use crate::ops::update::Update;

pub fn decay_weights(_: &Update, step: &Step, metrics: &[u32], w: &[u32]) -> Expected {
    let frozen = floats(metrics)[2] != 0.0;
    let one = |&w: &f32| match frozen {
        true => given(w),
        false => sum([given(w), product(-step.decay as f64, given(w))]),
    };
    Expected::absolute(floats(w).iter().map(one).collect())
}
