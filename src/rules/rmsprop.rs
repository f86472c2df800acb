//! RMSprop (Hinton 2012) with Keras 3's defaults, plain or with momentum.

use super::{Choices, Error, Rule, share};
use crate::ops::{AnyOp, rmsprop};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    rho: f64,
    momentum: f64,
    epsilon: f64,
}

impl RmsProp {
    /// # Errors
    /// If a choice is none of its own, or no share from 0 to below 1.
    pub fn new(choices: &Choices) -> Result<RmsProp, Error> {
        choices.are_only("rmsprop", &["rho", "momentum", "epsilon"])?;
        Ok(RmsProp {
            rho: share("rho", choices.rho, 0.9)?,
            momentum: share("momentum", choices.momentum, 0.0)?,
            epsilon: super::epsilon(choices, 1e-7)?,
        })
    }
}

impl Rule for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn slots(&self) -> &'static [&'static str] {
        match self.momentum {
            0.0 => &["velocity"],
            _ => &["velocity", "momentum"],
        }
    }

    fn scalars(&self, learning_rate: f64, _: u64) -> [f32; 4] {
        rmsprop::scalars(learning_rate, self.rho, self.momentum, self.epsilon)
    }

    fn update(&self) -> &'static dyn AnyOp {
        match self.momentum {
            0.0 => &rmsprop::RmsProp,
            _ => &rmsprop::RmsPropMomentum,
        }
    }
}
