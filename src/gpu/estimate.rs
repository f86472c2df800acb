//! How long work takes: a careful guess from what a dispatch costs, corrected by what steps took. The executor
//! cuts its submits by it, so that no system takes one for a hang.

use crate::plan::Dispatch;
use crate::profile::Class;
use std::time::Instant;

/// How long work takes, as far as it was predicted and measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// Measured over predicted seconds.
    slowness: f64,
    /// When the last step was read.
    last_read: Option<Instant>,
}

impl Estimate {
    pub fn new() -> Estimate {
        Estimate {
            slowness: 1.0,
            last_read: None,
        }
    }

    /// Learns from a step that was read at `now`, behind another one: what counts is the prediction of that
    /// step, whichever program it ran.
    pub fn learn(&mut self, now: Instant, predicted: f64) {
        if let Some(before) = self.last_read.replace(now) {
            let measured = (now - before).as_secs_f64() / predicted;
            self.slowness = 0.5 * self.slowness + 0.5 * measured;
        }
    }

    /// Measured over predicted seconds.
    pub fn slowness(&self) -> f64 {
        self.slowness
    }

    /// No step is in flight: the time to the next one tells nothing.
    pub fn pause(&mut self) {
        self.last_read = None;
    }
}

/// A careful guess, corrected by the first measured steps.
pub(super) fn predicted_seconds(dispatch: &Dispatch, class: Class) -> f64 {
    let (flops, bytes) = match class {
        Class::Gpu => (2e11, 2e10),
        Class::Software => (1e10, 5e9),
    };
    let cost = dispatch.cost();
    20e-6 + cost.flops as f64 / flops + cost.bytes as f64 / bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Validation takes a third of a training step: that is no reason to take steps for faster.
    #[test]
    fn a_shorter_program_does_not_change_the_estimate_of_a_longer_one() {
        let mut estimate = Estimate::new();
        let mut now = Instant::now();
        let mut steps = |predicted: f64, count: u32| {
            for _ in 0..count {
                now += Duration::from_secs_f64(4.0 * predicted);
                estimate.learn(now, predicted);
            }
            estimate.slowness
        };
        assert!(
            (steps(0.3, 30) - 4.0).abs() < 1e-3,
            "four times as slow as predicted"
        );
        assert!((steps(0.1, 30) - 4.0).abs() < 1e-3, "and so in validation");
    }
}
