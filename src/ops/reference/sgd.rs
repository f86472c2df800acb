//! Stochastic gradient descent as Keras 3 computes it: w -= rate * g; with momentum, m = decay * m - rate * g,
//! then w += kept * m - ahead * g, where kept is 1 and ahead 0, or decay and rate for Nesterov's.

use super::near::{given, product, sum};
use super::{Expected, floats};
use crate::ops::params::Step;
use crate::ops::update::Update;

pub fn sgd(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [g, metrics, w] = bindings else {
        panic!("three bindings")
    };
    let (g, metrics, w) = (floats(g), floats(metrics), floats(w));
    let frozen = metrics[2] != 0.0;
    let [rate, ..] = step.rule().map(f64::from);
    let one = |i: usize| match frozen {
        true => given(w[i]),
        false => sum([given(w[i]), product(-rate, given(g[i]))]),
    };
    vec![Expected::absolute((0..p.count as usize).map(one).collect())]
}

pub fn sgd_momentum(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [g, metrics, w, m] = bindings else {
        panic!("four bindings")
    };
    let (g, metrics, w, m) = (floats(g), floats(metrics), floats(w), floats(m));
    let frozen = metrics[2] != 0.0;
    let [rate, decay, kept, ahead] = step.rule().map(f64::from);
    let one = |i: usize| {
        let (w, g, m) = (given(w[i]), given(g[i]), given(m[i]));
        if frozen {
            return (w, m);
        }
        let m = sum([product(decay, m), product(-rate, g)]);
        (sum([w, product(kept, m), product(-ahead, g)]), m)
    };
    let (w, m) = (0..p.count as usize).map(one).unzip();
    vec![Expected::absolute(w), Expected::absolute(m)]
}
