//! matmul: the products of a dense layer over panel-packed weights.
//!
//! A kernel (k inputs, n outputs) is stored in panels of 32 columns, `[panel][k][32]`, zero
//! behind column n. A dispatch covers a window of panels, so that no binding passes the
//! adapter's limits; how a sum is split never depends on the windows.

mod backward;
mod cases;
mod shared;
mod tree;
mod variants;

pub use backward::{Backward, MatmulBackward};

use super::params::params;
use super::update::METRICS;
use super::{Binding, Case, Cost, Op, Phase, Piece, Step, UNUSED, Variant, in_out, out, read};
use crate::ops::reference::{Expected, matmul as reference};
use std::ops::Range;

/// Columns of a panel.
pub const PANEL: u32 = 32;

/// Weights of the largest layer whose products are small: a dispatch costs more than they do. Sharing out the terms takes some
/// seven instructions for a multiplication where large tiles take one and a half, so that with more it would not pay.
const SMALL: u64 = 1 << 13;

/// Columns of the tiles that are to fill a GPU, and inputs of the shortest share that is worth its partial sums.
const TILE: u32 = 64;
const SHORTEST_SHARE: u32 = 128;

params! {
    Matmul {
        /// Rows of x: the batch.
        m: u32 as batch,
        /// Inputs.
        k: u32,
        /// Outputs.
        n: u32,
        first_panel: u32 as place,
        /// Panels of the window.
        panels: u32,
        /// Forward: shares of k, each summed apart.
        splits: u32,
        /// Inputs of one share.
        k_chunk: u32,
        /// Forward: apply ReLU. Backward input: apply the mask.
        relu: u32,
        /// Backward input: add to what dx holds.
        accumulate: u32,
    }
}

params! {
    /// Weight gradient, stored or spent on the optimiser at once.
    MatmulWeight {
        m: u32 as batch,
        k: u32,
        n: u32,
        first_panel: u32 as place,
        panels: u32,
    }
}

impl Matmul {
    /// The whole kernel in one window, unsplit.
    pub fn new(m: u32, k: u32, n: u32) -> Matmul {
        let panels = n.div_ceil(PANEL);
        Matmul {
            m,
            k,
            n,
            first_panel: 0,
            panels,
            splits: 1,
            k_chunk: k,
            relu: 0,
            accumulate: 0,
        }
    }

    /// Sums k in that many shares (of a multiple of 8 inputs each).
    pub fn split(self, splits: u32) -> Matmul {
        let k_chunk = self
            .k
            .div_ceil(splits)
            .next_multiple_of(8)
            .min(self.k.next_multiple_of(8));
        let splits = self.k.div_ceil(k_chunk);
        if splits == 1 {
            Matmul {
                splits,
                k_chunk: self.k,
                ..self
            }
        } else {
            Matmul {
                splits,
                k_chunk,
                ..self
            }
        }
    }

    /// Sums k in shares of some `longest` inputs at the most, and of fewer where it takes that to make `workgroups`
    /// workgroups. The rows do not count: what is predicted must not depend on the batch.
    pub fn shares_for(self, longest: u32, workgroups: Option<u32>) -> Matmul {
        let filling = workgroups.map_or(1, |all| all / self.n.div_ceil(TILE));
        let worth = filling.min(self.k / SHORTEST_SHARE).max(1);
        self.split(self.k.div_ceil(longest).max(worth))
    }

    /// Does it cost less than a dispatch, summed in one go or with the layer's other products? The rows do not count, as in
    /// [`Matmul::shares_for`].
    pub fn is_small(&self) -> bool {
        self.k as u64 * self.n as u64 <= SMALL
    }

    /// Columns of the window that exist.
    pub fn columns(&self) -> Range<u32> {
        let first = self.first_panel * PANEL;
        first..(first + self.panels * PANEL).min(self.n)
    }

    /// Index of weight (k, column) in the window.
    pub fn weight(&self, k: u32, column: u32) -> usize {
        let panel = (column / PANEL - self.first_panel) as usize;
        (panel * self.k as usize + k as usize) * PANEL as usize + (column % PANEL) as usize
    }

    pub fn window_len(&self) -> usize {
        self.panels as usize * self.k as usize * PANEL as usize
    }

    fn x_len(&self) -> usize {
        self.m as usize * self.k as usize
    }
    fn y_len(&self) -> usize {
        self.m as usize * self.n as usize
    }

