//! The f64 references against Keras's own numbers (tests/golden/README.md) and against finite
//! differences of each other: what the kernels are held to is itself held to something.

#[path = "../common/mod.rs"]
mod common;
mod differences;
mod images;
mod optimizers;
mod rows;
mod separable;

use common::Golden;
use fer_gpu::ops::conv2d::Padding;
use fer_gpu::ops::matmul::Matmul;
use fer_gpu::ops::reference::Expected;

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

/// An array of NHWC images as NCHW.
fn image(golden: &mut Golden, path: &str) -> Vec<f32> {
    let shape = golden.shape(path);
    planar(&golden.f32(path), &shape)
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
