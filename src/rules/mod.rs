//! The optimisers. A rule is named slots beside each weight, scalars of a step that the host computes in f64,
//! and one formula in WGSL, which stands in the kernels that it names here.

mod adam;

pub use adam::Adam;

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
    /// The share of the last update that the next one keeps.
    pub momentum: f64,
    /// Look ahead by it.
    pub nesterov: bool,
}

type Make = fn(&Choices) -> Arc<dyn Rule>;

/// Every rule. Adding rule X is its file, its kernels' and a line here.
pub static RULES: &[(&str, Make)] = &[("adam", |_| Arc::new(Adam))];

/// The rule of that name.
pub fn find(name: &str, choices: &Choices) -> Option<Arc<dyn Rule>> {
    let (_, make) = RULES.iter().find(|(known, _)| *known == name)?;
    Some(make(choices))
}
