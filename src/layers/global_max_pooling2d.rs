//! GlobalMaxPooling2D: the largest element of each channel (Keras `GlobalMaxPooling2D`).

use super::{Arguments, Unreadable};
use crate::graph::{Caps, Emit, Gradient, Layer, Mask, Node, Outline, Pass, Refusal, Slot};
use crate::ops::global_max_pool::{Backward, Forward, GlobalMaxPool};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, c). Who won is kept for the backward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalMaxPooling2D;

impl GlobalMaxPooling2D {
    pub(super) fn parse(_: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(GlobalMaxPooling2D))
    }
}

impl Layer for GlobalMaxPooling2D {
    fn kind(&self) -> &'static str {
        "GlobalMaxPooling2D"
    }

    fn config(&self) -> Value {
        json!({})
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let [Shape(x)] = inputs else {
            return Err(Refusal::new("one image (n, h, w, c)", inputs));
        };
        let &[n, _, _, c] = &x[..] else {
            return Err(Refusal::new("one image (n, h, w, c)", inputs));
        };
        let outputs = vec![Shape::new([n, c]); 2];
        let own = Vec::new();
        Ok(Outline { outputs, own })
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(
            &[Slot::GradOut(0), Slot::Out(1)],
            &[Slot::GradIn(0)],
        )]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        Caps {
            mask: match pass {
                Pass::Backward(_) => Mask::Range,
                _ => Mask::No,
            },
            ..Caps::default()
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [n, h, w, c] = emit.nhwc(node.layer_inputs[0]);
        let params = GlobalMaxPool::new([n, c, h * w]);
        if node.pass == Pass::Forward {
            let x = emit.view(node.inputs[0]);
            let params = GlobalMaxPool {
                x_channels: x.channels,
                x_first: x.first,
                ..params
            };
            let [y, winner] = [node.outputs[0], node.outputs[1]].map(|id| emit.view(id).place);
            return emit.dispatch(&Forward, &params, &[x.place, y, winner]);
        }
        let dy = emit.whole(node.inputs[0]);
        let winner = emit.view(node.inputs[1]).place;
        let dx = emit.view(node.outputs[0]).place;
        let mask = emit.mask();
        let params = mask.map_or(params, |mask| GlobalMaxPool {
            masked: 1,
            mask_channels: mask.channels,
            mask_first: mask.first,
            ..params
        });
        let mask = mask.map_or(dy, |view| view.place);
        emit.dispatch(&Backward, &params, &[dy, winner, mask, dx]);
    }
}