    fn cost(&self, elements: usize) -> Cost {
        let columns = self.columns().len() as u64;
        Cost {
            flops: 2 * self.m as u64 * self.k as u64 * columns,
            bytes: 4 * elements as u64,
        }
    }
}

impl MatmulWeight {
    pub fn new(p: &Matmul) -> MatmulWeight {
        let Matmul {
            m,
            k,
            n,
            first_panel,
            panels,
            ..
        } = *p;
        MatmulWeight {
            m,
            k,
            n,
            first_panel,
            panels,
        }
    }

    pub fn matmul(&self) -> Matmul {
        let MatmulWeight {
            m,
            k,
            n,
            first_panel,
            panels,
        } = *self;
        Matmul {
            first_panel,
            panels,
            ..Matmul::new(m, k, n)
        }
    }

    /// The window as narrower ones, of whole panels and about `elements` weights: what each spans of
    /// this one.
    fn cut(&self, elements: usize) -> impl Iterator<Item = (MatmulWeight, Range<usize>)> {
        let whole = *self;
        let panel = whole.k as usize * PANEL as usize;
        let each = (elements / panel).max(1);
        (0..whole.panels).step_by(each).map(move |first| {
            let part = MatmulWeight {
                first_panel: whole.first_panel + first,
                panels: (each as u32).min(whole.panels - first),
                ..whole
            };
            let start = first as usize * panel;
            (part, start..start + part.matmul().window_len())
        })
    }

    /// (k, column) of the weight at flat position `i` of the window.
    pub fn position(&self, i: usize) -> (u32, u32) {
        let (row, column) = (i / PANEL as usize, (i % PANEL as usize) as u32);
        let panel = (row / self.k as usize) as u32;
        (
            (row % self.k as usize) as u32,
            (self.first_panel + panel) * PANEL + column,
        )
    }
}

/// y = relu(x w + b), or partial sums of x w
pub struct Forward;

impl Op for Forward {
    type Params = Matmul;
    const NAME: &'static str = "matmul_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), read("w"), read("bias"), out("y")];
    const VARIANTS: &'static [Variant<Matmul>] = variants::FORWARD;

    fn lengths(p: &Matmul) -> Vec<usize> {
        vec![
            p.x_len(),
            p.window_len(),
            p.n as usize,
            p.splits as usize * p.y_len(),
        ]
    }
    fn reference(p: &Matmul, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::matmul_forward(
            p,
            bindings[0],
            bindings[1],
            bindings[2],
        )]
    }
    fn cost(p: &Matmul) -> Cost {
        p.cost(p.x_len() + p.window_len() + p.splits as usize * p.y_len())
    }
    fn cases() -> Vec<Case<Matmul>> {
        cases::forward()
    }
}

/// y = relu(b + the sum of the shares, in order)
pub struct ReduceForward;

impl Op for ReduceForward {
    type Params = Matmul;
    const NAME: &'static str = "matmul_reduce_forward";
    const BINDINGS: &'static [Binding] = &[read("partial"), read("bias"), out("y")];
    const VARIANTS: &'static [Variant<Matmul>] = variants::REDUCE_FORWARD;

    fn lengths(p: &Matmul) -> Vec<usize> {
        vec![p.splits as usize * p.y_len(), p.n as usize, p.y_len()]
    }
    fn reference(p: &Matmul, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::matmul_reduce_forward(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn cost(p: &Matmul) -> Cost {
        let partial = p.splits as usize * p.y_len();
        Cost {
            flops: partial as u64,
            bytes: 4 * (partial + p.y_len()) as u64,
        }
    }
    fn cases() -> Vec<Case<Matmul>> {
        cases::reduce_forward()
    }
}

/// dx = (dx +) dy w^T over the window's columns, stopped by the ReLU before
pub struct BackwardInput;

impl Op for BackwardInput {
    type Params = Matmul;
    const NAME: &'static str = "matmul_backward_input";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] =
        &[read("dy"), read("w"), read("relu_mask"), in_out("grad_x")];
    const VARIANTS: &'static [Variant<Matmul>] = variants::BACKWARD_INPUT;

    fn lengths(p: &Matmul) -> Vec<usize> {
        let mask = if p.relu != 0 { p.x_len() } else { UNUSED };
        vec![p.y_len(), p.window_len(), mask, p.x_len()]
    }
    fn reference(p: &Matmul, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::matmul_backward_input(
            p,
            bindings[0],
            bindings[1],
            bindings[2],
            bindings[3],
        )]
    }
    fn cost(p: &Matmul) -> Cost {
        let dx = (1 + p.accumulate as usize + usize::from(p.relu != 0)) * p.x_len();
        p.cost(p.y_len() + p.window_len() + dx)
    }
    fn cases() -> Vec<Case<Matmul>> {
        cases::backward_input()
    }
}

/// dw = x^T dy for the panels of the window
pub struct BackwardWeight;

impl Op for BackwardWeight {
    type Params = MatmulWeight;
    const NAME: &'static str = "matmul_backward_weight";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("x"), read("dy"), out("dw")];
    const VARIANTS: &'static [Variant<MatmulWeight>] = variants::BACKWARD_WEIGHT;

