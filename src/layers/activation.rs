//! Activation: a function of each element (Keras `Activation`, and the `activation` of other layers).

use super::{Arguments, Unreadable, planes};
use crate::graph::{Alias, Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot};
use crate::ops::activation::{self, Curve};
use crate::ops::relu;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which function, with Keras 3's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// max(x, 0)
    Relu,
    /// x
    Linear,
    Curve(Curve),
}

/// Keras's names; `swish` is another name of `silu`.
const NAMES: &[(&str, Function)] = &[
    ("relu", Function::Relu),
    ("relu6", Function::Curve(Curve::Relu6)),
    ("leaky_relu", Function::Curve(Curve::LeakyRelu)),
    ("elu", Function::Curve(Curve::Elu)),
    ("sigmoid", Function::Curve(Curve::Sigmoid)),
    ("tanh", Function::Curve(Curve::Tanh)),
    ("silu", Function::Curve(Curve::Silu)),
    ("swish", Function::Curve(Curve::Silu)),
    ("gelu", Function::Curve(Curve::Gelu)),
    ("linear", Function::Linear),
];

impl Function {
    /// What a network may end in. It is no layer: every head has it, together with the loss or as probabilities.
    pub const SOFTMAX: &'static str = "softmax";

    /// Keras's name.
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(_, function)| *function == self);
        found.expect("each has a name").0
    }

    /// The function of that name.
    pub fn find(name: &str) -> Option<Function> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, function)| *function)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// The function of that name, or why there is none.
    pub fn read(name: &str) -> Result<Function, String> {
        match Function::find(name) {
            Some(function) => Ok(function),
            None if name == Function::SOFTMAX => Err(
                "`activation` is \"softmax\", which only the last layer of a network has".into(),
            ),
            None => {
                let known: Vec<&str> = Function::names().collect();
                let known = known.join(", ");
                Err(format!("`activation` is \"{name}\"; there are {known}"))
            }
        }
    }
}

/// y = f(x), element by element.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation(pub Function);

impl Activation {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let name = arguments.word("activation", "")?;
        match Function::read(&name) {
            Ok(function) => Ok(Arc::new(Activation(function))),
            Err(what) => Err(arguments.wrong(what)),
        }
    }
}

impl Layer for Activation {
    fn kind(&self) -> &'static str {
        "Activation"
    }

    fn config(&self) -> Value {
        json!({ "activation": self.0.name() })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [x] => Ok(Outline::of((*x).clone())),
            _ => Err(Refusal::new("one tensor", inputs)),
        }
    }

    /// ReLU is open where its output is positive; of the others some need their input.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        let makes = [Slot::GradIn(0)];
        vec![match self.0 {
            Function::Linear => Gradient::new(&[Slot::GradOut(0)], &makes),
            Function::Curve(curve) if !curve.by_output() => {
                Gradient::new(&[Slot::GradOut(0), Slot::In(0)], &makes)
            }
            Function::Relu | Function::Curve(_) => {
                Gradient::new(&[Slot::GradOut(0), Slot::Out(0)], &makes)
            }
        }]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        match self.0 {
            Function::Linear => Caps {
                alias: Alias::Renamed,
                ..Caps::default()
            },
            function => Caps {
                ranged: pass == Pass::Forward,
                elementwise: true,
                by_channel: pass == Pass::Forward,
                is_relu: function == Function::Relu,
                ..Caps::default()
            },
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let (x, y) = (node.inputs[0], node.outputs[0]);
        match (node.pass, self.0) {
            // Of a range of channels, which lies not in one piece, a copy.
            (_, Function::Linear) => {
                let place = emit.whole(x);
                emit.rename(y, place);
            }
            (Pass::Forward, Function::Relu) => planes::map(&relu::Forward, emit, [x, y]),
            (Pass::Forward, Function::Curve(curve)) => {
                let (from, to) = (emit.view(x), emit.view(y));
                let params = activation::Activation::new(curve, planes::between(emit, y, from, to));
                emit.dispatch(&activation::Forward, &params, &[from.place, to.place]);
            }
            (_, Function::Relu) => {
                let kept = node.inputs[1];
                planes::zip(&relu::Backward, emit, [x, kept, y]);
            }
            (_, Function::Curve(curve)) => {
                let (params, places) = planes::both(emit, [x, node.inputs[1], y]);
                let params = activation::Activation::new(curve, params);
                emit.dispatch(&activation::Backward, &params, &places);
            }
        }
    }
}
