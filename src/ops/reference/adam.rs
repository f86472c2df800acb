//! Adam as Keras 3 computes it (Kingma and Ba 2015, with the bias correction folded into the
//! rate): m += (g - m)(1 - b1), v += (g^2 - v)(1 - b2), w -= rate * m / (sqrt(v) + eps).

use super::{EPSILON, Expected, FLUSH, floats};
use crate::ops::params::Step;
use crate::ops::update::Update;
use rayon::prelude::*;

/// New (w, m, v) of one weight, each with its bound, by the step's scalars; the gradient is (value, its own
/// error).
pub fn adam_element(
    [rate, take1, take2, epsilon]: [f32; 4],
    frozen: bool,
    [w, m, v]: [f32; 3],
    (g, g_error): (f64, f64),
) -> [(f64, f64); 3] {
    let [w, m, v] = [w as f64, m as f64, v as f64];
    if frozen {
        return [(w, 0.0), (m, 0.0), (v, 0.0)];
    }
    let [rate, take1, take2, epsilon] = [rate, take1, take2, epsilon].map(f64::from);
    let m_new = m + (g - m) * take1;
    let m_error = 4.0 * EPSILON * (m.abs() + (g.abs() + m.abs()) * take1)
        + EPSILON * (g.abs() + m.abs())
        + take1 * g_error;
    let v_new = v + (g * g - v) * take2;
    let v_error = 4.0 * EPSILON * (v + (g * g + v) * take2)
        + EPSILON * (g * g + v)
        + take2 * (2.0 * g.abs() * g_error + g_error * g_error)
        + FLUSH;
    let root = v_new.max(0.0).sqrt();
    // sqrt turns an absolute error e of v into at most min(e / (2 sqrt v), sqrt e).
    let root_error = (v_error / (2.0 * root)).min(v_error.sqrt()) + 3.0 * EPSILON * root;
    let divisor = root + epsilon;
    let update = rate * m_new / divisor;
    let least = (divisor - root_error).max(divisor * 0.5).max(epsilon * 0.5);
    let update_error = rate * m_error / least + update.abs() * (root_error / least + 6.0 * EPSILON);
    let w_error = update_error + EPSILON * (w.abs() + update.abs());
    [(w - update, w_error), (m_new, m_error), (v_new, v_error)]
}

/// (w, m, v) triples to three expectations.
pub fn unzip(elements: Vec<[(f64, f64); 3]>) -> Vec<Expected> {
    let absolute = |which: usize| {
        let pairs = elements.par_iter().map(|e| e[which]);
        Expected::absolute(pairs.collect())
    };
    (0..3).map(absolute).collect()
}

pub fn adam(p: &Update, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [g, metrics, w, m, v] = bindings else {
        panic!("five bindings")
    };
    let (g, metrics, w, m, v) = (floats(g), floats(metrics), floats(w), floats(m), floats(v));
    let frozen = metrics[2] != 0.0;
    let elements = (0..p.count as usize)
        .into_par_iter()
        .map(|i| adam_element(step.rule(), frozen, [w[i], m[i], v[i]], (g[i] as f64, 0.0)))
        .collect();
    unzip(elements)
}
