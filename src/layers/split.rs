//! Split: the channels of an image, some for each output (Keras `ops.split`).
//!
//! No network names it: it stands behind layers that were joined. Where the outputs can be read as ranges of the
//! input's channels it needs no kernel, nor does the gradient of the input, whose ranges theirs are.

use super::concatenate::{gather, part};
use crate::graph::{Alias, Caps, Emit, Gradient, Layer, Node, Outline, Pass, Refusal, Slot};
use crate::tensor::Shape;
use serde_json::{Value, json};

/// (n, h, w, c1 + c2 + ...) to (n, h, w, c1), (n, h, w, c2), ...
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub channels: Vec<u32>,
}

impl Layer for Split {
    fn kind(&self) -> &'static str {
        "Split"
    }

    fn config(&self) -> Value {
        json!({ "axis": -1, "channels": self.channels })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let all: u32 = self.channels.iter().sum();
        let fits = |x: &&&Shape| x.0.len() == 4 && x.nhwc()[3] == all;
        let ([x], true) = (inputs, inputs.iter().all(|x| fits(&x))) else {
            return Err(Refusal::new(format!("an image of {all} channels"), inputs));
        };
        let [n, h, w, _] = x.nhwc();
        let outputs = self.channels.iter().map(|&c| Shape::new([n, h, w, c]));
        Ok(Outline {
            outputs: outputs.collect(),
            own: Vec::new(),
        })
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        let reads: Vec<Slot> = (0..self.channels.len()).map(Slot::GradOut).collect();
        vec![Gradient::new(&reads, &[Slot::GradIn(0)])]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        Caps {
            ranged: true,
            alias: match pass {
                Pass::Forward => Alias::Parts,
                _ => Alias::Joined,
            },
            ..Caps::default()
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        if node.pass != Pass::Forward {
            return gather(node, emit);
        }
        let mut first = 0;
        for (&output, channels) in node.outputs.iter().zip(&self.channels) {
            part(node.inputs[0], first, output, emit);
            first += channels;
        }
    }
}
