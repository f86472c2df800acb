//! The learning rate of each step: a schedule over the run's epochs, behind a linear warm-up.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::f64::consts::PI;

/// How the rate goes from step to step, as a share of the run's learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Schedule {
    #[serde(flatten)]
    pub shape: Shape,
    /// Epochs over which the rate rises from nothing, in equal steps; they count among the run's.
    pub warmup_epochs: f64,
}

/// Names of the shapes, by Keras's class names too, without underscores and in small letters.
const NAMES: &[(&str, &[&str])] = &[
    ("constant", &["constant"]),
    ("step", &["step", "stepdecay"]),
    ("cosine", &["cosine", "cosinedecay"]),
    ("polynomial", &["polynomial", "polynomialdecay"]),
    ("exponential", &["exponential", "exponentialdecay"]),
    ("one_cycle", &["onecycle", "onecyclelr"]),
];

/// The name of a shape that is meant.
pub fn name_of(text: &str) -> Option<&'static str> {
    let plain = text.to_lowercase().replace(['_', '-'], "");
    let found = NAMES.iter().find(|(_, names)| names.contains(&&*plain));
    found.map(|(name, _)| *name)
}

/// All of them.
pub fn names() -> String {
    NAMES
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}

impl TryFrom<Map<String, Value>> for Schedule {
    type Error = String;

    fn try_from(mut map: Map<String, Value>) -> Result<Schedule, String> {
        let warmup_epochs = match map.remove("warmup_epochs") {
            None => 0.0,
            Some(value) => value
                .as_f64()
                .ok_or_else(|| format!("warmup_epochs is {value}, a number is needed"))?,
        };
        let given = match map.get("type") {
            None => "constant",
            Some(Value::String(name)) => name,
            Some(other) => return Err(format!("type is {other}, a name is needed")),
        };
        let unknown = || format!("no schedule `{given}`; there are: {}", names());
        let name = name_of(given).ok_or_else(unknown)?;
        map.insert("type".into(), name.into());
        let shape = serde_json::from_value(Value::Object(map)).map_err(|why| why.to_string())?;
        Ok(Schedule {
            shape,
            warmup_epochs,
        })
    }
}

/// What comes behind the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    // With braces, for serde lets a unit have any fields.
    Constant {},
    /// Times `factor` each so many epochs.
    Step {
        #[serde(default = "tenth")]
        factor: f64,
        every_epochs: f64,
    },
    /// Half a cosine to `alpha` at the end of the run (Loshchilov and Hutter 2017, Keras `CosineDecay`).
    Cosine {
        #[serde(default)]
        alpha: f64,
    },
    /// (1 - share of the way)^power between the rate and `end_learning_rate` (Keras `PolynomialDecay`).
    Polynomial {
        #[serde(default = "one")]
        power: f64,
        #[serde(default = "ten_thousandth")]
        end_learning_rate: f64,
    },
    /// Times `decay_rate` each `decay_epochs`, smoothly or (`staircase`) in steps (Keras `ExponentialDecay`).
    Exponential {
        decay_rate: f64,
        #[serde(default = "one")]
        decay_epochs: f64,
        #[serde(default)]
        staircase: bool,
    },
    /// Up from rate / `div_factor` over the first `pct_start` of the steps and down to that / `final_div_factor`
    /// by half cosines (Smith 2018, with the defaults of PyTorch's `OneCycleLR`); the rate is the highest.
    OneCycle {
        #[serde(default = "three_tenths")]
        pct_start: f64,
        #[serde(default = "twenty_five")]
        div_factor: f64,
        #[serde(default = "ten_thousand")]
        final_div_factor: f64,
    },
}

impl Default for Shape {
    fn default() -> Shape {
        Shape::Constant {}
    }
}

fn tenth() -> f64 {
    0.1
}
fn one() -> f64 {
    1.0
}
fn ten_thousandth() -> f64 {
    1e-4
}
fn three_tenths() -> f64 {
    0.3
}
fn twenty_five() -> f64 {
    25.0
}
fn ten_thousand() -> f64 {
    1e4
}

/// Where a step lies in its run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// From 0.
    pub step: u64,
    pub steps_per_epoch: u32,
    /// Of the whole run.
    pub epochs: u32,
}

