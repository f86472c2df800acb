//! The optimisers. A rule is named slots beside each weight, scalars of a step that the host computes in f64,
//! and one formula in WGSL, which stands in the kernels that it names here.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::ops::AnyOp;
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
}

/// What a user can choose of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choices {
    /// The share of the last update that the next one keeps; none where nobody chose.
    pub momentum: Option<f64>,
    /// Look ahead by it.
    pub nesterov: bool,
}

impl Choices {
    /// For rules without any.
    fn are_none(&self, rule: &'static str) -> Result<(), Error> {
        let refuse = |option| Err(Error::NotTaken { option, rule });
        match (self.momentum, self.nesterov) {
            (Some(_), _) => refuse("momentum"),
            (None, true) => refuse("nesterov"),
            (None, false) => Ok(()),
        }
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
    #[error("--momentum {0}: a number from 0 to below 1 is needed")]
    Momentum(f64),
    #[error("--nesterov looks ahead by the momentum")]
    #[diagnostic(help("give a --momentum above 0"))]
    Nesterov,
}

type Make = fn(&Choices) -> Result<Arc<dyn Rule>, Error>;

/// Every rule. Adding rule X is its file, its kernels' and a line here.
pub static RULES: &[(&str, Make)] = &[
    ("adam", |choices| made(Adam::new(choices))),
    ("sgd", |choices| made(Sgd::new(choices))),
];

fn made<R: Rule + 'static>(rule: Result<R, Error>) -> Result<Arc<dyn Rule>, Error> {
    Ok(Arc::new(rule?))
}

/// The names of all rules.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// The rule of that name.
///
/// # Errors
/// If there is none, or if it takes no such choices.
pub fn find(name: &str, choices: &Choices) -> Result<Arc<dyn Rule>, Error> {
    match RULES.iter().find(|(known, _)| *known == name) {
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
            Choices { momentum, nesterov },
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
