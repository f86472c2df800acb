//! Activation: a function of each element (Keras `Activation`, and the `activation` of other layers).

use super::{Arguments, Unreadable, planes};
use crate::graph::{Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot};
use crate::ops::relu;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// max(x, 0)
    Relu,
}

impl Function {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Relu => "relu",
        }
    }

    /// The function of that name.
    pub fn find(name: &str) -> Option<Function> {
        [Function::Relu].into_iter().find(|f| f.name() == name)
    }
}

/// y = f(x), element by element.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation(pub Function);

impl Activation {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let name = arguments.word("activation", "")?;
        match Function::find(&name) {
            Some(function) => Ok(Arc::new(Activation(function))),
            None => Err(arguments.wrong(format!("`activation` is \"{name}\", not \"relu\""))),
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

    /// ReLU is open where its output is positive.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        let Function::Relu = self.0;
        vec![Gradient::new(
            &[Slot::GradOut(0), Slot::Out(0)],
            &[Slot::GradIn(0)],
        )]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        let Function::Relu = self.0;
        Caps {
            ranged: pass == Pass::Forward,
            elementwise: true,
            is_relu: true,
            ..Caps::default()
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let Function::Relu = self.0;
        match node.pass {
            Pass::Forward => planes::map(&relu::Forward, emit, [node.inputs[0], node.outputs[0]]),
            _ => {
                let [dy, y] = [node.inputs[0], node.inputs[1]];
                planes::zip(&relu::Backward, emit, [dy, y, node.outputs[0]]);
            }
        }
    }
}
