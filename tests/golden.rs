//! The f64 references against Keras's own numbers (tests/golden/README.md) and against finite
//! differences of each other: what the kernels are held to is itself held to something.

mod common;
#[path = "golden/optimizers.rs"]
mod optimizers;
#[path = "golden/separable.rs"]
mod separable;

use common::Golden;
use fer_gpu::ops::batch_norm::BatchNorm;
use fer_gpu::ops::conv2d::{Conv2d, Padding};
use fer_gpu::ops::global_average_pool::GlobalAveragePool;
use fer_gpu::ops::global_max_pool::GlobalMaxPool;
use fer_gpu::ops::local_response_norm::LocalResponseNorm;
use fer_gpu::ops::matmul::{Matmul, MatmulWeight};
use fer_gpu::ops::max_pool2d::MaxPool2d;
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::{self, Expected, UNTOUCHED};
use fer_gpu::ops::relu::Planes;
use fer_gpu::ops::softmax::Softmax;
use fer_gpu::ops::softmax_cross_entropy::Loss;
use fer_gpu::ops::sum_shares::{Source, Sums};

fn words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// NHWC to NCHW.
fn planar(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let [n, h, w, c] = shape[..] else {
        panic!("four axes")
    };
    let at = |i: usize| {
        let (image, channel, pixel) = (i / (c * h * w), i / (h * w) % c, i % (h * w));
        values[(image * h * w + pixel) * c + channel]
    };
    (0..n * c * h * w).map(at).collect()
}

/// (k, n) to panels of 32 columns.
fn panels(values: &[f32], p: &Matmul) -> Vec<f32> {
    let mut packed = vec![0.0; p.window_len()];
    for k in 0..p.k {
        for n in 0..p.n {
            packed[p.weight(k, n)] = values[(k * p.n + n) as usize];
        }
    }
    packed
}

/// Golden values are f64 results rounded to f32.
fn agree(what: &str, expected: &[f32], found: &Expected) {
    assert_eq!(expected.len(), found.values.len(), "{what}: length");
    for (i, (&golden, &value)) in expected.iter().zip(&found.values).enumerate() {
        let golden = golden as f64;
        let error = (value - golden).abs();
        assert!(
            error <= 1e-7 * golden.abs() + 1e-9,
            "{what}[{i}]: {value}, Keras {golden}"
        );
    }
}

/// The numbers after the letters of a case's name: n2_h9_ci10 -> n: 2, h: 9, ci: 10.
fn field(case: &str, key: &str) -> u32 {
    let part = case.split('_').find_map(|part| {
        let rest = part.strip_prefix(key)?;
        rest.split('x').next()?.parse().ok()
    });
    part.unwrap_or_else(|| panic!("{case} has no {key}"))
}

fn padding(case: &str) -> Padding {
    if case.ends_with("same") {
        Padding::Same
    } else {
        Padding::Valid
    }
}

/// Case names of an op, found by their `y`.
fn cases(golden: &mut Golden, op: &str) -> Vec<String> {
    let mut cases: Vec<String> = golden
        .names()
        .iter()
        .filter_map(|name| {
            name.strip_suffix("/y")
                .filter(|case| case.starts_with(&format!("{op}/")))
                .map(String::from)
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no golden case of {op}");
    cases
}

#[test]
fn conv2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "conv2d") {
        let mut image = |name: &str| {
            let path = format!("{case}/{name}");
            let shape = golden.shape(&path);
            planar(&golden.f32(&path), &shape)
        };
        let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut image);
        let mut flat = |name: &str| golden.f32(&format!("{case}/{name}"));
        let [kernel, bias, dkernel, dbias] = ["kernel", "bias", "dkernel", "dbias"].map(&mut flat);
        let kernel_shape = golden.shape(&format!("{case}/kernel"));
        let size = [kernel_shape[0] as u32, kernel_shape[1] as u32];
        let stride = [field(&case, "s"); 2];
        let input = [
            field(&case["conv2d/".len()..], "n"),
            field(&case, "h"),
            field(&case, "w"),
            field(&case, "ci"),
        ];
        let p = Conv2d::new(input, field(&case, "co"), size, stride, padding(&case));
        use reference::conv2d::*;
        let none = [0; 4];
        agree(
            &case,
            &y,
            &conv2d_forward(&p, &words(&x), &words(&kernel), &words(&bias)),
        );
        agree(
            &case,
            &dx,
            &conv2d_backward_input(&p, &words(&dy), &words(&kernel), &none),
        );
        let partial = conv2d_backward_weight(&p, &words(&x), &words(&dy));
        let (dw, db) = partial.values.split_at(dkernel.len());
        agree(&case, &dkernel, &Expected::exact(dw.to_vec()));
        agree(&case, &dbias, &Expected::exact(db.to_vec()));
    }
}

