//! What a step measured, as the host reads it: the words that the losses of all heads left, shard by shard.

use crate::ops::softmax_cross_entropy::METRICS;

/// What a step measured, before its update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Sum of the losses of the valid rows; of several heads the weighted sum.
    pub loss_sum: f32,
    /// What the L2 of the weights adds to the mean loss.
    pub penalty: f32,
    /// Rows that the main head told right.
    pub correct: u32,
    pub rows: u32,
    /// Has any loss so far not been finite? No weight changed since.
    pub non_finite: bool,
}

impl Metrics {
    /// The mean loss of the rows, with the penalty.
    pub fn loss(&self) -> f64 {
        self.loss_sum as f64 / self.rows as f64 + self.penalty as f64
    }

    /// So many times that.
    pub fn total(&self) -> f64 {
        self.loss_sum as f64 + self.penalty as f64 * self.rows as f64
    }

    /// The share of the rows that the main head told right.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }
}

/// What one shard's heads have left; its rows are the host's knowledge.
pub(super) fn of_shard(words: &[[f32; METRICS]], heads: &[(String, f32)]) -> Metrics {
    let weighted = || words.iter().zip(heads);
    let loss_sum = match heads {
        // As it is: a weighted sum of one would be rounded.
        [(_, 1.0)] => words[0][0],
        _ => weighted()
            .map(|(words, (_, weight))| weight * words[0])
            .sum(),
    };
    Metrics {
        loss_sum,
        penalty: words[0][3],
        correct: words[0][1] as u32,
        rows: 0,
        non_finite: weighted().any(|(words, _)| words[2] != 0.0),
    }
}
