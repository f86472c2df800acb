//! Test cases of the dense products: sizes around every tile's edge (7 to 9, 31 to 33, 63 to
//! 65), windows inside the kernel, splits whose last share is short, and the seed's real K.

use super::{Matmul, MatmulBackward, MatmulWeight};
use crate::ops::adam;
use crate::ops::{Case, Fill, Step, nan_among};

/// (m, k, n): golden shapes, edges of 8, 16, 32 and 64, and the small layers of the networks.
const SHAPES: [(u32, u32, u32); 21] = [
    (1, 1, 1),
    (8, 30, 7),
    (64, 129, 65),
    (5, 1000, 33),
    (65, 17, 257),
    (7, 31, 31),
    (9, 33, 32),
    (31, 64, 63),
    (33, 63, 64),
    (63, 65, 95),
    (64, 30, 150),
    (64, 150, 7),
    (128, 96, 128),
    (15, 16, 64),
    (17, 15, 129),
    // Whole vectors of inputs and outputs, but no whole tiles, and rows in no whole fours.
    (65, 68, 132),
    (38, 100, 44),
    (35, 36, 68),
    // More than one tile of the largest each way, sums of a step and a part, and next to no terms.
    (66, 140, 148),
    (3, 8, 12),
    (13, 16, 20),
];

fn case<P>(name: String, params: P, fills: Vec<Fill>, exact: bool) -> Case<P> {
    Case {
        name,
        params,
        step: Step::default(),
        fills,
        exact,
    }
}

fn name(p: &Matmul) -> String {
    format!("m{}_k{}_n{}", p.m, p.k, p.n)
}

fn shapes() -> impl Iterator<Item = Matmul> {
    SHAPES.into_iter().map(|(m, k, n)| Matmul::new(m, k, n))
}

/// Shapes, one at least for every variant, whose ReLU meets numbers next to zero and NaN.
fn around_zero() -> impl Iterator<Item = Matmul> {
    let odd = |p: &Matmul| [(8, 30), (33, 63)].contains(&(p.m, p.k));
    let chosen = move |p: &Matmul| odd(p) || p.k.is_multiple_of(4) && p.n.is_multiple_of(4);
    let with_relu = |p| Matmul { relu: 1, ..p };
    shapes().filter(chosen).map(with_relu)
}

