//! Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019) with Keras 3's defaults. They differ in the
//! decay that is usual, which is no part of the formula.

use super::{Choices, Error, Rule, share};
use crate::ops::{AnyOp, adam, matmul};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    name: &'static str,
    weight_decay: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam {
            name: "adam",
            weight_decay: 0.0,
            beta_1: adam::BETA1,
            beta_2: adam::BETA2,
            epsilon: adam::EPSILON_HAT,
        }
    }
}

impl Adam {
    /// # Errors
    /// If a choice is none of its own, or no share from 0 to below 1.
    pub fn new(choices: &Choices) -> Result<Adam, Error> {
        Adam::default().with(choices)
    }

    /// With AdamW's decay where none is chosen.
    ///
    /// # Errors
    /// Those of [`Adam::new`].
    pub fn decoupled(choices: &Choices) -> Result<Adam, Error> {
        let usual = Adam {
            name: "adamw",
            weight_decay: 0.004,
            ..Adam::default()
        };
        usual.with(choices)
    }

    fn with(self, choices: &Choices) -> Result<Adam, Error> {
        choices.are_only(self.name, &["beta_1", "beta_2", "epsilon"])?;
        Ok(Adam {
            beta_1: share("beta_1", choices.beta_1, self.beta_1)?,
            beta_2: share("beta_2", choices.beta_2, self.beta_2)?,
            epsilon: super::epsilon(choices, self.epsilon)?,
            ..self
        })
    }
}

impl Rule for Adam {
    fn name(&self) -> &'static str {
        self.name
    }

    fn slots(&self) -> &'static [&'static str] {
        &["moment1", "moment2"]
    }

    fn scalars(&self, learning_rate: f64, t: u64) -> [f32; 4] {
        adam::scalars_with([self.beta_1, self.beta_2, self.epsilon], learning_rate, t)
    }

    fn update(&self) -> &'static dyn AnyOp {
        &adam::Adam
    }

    fn in_weight_gradient(&self) -> Option<&'static dyn AnyOp> {
        Some(&matmul::BackwardWeightAdam)
    }

    fn usual_decay(&self) -> f64 {
        self.weight_decay
    }
}