impl Schedule {
    /// The rate of a step, of a run whose learning rate is `rate`.
    pub fn rate(&self, rate: f64, at: Position) -> f64 {
        let per_epoch = at.steps_per_epoch as f64;
        let warmup = (self.warmup_epochs * per_epoch).round();
        let step = at.step as f64;
        if step < warmup {
            return rate * (step + 1.0) / warmup;
        }
        let step = step - warmup;
        let total = (at.epochs as f64 * per_epoch - warmup).max(1.0);
        let way = (step / total).min(1.0);
        let epochs = step / per_epoch;
        match self.shape {
            Shape::Constant {} => rate,
            Shape::Step {
                factor,
                every_epochs,
            } => rate * factor.powf((epochs / every_epochs).floor()),
            Shape::Cosine { alpha } => rate * (alpha + (1.0 - alpha) * falling(way)),
            Shape::Polynomial {
                power,
                end_learning_rate: end,
            } => (rate - end) * (1.0 - way).powf(power) + end,
            Shape::Exponential {
                decay_rate,
                decay_epochs,
                staircase,
            } => {
                let times = epochs / decay_epochs;
                rate * decay_rate.powf(if staircase { times.floor() } else { times })
            }
            Shape::OneCycle {
                pct_start,
                div_factor,
                final_div_factor,
            } => {
                let first = rate / div_factor;
                let last = first / final_div_factor;
                match way < pct_start {
                    true => rate + (first - rate) * falling(way / pct_start),
                    false => {
                        let way = (way - pct_start) / (1.0 - pct_start);
                        last + (rate - last) * falling(way)
                    }
                }
            }
        }
    }

    pub(super) fn is_constant(&self) -> bool {
        *self == Schedule::default()
    }

    /// Is it one that a run can have?
    ///
    /// # Errors
    /// What it has and what is needed.
    pub fn check(&self) -> Result<(), String> {
        let number = |name: &str, value: f64, fine: bool, needed: &str| match fine {
            true => Ok(()),
            false => Err(format!("{name} {value}: {needed} is needed")),
        };
        let positive = |name, value: f64| {
            let fine = value.is_finite() && value > 0.0;
            number(name, value, fine, "a positive number")
        };
        let share = |name, value: f64| {
            let fine = (0.0..=1.0).contains(&value);
            number(name, value, fine, "a number from 0 to 1")
        };
        let warmup = self.warmup_epochs;
        let fine = warmup.is_finite() && warmup >= 0.0;
        number("warmup_epochs", warmup, fine, "a number from 0 on")?;
        match self.shape {
            Shape::Constant {} => Ok(()),
            Shape::Step {
                factor,
                every_epochs,
            } => positive("every_epochs", every_epochs).and(share("factor", factor)),
            Shape::Cosine { alpha } => share("alpha", alpha),
            Shape::Polynomial {
                power,
                end_learning_rate: end,
            } => {
                let fine = end.is_finite() && end >= 0.0;
                number("end_learning_rate", end, fine, "a number from 0 on")
                    .and(positive("power", power))
            }
            Shape::Exponential {
                decay_rate,
                decay_epochs,
                ..
            } => share("decay_rate", decay_rate).and(positive("decay_epochs", decay_epochs)),
            Shape::OneCycle {
                pct_start,
                div_factor,
                final_div_factor,
            } => {
                let fine = pct_start > 0.0 && pct_start < 1.0;
                number("pct_start", pct_start, fine, "a number between 0 and 1")
                    .and(positive("div_factor", div_factor))
                    .and(positive("final_div_factor", final_div_factor))
            }
        }
    }
}

