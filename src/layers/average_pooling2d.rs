//! AveragePooling2D: the mean of each window, channel by channel (Keras `AveragePooling2D`).

use super::max_pooling2d::{pool_caps, pool_params, pooled, stopped};
use super::read::pool_config;
use super::{Arguments, Unreadable};
use crate::graph::{Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot, Window};
use crate::ops::average_pool2d;
use crate::tensor::Shape;
use serde_json::Value;
use std::sync::Arc;

/// (n, h, w, c) to (n, h', w', c). Cells of the padding do not count.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePooling2D(pub Window);

impl AveragePooling2D {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(AveragePooling2D(arguments.pool()?)))
    }
}

impl Layer for AveragePooling2D {
    fn kind(&self) -> &'static str {
        "AveragePooling2D"
    }

    fn config(&self) -> Value {
        pool_config(&self.0)
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        pooled(&self.0, inputs)
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(0)])]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        pool_caps(pass)
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [from, to] = [node.inputs[0], node.outputs[0]];
        let places = [emit.view(from).place, emit.view(to).place];
        if node.pass == Pass::Forward {
            let params = pool_params(&self.0, emit, from, to);
            return emit.dispatch(&average_pool2d::Forward, &params, &places);
        }
        let [dy, dx] = places;
        let params = pool_params(&self.0, emit, to, from);
        let (params, mask) = stopped(params, dy, emit);
        emit.dispatch(&average_pool2d::Backward, &params, &[dy, mask, dx]);
    }
}
