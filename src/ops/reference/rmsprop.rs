//! RMSprop as Keras 3 computes it (Hinton 2012, the epsilon under the root): v += (g^2 - v)(1 - rho), step =
//! rate * g / sqrt(v + eps); w -= step, or with momentum m = kept * m + step, w -= m.

use super::near::{Near, given, product, sum, times};
use super::{EPSILON, Expected, floats};
use crate::ops::params::Step;
use crate::ops::update::Update;

/// The new mean of the squares, and rate * g / sqrt(mean + epsilon).
fn descend([rate, gain, _, epsilon]: [f64; 4], g: f32, v: f32) -> [Near; 2] {
    let (g, v) = (given(g), given(v));
    let way = sum([times(g, g), product(-1.0, v)]);
    let mean = sum([v, product(gain, way)]);
    let (under, error) = sum([mean, (epsilon, 0.0)]);
    let root = under.max(0.0).sqrt();
    let least = (under - error).max(0.5 * under).max(0.5 * epsilon).sqrt();
    // sqrt turns an absolute error e of v into at most min(e / (2 sqrt v), sqrt e).
    let root_error = (error / (2.0 * least)).min(error.sqrt()) + 3.0 * EPSILON * root;
    let (above, above_error) = product(rate, g);
    let step = above / root;
    let step_error = above_error / least + step.abs() * (root_error / least + 4.0 * EPSILON);
    [mean, (step, step_error)]
}

pub fn rmsprop(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [g, metrics, w, v] = bindings else {
        panic!("four bindings")
    };
    let (g, metrics, w, v) = (floats(g), floats(metrics), floats(w), floats(v));
    let frozen = metrics[2] != 0.0;
    let scalars = step.rule().map(f64::from);
    let one = |i: usize| {
        if frozen {
            return (given(w[i]), given(v[i]));
        }
        let [mean, down] = descend(scalars, g[i], v[i]);
        (sum([given(w[i]), product(-1.0, down)]), mean)
    };
    let (w, v) = (0..p.count as usize).map(one).unzip();
    vec![Expected::absolute(w), Expected::absolute(v)]
}

pub fn rmsprop_momentum(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [g, metrics, w, v, m] = bindings else {
        panic!("five bindings")
    };
    let (g, metrics) = (floats(g), floats(metrics));
    let (w, v, m) = (floats(w), floats(v), floats(m));
    let frozen = metrics[2] != 0.0;
    let scalars = step.rule().map(f64::from);
    let one = |i: usize| {
        if frozen {
            return [given(w[i]), given(v[i]), given(m[i])];
        }
        let [mean, down] = descend(scalars, g[i], v[i]);
        let next = sum([product(scalars[2], given(m[i])), down]);
        [sum([given(w[i]), product(-1.0, next)]), mean, next]
    };
    let all: Vec<[Near; 3]> = (0..p.count as usize).map(one).collect();
    let slot = |at: usize| Expected::absolute(all.iter().map(|one| one[at]).collect());
    (0..3).map(slot).collect()
}