/// Two or three panels of a kernel of five, the last of them partly empty; the wide ones have more
/// rows and inputs than half a tile, and no even number of panels; the last have outputs in whole vectors.
fn windows() -> [(&'static str, Matmul); 6] {
    let whole = Matmul::new(9, 43, 130);
    let wide = Matmul::new(40, 68, 130);
    let vectors = Matmul::new(41, 68, 132);
    [
        (
            "window",
            Matmul {
                first_panel: 1,
                panels: 2,
                ..whole
            },
        ),
        (
            "last_window",
            Matmul {
                first_panel: 3,
                panels: 2,
                ..whole
            },
        ),
        (
            "wide_window",
            Matmul {
                first_panel: 1,
                panels: 3,
                ..wide
            },
        ),
        (
            "wide_last_window",
            Matmul {
                first_panel: 2,
                panels: 3,
                ..wide
            },
        ),
        (
            "vectors_window",
            Matmul {
                first_panel: 1,
                panels: 3,
                ..vectors
            },
        ),
        (
            "vectors_last_window",
            Matmul {
                first_panel: 2,
                panels: 3,
                ..vectors
            },
        ),
    ]
}

/// Two panels of the seed network's dense_1 for `m` images, at its real number of inputs.
fn seed(m: u32) -> Matmul {
    Matmul {
        first_panel: 36,
        panels: 2,
        ..Matmul::new(m, 69_120, 1200)
    }
}

/// At K = 69,120 sums of products of -3..=3 stay below 2^20.
fn integers(inputs: usize) -> Vec<Fill> {
    vec![Fill::Integers(-3, 3); inputs]
}

pub fn forward() -> Vec<Case<Matmul>> {
    let mut cases = Vec::new();
    for p in shapes() {
        cases.push(case(name(&p), p, vec![Fill::Uniform(1.0); 3], false));
        cases.push(case(
            format!("{}_relu_integers", name(&p)),
            Matmul { relu: 1, ..p },
            integers(3),
            true,
        ));
    }
    for p in around_zero() {
        let tiny = Fill::Tiny(-3, 3);
        let fills = vec![Fill::Integers(-3, 3), tiny.clone(), tiny];
        cases.push(case(format!("{}_relu_tiny", name(&p)), p, fills, true));
        let mut fills = integers(3);
        fills[2] = nan_among(p.n);
        cases.push(case(format!("{}_relu_nan", name(&p)), p, fills, true));
    }
    for splits in [2, 3, 7] {
        let p = Matmul::new(10, 100, 40).split(splits);
        cases.push(case(
            format!("{}_splits{splits}", name(&p)),
            p,
            integers(3),
            true,
        ));
    }
    // The reduction applies bias and ReLU, not the shares.
    let relu = Matmul {
        relu: 1,
        ..Matmul::new(10, 100, 40).split(3)
    };
    cases.push(case(
        format!("{}_splits3_relu", name(&relu)),
        relu,
        integers(3),
        true,
    ));
    for (name, p) in windows() {
        cases.push(case(name.into(), p, integers(3), true));
        cases.push(case(
            format!("{name}_splits2"),
            p.split(2),
            integers(3),
            true,
        ));
    }
    cases.push(case(
        "seed_dense_1".into(),
        Matmul {
            panels: 1,
            ..seed(33)
        }
        .split(12),
        integers(3),
        true,
    ));
    cases.push(case(
        "seed_dense_1_splits2".into(),
        Matmul {
            panels: 1,
            ..seed(9)
        }
        .split(2),
        integers(3),
        true,
    ));
    cases
}

pub fn reduce_forward() -> Vec<Case<Matmul>> {
    let mut cases = Vec::new();
    for (m, n, splits) in [(1, 1, 2), (9, 33, 3), (64, 1200, 12)] {
        let p = Matmul {
            relu: 1,
            ..Matmul::new(m, 1000, n).split(splits)
        };
        cases.push(case(
            format!("m{m}_n{n}_splits{splits}"),
            p,
            vec![Fill::Uniform(1.0); 2],
            false,
        ));
        cases.push(case(
            format!("m{m}_n{n}_splits{splits}_integers"),
            p,
            integers(2),
            true,
        ));
        cases.push(case(
            format!("m{m}_n{n}_splits{splits}_tiny"),
            p,
            vec![Fill::Tiny(-3, 3); 2],
            true,
        ));
        cases.push(case(
            format!("m{m}_n{n}_splits{splits}_nan"),
            p,
            vec![Fill::Integers(-3, 3), nan_among(n)],
            true,
        ));
    }
    cases
}

pub fn backward_input() -> Vec<Case<Matmul>> {
    let mut cases = Vec::new();
    let random = vec![
        Fill::Uniform(1.0),
        Fill::Uniform(1.0),
        Fill::Integers(-1, 1),
        Fill::Uniform(1.0),
    ];
    for p in shapes() {
        cases.push(case(
            format!("{}_mask", name(&p)),
            Matmul { relu: 1, ..p },
            random.clone(),
            false,
        ));
        cases.push(case(format!("{}_integers", name(&p)), p, integers(4), true));
        let p = Matmul {
            accumulate: 1,
            relu: 1,
            ..p
        };
        cases.push(case(
            format!("{}_accumulate", name(&p)),
            p,
            integers(4),
            true,
        ));
    }
    for (name, p) in windows() {
        cases.push(case(
            name.into(),
            Matmul { accumulate: 1, ..p },
            integers(4),
            true,
        ));
    }
    for p in around_zero() {
        let mut fills = integers(4);
        fills[2] = Fill::Tiny(-1, 1);
        cases.push(case(format!("{}_tiny_mask", name(&p)), p, fills, true));
    }
    // Shares of k are forward's alone.
    for m in [10, 40] {
        let split = Matmul {
            accumulate: 1,
            ..Matmul::new(m, 100, 40).split(3)
        };
        cases.push(case(
            format!("{}_splits3", name(&split)),
            split,
            integers(4),
            true,
        ));
    }
    cases.push(case(
        "seed_dense_1".into(),
        Matmul {
            relu: 1,
            panels: 1,
            ..seed(33)
        },
        integers(4),
        true,
    ));
    cases.push(case(
        "seed_dense_1_whole_n".into(),
        Matmul::new(64, 100, 1200),
        integers(4),
        true,
    ));
    cases
}

/// Masked or not, exact and not, and masks next to zero.
pub fn backward() -> Vec<Case<MatmulBackward>> {
    let mut cases = Vec::new();
    let small = |p: Matmul| MatmulBackward {
        m: p.m,
        k: p.k,
        n: p.n,
        relu: p.relu,
    };
    for p in shapes() {
        let masked = small(Matmul { relu: 1, ..p });
        let mut random = vec![Fill::Uniform(1.0); 4];
        random[3] = Fill::Integers(-1, 1);
        cases.push(case(format!("{}_mask", name(&p)), masked, random, false));
        let exact = format!("{}_integers", name(&p));
        cases.push(case(exact, small(p), integers(4), true));
    }
    for p in around_zero() {
        let mut fills = integers(4);
        fills[3] = Fill::Tiny(-1, 1);
        cases.push(case(
            format!("{}_tiny_mask", name(&p)),
            small(p),
            fills,
            true,
        ));
    }
    cases
}

fn weight(p: Matmul) -> MatmulWeight {
    MatmulWeight::new(&p)
}

pub fn backward_weight() -> Vec<Case<MatmulWeight>> {
    let mut cases = Vec::new();
    for p in shapes() {
        cases.push(case(
            name(&p),
            weight(p),
            vec![Fill::Uniform(1.0); 2],
            false,
        ));
        cases.push(case(
            format!("{}_integers", name(&p)),
            weight(p),
            integers(2),
            true,
        ));
    }
    for (name, p) in windows() {
        cases.push(case(name.into(), weight(p), integers(2), true));
    }
    cases.push(case(
        "seed_dense_1".into(),
        weight(seed(64)),
        integers(2),
        true,
    ));
    cases
}

pub fn backward_weight_adam() -> Vec<Case<MatmulWeight>> {
    let mut cases = Vec::new();
    let mut add = |name: String, p: Matmul, flag: f32| {
        let [moment1, moment2] = adam::MOMENTS;
        let fills = vec![
            Fill::Uniform(1.0),
            Fill::Uniform(0.1),
            Fill::Values(vec![0.0, 0.0, flag, 0.0]),
            Fill::Uniform(1.0),
            moment1,
            moment2,
        ];
        let step = Step::new(3, p.m, adam::scalars(1e-3, 3));
        cases.push(Case {
            step,
            ..case(name, weight(p), fills, false)
        });
    };
    for p in shapes() {
        add(name(&p), p, 0.0);
    }
    for (name, p) in windows() {
        add(name.into(), p, 0.0);
        add(format!("{name}_frozen"), p, 1.0);
    }
    cases
}

pub fn backward_bias() -> Vec<Case<Matmul>> {
    let mut cases = Vec::new();
    for p in shapes() {
        cases.push(case(name(&p), p, vec![Fill::Uniform(1.0)], false));
        cases.push(case(
            format!("{}_integers", name(&p)),
            p,
            vec![Fill::Integers(-1000, 1000)],
            true,
        ));
    }
    cases
}