    fn lengths(p: &MatmulWeight) -> Vec<usize> {
        let p = p.matmul();
        vec![p.x_len(), p.y_len(), p.window_len()]
    }
    fn reference(p: &MatmulWeight, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::matmul_backward_weight(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn pieces(p: &MatmulWeight, elements: usize) -> Vec<Piece<MatmulWeight>> {
        let [x, dy] = [p.matmul().x_len(), p.matmul().y_len()];
        let piece = |(params, dw)| Piece {
            params,
            ranges: vec![0..x, 0..dy, dw],
        };
        p.cut(elements).map(piece).collect()
    }
    fn cost(p: &MatmulWeight) -> Cost {
        let p = p.matmul();
        p.cost(p.x_len() + p.y_len() + p.window_len())
    }
    fn cases() -> Vec<Case<MatmulWeight>> {
        cases::backward_weight()
    }
}

/// The weight gradient, spent on an Adam step in place
pub struct BackwardWeightAdam;

impl Op for BackwardWeightAdam {
    type Params = MatmulWeight;
    const NAME: &'static str = "matmul_backward_weight_adam";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("x"),
        read("dy"),
        METRICS,
        in_out("w"),
        in_out("moment1"),
        in_out("moment2"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<MatmulWeight>] = variants::BACKWARD_WEIGHT_ADAM;

    fn lengths(p: &MatmulWeight) -> Vec<usize> {
        let p = p.matmul();
        let window = p.window_len();
        vec![
            p.x_len(),
            p.y_len(),
            super::softmax_cross_entropy::METRICS,
            window,
            window,
            window,
        ]
    }
    fn reference(p: &MatmulWeight, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::matmul_backward_weight_adam(p, step, bindings)
    }
    fn pieces(p: &MatmulWeight, elements: usize) -> Vec<Piece<MatmulWeight>> {
        let [x, dy] = [p.matmul().x_len(), p.matmul().y_len()];
        let metrics = super::softmax_cross_entropy::METRICS;
        let piece = |(params, w): (_, Range<usize>)| Piece {
            params,
            ranges: vec![0..x, 0..dy, 0..metrics, w.clone(), w.clone(), w],
        };
        p.cut(elements).map(piece).collect()
    }
    fn cost(p: &MatmulWeight) -> Cost {
        let p = p.matmul();
        let product = p.cost(p.x_len() + p.y_len() + 6 * p.window_len());
        Cost {
            flops: product.flops + 12 * p.window_len() as u64,
            ..product
        }
    }
    fn cases() -> Vec<Case<MatmulWeight>> {
        cases::backward_weight_adam()
    }
}

/// db = the sum of dy over the rows
pub struct BackwardBias;

impl Op for BackwardBias {
    type Params = Matmul;
    const NAME: &'static str = "matmul_backward_bias";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), out("db")];
    const VARIANTS: &'static [Variant<Matmul>] = variants::BACKWARD_BIAS;

    fn lengths(p: &Matmul) -> Vec<usize> {
        vec![p.y_len(), p.n as usize]
    }
    fn reference(p: &Matmul, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::matmul_backward_bias(p, bindings[0])]
    }
    fn cost(p: &Matmul) -> Cost {
        Cost {
            flops: p.y_len() as u64,
            bytes: 4 * (p.y_len() + p.n as usize) as u64,
        }
    }
    fn cases() -> Vec<Case<Matmul>> {
        cases::backward_bias()
    }
}
