//! softmax_cross_entropy: loss, accuracy and gradient from logits (log-sum-exp), and the flag
//! that keeps the optimiser from touching a weight once a loss was not finite.

use super::params::params;
use super::softmax::Softmax;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, STEP, Step, Variant, anywhere, in_out, integers,
    no_chain, out, read, shader,
};
use crate::ops::reference::{self, Expected};

static SHADER: super::Shader = shader!("softmax_cross_entropy.wgsl", STEP);

params! {
    /// Rows of logits, and the share of their loss in the whole.
    Loss {
        rows: u32 as batch,
        classes: u32,
        /// What the gradient is multiplied with.
        weight: f32,
    }
}

impl Loss {
    pub fn elements(&self) -> usize {
        self.rows as usize * self.classes as usize
    }
}

/// Words of the metrics buffer: loss sum, correct rows, non-finite flag, unused.
pub const METRICS: usize = 4;

/// dlogits = weight (softmax(logits) - onehot(labels)) / valid rows; metrics as above, without the weight. The flag is
/// raised by a loss that is not finite and never lowered; rows whose logits are not finite have
/// no gradient.
pub struct SoftmaxCrossEntropy;

impl Op for SoftmaxCrossEntropy {
    type Params = Loss;
    const NAME: &'static str = "softmax_cross_entropy";
    const PHASE: Phase = Phase::Loss;
    const BINDINGS: &'static [Binding] = &[
        read("logits"),
        integers("labels"),
        in_out("metrics"),
        out("dlogits"),
    ];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Loss>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "softmax_cross_entropy",
        constants: &[("WORKGROUP", 64.0)],
        workgroups: |_| 1,
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &Loss) -> Vec<usize> {
        vec![p.elements(), p.rows as usize, METRICS, p.elements()]
    }
    fn reference(p: &Loss, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let mut both = reference::softmax::softmax_cross_entropy(
            p,
            step,
            bindings[0],
            bindings[1],
            bindings[2],
        );
        both.reverse();
        both
    }
    fn cost(p: &Loss) -> Cost {
        Cost {
            flops: 8 * p.elements() as u64,
            bytes: 8 * p.elements() as u64 + 4 * p.rows as u64,
        }
    }
    fn cases() -> Vec<Case<Loss>> {
        let mut cases = Vec::new();
        for Softmax { rows, classes } in Softmax::shapes() {
            // A weight that is no power of two, for some.
            let weight = if classes == 7 { 0.3 } else { 1.0 };
            let p = Loss {
                rows,
                classes,
                weight,
            };
            for (scale, valid_rows) in [(5.0, p.rows), (1e4, p.rows), (1.0, p.rows.div_ceil(2))] {
                cases.push(Case {
                    name: format!("n{}_c{}_x{scale}_valid{valid_rows}", p.rows, p.classes),
                    params: p,
                    step: Step::new(0, valid_rows, [0.0; 4]),
                    fills: vec![Fill::Uniform(scale), Fill::Words(p.classes), Fill::Zero],
                    exact: false,
                });
            }
        }
        let p = Loss {
            rows: 3,
            classes: 2,
            weight: 1.0,
        };
        let special = |name: &str, logits: [f32; 6], flag: f32| Case {
            name: name.into(),
            params: p,
            step: Step::new(0, 3, [0.0; 4]),
            fills: vec![
                Fill::Values(logits.to_vec()),
                Fill::Indices(vec![0, 1, 1]),
                Fill::Values(vec![0.0, 0.0, flag, 0.0]),
            ],
            exact: false,
        };
        cases.push(special(
            "ties_go_to_the_first",
            [1.0, 1.0, 2.0, 2.0, -3.0, -3.0],
            0.0,
        ));
        // Every label is that of the larger logit: it leads by one unit in the last place.
        let above = |x: f32| x.next_up();
        cases.push(special(
            "the_slightest_lead_wins",
            [above(1.0), 1.0, 2.0, above(2.0), -3.0, above(-3.0)],
            0.0,
        ));
        cases.push(special("flag_stays", [1.0, -1.0, 0.5, 2.0, 1.0, 3.0], 1.0));
        cases.push(special(
            "nan_raises_the_flag",
            [1.0, f32::NAN, 0.5, 2.0, 1.0, 3.0],
            0.0,
        ));
        cases.push(special(
            "overflow_raises_the_flag",
            [1.0, 0.0, 3e38, -3e38, 1.0, 3.0],
            0.0,
        ));
        cases.push(special(
            "infinity_raises_the_flag",
            [1.0, 0.0, f32::INFINITY, 2.0, 1.0, 3.0],
            0.0,
        ));
        // exp(-infinity) is zero, and the sum of losses finite.
        cases.push(special(
            "negative_infinity_raises_the_flag",
            [1.0, f32::NEG_INFINITY, 0.5, 2.0, 1.0, 3.0],
            0.0,
        ));
        cases
    }
}
