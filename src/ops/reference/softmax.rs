//! softmax, its gradient, and the cross-entropy loss computed from logits (log-sum-exp).
//!
//! The bounds follow WGSL's accuracy table: exp(x) 3 + 2|x| units, log 2^-21 absolute near 1
//! and 3 units elsewhere, division 2.5 units.

use super::{EPSILON, Expected, floats};
use crate::ops::params::Step;
use crate::ops::softmax::Softmax;
use crate::ops::softmax_cross_entropy::{BY_ROW, Loss};

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

/// Cross-entropy of the valid rows: dlogits of `weight` times its mean over all shards, and metrics (loss sum, correct
/// rows, non-finite flag, 0). Bindings: logits, labels, targets, class weights, metrics.
pub fn softmax_cross_entropy(p: &Loss, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
    let [logits, labels, targets, class_weights, metrics, ..] = bindings else {
        unreachable!("the op's bindings");
    };
    let classes = p.classes as usize;
    let (mut loss, mut loss_error, mut correct) = (0.0, 0.0, 0.0);
    let mut gradient = vec![(0.0, 0.0); p.rows as usize * classes];
    let rows = floats(logits).chunks(classes).enumerate();
    for (n, x) in rows.take(step.valid_rows as usize) {
        if x.iter().any(|logit| !logit.is_finite()) {
            // Not correct, no gradient.
            loss = f64::NAN;
            continue;
        }
        let label = labels[n] as usize;
        let targets = match p.soft {
            0 => None,
            _ => Some(&floats(targets)[n * classes..][..classes]),
        };
        let weight = match p.weighted {
            0 => 1.0,
            BY_ROW => floats(class_weights)[n] as f64,
            _ => floats(class_weights)[label] as f64,
        };
        let (row, wanted) = (row(x), Wanted::of(p, label, targets));
        let (one, error) = row.loss(x, &wanted);
        loss += weight * one;
        // The product with a weight is rounded, except with 1.
        let rounded = if p.weighted == 0 { 0.0 } else { EPSILON };
        loss_error += weight * (error + rounded * one);
        let best = (0..classes).fold(0, |b, i| if x[i] > x[b] { i } else { b });
        correct += f64::from(best == label);
        let share = weight * p.weight as f64 / step.all_rows as f64;
        for (i, &(term, error)) in row.terms.iter().enumerate() {
            let probability = term / row.sum;
            let slack = probability * (error + row.sum_error + 4.0 * EPSILON)
                + wanted.rounding * wanted.shares[i];
            let value = (probability - wanted.shares[i]) * share;
            let error = slack * share.abs() + (5.0 * EPSILON + rounded) * value.abs();
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

/// What the loss wants of a row: kept times its target, and spread.
struct Wanted {
    shares: Vec<f64>,
    /// Relative error of each: of a product and a sum of what is not negative; none where the target is 0 or 1 and
    /// nothing is spread.
    rounding: f64,
}

impl Wanted {
    fn of(p: &Loss, label: usize, targets: Option<&[f32]>) -> Wanted {
        let target = |i: usize| match targets {
            Some(targets) => targets[i] as f64,
            None => f64::from(i == label),
        };
        let (kept, spread) = (p.kept as f64, p.spread as f64);
        let share = |i| kept * target(i) + spread;
        let plain = spread == 0.0 && kept == 1.0;
        Wanted {
            shares: (0..p.classes as usize).map(share).collect(),
            rounding: if plain { 0.0 } else { 2.0 * EPSILON },
        }
    }
}

impl Row {
    /// log(sum) + the sum of t (max - x), and its error.
    fn loss(&self, x: &[f32], wanted: &Wanted) -> (f64, f64) {
        let log = self.sum.ln();
        let log_error = self.sum_error + (0.5f64).powi(21) + 4.0 * EPSILON * log;
        let far = |(&x, share): (&f32, &f64)| share * (self.max - x as f64);
        let distance: f64 = x.iter().zip(&wanted.shares).map(far).sum();
        // Of one class that has all: its difference and the sum with the logarithm are rounded. Else products and
        // their sum are too; no term is negative.
        let terms = wanted.shares.iter().filter(|&&share| share != 0.0).count();
        let whole = wanted.shares.contains(&1.0);
        let rounded = match terms == 1 && whole {
            true => 0.0,
            false => wanted.rounding + terms as f64 * EPSILON,
        };
        let error = log_error + 2.0 * EPSILON * (distance + log) + rounded * distance;
        (log + distance, error)
    }
}
