//! Stochastic gradient descent as Keras 3 computes it: w -= rate * g; with momentum, m = decay * m - rate * g,
//! then w += kept * m - ahead * g, where kept is 1 and ahead 0, or decay and rate for Nesterov's.

use super::{EPSILON, Expected, FLUSH, floats};
use crate::ops::params::Step;
use crate::ops::update::Update;

/// A number and how far an f32 kernel may be from it.
type Near = (f64, f64);

fn given(x: f32) -> Near {
    (x as f64, 0.0)
}

/// A product, rounded once.
fn product(scalar: f64, (x, error): Near) -> Near {
    let (value, error) = (scalar * x, scalar.abs() * error);
    (value, error + EPSILON * (value.abs() + error) + FLUSH)
}

/// A sum, added up in any order: WGSL lets compilers choose, and Mesa's does. No partial sum is larger than the
/// terms' magnitudes together, grown by the roundings before it.
fn sum<const N: usize>(terms: [Near; N]) -> Near {
    let additions = N as i32 - 1;
    let value = terms.iter().map(|(x, _)| x).sum();
    let errors: f64 = terms.iter().map(|(_, error)| error).sum();
    let magnitude: f64 = terms.iter().map(|(x, error)| x.abs() + error).sum();
    let grown = (1.0 + EPSILON).powi(additions) - 1.0;
    (value, errors + grown * magnitude + additions as f64 * FLUSH)
}

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
