//! GlobalAveragePooling2D: the mean of each channel (Keras `GlobalAveragePooling2D`).

use super::{Arguments, Unreadable};
use crate::graph::{
    Caps, Emit, Gradient, Layer, Mask, Node, Outline, Pass, Refusal, Slot, TensorId,
};
use crate::ops::global_average_pool::{self, GlobalAveragePool};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, c).
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalAveragePooling2D;

impl GlobalAveragePooling2D {
    pub(super) fn parse(_: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(GlobalAveragePooling2D))
    }

    fn params(emit: &dyn Emit, x: TensorId, masked: bool) -> GlobalAveragePool {
        let [n, h, w, c] = emit.nhwc(x);
        GlobalAveragePool {
            n,
            c,
            pixels: h * w,
            masked: masked.into(),
        }
    }
}

impl Layer for GlobalAveragePooling2D {
    fn kind(&self) -> &'static str {
        "GlobalAveragePooling2D"
    }

    fn config(&self) -> Value {
        json!({})
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [Shape(x)] if x.len() == 4 => Ok(Outline::of(Shape::new([x[0], x[3]]))),
            _ => Err(Refusal::new("one image (n, h, w, c)", inputs)),
        }
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(0)])]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        Caps {
            mask: match pass {
                Pass::Backward(_) => Mask::Whole,
                _ => Mask::No,
            },
            ..Caps::default()
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        if node.pass == Pass::Forward {
            let params = Self::params(emit, node.inputs[0], false);
            let x = emit.whole(node.inputs[0]);
            let y = emit.view(node.outputs[0]).place;
            return emit.dispatch(&global_average_pool::Forward, &params, &[x, y]);
        }
        let dy = emit.whole(node.inputs[0]);
        let dx = emit.view(node.outputs[0]).place;
        let mask = emit.mask();
        let params = Self::params(emit, node.outputs[0], mask.is_some());
        let mask = mask.map_or(dy, |view| view.place);
        emit.dispatch(&global_average_pool::Backward, &params, &[dy, mask, dx]);
    }
}
