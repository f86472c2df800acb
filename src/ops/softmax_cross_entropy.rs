//! softmax_cross_entropy: loss, accuracy and gradient from logits (log-sum-exp), with label smoothing, class
//! weights and soft targets where they are wanted, and the flag that keeps the optimiser from touching a weight once
//! a loss was not finite.

use super::params::params;
use super::softmax::Softmax;
use super::{
    Binding, Case, Cost, Family, Fill, Op, Phase, STEP, Step, Variant, anywhere, in_out, integers,
    no_chain, out, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::random::unit;

static SHADER: super::Shader = shader!("softmax_cross_entropy.wgsl", STEP);

params! {
    /// Rows of logits, and what is wanted of them.
    Loss {
        rows: u32 as batch,
        classes: u32,
        /// What the gradient is multiplied with: the head's share in the whole loss.
        weight: f32,
        /// What label smoothing leaves of a target.
        kept: f32,
        /// What it gives each class.
        spread: f32,
        /// Has each row shares of the classes, or just a class number?
        soft: u32,
        /// Has each class a weight, or (2) each row?
        weighted: u32,
    }
}

impl Loss {
    /// Class numbers, each row counting the same.
    pub fn of(rows: u32, classes: u32) -> Loss {
        Loss {
            rows,
            classes,
            weight: 1.0,
            kept: 1.0,
            ..Loss::default()
        }
    }

    /// The same with label smoothing (Szegedy 2015, section 7; Keras `label_smoothing`): targets
    /// t (1 - s) + s / classes.
    pub fn smoothed(self, smoothing: f32) -> Loss {
        Loss {
            kept: 1.0 - smoothing,
            spread: smoothing / self.classes as f32,
            ..self
        }
    }

    pub fn elements(&self) -> usize {
        self.rows as usize * self.classes as usize
    }
}

/// `weighted` where each class has a weight, and where each row has one, for mixtures of rows of several classes.
pub const BY_CLASS: u32 = 1;
pub const BY_ROW: u32 = 2;

/// Words of the metrics buffer: loss sum, correct rows, non-finite flag, unused.
pub const METRICS: usize = 4;

/// Words of a binding that the kernel does not look at.
const UNUSED: usize = 1;

/// With targets t = kept onehot(labels) + spread (or of `targets` for the one-hot rows) and w the weight of the label's
/// class, or of the row, or 1: dlogits = weight w (softmax(logits) - t) / valid rows of all shards; metrics as above, the loss with w,
/// without `weight`. The flag is raised by a loss that is not finite and never lowered; rows whose logits are
/// not finite have no gradient. The label is what accuracy asks for.
pub struct SoftmaxCrossEntropy;

impl Op for SoftmaxCrossEntropy {
    type Params = Loss;
    const NAME: &'static str = "softmax_cross_entropy";
    const PHASE: Phase = Phase::Loss;
    const BINDINGS: &'static [Binding] = &[
        read("logits"),
        integers("labels"),
        read("targets"),
        read("class_weights"),
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
        let used = |flag: u32, words: usize| if flag != 0 { words } else { UNUSED };
        let weights = match p.weighted {
            BY_ROW => p.rows,
            _ => p.classes,
        };
        vec![
            p.elements(),
            p.rows as usize,
            used(p.soft, p.elements()),
            used(p.weighted, weights as usize),
            METRICS,
            p.elements(),
        ]
    }
    fn reference(p: &Loss, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let mut both = reference::softmax::softmax_cross_entropy(p, step, bindings);
        both.reverse();
        both
    }
    fn cost(p: &Loss) -> Cost {
        let targets = if p.soft != 0 { p.elements() } else { 0 };
        Cost {
            flops: 8 * p.elements() as u64,
            bytes: 8 * p.elements() as u64 + 4 * (p.rows as usize + targets) as u64,
        }
    }
    fn cases() -> Vec<Case<Loss>> {
        let mut cases = Vec::new();
        for Softmax { rows, classes } in Softmax::shapes() {
            // A weight that is no power of two, for some.
            let weight = if classes == 7 { 0.3 } else { 1.0 };
            let p = Loss {
                weight,
                ..Loss::of(rows, classes)
            };
            for (scale, valid) in [(5.0, p.rows), (1e4, p.rows), (1.0, p.rows.div_ceil(2))] {
                cases.push(random_case("", p, scale, valid));
            }
            let soft = Loss { soft: 1, ..p };
            let weighted = Loss {
                weighted: BY_CLASS,
                ..p
            };
            let all = Loss {
                weighted: BY_CLASS,
                ..soft
            }
            .smoothed(0.2);
            let by_row = Loss {
                weighted: BY_ROW,
                ..all
            };
            for (name, p) in [
                ("_smoothed", p.smoothed(0.1)),
                ("_soft", soft),
                ("_weighted", weighted),
                ("_all", all),
                ("_by_row", by_row),
            ] {
                cases.push(random_case(name, p, 5.0, p.rows));
            }
            cases.push(random_case("_all", all, 1.0, p.rows.div_ceil(2)));
        }
        // A shard of a larger step.
        cases.push(Case {
            name: "of_a_larger_step".into(),
            step: Step {
                all_rows: 96,
                ..Step::new(0, 9, [0.0; 4])
            },
            ..random_case("", Loss::of(9, 7), 5.0, 9)
        });
        cases.extend(special_cases());
        cases
    }
}

