//! Dropout: in training, elements are set to zero at random (Keras `Dropout`). Elsewhere it is not there.

use super::Unreadable;
use super::read::Arguments;
use crate::graph::{Alias, Caps, Emit, Gradient, Layer, Mode, Node, Outline, Pass, Refusal, Slot};
use crate::ops::dropout;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// Zero at `rate`, else 1 / (1 - rate) times the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// In [0, 1).
    pub rate: f64,
}

impl Dropout {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let rate = arguments.rate()?;
        Ok(Arc::new(Dropout { rate }))
    }
}

impl Layer for Dropout {
    fn kind(&self) -> &'static str {
        "Dropout"
    }

    fn config(&self) -> Value {
        json!({ "rate": self.rate })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [x] => Ok(Outline::of((*x).clone())),
            _ => Err(Refusal::new("one tensor", inputs)),
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
        lower(self.rate, false, node, emit);
    }
}

/// The same elements are dropped of the gradient: no tensor is read for it.
pub(super) fn gradients() -> Vec<Gradient> {
    vec![Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(0)])]
}

pub(super) fn caps(rate: f64, pass: Pass) -> Caps {
    match rate {
        0.0 => Caps {
            alias: Alias::Renamed,
            ..Caps::default()
        },
        _ => Caps {
            ranged: pass == Pass::Forward,
            elementwise: true,
            ..Caps::default()
        },
    }
}

/// Both passes of a layer that drops elements, or whole channels.
pub(super) fn lower(rate: f64, whole_channels: bool, node: &Node, emit: &mut dyn Emit) {
    let [x, y] = [node.inputs[0], node.outputs[0]];
    if rate == 0.0 || emit.mode() != Mode::Train {
        let place = emit.whole(x);
        return emit.rename(y, place);
    }
    let [n, h, w, c] = emit.nhwc(x);
    let (from, to) = (emit.view(x), emit.view(y));
    let params = dropout::Dropout {
        x_channels: from.channels,
        x_first: from.first,
        y_channels: to.channels,
        y_first: to.first,
        whole_channels: whole_channels.into(),
        ..dropout::Dropout::new(n, c, h * w, rate, stream(&node.name))
    };
    emit.dispatch(&dropout::Apply, &params, &[from.place, to.place]);
}

/// The layer's own random numbers: another layer beside it changes nothing.
fn stream(name: &str) -> u32 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as u32
}
