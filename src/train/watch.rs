//! What watches the validation loss: a rate that falls where it no longer does (Keras `ReduceLROnPlateau`), and
//! the run's end (Keras `EarlyStopping`).

use super::state::EpochRow;
use serde::{Deserialize, Serialize};

/// What is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// Better when lower.
    #[default]
    ValLoss,
    /// Better when higher.
    ValAccuracy,
}

/// Ends a run whose validation no longer improves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStopping {
    pub monitor: Monitor,
    /// What counts as an improvement.
    pub min_delta: f64,
    /// Epochs without one after which the run ends.
    pub patience: u32,
    /// Epochs before which nothing is watched.
    pub start_from_epoch: u32,
}

impl Default for EarlyStopping {
    /// Keras's, but for the patience: a run that ends after one worse epoch serves nobody.
    fn default() -> EarlyStopping {
        EarlyStopping {
            monitor: Monitor::ValLoss,
            min_delta: 0.0,
            patience: 10,
            start_from_epoch: 0,
        }
    }
}

/// Lowers the learning rate where the validation no longer improves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReduceOnPlateau {
    pub monitor: Monitor,
    /// What the rate is multiplied with.
    pub factor: f64,
    /// Epochs without an improvement after which it is.
    pub patience: u32,
    /// What counts as an improvement.
    pub min_delta: f64,
    /// Epochs after a reduction in which nothing is watched.
    pub cooldown: u32,
    /// What no reduction goes below.
    pub min_lr: f64,
}

impl Default for ReduceOnPlateau {
    /// Keras's.
    fn default() -> ReduceOnPlateau {
        ReduceOnPlateau {
            monitor: Monitor::ValLoss,
            factor: 0.1,
            patience: 10,
            min_delta: 1e-4,
            cooldown: 0,
            min_lr: 0.0,
        }
    }
}

/// How long nothing has improved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The best so far; none before the first.
    pub best: Option<f64>,
    /// Epochs since.
    pub epochs: u32,
    /// Epochs of a cool-down that are left.
    #[serde(default)]
    pub cooldown: u32,
}

impl Monitor {
    fn of(self, row: &EpochRow) -> f64 {
        match self {
            Monitor::ValLoss => row.val_loss,
            Monitor::ValAccuracy => row.val_accuracy,
        }
    }

    /// Is it better than the best by more than `delta`? What is not finite never is.
    fn improves(self, value: f64, best: Option<f64>, delta: f64) -> bool {
        let better = |best: f64| match self {
            Monitor::ValLoss => value < best - delta,
            Monitor::ValAccuracy => value > best + delta,
        };
        value.is_finite() && best.is_none_or(better)
    }
}

impl EarlyStopping {
    /// Is the run to end with this epoch?
    pub fn ends(&self, row: &EpochRow, waiting: &mut Waiting) -> bool {
        if row.epoch <= self.start_from_epoch {
            return false;
        }
        let value = self.monitor.of(row);
        if self.monitor.improves(value, waiting.best, self.min_delta) {
            *waiting = Waiting {
                best: Some(value),
                ..Waiting::default()
            };
            return false;
        }
        waiting.epochs += 1;
        waiting.epochs >= self.patience.max(1)
    }

    /// # Errors
    /// What it has and what is needed.
    pub fn check(&self) -> Result<(), String> {
        at_least_zero("min_delta", self.min_delta)
    }
}

impl ReduceOnPlateau {
    /// What the rate is to be multiplied with from here on, where `rate` is that of the epoch.
    pub fn factor(&self, row: &EpochRow, rate: f64, waiting: &mut Waiting) -> Option<f64> {
        let value = self.monitor.of(row);
        if waiting.cooldown > 0 {
            waiting.cooldown -= 1;
            waiting.epochs = 0;
        }
        if self.monitor.improves(value, waiting.best, self.min_delta) {
            waiting.best = Some(value);
            waiting.epochs = 0;
        } else if waiting.cooldown == 0 {
            waiting.epochs += 1;
            if waiting.epochs >= self.patience.max(1) && rate > self.min_lr {
                waiting.cooldown = self.cooldown;
                waiting.epochs = 0;
                return Some(self.factor.max(self.min_lr / rate));
            }
        }
        None
    }

    /// # Errors
    /// What it has and what is needed.
    pub fn check(&self) -> Result<(), String> {
        at_least_zero("min_delta", self.min_delta)?;
        at_least_zero("min_lr", self.min_lr)?;
        match self.factor > 0.0 && self.factor < 1.0 {
            true => Ok(()),
            false => Err(format!(
                "factor {}: a number between 0 and 1 is needed",
                self.factor
            )),
        }
    }
}

fn at_least_zero(name: &str, value: f64) -> Result<(), String> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(format!("{name} {value}: a number from 0 on is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: u32, val_loss: f64) -> EpochRow {
        EpochRow {
            epoch,
            loss: 0.0,
            accuracy: 0.0,
            val_loss,
            val_accuracy: 1.0 - val_loss,
            seconds: 0.0,
            learning_rate: None,
        }
    }

    #[test]
    fn a_run_ends_after_so_many_epochs_without_an_improvement() {
        let losses = [0.9, 0.8, 0.85, 0.79, 0.79, f64::NAN, 0.785, 0.8];
        for monitor in [Monitor::ValLoss, Monitor::ValAccuracy] {
            let stopping = EarlyStopping {
                monitor,
                patience: 3,
                min_delta: 0.01,
                ..EarlyStopping::default()
            };
            let mut waiting = Waiting::default();
            let ends = losses
                .iter()
                .zip(1..)
                .map(|(&loss, epoch)| stopping.ends(&row(epoch, loss), &mut waiting));
            let ends: Vec<bool> = ends.collect();
            // 0.79 is not lower than 0.8 by more than the delta: nothing has improved since the second.
            assert_eq!(ends.iter().position(|&end| end), Some(4), "{monitor:?}");
        }
    }

    #[test]
    fn a_rate_falls_on_a_plateau_and_not_below_its_least() {
        let plateau = ReduceOnPlateau {
            patience: 2,
            cooldown: 1,
            min_lr: 0.03,
            ..ReduceOnPlateau::default()
        };
        let (mut rate, mut waiting, mut rates) = (1.0, Waiting::default(), Vec::new());
        for epoch in 1..10 {
            rate *= plateau
                .factor(&row(epoch, 0.5), rate, &mut waiting)
                .unwrap_or(1.0);
            rates.push(rate);
        }
        // The first epoch is the best; two without an improvement; the cool-down ends with the epoch behind it,
        // which counts.
        let expected = [1.0, 1.0, 0.1, 0.1, 0.03, 0.03, 0.03, 0.03, 0.03];
        let same = rates
            .iter()
            .zip(expected)
            .all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-12);
        assert!(same, "{rates:?}");
    }
}
