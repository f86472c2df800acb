//! Adam (Kingma and Ba 2015) with Keras 3's defaults.

use super::{Choices, Error, Rule};
use crate::ops::{AnyOp, adam, matmul};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adam;

impl Adam {
    /// # Errors
    /// If anything was chosen: there is nothing to choose.
    pub fn new(choices: &Choices) -> Result<Adam, Error> {
        choices.are_none("adam").map(|()| Adam)
    }
}

impl Rule for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["moment1", "moment2"]
    }

    fn scalars(&self, learning_rate: f64, t: u64) -> [f32; 4] {
        adam::scalars(learning_rate, t)
    }

    fn update(&self) -> &'static dyn AnyOp {
        &adam::Adam
    }

    fn in_weight_gradient(&self) -> Option<&'static dyn AnyOp> {
        Some(&matmul::BackwardWeightAdam)
    }
}
