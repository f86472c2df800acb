//! Stochastic gradient descent, plain, with momentum (Polyak 1964) or with Nesterov's (Sutskever 2013), as in Keras 3.

use super::{Choices, Error, Rule, share};
use crate::ops::{AnyOp, sgd};

/// Without momentum it keeps nothing beside the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// # Errors
    /// If the momentum is not from 0 to below 1, or if Nesterov's has none.
    pub fn new(choices: &Choices) -> Result<Sgd, Error> {
        choices.are_only("sgd", &["momentum", "nesterov"])?;
        let momentum = share("momentum", choices.momentum, 0.0)?;
        let nesterov = choices.nesterov;
        if nesterov && momentum == 0.0 {
            return Err(Error::Nesterov);
        }
        Ok(Sgd { momentum, nesterov })
    }
}

impl Rule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn slots(&self) -> &'static [&'static str] {
        match self.momentum {
            0.0 => &[],
            _ => &["momentum"],
        }
    }

    fn scalars(&self, learning_rate: f64, _: u64) -> [f32; 4] {
        sgd::scalars(learning_rate, self.momentum, self.nesterov)
    }

    fn update(&self) -> &'static dyn AnyOp {
        match self.momentum {
            0.0 => &sgd::Sgd,
            _ => &sgd::SgdMomentum,
        }
    }
}
