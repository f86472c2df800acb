//! concat along channels: each branch is copied into its range, and its gradient back out.
//! Where the plan can, branches write straight into their range and neither kernel runs.

use super::relu::{PLANES, Planes, elementwise};
use super::{
    Binding, Case, Cost, Fill, Op, Step, Variant, anywhere, no_chain, out, per_element, read,
    shader,
};
use crate::ops::reference::{self, Expected};

static SHADER: super::Shader = shader!("concat.wgsl", PLANES);

macro_rules! copy_op {
    ($(#[$doc:meta])* $op:ident, $name:literal, [$from:literal, $to:literal]) => {
        $(#[$doc])*
        pub struct $op;

        impl Op for $op {
            type Params = Planes;
            const NAME: &'static str = $name;
            const BINDINGS: &'static [Binding] = &[read($from), out($to)];
            const VARIANTS: &'static [Variant<Planes>] = elementwise!(SHADER, $name);

            fn lengths(p: &Planes) -> Vec<usize> {
                vec![p.len(p.a_channels), p.len(p.y_channels)]
            }
            fn reference(p: &Planes, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
                vec![reference::elementwise::copy(p, bindings[0])]
            }
            fn cost(p: &Planes) -> Cost {
                Cost { flops: 0, ..p.cost(2) }
            }
            fn cases() -> Vec<Case<Planes>> {
                Planes::cases(Fill::Uniform(1.0), 1)
            }
        }
    };
}

copy_op! {
    /// `y[range]` = x
    Forward, "concat_forward", ["x", "y"]
}
copy_op! {
    /// dx = `dy[range]`: the gradient of one branch out of the gradient of the whole
    Backward, "concat_backward", ["dy", "grad_x"]
}
