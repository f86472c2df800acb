//! How a run learns, beside its optimiser's rule: shards, decay, clipping, schedule, loss, averages, and what watches
//! the validation. What is as usual is not written down, so that runs of before it was there read the same.

use super::schedule::Schedule;
use super::standardise::Standardise;
use super::watch::{EarlyStopping, ReduceOnPlateau};
use crate::augment::Augment;
use crate::plan::{Clip, Decay, MOST_SHARDS};
use serde::{Deserialize, Serialize};

/// See the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Regime {
    /// Equal parts of a batch that are computed one after another and added up.
    #[serde(skip_serializing_if = "is_one")]
    pub shards: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_2: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// Decoupled from the gradient; none for the optimiser's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Which weights decay.
    #[serde(skip_serializing_if = "Decayed::is_all")]
    pub decay: Decayed,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    #[serde(skip_serializing_if = "Schedule::is_constant")]
    pub schedule: Schedule,
    /// The share of each target that all classes have in common.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// What the average of the weights keeps of itself in a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce_on_plateau: Option<ReduceOnPlateau>,
    /// Patterns of the tensors that stay as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// What becomes of the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
    /// What is made of the pixels before the network sees them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardise: Option<Standardise>,
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl Default for Regime {
    fn default() -> Regime {
        Regime {
            shards: 1,
            rho: None,
            beta_1: None,
            beta_2: None,
            epsilon: None,
            weight_decay: None,
            decay: Decayed::All,
            clip: None,
            schedule: Schedule::default(),
            label_smoothing: 0.0,
            class_weights: None,
            ema: None,
            early_stopping: None,
            reduce_on_plateau: None,
            freeze: Vec::new(),
            augment: None,
            standardise: None,
        }
    }
}

/// Which weights decay, where any do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decayed {
    /// Every trained tensor, as in Keras.
    #[default]
    All,
    /// Neither biases nor what normalisation learns.
    Kernels,
}

impl Decayed {
    fn is_all(&self) -> bool {
        *self == Decayed::All
    }
}

impl From<Decayed> for Decay {
    fn from(decayed: Decayed) -> Decay {
        match decayed {
            Decayed::All => Decay::All,
            Decayed::Kernels => Decay::Kernels,
        }
    }
}

/// How much each class counts in the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    Rule(Balance),
    /// By class number.
    Given(Vec<f32>),
}

/// Weights that follow from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// All classes count the same: rows / (classes * rows of the class), as scikit-learn has it.
    Balanced,
}

impl ClassWeights {
    /// The weights of the classes of a training set.
    ///
    /// # Errors
    /// If they are not as many as the classes, or no weights.
    pub fn of(&self, labels: &[u32], classes: usize) -> Result<Vec<f32>, String> {
        match self {
            ClassWeights::Rule(Balance::Balanced) => {
                let mut counts = vec![0u64; classes];
                labels.iter().for_each(|&label| counts[label as usize] += 1);
                let rows = labels.len() as f64;
                let weight = |&count: &u64| match count {
                    // No row asks for it.
                    0 => 0.0,
                    _ => (rows / (classes as f64 * count as f64)) as f32,
                };
                Ok(counts.iter().map(weight).collect())
            }
            ClassWeights::Given(weights) if weights.len() != classes => {
                Err(format!("{} weights for {classes} classes", weights.len()))
            }
            ClassWeights::Given(weights) => Ok(weights.clone()),
        }
    }
}

impl Regime {
    /// Is it one that a run with batches of `batch` images can have?
    ///
    /// # Errors
    /// What it has and what is needed.
    pub fn check(&self, batch: u32) -> Result<(), String> {
        let Regime { shards, .. } = *self;
        if !shards.is_power_of_two() || shards > MOST_SHARDS {
            return Err(format!(
                "shards {shards}: 1, 2, 4, 8 and so on to {MOST_SHARDS} are possible"
            ));
        }
        if !batch.is_multiple_of(shards) {
            return Err(format!(
                "shards {shards}: a batch of {batch} cannot be cut in {shards} equal parts"
            ));
        }
        let below_one = |name: &str, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => Err(format!(
                "{name} {value}: a number from 0 to below 1 is needed"
            )),
        };
        below_one("label_smoothing", self.label_smoothing)?;
        below_one("ema", self.ema.unwrap_or(0.0))?;
        let decay = self.weight_decay.unwrap_or(0.0);
        if !(decay.is_finite() && decay >= 0.0) {
            return Err(format!(
                "weight_decay {decay}: a number from 0 on is needed"
            ));
        }
        if let Some(Clip::Value(limit) | Clip::Norm(limit) | Clip::GlobalNorm(limit)) = self.clip
            && !(limit.is_finite() && limit > 0.0)
        {
            return Err(format!("clipping to {limit}: a positive number is needed"));
        }
        if let Some(ClassWeights::Given(weights)) = &self.class_weights
            && let Some(wrong) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0))
        {
            return Err(format!(
                "class_weights {wrong}: numbers from 0 on are needed"
            ));
        }
        self.schedule.check()?;
        self.augment
            .as_ref()
            .map_or(Ok(()), |augment| augment.check())?;
        self.early_stopping
            .map_or(Ok(()), |stopping| stopping.check())?;
        self.reduce_on_plateau
            .map_or(Ok(()), |plateau| plateau.check())
    }

    /// What the average keeps of itself in step `t` (from 1): less in the first ones, which are far from each other.
    pub fn averaging(&self, t: u64) -> f32 {
        let keep = |decay: f64| decay.min((1.0 + t as f64) / (10.0 + t as f64));
        self.ema.map_or(0.0, |decay| (1.0 - keep(decay)) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn: `compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1])` of the classes that are
    /// there, with three classes: 4 / (3 * 3), 4 / (3 * 1).
    #[test]
    fn balanced_weights_make_classes_count_the_same() {
        let balanced = ClassWeights::Rule(Balance::Balanced);
        let weights = balanced.of(&[0, 0, 0, 1], 3).expect("weights");
        assert_eq!(weights, [4.0 / 9.0, 4.0 / 3.0, 0.0]);
        let given = ClassWeights::Given(vec![1.0, 2.0]);
        assert!(given.of(&[0, 1], 3).is_err());
    }

    #[test]
    fn what_is_usual_is_not_written_and_all_is_read_again() {
        let usual = serde_json::to_string(&Regime::default()).expect("JSON");
        assert_eq!(usual, "{}");
        let regime = Regime {
            shards: 4,
            weight_decay: Some(0.01),
            decay: Decayed::Kernels,
            clip: Some(Clip::GlobalNorm(1.0)),
            class_weights: Some(ClassWeights::Rule(Balance::Balanced)),
            ema: Some(0.999),
            early_stopping: Some(EarlyStopping::default()),
            reduce_on_plateau: Some(ReduceOnPlateau::default()),
            freeze: vec!["stem/*".into()],
            augment: Some(Augment {
                mirror: 0.5,
                mixup: 0.2,
                ..Augment::default()
            }),
            standardise: Some(Standardise::Set),
            ..Regime::default()
        };
        let text = serde_json::to_string(&regime).expect("JSON");
        let again: Regime = serde_json::from_str(&text).expect("its own text");
        assert_eq!(again, regime);
        assert_eq!(regime.check(64), Ok(()));
        assert!(regime.check(66).is_err());
    }
}