#[test]
fn max_pool2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "max_pool2d") {
        let mut image = |name: &str| {
            let path = format!("{case}/{name}");
            let shape = golden.shape(&path);
            planar(&golden.f32(&path), &shape)
        };
        let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut image);
        let name = &case["max_pool2d/".len()..];
        let input = ["n", "h", "w", "c"].map(|key| field(name, key));
        let p = MaxPool2d::new(
            input,
            [field(name, "k"); 2],
            [field(name, "s"); 2],
            padding(&case),
        );
        agree(
            &case,
            &y,
            &reference::max_pool2d::max_pool2d_forward(&p, &words(&x)),
        );
        agree(
            &case,
            &dx,
            &reference::max_pool2d::max_pool2d_backward(&p, &words(&x), &words(&dy), &[]),
        );
    }
}

#[test]
fn average_pool2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "avg_pool2d") {
        let mut image = |name: &str| {
            let path = format!("{case}/{name}");
            let shape = golden.shape(&path);
            planar(&golden.f32(&path), &shape)
        };
        let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut image);
        let name = &case["avg_pool2d/".len()..];
        let input = ["n", "h", "w", "c"].map(|key| field(name, key));
        let p = MaxPool2d::new(
            input,
            [field(name, "k"); 2],
            [field(name, "s"); 2],
            padding(&case),
        );
        use reference::average_pool2d::*;
        agree(&case, &y, &average_pool2d_forward(&p, &words(&x)));
        agree(&case, &dx, &average_pool2d_backward(&p, &words(&dy), &[]));
    }
}

/// Golden values and a reference that was given f32 numbers computed on the way: each is within a few times the bound
/// that a kernel would have there.
fn agree_within_bounds(what: &str, expected: &[f32], found: &Expected) {
    assert_eq!(expected.len(), found.values.len(), "{what}: length");
    for (i, (&golden, &value)) in expected.iter().zip(&found.values).enumerate() {
        let (error, golden) = ((value - golden as f64).abs(), golden as f64);
        let bound = 1e-7 * golden.abs() + 2.0 * found.bound(i, 1);
        assert!(error <= bound, "{what}[{i}]: {value}, Keras {golden}");
    }
}

/// As a kernel would store it.
fn stored(found: &Expected) -> Vec<u32> {
    found.values.iter().map(|&v| (v as f32).to_bits()).collect()
}

#[test]
fn batch_norm_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "batch_norm_train/n4_h5_w3_c6";
    let mut image = |name: &str| {
        let path = format!("{case}/{name}");
        let shape = golden.shape(&path);
        planar(&golden.f32(&path), &shape)
    };
    let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut image);
    let mut flat = |name: &str| golden.f32(&format!("{case}/{name}"));
    let [gamma, beta, dgamma, dbeta] = ["gamma", "beta", "dgamma", "dbeta"].map(&mut flat);
    let whole = BatchNorm::new([4, 6, 15], 1e-3);
    // In one share, and in four of which the last is short.
    for p in [
        whole,
        BatchNorm {
            share: 16,
            shares: 4,
            ..whole
        },
    ] {
        use reference::batch_norm::*;
        let step = Step::new(1, 4, [0.0; 4]);
        let (x, dy, gamma) = (words(&x), words(&dy), words(&gamma));
        let parts = statistics(&p, &step, &x);
        let merged = merge(&p, &step, &stored(&parts[0]), &stored(&parts[1]));
        let [mean, variance] = [0, 1].map(|i| stored(&merged[i]));
        let found = apply(&p, &[&x, &mean, &variance, &gamma, &words(&beta)]);
        agree_within_bounds("y", &y, &found);
        let sums = stored(&backward_sums(&p, &step, &[&x, &dy, &mean]));
        let merged = backward_merge(&p, &step, &[&sums, &mean, &variance, &gamma]);
        agree_within_bounds("dgamma", &dgamma, &merged[0]);
        agree_within_bounds("dbeta", &dbeta, &merged[1]);
        let coefficients = stored(&merged[2]);
        let found = backward_input(&p, &step, &[&x, &dy, &coefficients, &[0; 4]]);
        agree_within_bounds("dx", &dx, &found);
    }
}

