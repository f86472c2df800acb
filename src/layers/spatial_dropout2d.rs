//! SpatialDropout2D: in training, whole channels of an image are set to zero at random (Keras `SpatialDropout2D`).
//! Elsewhere it is not there.

use super::dropout::{caps, gradients, lower};
use super::{Arguments, Unreadable};
use crate::graph::{Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c): zero for a channel at `rate`, else 1 / (1 - rate) times the input.
#[derive(Clone, Debug, PartialEq)]
pub struct SpatialDropout2D {
    /// In [0, 1).
    pub rate: f64,
}

impl SpatialDropout2D {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let rate = arguments.rate()?;
        Ok(Arc::new(SpatialDropout2D { rate }))
    }
}

impl Layer for SpatialDropout2D {
    fn kind(&self) -> &'static str {
        "SpatialDropout2D"
    }

    fn config(&self) -> Value {
        json!({ "rate": self.rate })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [x] if x.0.len() == 4 => Ok(Outline::of((*x).clone())),
            _ => Err(Refusal::new("one image (n, h, w, c)", inputs)),
        }
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        gradients()
    }

    fn only_in_training(&self) -> bool {
        true
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        caps(self.rate, pass)
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        lower(self.rate, true, node, emit);
    }
}
