//! The optimisers. A rule is named slots beside each weight, scalars of a step that the host computes in f64,
//! and one formula in WGSL, which stands in the kernels that it names here.

mod adam;
mod rmsprop;
mod sgd;

pub use adam::Adam;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use crate::ops::AnyOp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// An optimiser: one file here, one formula under `shaders/`, one line in [`RULES`].
pub trait Rule: fmt::Debug + Send + Sync {
    /// Keras's name, in small letters.
    fn name(&self) -> &'static str;

    /// What it keeps for each weight, by the names that files give it. All begin at zero.
    fn slots(&self) -> &'static [&'static str];

    /// The scalars of step `t` (from 1) at that rate: [`crate::ops::Step`] brings them to the formula.
    fn scalars(&self, learning_rate: f64, t: u64) -> [f32; 4];

    /// The kernel that updates a block of weights: it binds gradient, metrics, weights, then the slots.
    fn update(&self) -> &'static dyn AnyOp;

    /// The kernel that computes a dense layer's weight gradient and spends it at once, if there is one: it
    /// binds x, dy, metrics, weights, then the slots.
    fn in_weight_gradient(&self) -> Option<&'static dyn AnyOp> {
        None
    }

    /// The share of a weight that decays, times the learning rate, where nobody chose one (Keras `weight_decay`).
    fn usual_decay(&self) -> f64 {
        0.0
    }
}

/// What a user can choose of a rule, by Keras's names; none where nobody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// The share of the last update that the next one keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Look ahead by it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nesterov: bool,
    /// The share of the mean of the squares that RMSprop keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho: Option<f64>,
    /// The shares of both moments that Adam keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_2: Option<f64>,
    /// What keeps divisors from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
}

impl Choices {
    /// Refuses what the rule does not take.
    fn are_only(&self, rule: &'static str, taken: &[&str]) -> Result<(), Error> {
        let made = [
            ("momentum", self.momentum.is_some()),
            ("nesterov", self.nesterov),
            ("rho", self.rho.is_some()),
            ("beta_1", self.beta_1.is_some()),
            ("beta_2", self.beta_2.is_some()),
            ("epsilon", self.epsilon.is_some()),
        ];
        let other = made
            .iter()
            .find(|(option, made)| *made && !taken.contains(option));
        match other {
            Some(&(option, _)) => Err(Error::NotTaken { option, rule }),
            None => Ok(()),
        }
    }
}

/// A share from 0 to below 1, also as the f32 that kernels get.
fn share(option: &'static str, chosen: Option<f64>, usual: f64) -> Result<f64, Error> {
    let value = chosen.unwrap_or(usual);
    match value >= 0.0 && (value as f32) < 1.0 {
        true => Ok(value),
        false => Err(Error::Share { option, value }),
    }
}

/// The chosen epsilon, a positive number.
fn epsilon(choices: &Choices, usual: f64) -> Result<f64, Error> {
    let value = choices.epsilon.unwrap_or(usual);
    match value as f32 >= f32::MIN_POSITIVE && value <= 1.0 {
        true => Ok(value),
        false => Err(Error::Epsilon(value)),
    }
}

/// Why there is no such rule.
#[derive(Clone, Debug, PartialEq, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("no optimizer `{found}`; there are: {known}")]
    Unknown { found: String, known: String },
    #[error("--{option} is nothing that {rule} takes")]
    #[diagnostic(help("leave it out, or give another --optimizer"))]
    NotTaken {
        option: &'static str,
        rule: &'static str,
    },
    #[error("--{option} {value}: a number from 0 to below 1 is needed")]
    Share { option: &'static str, value: f64 },
    #[error("--epsilon {0}: a number above 0 and at most 1 is needed")]
    Epsilon(f64),
    #[error("--nesterov looks ahead by the momentum")]
    #[diagnostic(help("give a --momentum above 0"))]
    Nesterov,
}

type Make = fn(&Choices) -> Result<Arc<dyn Rule>, Error>;

/// Every rule. Adding rule X is its file, its kernels' and a line here.
pub static RULES: &[(&str, Make)] = &[
    ("adam", |choices| made(Adam::new(choices))),
    ("adamw", |choices| made(Adam::decoupled(choices))),
    ("rmsprop", |choices| made(RmsProp::new(choices))),
    ("sgd", |choices| made(Sgd::new(choices))),
];

fn made<R: Rule + 'static>(rule: Result<R, Error>) -> Result<Arc<dyn Rule>, Error> {
    Ok(Arc::new(rule?))
}

/// The names of all rules.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// The rule of that name, in any case.
///
/// # Errors
/// If there is none, or if it takes no such choices.
pub fn find(name: &str, choices: &Choices) -> Result<Arc<dyn Rule>, Error> {
    match RULES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        Some((_, make)) => make(choices),
        None => Err(Error::Unknown {
            found: name.into(),
            known: names().collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the trait says of names and bindings, of each rule and with whatever it takes.
    #[test]
    fn each_rule_binds_its_slots_behind_gradient_metrics_and_weights() {
        let momentum = Some(0.9);
        let nesterov = true;
        let all = [
            Choices::default(),
            Choices {
                momentum,
                ..Choices::default()
            },
            Choices {
                momentum,
                nesterov,
                ..Choices::default()
            },
        ];
        for name in names() {
            let rules = all.iter().filter_map(|choices| find(name, choices).ok());
            let rules: Vec<_> = rules.collect();
            assert!(!rules.is_empty(), "{name}");
            for rule in rules {
                assert_eq!(rule.name(), name);
                let bindings = |op: &dyn AnyOp| op.bindings().iter().map(|b| b.name).collect();
                let slots = rule.slots();
                let update: Vec<&str> = bindings(rule.update());
                assert_eq!(update, [&["g", "metrics", "w"], slots].concat());
                if let Some(op) = rule.in_weight_gradient() {
                    let fused: Vec<&str> = bindings(op);
                    assert_eq!(fused, [&["x", "dy", "metrics", "w"], slots].concat());
                }
            }
        }
    }
}
