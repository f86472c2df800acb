//! Depthwise and separable convolutions, and the border of zeros, against Keras and finite differences.

use super::differences::{close, differences, random};
use super::{agree, field, image, padding, words};
use crate::common::Golden;
use fer_gpu::ops::conv2d::{Conv2d, Padding};
use fer_gpu::ops::depthwise_conv2d::reduce_block;
use fer_gpu::ops::pad2d::Pad2d;
use fer_gpu::ops::reference::conv2d::*;
use fer_gpu::ops::reference::depthwise_conv2d::*;
use fer_gpu::ops::reference::pad2d::*;
use fer_gpu::ops::reference::{Expected, Tolerance};

/// The depthwise block of a case.
fn block(case: &str) -> Conv2d {
    let (op, name) = case.split_once('/').expect("an op and a case");
    assert!(op.ends_with("_conv2d"), "{op}");
    let input = ["n", "h", "w", "c"].map(|key| field(name, key));
    let size = [field(name, "k"); 2];
    let stride = [field(name, "s"); 2];
    Conv2d::new(input, input[3], size, stride, padding(case))
}

/// The sums over the shares: kernel and bias.
fn reduced(p: &Conv2d, partial: &Expected) -> Vec<Expected> {
    conv2d_reduce_weight(p, &words(&rounded(partial)))
}

fn rounded(found: &Expected) -> Vec<f32> {
    found.values.iter().map(|&value| value as f32).collect()
}

/// The golden value is rounded to f32, and so was the operand between the two convolutions: half a unit in the
/// last place of each, times what it is multiplied by.
fn agree_behind_f32(what: &str, expected: &[f32], found: &Expected) {
    let Tolerance::Sum(magnitudes) = &found.tolerance else {
        panic!("{what} is a sum")
    };
    assert_eq!(expected.len(), found.values.len(), "{what}: length");
    for (i, (&golden, &value)) in expected.iter().zip(&found.values).enumerate() {
        let golden = golden as f64;
        let bound = (0.5f64).powi(24) * (magnitudes[i] + golden.abs()) + 1e-9;
        assert!(
            (value - golden).abs() <= bound,
            "{what}[{i}]: {value}, Keras {golden}"
        );
    }
}

#[test]
fn depthwise_conv2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in super::cases(golden, "depthwise_conv2d") {
        let p = block(&case);
        let [x, y, dx, dy] =
            ["x", "y", "dx", "dy"].map(|name| image(golden, &format!("{case}/{name}")));
        let [kernel, dkernel] =
            ["kernel", "dkernel"].map(|name| golden.f32(&format!("{case}/{name}")));
        let (x, dy, w, none) = (words(&x), words(&dy), words(&kernel), [0; 4]);
        let zeros = vec![0; p.c_out as usize];
        agree(&case, &y, &depthwise_conv2d_forward(&p, &x, &w, &zeros));
        let found = depthwise_conv2d_backward_input(&p, &dy, &w, &none);
        agree(&case, &dx, &found);
        let partial = depthwise_conv2d_backward_weight(&p, &x, &dy);
        let dw = partial.values[..dkernel.len()].to_vec();
        agree(&case, &dkernel, &Expected::exact(dw));
    }
}

#[test]
fn separable_conv2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in super::cases(golden, "separable_conv2d") {
        let p = block(&case);
        let input = [p.n, p.h_out, p.w_out, p.c_out];
        let point = Conv2d::new(input, field(&case, "co"), [1, 1], [1, 1], Padding::Valid);
        let [x, y, dx, dy] =
            ["x", "y", "dx", "dy"].map(|name| image(golden, &format!("{case}/{name}")));
        let names = ["depthwise_kernel", "pointwise_kernel", "bias"];
        let [depthwise, pointwise, bias] =
            names.map(|name| words(&golden.f32(&format!("{case}/{name}"))));
        let [ddepthwise, dpointwise, dbias] =
            names.map(|name| golden.f32(&format!("{case}/d{name}")));
        let (x, dy, none, zeros) = (words(&x), words(&dy), [0; 4], vec![0; p.c_out as usize]);

        let middle = depthwise_conv2d_forward(&p, &x, &depthwise, &zeros);
        let middle = words(&rounded(&middle));
        let found = conv2d_forward(&point, &middle, &pointwise, &bias);
        agree_behind_f32(&format!("{case} y"), &y, &found);

        let dmiddle = conv2d_backward_input(&point, &dy, &pointwise, &none);
        let dmiddle = words(&rounded(&dmiddle));
        let found = depthwise_conv2d_backward_input(&p, &dmiddle, &depthwise, &none);
        agree_behind_f32(&format!("{case} dx"), &dx, &found);

        let of = |found: &Expected, range: std::ops::Range<usize>| {
            let Tolerance::Sum(magnitudes) = &found.tolerance else {
                panic!("{case} is a sum")
            };
            let pairs = found.values.iter().copied().zip(magnitudes.iter().copied());
            Expected::sum(pairs.skip(range.start).take(range.len()).collect())
        };
        let partial = conv2d_backward_weight(&point, &middle, &dy);
        let weights = dpointwise.len();
        let found = of(&partial, 0..weights);
        agree_behind_f32(&format!("{case} dpointwise"), &dpointwise, &found);
        let found = of(&partial, weights..weights + dbias.len());
        agree_behind_f32(&format!("{case} dbias"), &dbias, &found);
        let partial = depthwise_conv2d_backward_weight(&p, &x, &dmiddle);
        let found = of(&partial, 0..ddepthwise.len());
        agree_behind_f32(&format!("{case} ddepthwise"), &ddepthwise, &found);
    }
}

#[test]
fn their_gradients_agree_with_finite_differences() {
    let p = Conv2d {
        splits: 2,
        ..Conv2d::new([3, 5, 4, 2], 6, [3, 2], [2, 1], Padding::Same)
    };
    let x = random(1, (p.n * p.c_in * p.h_in * p.w_in) as usize);
    let w = random(2, (p.kh * p.kw * p.c_out) as usize);
    let b = random(3, p.c_out as usize);
    let dy = random(4, (p.n * p.c_out * p.h_out * p.w_out) as usize);
    let forward = |x: &[u32], w: &[u32], b: &[u32]| depthwise_conv2d_forward(&p, x, w, b);
    let (xs, ws, bs, dys) = (words(&x), words(&w), words(&b), words(&dy));
    let dx = differences(&x, &dy, |x| forward(x, &ws, &bs));
    let found = depthwise_conv2d_backward_input(&p, &dys, &ws, &[0; 4]);
    close("depthwise dx", &found, &dx, 1e-9);
    let dw = differences(&w, &dy, |w| forward(&xs, w, &bs));
    let db = differences(&b, &dy, |b| forward(&xs, &ws, b));
    // Shares are rounded to f32 before they are added.
    let partial = depthwise_conv2d_backward_weight(&p, &xs, &dys);
    let found = reduced(&reduce_block(&p), &partial);
    close("depthwise dw", &found[0], &dw, 1e-5);
    close("depthwise db", &found[1], &db, 1e-5);

    let p = Pad2d::new([2, 3, 4, 2], [[1, 2], [0, 3]]);
    let x = random(5, (p.n * p.c * p.h_in * p.w_in) as usize);
    let dy = random(6, (p.n * p.c * p.h_out * p.w_out) as usize);
    let dx = differences(&x, &dy, |x| pad2d_forward(&p, x));
    close("pad2d dx", &pad2d_backward(&p, &words(&dy)), &dx, 1e-9);
}