/// From 1 to 0 along half a cosine.
fn falling(way: f64) -> f64 {
    0.5 * (1.0 + (PI * way).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, epochs: u32) -> Vec<f64> {
        let at = |step| Position {
            step,
            steps_per_epoch: 10,
            epochs,
        };
        (0..10 * epochs as u64)
            .map(|step| schedule.rate(2.0, at(step)))
            .collect()
    }

    fn plain(shape: Shape) -> Schedule {
        Schedule {
            shape,
            warmup_epochs: 0.0,
        }
    }

    #[test]
    fn every_schedule_warms_up_in_equal_steps() {
        let shape = Shape::Cosine { alpha: 0.0 };
        let warmup_epochs = 2.0;
        let rates = rates(
            Schedule {
                shape,
                warmup_epochs,
            },
            6,
        );
        for (step, rate) in rates.iter().take(20).enumerate() {
            assert!(
                (rate - 2.0 * (step + 1) as f64 / 20.0).abs() < 1e-12,
                "{step}: {rate}"
            );
        }
        // Behind it the cosine begins at the whole rate and is half way in the middle.
        assert_eq!(rates[20], 2.0);
        assert!((rates[40] - 1.0).abs() < 1e-12);
        assert!(rates[59] < 0.01);
    }

    /// Keras 3.15: `CosineDecay(2.0, 40, alpha=0.1)`, `PolynomialDecay(2.0, 40, 0.5, power=2)`,
    /// `ExponentialDecay(2.0, 20, 0.5)` at step 13, by their formulas.
    #[test]
    fn schedules_follow_their_formulas() {
        let at = 13.0f64;
        let cosine = 2.0 * (0.9 * 0.5 * (1.0 + (PI * at / 40.0).cos()) + 0.1);
        let polynomial = 1.5 * (1.0 - at / 40.0).powi(2) + 0.5;
        let exponential = 2.0 * 0.5f64.powf(at / 20.0);
        let cases = [
            (Shape::Constant {}, 2.0),
            (Shape::Cosine { alpha: 0.1 }, cosine),
            (
                Shape::Polynomial {
                    power: 2.0,
                    end_learning_rate: 0.5,
                },
                polynomial,
            ),
            (
                Shape::Exponential {
                    decay_rate: 0.5,
                    decay_epochs: 2.0,
                    staircase: false,
                },
                exponential,
            ),
            (
                Shape::Exponential {
                    decay_rate: 0.5,
                    decay_epochs: 1.0,
                    staircase: true,
                },
                1.0,
            ),
            (
                Shape::Step {
                    factor: 0.1,
                    every_epochs: 0.5,
                },
                0.02,
            ),
        ];
        for (shape, expected) in cases {
            let found = rates(plain(shape), 4)[13];
            assert!(
                (found - expected).abs() < 1e-12,
                "{shape:?}: {found}, {expected}"
            );
        }
    }

    #[test]
    fn one_cycle_rises_and_falls() {
        let shape = Shape::OneCycle {
            pct_start: 0.25,
            div_factor: 10.0,
            final_div_factor: 100.0,
        };
        let rates = rates(plain(shape), 4);
        assert!((rates[0] - 0.2).abs() < 1e-12);
        assert_eq!(rates[10], 2.0);
        assert!(rates[..10].is_sorted() && rates[10..].iter().rev().is_sorted());
        assert!(rates[39] < 0.01);
    }

    #[test]
    fn schedules_are_read_by_any_of_their_names_and_strictly() {
        let read = |text| serde_json::from_str::<Schedule>(text);
        let cosine = read(r#"{"type": "CosineDecay", "warmup_epochs": 2}"#).expect("a schedule");
        let shape = Shape::Cosine { alpha: 0.0 };
        let warmup_epochs = 2.0;
        assert_eq!(
            cosine,
            Schedule {
                shape,
                warmup_epochs
            }
        );
        let text = serde_json::to_string(&cosine).expect("JSON");
        assert_eq!(read(&text).expect("its own text"), cosine);
        assert_eq!(read("{}").expect("a schedule"), Schedule::default());
        for wrong in [
            r#"{"type": "cosine", "alhpa": 0.1}"#,
            r#"{"type": "constant", "alpha": 0.1}"#,
            r#"{"type": "sine"}"#,
            r#"{"type": "step"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_no_schedule_can_have_is_refused() {
        let wrong = [
            plain(Shape::Cosine { alpha: 1.5 }),
            plain(Shape::Step {
                factor: 0.1,
                every_epochs: 0.0,
            }),
            plain(Shape::OneCycle {
                pct_start: 1.0,
                div_factor: 25.0,
                final_div_factor: 1e4,
            }),
            Schedule {
                warmup_epochs: f64::NAN,
                ..Schedule::default()
            },
        ];
        for schedule in wrong {
            assert!(schedule.check().is_err(), "{schedule:?}");
        }
        assert_eq!(Schedule::default().check(), Ok(()));
    }
}
