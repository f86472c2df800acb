//! The loss: softmax cross-entropy of logits and class numbers (Keras `SparseCategoricalCrossentropy` with
//! `from_logits`), averaged over the valid rows of the batch. One kernel gives loss, accuracy and gradient.

use crate::graph::{Emit, Gradient, Layer, Node, Outline, Refusal};
use crate::ops::softmax_cross_entropy::{Loss, SoftmaxCrossEntropy};
use crate::tensor::Shape;
use serde_json::{Value, json};

/// logits (n, classes) -> the gradient of `weight` times the mean loss.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoricalCrossentropy {
    /// The head's share in the whole loss.
    pub weight: f32,
}

impl Layer for CategoricalCrossentropy {
    fn kind(&self) -> &'static str {
        "SparseCategoricalCrossentropy"
    }

    fn config(&self) -> Value {
        json!({ "from_logits": true, "weight": self.weight })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [logits] if logits.0.len() == 2 => Ok(Outline::of((*logits).clone())),
            _ => Err(Refusal::new("logits (n, classes)", inputs)),
        }
    }

    /// None: the loss is where gradients begin.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        Vec::new()
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [rows, _, _, classes] = emit.nhwc(node.inputs[0]);
        let params = Loss {
            weight: self.weight,
            ..Loss::of(rows, classes)
        };
        let logits = emit.whole(node.inputs[0]);
        let dlogits = emit.view(node.outputs[0]).place;
        let (labels, metrics) = (emit.labels(), emit.metrics(node.inputs[0]));
        emit.dispatch(
            &SoftmaxCrossEntropy,
            &params,
            &[logits, labels, logits, logits, metrics, dlogits],
        );
    }
}
