//! The three products of a dense layer over panel-packed weights (Keras `Dense`):
//! y = relu(x w + b), dx = dy w^T, dw = x^T dy.

use super::adam::adam_element;
use super::{Expected, Sum, UNTOUCHED, floats};
use crate::ops::matmul::{Matmul, MatmulWeight};
use crate::ops::params::Step;
use rayon::prelude::*;

/// `y[m,n]` for the columns of the window; with splits, the partial sums (split, m, n).
pub fn matmul_forward(p: &Matmul, x: &[u32], w: &[u32], bias: &[u32]) -> Expected {
    let (x, w, bias) = (floats(x), floats(w), floats(bias));
    let columns = p.columns();
    let pairs = (0..p.splits * p.m).into_par_iter().flat_map_iter(|line| {
        let (split, row) = (line / p.m, line % p.m);
        let depth = (split * p.k_chunk).min(p.k)..((split + 1) * p.k_chunk).min(p.k);
        let columns = columns.clone();
        (0..p.n).map(move |column| {
            if !columns.contains(&column) {
                return (UNTOUCHED, 0.0);
            }
            let whole = p.splits == 1;
            let mut sum = if whole {
                Sum::of(bias[column as usize])
            } else {
                Sum::default()
            };
            for k in depth.clone() {
                sum.add_product(x[(row * p.k + k) as usize], w[p.weight(k, column)]);
            }
            sum.relu(whole && p.relu != 0)
        })
    });
    Expected::sum(pairs.collect())
}

/// `y[m,n] = relu(b[n] + partial[0][m,n] + partial[1][m,n] + ...)`.
pub fn matmul_reduce_forward(p: &Matmul, partial: &[u32], bias: &[u32]) -> Expected {
    let (partial, bias) = (floats(partial), floats(bias));
    let outputs = p.m * p.n;
    let pairs = (0..outputs).map(|i| {
        let mut sum = Sum::of(bias[(i % p.n) as usize]);
        (0..p.splits).for_each(|s| sum.add(partial[(s * outputs + i) as usize]));
        sum.relu(p.relu != 0)
    });
    Expected::sum(pairs.collect())
}

/// `dx[m,k]` = (previous dx, if accumulating) + sum over the window's columns of `dy[m,n]` `w[k,n]`,
/// zero where the ReLU before (`mask`) was closed.
pub fn matmul_backward_input(
    p: &Matmul,
    dy: &[u32],
    w: &[u32],
    mask: &[u32],
    dx: &[u32],
) -> Expected {
    let (dy, w, mask, dx) = (floats(dy), floats(w), floats(mask), floats(dx));
    let pairs = (0..p.m).into_par_iter().flat_map_iter(|row| {
        (0..p.k).map(move |k| {
            let i = (row * p.k + k) as usize;
            let mut sum = if p.accumulate != 0 {
                Sum::of(dx[i])
            } else {
                Sum::default()
            };
            for column in p.columns() {
                sum.add_product(dy[(row * p.n + column) as usize], w[p.weight(k, column)]);
            }
            sum.masked(p.relu == 0 || mask[i] > 0.0)
        })
    });
    Expected::sum(pairs.collect())
}

/// The gradient of the weight stored at flat position `i` of the window; padding gets zero.
fn weight_gradient(p: &MatmulWeight, x: &[f32], dy: &[f32], i: usize) -> Sum {
    let mut sum = Sum::default();
    let (k, column) = p.position(i);
    if column < p.n {
        for row in 0..p.m {
            sum.add_product(
                x[(row * p.k + k) as usize],
                dy[(row * p.n + column) as usize],
            );
        }
    }
    sum
}

/// `dw[k,n]` = sum over rows of `x[m,k]` `dy[m,n]`, in the panels of the window.
pub fn matmul_backward_weight(p: &MatmulWeight, x: &[u32], dy: &[u32]) -> Expected {
    let (x, dy) = (floats(x), floats(dy));
    let pairs = (0..p.matmul().window_len()).into_par_iter().map(|i| {
        let sum = weight_gradient(p, x, dy, i);
        (sum.value, sum.magnitude)
    });
    Expected::sum(pairs.collect())
}

/// The same gradient, spent on an Adam step at once: new (w, m, v) of the window.
pub fn matmul_backward_weight_adam(
    p: &MatmulWeight,
    step: &Step,
    bindings: &[&[u32]],
) -> Vec<Expected> {
    let [x, dy, metrics, w, m, v] = bindings else {
        panic!("six bindings")
    };
    let (x, dy, metrics) = (floats(x), floats(dy), floats(metrics));
    let (w, m, v) = (floats(w), floats(m), floats(v));
    let elements: Vec<_> = (0..p.matmul().window_len())
        .into_par_iter()
        .map(|i| {
            let sum = weight_gradient(p, x, dy, i);
            let error = (p.m as f64 + 2.0) * super::EPSILON * sum.magnitude;
            let frozen = metrics[2] != 0.0;
            adam_element(step.rule(), frozen, [w[i], m[i], v[i]], (sum.value, error))
        })
        .collect();
    super::adam::unzip(elements)
}

/// `db[n]` = sum over rows of `dy[m,n]`.
pub fn matmul_backward_bias(p: &Matmul, dy: &[u32]) -> Expected {
    let dy = floats(dy);
    let pairs = (0..p.n).map(|column| {
        let mut sum = Sum::default();
        (0..p.m).for_each(|row| sum.add(dy[(row * p.n + column) as usize]));
        (sum.value, sum.magnitude)
    });
    Expected::sum(pairs.collect())
}
