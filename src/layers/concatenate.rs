//! Concatenate: images of one height and width side by side along their channels (Keras `Concatenate`).
//!
//! Where its branches can write into their range of channels it needs no kernel, and the gradient of a branch
//! is a range of the output's.

use super::{Arguments, Unreadable, planes};
use crate::graph::{
    Alias, Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot, TensorId, View,
};
use crate::ops::concat;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c1), (n, h, w, c2), ... to (n, h, w, c1 + c2 + ...).
#[derive(Clone, Debug, PartialEq)]
pub struct Concatenate;

/// The first channel of input `i` in the output.
fn first(inputs: &[&Shape], i: usize) -> u32 {
    inputs[..i].iter().map(|shape| shape.nhwc()[3]).sum()
}

impl Concatenate {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        arguments.axis()?;
        Ok(Arc::new(Concatenate))
    }

    fn backward(node: &Node, branch: usize, emit: &mut dyn Emit) {
        let inputs = node.layer_inputs.iter().map(|&id| emit.graph().shape(id));
        let ahead = first(&inputs.collect::<Vec<_>>(), branch);
        part(node.inputs[0], ahead, node.outputs[0], emit);
    }
}

/// Copies each input of a node to its channels of the output.
pub(super) fn gather(node: &Node, emit: &mut dyn Emit) {
    let mut to = emit.view(node.outputs[0]);
    for &branch in &node.inputs {
        let from = emit.view(branch);
        let params = planes::between(emit, branch, from, to);
        emit.dispatch(&concat::Forward, &params, &[from.place, to.place]);
        to.first += params.c;
    }
}

/// Copies what `to` has of the channels of `from`, its first being the one `ahead`.
pub(super) fn part(from: TensorId, ahead: u32, to: TensorId, emit: &mut dyn Emit) {
    let (whole, part) = (emit.view(from), emit.view(to));
    let from = View {
        first: whole.first + ahead,
        ..whole
    };
    let params = planes::between(emit, to, from, part);
    emit.dispatch(&concat::Backward, &params, &[from.place, part.place]);
}

impl Layer for Concatenate {
    fn kind(&self) -> &'static str {
        "Concatenate"
    }

    fn config(&self) -> Value {
        json!({ "axis": -1 })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let pixels =
            |shape: &Shape| (shape.0.len() > 1).then(|| shape.0[..shape.0.len() - 1].to_vec());
        let head = inputs.first().and_then(|x| pixels(x));
        let (Some(mut output), true) = (head.clone(), inputs.iter().all(|x| pixels(x) == head))
        else {
            return Err(Refusal::new(
                "tensors that differ in channels alone",
                inputs,
            ));
        };
        output.push(first(inputs, inputs.len()));
        Ok(Outline::of(Shape(output)))
    }

    fn gradients(&self, inputs: usize) -> Vec<Gradient> {
        let one = |i| Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(i)]);
        (0..inputs).map(one).collect()
    }

    fn caps(&self, pass: Pass, inputs: &[&Shape]) -> Caps {
        match pass {
            Pass::Backward(i) => Caps {
                alias: Alias::Part {
                    first: first(inputs, i),
                },
                ..Caps::default()
            },
            _ => Caps {
                ranged: true,
                alias: Alias::Joined,
                ..Caps::default()
            },
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        match node.pass {
            Pass::Backward(i) => Concatenate::backward(node, i, emit),
            _ => gather(node, emit),
        }
    }
}
