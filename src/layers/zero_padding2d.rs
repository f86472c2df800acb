//! ZeroPadding2D: rows and columns of zeros around an image (Keras `ZeroPadding2D`).

use super::{Arguments, Unreadable};
use crate::graph::{Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot, TensorId};
use crate::ops::pad2d::{self, Pad2d};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, above + h + below, left + w + right, c).
#[derive(Clone, Debug, PartialEq)]
pub struct ZeroPadding2D {
    /// ((above, below), (left, right))
    pub padding: [[u32; 2]; 2],
}

impl ZeroPadding2D {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let padding = arguments.border("padding")?;
        Ok(Arc::new(ZeroPadding2D { padding }))
    }

    /// The block between `x` and `y`, or their gradients.
    fn params(&self, emit: &mut dyn Emit, x: TensorId, y: TensorId) -> Pad2d {
        let (from, to) = (emit.view(x), emit.view(y));
        Pad2d {
            x_channels: from.channels,
            x_first: from.first,
            y_channels: to.channels,
            y_first: to.first,
            ..Pad2d::new(emit.nhwc(x), self.padding)
        }
    }
}

impl Layer for ZeroPadding2D {
    fn kind(&self) -> &'static str {
        "ZeroPadding2D"
    }

    fn config(&self) -> Value {
        json!({ "padding": self.padding })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let [Shape(x)] = inputs else {
            return Err(Refusal::new("one image", inputs));
        };
        let &[n, h, w, c] = &x[..] else {
            return Err(Refusal::new("an image (n, h, w, c)", inputs));
        };
        let [rows, columns] = self.padding.map(|[before, after]| before + after);
        Ok(Outline::of(Shape::new([n, h + rows, w + columns, c])))
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(0)])]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        Caps {
            ranged: pass == Pass::Forward,
            ..Caps::default()
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [from, to] = [node.inputs[0], node.outputs[0]];
        let places = [emit.view(from).place, emit.view(to).place];
        if node.pass == Pass::Forward {
            let params = self.params(emit, from, to);
            return emit.dispatch(&pad2d::Forward, &params, &places);
        }
        let params = self.params(emit, to, from);
        emit.dispatch(&pad2d::Backward, &params, &places);
    }
}
