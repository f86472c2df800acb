//! LocalResponseNormalization: each element divided by what the channels around it hold.
//!
//! Keras has no such layer; it is TensorFlow's `tf.nn.local_response_normalization` and ONNX's `LRN`:
//! y = x / (k + alpha / size sum(x^2))^beta, the sum over the `size` channels around x's own that there are. AlexNet
//! (Krizhevsky et al. 2012) has size 5, alpha 5e-4 (as here divided by size: 1e-4 a square), beta 0.75, k 2;
//! GoogLeNet as Caffe has it size 5, alpha 1e-4, beta 0.75, k 1, which are the defaults.

use super::{Arguments, Unreadable};
use crate::graph::{Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot, TensorId};
use crate::ops::local_response_norm::{Backward, Forward, LARGEST_SIZE, LocalResponseNorm};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to the same.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalResponseNormalization {
    /// Channels that each one sees, itself included.
    pub size: u32,
    pub alpha: f64,
    pub beta: f64,
    pub k: f64,
}

impl LocalResponseNormalization {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let size = arguments.count_or("size", 5)?;
        if size > LARGEST_SIZE {
            return Err(arguments.wrong(format!("`size` is {size}, the most is {LARGEST_SIZE}")));
        }
        Ok(Arc::new(LocalResponseNormalization {
            size,
            alpha: arguments.number("alpha", 1e-4, 0.0..=1e6)?,
            beta: arguments.number("beta", 0.75, 0.0..=16.0)?,
            k: arguments.number("k", 1.0, 1e-6..=1e6)?,
        }))
    }

    /// The block between `x` and `y` or its gradient.
    fn params(&self, emit: &mut dyn Emit, x: TensorId, y: TensorId) -> LocalResponseNorm {
        let (from, to) = (emit.view(x), emit.view(y));
        let [n, h, w, c] = emit.nhwc(x);
        let settings = [self.alpha, self.beta, self.k];
        LocalResponseNorm {
            x_channels: from.channels,
            x_first: from.first,
            y_channels: to.channels,
            y_first: to.first,
            ..LocalResponseNorm::new([n, c, h * w], self.size, settings)
        }
    }
}

impl Layer for LocalResponseNormalization {
    fn kind(&self) -> &'static str {
        "LocalResponseNormalization"
    }

    fn config(&self) -> Value {
        json!({
            "size": self.size,
            "alpha": self.alpha,
            "beta": self.beta,
            "k": self.k,
        })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [x] if x.0.len() == 4 => Ok(Outline::of((*x).clone())),
            _ => Err(Refusal::new("one image (n, h, w, c)", inputs)),
        }
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(
            &[Slot::In(0), Slot::GradOut(0)],
            &[Slot::GradIn(0)],
        )]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        Caps {
            ranged: pass == Pass::Forward,
            ..Caps::default()
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let x = node.inputs[0];
        if node.pass == Pass::Forward {
            let y = node.outputs[0];
            let params = self.params(emit, x, y);
            let places = [emit.view(x).place, emit.view(y).place];
            return emit.dispatch(&Forward, &params, &places);
        }
        let dy = node.inputs[1];
        let params = self.params(emit, x, dy);
        let places = [x, dy, node.outputs[0]].map(|id| emit.view(id).place);
        emit.dispatch(&Backward, &params, &places);
    }
}