#[test]
fn local_response_norm_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "local_response_norm/n2_h3_w4_c13";
    let mut image = |name: &str| {
        let path = format!("{case}/{name}");
        let shape = golden.shape(&path);
        planar(&golden.f32(&path), &shape)
    };
    let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut image);
    let p = LocalResponseNorm::new([2, 13, 12], 5, [1e-4, 0.75, 1.0]);
    use reference::local_response_norm::*;
    let found = local_response_norm_forward(&p, &words(&x));
    agree(case, &y, &found);
    let found = local_response_norm_backward(&p, &words(&x), &words(&dy));
    agree(case, &dx, &found);
}

/// A plane's largest element moves y as far as it moves, and no other does.
#[test]
fn global_max_pool_differentiates() {
    let p = GlobalMaxPool::new([2, 3, 7]);
    let x: Vec<f32> = (0..42).map(|i| (i * 17 % 29) as f32).collect();
    use reference::global_max_pool::*;
    let forward = |x: &[f32]| global_max_pool_forward(&p, &words(x));
    let winners = stored(&forward(&x)[1]);
    let dy: Vec<f32> = (1..=6).map(|i| i as f32).collect();
    let dx = global_max_pool_backward(&p, &[&words(&dy), &winners, &[0; 4]]);
    let dot = |x: &[f32]| -> f64 {
        let y = &forward(x)[0].values;
        y.iter().zip(&dy).map(|(y, &dy)| y * dy as f64).sum()
    };
    for i in 0..x.len() {
        let moved = |h: f32| {
            let mut x = x.clone();
            x[i] += h;
            dot(&x)
        };
        assert_eq!(moved(0.25) - moved(-0.25), 0.5 * dx.values[i], "{i}");
    }
}

#[test]
fn dense_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "dense") {
        let mut flat = |name: &str| golden.f32(&format!("{case}/{name}"));
        let [x, kernel, bias, y, dy] = ["x", "kernel", "bias", "y", "dy"].map(&mut flat);
        let [dx, dkernel, dbias] = ["dx", "dkernel", "dbias"].map(&mut flat);
        let name = &case["dense/".len()..];
        let p = Matmul::new(field(name, "n"), field(name, "i"), field(name, "o"));
        let w = words(&panels(&kernel, &p));
        use reference::matmul::*;
        agree(
            &case,
            &y,
            &matmul_forward(&p, &words(&x), &w, &words(&bias)),
        );
        let before = vec![0; dx.len()];
        agree(
            &case,
            &dx,
            &matmul_backward_input(&p, &words(&dy), &w, &[0; 4], &before),
        );
        let weight = MatmulWeight::new(&p);
        agree(
            &case,
            &panels(&dkernel, &p),
            &matmul_backward_weight(&weight, &words(&x), &words(&dy)),
        );
        agree(&case, &dbias, &matmul_backward_bias(&p, &words(&dy)));
        // The rows as shares, of which the first columns and the rest go to places of their own.
        let head = p.n / 3;
        let source = Source {
            shares: p.m,
            words: p.n,
            sums: p.n,
            head,
            head_at: p.n - head,
            tail_at: 0,
            lanes: 1,
        };
        let turned = [&dbias[head as usize..], &dbias[..head as usize]].concat();
        let sums = Sums::new(&[source], p.n);
        let dy = words(&dy);
        agree(
            &case,
            &turned,
            &reference::sum_shares::sum_shares(&sums, &[&dy]),
        );
    }
}

