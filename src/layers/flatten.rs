//! Flatten: an image as a row of features (Keras `Flatten`): a change of name, in both directions.

use super::{Arguments, Unreadable};
use crate::graph::{Alias, Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, h * w * c), in that order.
#[derive(Clone, Debug, PartialEq)]
pub struct Flatten;

impl Flatten {
    pub(super) fn parse(_: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(Flatten))
    }
}

impl Layer for Flatten {
    fn kind(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Value {
        json!({})
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [x] if x.0.len() > 1 => {
                Ok(Outline::of(Shape::new([x.0[0], x.0[1..].iter().product()])))
            }
            _ => Err(Refusal::new("one tensor", inputs)),
        }
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(0)])]
    }

    fn caps(&self, _: Pass, _: &[&Shape]) -> Caps {
        Caps {
            alias: Alias::Renamed,
            ..Caps::default()
        }
    }

    /// Of a range of channels, which lies not in one piece, a copy.
    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let place = emit.whole(node.inputs[0]);
        emit.rename(node.outputs[0], place);
    }
}
