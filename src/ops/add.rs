//! add: where a tensor feeds several layers, its gradient is the sum of theirs.

use super::relu::{PLANES, Planes, elementwise};
use super::{
    Binding, Case, Cost, Fill, Op, Step, Variant, anywhere, no_chain, out, per_element, read,
    shader,
};
use crate::ops::reference::{self, Expected};

static SHADER: super::Shader = shader!("add.wgsl", PLANES);

/// y = a + b
pub struct Add;

impl Op for Add {
    type Params = Planes;
    const NAME: &'static str = "add";
    const BINDINGS: &'static [Binding] = &[read("a"), read("b"), out("y")];
    const VARIANTS: &'static [Variant<Planes>] = elementwise!(SHADER, "add");

    fn lengths(p: &Planes) -> Vec<usize> {
        vec![
            p.len(p.a_channels),
            p.len(p.b_channels),
            p.len(p.y_channels),
        ]
    }
    fn reference(p: &Planes, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::elementwise::add(p, bindings[0], bindings[1])]
    }
    fn cost(p: &Planes) -> Cost {
        p.cost(3)
    }
    fn cases() -> Vec<Case<Planes>> {
        let mut cases = Planes::cases(Fill::Integers(-1000, 1000), 2);
        let random = Planes::cases(Fill::Uniform(3.0), 2);
        cases.extend(random.into_iter().map(|c| Case {
            name: format!("{}_random", c.name),
            exact: false,
            ..c
        }));
        cases
    }
}