#[test]
fn the_small_ops_agree_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "global_average_pool/n3_h6_w5_c7";
    let shape = golden.shape(&format!("{case}/x"));
    let p = GlobalAveragePool {
        n: 3,
        c: 7,
        pixels: 30,
        masked: 0,
    };
    let x = planar(&golden.f32(&format!("{case}/x")), &shape);
    let dx = planar(&golden.f32(&format!("{case}/dx")), &shape);
    let (y, dy) = (
        golden.f32(&format!("{case}/y")),
        golden.f32(&format!("{case}/dy")),
    );
    use reference::global_average_pool::*;
    agree(case, &y, &global_average_pool_forward(&p, &words(&x)));
    agree(
        case,
        &dx,
        &global_average_pool_backward(&p, &words(&dy), &[0; 4]),
    );

    let p = Planes::whole(4, 7, 1);
    let mut flat = |name: &str| golden.f32(&format!("relu/n4_7/{name}"));
    let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut flat);
    agree(
        "relu",
        &y,
        &reference::elementwise::relu_forward(&p, &words(&x)),
    );
    agree(
        "relu",
        &dx,
        &reference::elementwise::relu_backward(&p, &words(&dy), &words(&y)),
    );

    for case in cases(golden, "softmax") {
        let mut flat = |name: &str| golden.f32(&format!("{case}/{name}"));
        let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(&mut flat);
        let p = Softmax {
            rows: 9,
            classes: 7,
        };
        agree(
            &case,
            &y,
            &reference::softmax::softmax_forward(&p, &words(&x)),
        );
        // The reference takes y as the GPU stored it, rounded to f32.
        let found = reference::softmax::softmax_backward(&p, &words(&y), &words(&dy));
        for (golden, value) in dx.iter().zip(found.values) {
            assert!(
                (value - *golden as f64).abs() <= 2e-7,
                "{case}: dx {value}, Keras {golden}"
            );
        }
    }
}

#[test]
fn concat_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "concat/c10_c3_c17";
    let mut image = |name: &str| {
        let path = format!("{case}/{name}");
        let shape = golden.shape(&path);
        planar(&golden.f32(&path), &shape)
    };
    let (y, dy) = (image("y"), image("dy"));
    let mut first = 0;
    for (name, channels) in [("a", 10), ("b", 3), ("c", 17)] {
        let (branch, gradient) = (image(name), image(&format!("d{name}")));
        let into = Planes {
            y_channels: 30,
            y_first: first,
            ..Planes::whole(2, channels, 20)
        };
        let found = reference::elementwise::copy(&into, &words(&branch));
        for (golden, value) in y.iter().zip(&found.values) {
            assert!(value.to_bits() == UNTOUCHED.to_bits() || *value == *golden as f64);
        }
        let written = found
            .values
            .iter()
            .filter(|v| v.to_bits() != UNTOUCHED.to_bits())
            .count();
        assert_eq!(written, branch.len());
        let out = Planes {
            a_channels: 30,
            a_first: first,
            ..Planes::whole(2, channels, 20)
        };
        agree(
            case,
            &gradient,
            &reference::elementwise::copy(&out, &words(&dy)),
        );
        first += channels;
    }
}

#[test]
fn softmax_cross_entropy_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "softmax_cross_entropy/n9_7";
    let x = golden.f32(&format!("{case}/x"));
    let labels: Vec<u32> = golden
        .u8(&format!("{case}/labels"))
        .into_iter()
        .map(u32::from)
        .collect();
    let (y, dx, dy) = (
        golden.f32(&format!("{case}/y")),
        golden.f32(&format!("{case}/dx")),
        golden.f32(&format!("{case}/dy")),
    );
    let p = Loss::of(9, 7);
    let step = Step::new(0, 9, [0.0; 4]);
    let x = words(&x);
    let bindings: [&[u32]; 5] = [&x, &labels, &[], &[], &[0; 4]];
    let found = reference::softmax::softmax_cross_entropy(&p, &step, &bindings);
    let loss = found[1].values[0] / 9.0;
    assert!(
        (loss - y[0] as f64).abs() <= 1e-7 * loss,
        "loss {loss}, Keras {}",
        y[0]
    );
    // Golden gradients are of y * dy.
    let scaled: Vec<f64> = found[0].values.iter().map(|g| g * dy[0] as f64).collect();
    agree(case, &dx, &Expected::exact(scaled));
}

