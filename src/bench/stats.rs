//! What a few samples say: median, minimum, 95th percentile and spread.

use serde::{Deserialize, Serialize};

/// A spread beyond this is worth a warning: differences of that size mean nothing.
pub const WIDE: f64 = 0.2;

/// Samples in short, in the unit that they came in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub samples: usize,
    pub median: f64,
    pub minimum: f64,
    pub p95: f64,
    /// What lies between the quartiles, over the median.
    pub spread: f64,
}

impl Stats {
    /// # Panics
    /// Without a sample.
    pub fn of(samples: &[f64]) -> Stats {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5);
        Stats {
            samples: sorted.len(),
            median,
            minimum: sorted[0],
            p95: quantile(&sorted, 0.95),
            // Of times that a coarse clock takes for none nothing can be said.
            spread: match median > 0.0 {
                true => (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / median,
                false => 0.0,
            },
        }
    }

    pub fn is_wide(&self) -> bool {
        self.spread > WIDE
    }
}

/// Between the two samples nearest to that rank, linearly.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}
