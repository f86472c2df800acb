//! Add: the sum of tensors of one shape (Keras `Add`). Reverse mode uses it too, where a tensor feeds several
//! layers: the tensor's gradient is the sum of theirs.

use super::{Arguments, Unreadable};
use crate::graph::{
    Alias, Caps, Emit, Gradient, Kind, Layer, Mask, Node, Outline, Pass, Place, Refusal, Slot,
    TensorId, View,
};
use crate::ops::add::{self, Sum, TERMS};
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

    /// The sum of gradients of a held tensor, in the order in which that lies in memory.
    fn flat(node: &Node, emit: &mut dyn Emit) {
        let of = |gradient: TensorId, emit: &mut dyn Emit| {
            let stored = emit.gradient(gradient);
            stored.expect("a shared tensor's is stored")
        };
        let (to, words) = of(node.outputs[0], emit);
        let view = |place| View {
            place,
            channels: 1,
            first: 0,
        };
        let terms = node.inputs.iter();
        let terms = terms.map(|&gradient| view(of(gradient, emit).0)).collect();
        sum(terms, view(to), [1, 1, words as u32], &node.name, emit);
    }
}

/// Emits the sum of `terms`, from the left, over (n, channels, pixels), stopped by the node's mask. All but the
/// last dispatch go through memory of this node.
fn sum(mut terms: Vec<View>, y: View, [n, c, pixels]: [u32; 3], name: &str, emit: &mut dyn Emit) {
    let block = |terms: &[View], y: View| {
        let places: Vec<_> = terms.iter().map(|v| [v.channels, v.first]).collect();
        Sum::new([n, c, pixels], &places, [y.channels, y.first])
    };
    // What is not read may be any buffer.
    let places = |terms: &[View], mask: Place, y: View| {
        let term = |at: usize| terms.get(at).unwrap_or(&terms[0]).place;
        [term(0), term(1), term(2), term(3), mask, y.place]
    };
    while terms.len() > TERMS {
        let rest = terms.split_off(TERMS);
        let partial = View {
            place: emit.scratch(format!("{name} partial"), (n * c * pixels) as usize),
            channels: c,
            first: 0,
        };
        let all = places(&terms, terms[0].place, partial);
        emit.dispatch(&add::Add, &block(&terms, partial), &all);
        terms = [vec![partial], rest].concat();
    }
    let (mut params, mut mask) = (block(&terms, y), terms[0].place);
    if let Some(view) = emit.mask() {
        params = params.masked([view.channels, view.first]);
        mask = view.place;
    }
    emit.dispatch(&add::Add, &params, &places(&terms, mask, y));
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
                ranged: inputs.len() <= TERMS,
                sum: true,
                mask: Mask::Range,
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
        let [n, h, w, c] = emit.nhwc(y);
        let terms = node.inputs.iter().map(|&input| emit.view(input)).collect();
        let to = emit.view(y);
        sum(terms, to, [n, c, h * w], &node.name, emit);
    }
}