/// Rows of shares that add up to 1, up to rounding: some are one class's, some of two classes, some of all.
fn shares(rows: u32, classes: u32) -> Fill {
    let row = |row: u32| {
        let used = [1, 2, classes][row as usize % 3].min(classes);
        let share = |i: u32| match i < used {
            true => 0.1 + unit(29, (row * classes + i) as u64),
            false => 0.0,
        };
        let all: Vec<f64> = (0..classes).map(|i| share((i + row) % classes)).collect();
        let sum: f64 = all.iter().sum();
        all.into_iter().map(move |share| (share / sum) as f32)
    };
    Fill::Values((0..rows).flat_map(row).collect())
}

fn random_case(name: &str, p: Loss, scale: f32, valid: u32) -> Case<Loss> {
    let none = || Fill::Values(vec![f32::NAN]);
    let targets = match p.soft {
        0 => none(),
        _ => shares(p.rows, p.classes),
    };
    let weights = match p.weighted {
        0 => none(),
        _ => Fill::Range(0.2, 5.0),
    };
    Case {
        name: format!("n{}_c{}_x{scale}_valid{valid}{name}", p.rows, p.classes),
        params: p,
        step: Step::new(0, valid, [0.0; 4]),
        fills: vec![
            Fill::Uniform(scale),
            Fill::Words(p.classes),
            targets,
            weights,
            Fill::Zero,
        ],
        exact: false,
    }
}

/// Ties, and what is not finite.
fn special_cases() -> Vec<Case<Loss>> {
    let above = |x: f32| x.next_up();
    let special = |(name, logits, flag): (&str, [f32; 6], f32)| Case {
        name: name.into(),
        fills: vec![
            Fill::Values(logits.to_vec()),
            Fill::Indices(vec![0, 1, 1]),
            Fill::Zero,
            Fill::Zero,
            Fill::Values(vec![0.0, 0.0, flag, 0.0]),
        ],
        ..random_case("", Loss::of(3, 2), 1.0, 3)
    };
    let all = [
        (
            "ties_go_to_the_first",
            [1.0, 1.0, 2.0, 2.0, -3.0, -3.0],
            0.0,
        ),
        // Every label is that of the larger logit: it leads by one unit in the last place.
        (
            "the_slightest_lead_wins",
            [above(1.0), 1.0, 2.0, above(2.0), -3.0, above(-3.0)],
            0.0,
        ),
        ("flag_stays", [1.0, -1.0, 0.5, 2.0, 1.0, 3.0], 1.0),
        (
            "nan_raises_the_flag",
            [1.0, f32::NAN, 0.5, 2.0, 1.0, 3.0],
            0.0,
        ),
        (
            "overflow_raises_the_flag",
            [1.0, 0.0, 3e38, -3e38, 1.0, 3.0],
            0.0,
        ),
        // The distance to a class that is not wanted overflows: the loss of that row is 0.
        (
            "nobody_wants_what_overflows",
            [3e38, -3e38, 0.5, 2.0, 1.0, 3.0],
            0.0,
        ),
        (
            "infinity_raises_the_flag",
            [1.0, 0.0, f32::INFINITY, 2.0, 1.0, 3.0],
            0.0,
        ),
        // exp(-infinity) is zero, and the sum of losses finite.
        (
            "negative_infinity_raises_the_flag",
            [1.0, f32::NEG_INFINITY, 0.5, 2.0, 1.0, 3.0],
            0.0,
        ),
    ];
    all.into_iter().map(special).collect()
}
