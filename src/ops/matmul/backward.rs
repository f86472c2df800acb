//! matmul_backward: all gradients of a small dense layer in one dispatch. On a GPU each alone would take as long.

use super::{Matmul, MatmulWeight, PANEL, cases, tree};
use crate::ops::params::params;
use crate::ops::reference::{Expected, matmul as reference};
use crate::ops::{
    Binding, Case, Cost, ELEMENTWISE, Family, Op, Phase, Shader, Step, UNUSED, Variant, always,
    anywhere, out, per_element, read, shader,
};

params! {
    MatmulBackward {
        /// Rows of x: the batch.
        m: u32 as batch,
        /// Inputs.
        k: u32,
        /// Outputs.
        n: u32,
        /// Is the gradient of x masked?
        relu: u32,
    }
}

impl MatmulBackward {
    /// The whole kernel's product.
    pub fn matmul(&self) -> Matmul {
        Matmul {
            relu: self.relu,
            ..Matmul::new(self.m, self.k, self.n)
        }
    }
}

static SHADER: Shader = shader!("matmul_backward.wgsl", tree::SHARE_TILE);

/// dx = dy w^T, stopped by the ReLU before; dw = x^T dy; db = the sum of dy over the rows
pub struct Backward;

impl Op for Backward {
    type Params = MatmulBackward;
    const NAME: &'static str = "matmul_backward";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("dy"),
        read("w"),
        read("x"),
        read("relu_mask"),
        out("grad_x"),
        out("grad_w"),
        out("grad_bias"),
    ];
    const VARIANTS: &'static [Variant<MatmulBackward>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: always,
            twin: None,
            shader: &SHADER,
            entry: "matmul_backward",
            constants: &[("WORKGROUP", ELEMENTWISE as f64)],
            workgroups: |p| {
                let p = p.matmul();
                let weights = p.window_len() + p.window_len() / p.k as usize;
                per_element((p.x_len() + weights) as u64)
            },
            chain: |p| p.m.max(p.n) as u64,
            supports: anywhere,
        },
        Variant {
            name: "tree",
            family: Family::Tree,
            suits: always,
            twin: None,
            shader: &SHADER,
            entry: "matmul_backward_tree",
            constants: tree::WORKGROUP,
            workgroups: |p| {
                let panels = p.matmul().panels;
                let of_inputs = tree::tiles(p.m, p.k);
                // A row more, of the bias.
                of_inputs + tree::tiles(p.k + 1, panels * PANEL)
            },
            chain: |p| tree::chain(p.m.max(p.n)),
            supports: anywhere,
        },
    ];

    fn lengths(p: &MatmulBackward) -> Vec<usize> {
        let mask = if p.relu != 0 {
            p.matmul().x_len()
        } else {
            UNUSED
        };
        let (n, p) = (p.n as usize, p.matmul());
        let (x, w) = (p.x_len(), p.window_len());
        vec![p.y_len(), w, x, mask, x, w, n]
    }
    fn reference(p: &MatmulBackward, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [dy, w, x, mask, ..] = bindings else {
            panic!("seven bindings")
        };
        let p = p.matmul();
        vec![
            reference::matmul_backward_input(&p, dy, w, mask, &[]),
            reference::matmul_backward_weight(&MatmulWeight::new(&p), x, dy),
            reference::matmul_backward_bias(&p, dy),
        ]
    }
    fn cost(p: &MatmulBackward) -> Cost {
        let masked = usize::from(p.relu != 0);
        let p = p.matmul();
        let elements = p.y_len() + (2 + masked) * p.x_len() + 2 * p.window_len();
        let product = p.cost(elements + p.n as usize);
        Cost {
            flops: 2 * product.flops + p.y_len() as u64,
            ..product
        }
    }
    fn cases() -> Vec<Case<MatmulBackward>> {
        cases::backward()
    }
}
