//! Add: the sum of tensors of one shape (Keras `Add`). Reverse mode uses it too, where a tensor feeds several
//! layers: the tensor's gradient is the sum of theirs.

use super::{Arguments, Unreadable, planes};
use crate::graph::{Alias, Caps, Emit, Gradient, Kind, Layer, Node, Outline, Pass, Refusal, Slot};
use crate::ops::add;
use crate::ops::relu::Planes;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// y = a + b + ..., summed from the left.
#[derive(Clone, Debug, PartialEq)]
pub struct Add;

impl Add {
    pub(super) fn parse(_: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(Add))
    }

    /// The sum of two gradients of a held tensor, in the order in which that lies in memory.
    fn flat(node: &Node, emit: &mut dyn Emit) {
        let [a, b, y] = [node.inputs[0], node.inputs[1], node.outputs[0]].map(|gradient| {
            emit.gradient(gradient)
                .expect("a shared tensor's is stored")
        });
        let params = Planes::whole(1, 1, y.1 as u32);
        emit.dispatch(&add::Add, &params, &[a.0, b.0, y.0]);
    }
}

impl Layer for Add {
    fn kind(&self) -> &'static str {
        "Add"
    }

    fn config(&self) -> Value {
        json!({})
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|x| x == first) => {
                Ok(Outline::of((*first).clone()))
            }
            _ => Err(Refusal::new("two tensors or more of one shape", inputs)),
        }
    }

    /// Each input's gradient is the output's.
    fn gradients(&self, inputs: usize) -> Vec<Gradient> {
        let one = |i| Gradient::new(&[Slot::GradOut(0)], &[Slot::GradIn(i)]);
        (0..inputs).map(one).collect()
    }

    fn caps(&self, pass: Pass, inputs: &[&Shape]) -> Caps {
        match pass {
            Pass::Forward => Caps {
                ranged: inputs.len() == 2,
                elementwise: true,
                ..Caps::default()
            },
            _ => Caps {
                alias: Alias::Renamed,
                ..Caps::default()
            },
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        if node.pass != Pass::Forward {
            let place = emit.whole(node.inputs[0]);
            return emit.rename(node.outputs[0], place);
        }
        let y = node.outputs[0];
        let tensors = &emit.graph().tensors;
        if let Kind::Gradient { of } = tensors[y].kind
            && tensors[of].kind.is_held()
        {
            return Add::flat(node, emit);
        }
        let [first, middle @ .., last] = &node.inputs[..] else {
            unreachable!("two inputs at least");
        };
        // All but the last sum go through memory of this node.
        let (mut sum, to) = (emit.view(*first), emit.view(y));
        for &input in middle {
            sum = planes::partial_sum(&add::Add, emit, sum, input, &node.name);
        }
        let last = emit.view(*last);
        let params = Planes {
            b_channels: last.channels,
            b_first: last.first,
            ..planes::between(emit, y, sum, to)
        };
        emit.dispatch(&add::Add, &params, &[sum.place, last.place, to.place]);
    }
}