/// d/dx sum(f(x) * dy), by central differences; linear functions give it exactly.
fn differences(x: &[f32], dy: &[f32], f: impl Fn(&[u32]) -> Expected) -> Vec<f64> {
    const H: f32 = 1.0 / 1024.0;
    let loss = |x: &[f32]| {
        f(&words(x))
            .values
            .iter()
            .zip(dy)
            .map(|(y, &d)| y * d as f64)
            .sum::<f64>()
    };
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let own = x[i];
            x[i] = own + H;
            let (above, up) = (loss(&x), x[i]);
            x[i] = own - H;
            let (below, down) = (loss(&x), x[i]);
            x[i] = own;
            (above - below) / (up as f64 - down as f64)
        })
        .collect()
}

fn random(stream: u64, len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (2.0 * fer_gpu::random::unit(stream, i as u64) - 1.0) as f32)
        .collect()
}

fn close(what: &str, gradient: &Expected, numeric: &[f64], tolerance: f64) {
    assert_eq!(gradient.values.len(), numeric.len(), "{what}: length");
    for (i, (a, b)) in gradient.values.iter().zip(numeric).enumerate() {
        assert!(
            (a - b).abs() <= tolerance,
            "{what}[{i}]: {a}, by differences {b}"
        );
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    use reference::conv2d::*;
    let none = [0; 4];
    for (size, stride, pad) in [
        ([3, 3], [1, 1], Padding::Same),
        ([2, 3], [2, 1], Padding::Same),
        ([3, 2], [2, 2], Padding::Valid),
    ] {
        let p = Conv2d::new([2, 5, 6, 2], 3, size, stride, pad);
        let outputs = (p.n * p.c_out * p.h_out * p.w_out) as usize;
        let (x, w, b, dy) = (
            random(1, 120),
            random(2, p.kernel_len()),
            random(3, 3),
            random(4, outputs),
        );
        let dx = conv2d_backward_input(&p, &words(&dy), &words(&w), &none);
        close(
            "conv2d dx",
            &dx,
            &differences(&x, &dy, |x| conv2d_forward(&p, x, &words(&w), &words(&b))),
            1e-9,
        );
        let partial = conv2d_backward_weight(&p, &words(&x), &words(&dy)).values;
        let dw = differences(&w, &dy, |w| conv2d_forward(&p, &words(&x), w, &words(&b)));
        let db = differences(&b, &dy, |b| conv2d_forward(&p, &words(&x), &words(&w), b));
        close(
            "conv2d dw, db",
            &Expected::exact(partial),
            &[dw, db].concat(),
            1e-9,
        );
    }
    let p = MaxPool2d::new([1, 6, 5, 2], [3, 3], [1, 1], Padding::Same);
    let (x, dy) = (random(5, 60), random(6, 60));
    let dx = reference::max_pool2d::max_pool2d_backward(&p, &words(&x), &words(&dy), &[]);
    close(
        "max_pool2d dx",
        &dx,
        &differences(&x, &dy, |x| {
            reference::max_pool2d::max_pool2d_forward(&p, x)
        }),
        1e-9,
    );

    for (size, stride, pad) in [
        ([3, 3], [1, 1], Padding::Same),
        ([2, 3], [2, 1], Padding::Same),
        ([3, 2], [2, 3], Padding::Valid),
    ] {
        let p = MaxPool2d::new([2, 5, 6, 2], size, stride, pad);
        let outputs = (p.n * p.c * p.h_out * p.w_out) as usize;
        let (x, dy) = (random(15, 120), random(16, outputs));
        let dx = reference::average_pool2d::average_pool2d_backward(&p, &words(&dy), &[]);
        close(
            "average_pool2d dx",
            &dx,
            &differences(&x, &dy, |x| {
                reference::average_pool2d::average_pool2d_forward(&p, x)
            }),
            1e-9,
        );
    }

    let p = Matmul::new(3, 5, 7);
    let (x, w, b, dy) = (
        random(7, 15),
        panels(&random(8, 35), &p),
        random(9, 7),
        random(10, 21),
    );
    let dx = reference::matmul::matmul_backward_input(&p, &words(&dy), &words(&w), &none, &[0; 15]);
    close(
        "dense dx",
        &dx,
        &differences(&x, &dy, |x| {
            reference::matmul::matmul_forward(&p, x, &words(&w), &words(&b))
        }),
        1e-9,
    );
    let weight = MatmulWeight::new(&p);
    let dw = reference::matmul::matmul_backward_weight(&weight, &words(&x), &words(&dy));
    close(
        "dense dw",
        &dw,
        &differences(&w, &dy, |w| {
            reference::matmul::matmul_forward(&p, &words(&x), w, &words(&b))
        }),
        1e-9,
    );

    let p = GlobalAveragePool {
        n: 2,
        c: 3,
        pixels: 12,
        masked: 0,
    };
    let (x, dy) = (random(11, 72), random(12, 6));
    let dx = reference::global_average_pool::global_average_pool_backward(&p, &words(&dy), &none);
    close(
        "pool dx",
        &dx,
        &differences(&x, &dy, |x| {
            reference::global_average_pool::global_average_pool_forward(&p, x)
        }),
        1e-9,
    );

    let p = Softmax {
        rows: 3,
        classes: 5,
    };
    let head = Loss {
        weight: 0.3,
        ..Loss::of(3, 5)
    };
    let (x, dy) = (random(13, 15), random(14, 15));
    let y: Vec<f32> = reference::softmax::softmax_forward(&p, &words(&x))
        .values
        .iter()
        .map(|&y| y as f32)
        .collect();
    let dx = reference::softmax::softmax_backward(&p, &words(&y), &words(&dy));
    close(
        "softmax dx",
        &dx,
        &differences(&x, &dy, |x| reference::softmax::softmax_forward(&p, x)),
        1e-6,
    );
    let (labels, step) = ([4, 0, 2], Step::new(0, 2, [0.0; 4]));
    let both = |x: &[u32]| {
        let bindings: [&[u32]; 5] = [x, &labels, &[], &[], &none];
        reference::softmax::softmax_cross_entropy(&head, &step, &bindings)
    };
    let loss = |x: &[u32]| {
        let metrics = both(x).remove(1);
        // The gradient is that of the head's share in the whole loss.
        Expected::exact(vec![head.weight as f64 * metrics.values[0] / 2.0])
    };
    let dx = both(&words(&x)).remove(0);
    close(
        "cross-entropy dx",
        &dx,
        &differences(&x, &[1.0], loss),
        1e-6,
    );
}

/// 1 to n have the mean (n + 1) / 2 and the variance (n^2 - 1) / 12, whatever their order.
#[test]
fn standardised_pictures_agree_with_known_moments() {
    use fer_gpu::ops::standardise::{Channels, Pictures};
    let step = Step::new(1, 2, [0.0; 4]);
    for n in [2u32, 7, 64, 2304] {
        let image: Vec<f32> = (0..n).map(|i| 1.0 + ((i * 5 + 1) % n) as f32).collect();
        let count = f64::from(n);
        let distinct = image
            .iter()
            .map(|v| *v as u32)
            .collect::<std::collections::BTreeSet<_>>();
        assert_eq!(distinct.len() as u32, n);
        let [mean, deviation] = [(count + 1.0) / 2.0, ((count * count - 1.0) / 12.0).sqrt()];
        // The second image is a multiple of the first, the third is padding.
        let scaled: Vec<f32> = image.iter().map(|v| v / 1024.0).collect();
        let all = words(&[&image[..], &scaled, &image].concat());
        for (epsilon, least) in [(1e-3f32, deviation / 1024.0), (0.5, 0.5)] {
            let p = Pictures {
                n: 3,
                values: n,
                epsilon,
            };
            let found = reference::standardise::pictures(&p, &step, &all);
            for (i, value) in image.iter().enumerate() {
                let d = f64::from(*value) - mean;
                let near = |found: f64, expected: f64| {
                    assert!(
                        (found - expected).abs() <= 1e-12,
                        "{n}: {found}, not {expected}"
                    );
                };
                near(found.values[i], d / deviation.max(epsilon.into()));
                let least = least.max(f64::from(epsilon)).max(deviation / 1024.0);
                near(found.values[i + n as usize], d / 1024.0 / least);
                assert_eq!(found.values[i + 2 * n as usize], 0.0);
            }
        }
        let p = Channels {
            n: 3,
            c: 1,
            pixels: n,
        };
        let statistics = words(&[mean as f32, 2.0]);
        let found = reference::standardise::channels(&p, &step, &all, &statistics);
        assert_eq!(found.values[0], 2.0 * (f64::from(image[0]) - mean));
        assert_eq!(found.values[2 * n as usize], 0.0);
    }
}
