//! softmax, its gradient, and the cross-entropy loss computed from logits (log-sum-exp).
//!
//! The bounds follow WGSL's accuracy table: exp(x) 3 + 2|x| units, log 2^-21 absolute near 1
//! and 3 units elsewhere, division 2.5 units.

use super::{EPSILON, Expected, floats};
use crate::ops::params::Step;
use crate::ops::softmax::Softmax;
use crate::ops::softmax_cross_entropy::Loss;

/// A row's exponentials relative to its maximum.
struct Row {
    max: f64,
    /// (exp(x - max), its relative error)
    terms: Vec<(f64, f64)>,
    sum: f64,
    /// Relative error of the sum.
    sum_error: f64,
}

fn row(x: &[f32]) -> Row {
    let max = x.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v as f64));
    let terms: Vec<(f64, f64)> = x
        .iter()
        .map(|&v| {
            let d = v as f64 - max;
            // The subtraction is off by |d| EPSILON, which exp turns into a relative error.
            (d.exp(), (4.0 + 3.0 * d.abs()) * EPSILON)
        })
        .collect();
    let sum: f64 = terms.iter().map(|t| t.0).sum();
    let absolute: f64 = terms.iter().map(|t| t.0 * t.1).sum();
    let sum_error = absolute / sum + x.len() as f64 * EPSILON;
    Row {
        max,
        terms,
        sum,
        sum_error,
    }
}

/// y = exp(x - max) / sum
pub fn softmax_forward(p: &Softmax, x: &[u32]) -> Expected {
    let classes = p.classes as usize;
    let rows = floats(x).chunks(classes).take(p.rows as usize);
    let values = rows.flat_map(|x| {
        let row = row(x);
        row.terms.into_iter().map(move |(term, error)| {
            let y = term / row.sum;
            (y, y * (error + row.sum_error + 4.0 * EPSILON))
        })
    });
    Expected::absolute(values.collect())
}

/// dx = y * (dy - sum(dy * y))
pub fn softmax_backward(p: &Softmax, y: &[u32], dy: &[u32]) -> Expected {
    let classes = p.classes as usize;
    let (y, dy) = (floats(y), floats(dy));
    let mut values = Vec::with_capacity(y.len());
    for (y, dy) in y
        .chunks(classes)
        .zip(dy.chunks(classes))
        .take(p.rows as usize)
    {
        let dot: f64 = y.iter().zip(dy).map(|(&y, &d)| y as f64 * d as f64).sum();
        let size: f64 = y
            .iter()
            .zip(dy)
            .map(|(&y, &d)| (y as f64 * d as f64).abs())
            .sum();
        for (&y, &d) in y.iter().zip(dy) {
            let (y, d) = (y as f64, d as f64);
            let error =
                y.abs() * EPSILON * ((classes as f64 + 2.0) * size + 3.0 * (d.abs() + dot.abs()));
            values.push((y * (d - dot), error));
        }
    }
    Expected::absolute(values)
}

/// Mean cross-entropy over the valid rows: dlogits, times the weight, and metrics (loss sum, correct rows,
/// non-finite flag, 0).
pub fn softmax_cross_entropy(
    p: &Loss,
    step: &Step,
    logits: &[u32],
    labels: &[u32],
    metrics: &[u32],
) -> Vec<Expected> {
    let classes = p.classes as usize;
    let valid = step.valid_rows as usize;
    let (mut loss, mut loss_error, mut correct) = (0.0, 0.0, 0.0);
    let mut gradient = vec![(0.0, 0.0); p.rows as usize * classes];
    for (n, x) in floats(logits).chunks(classes).take(valid).enumerate() {
        if x.iter().any(|logit| !logit.is_finite()) {
            // Not correct, no gradient.
            loss = f64::NAN;
            continue;
        }
        let (row, label) = (row(x), labels[n] as usize);
        let log = row.sum.ln();
        let log_error = row.sum_error + (0.5f64).powi(21) + 4.0 * EPSILON * log;
        let one = row.max + log - x[label] as f64;
        loss += one;
        loss_error += log_error + 2.0 * EPSILON * ((row.max - x[label] as f64).abs() + log);
        let best = (0..classes).fold(0, |b, i| if x[i] > x[b] { i } else { b });
        correct += f64::from(best == label);
        for (i, &(term, error)) in row.terms.iter().enumerate() {
            let probability = term / row.sum;
            let slack = probability * (error + row.sum_error + 4.0 * EPSILON);
            let share = p.weight as f64 / step.all_rows as f64;
            let value = (probability - f64::from(i == label)) * share;
            let error = slack * share.abs() + 5.0 * EPSILON * value.abs();
            gradient[n * classes + i] = (value, error);
        }
    }
    // Sums of at most rows terms, in any tree.
    loss_error += p.rows as f64 * EPSILON * loss.abs();
    if !(loss as f32).is_finite() {
        loss = f64::NAN;
    }
    let raised = floats(metrics)[2] != 0.0 || loss.is_nan();
    let metrics = vec![
        (loss, loss_error),
        (correct, 0.0),
        (f64::from(raised), 0.0),
        (0.0, 0.0),
    ];
    vec![Expected::absolute(gradient), Expected::absolute(metrics)]
}
