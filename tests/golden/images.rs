//! Ops over images against Keras: convolutions, pools, norms and concatenation.

use super::{agree, agree_within_bounds, cases, field, image, padding, stored, words};
use crate::common::Golden;
use fer_gpu::ops::batch_norm::BatchNorm;
use fer_gpu::ops::conv2d::Conv2d;
use fer_gpu::ops::local_response_norm::LocalResponseNorm;
use fer_gpu::ops::max_pool2d::MaxPool2d;
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::average_pool2d::*;
use fer_gpu::ops::reference::batch_norm::*;
use fer_gpu::ops::reference::conv2d::*;
use fer_gpu::ops::reference::elementwise::copy;
use fer_gpu::ops::reference::local_response_norm::*;
use fer_gpu::ops::reference::max_pool2d::*;
use fer_gpu::ops::reference::{Expected, UNTOUCHED};
use fer_gpu::ops::relu::Planes;

#[test]
fn conv2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "conv2d") {
        let [x, y, dx, dy] =
            ["x", "y", "dx", "dy"].map(|name| image(golden, &format!("{case}/{name}")));
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

/// A case of pooling over windows: its shape, and Keras's x, y, dx and dy.
fn pooled(golden: &mut Golden, case: &str) -> (MaxPool2d, [Vec<f32>; 4]) {
    let tensors = ["x", "y", "dx", "dy"].map(|name| image(golden, &format!("{case}/{name}")));
    let (_, name) = case.split_once('/').expect("the op, and its case");
    let input = ["n", "h", "w", "c"].map(|key| field(name, key));
    let [size, stride] = ["k", "s"].map(|key| [field(name, key); 2]);
    let p = MaxPool2d::new(input, size, stride, padding(case));
    (p, tensors)
}

#[test]
fn max_pool2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "max_pool2d") {
        let (p, [x, y, dx, dy]) = pooled(golden, &case);
        let [x, dy] = [&x, &dy].map(|values| words(values));
        agree(&case, &y, &max_pool2d_forward(&p, &x));
        agree(&case, &dx, &max_pool2d_backward(&p, &x, &dy, &[]));
    }
}

#[test]
fn average_pool2d_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "avg_pool2d") {
        let (p, [x, y, dx, dy]) = pooled(golden, &case);
        agree(&case, &y, &average_pool2d_forward(&p, &words(&x)));
        agree(&case, &dx, &average_pool2d_backward(&p, &words(&dy), &[]));
    }
}

#[test]
fn batch_norm_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "batch_norm_train/n4_h5_w3_c6";
    let [x, y, dx, dy] =
        ["x", "y", "dx", "dy"].map(|name| image(golden, &format!("{case}/{name}")));
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
    let [x, y, dx, dy] =
        ["x", "y", "dx", "dy"].map(|name| image(golden, &format!("{case}/{name}")));
    let p = LocalResponseNorm::new([2, 13, 12], 5, [1e-4, 0.75, 1.0]);
    let found = local_response_norm_forward(&p, &words(&x));
    agree(case, &y, &found);
    let found = local_response_norm_backward(&p, &words(&x), &words(&dy));
    agree(case, &dx, &found);
}

#[test]
fn concat_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "concat/c10_c3_c17";
    let mut image = |name: &str| image(golden, &format!("{case}/{name}"));
    let (y, dy) = (image("y"), image("dy"));
    let mut first = 0;
    for (name, channels) in [("a", 10), ("b", 3), ("c", 17)] {
        let (branch, gradient) = (image(name), image(&format!("d{name}")));
        let into = Planes {
            y_channels: 30,
            y_first: first,
            ..Planes::whole(2, channels, 20)
        };
        let found = copy(&into, &words(&branch));
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
        agree(case, &gradient, &copy(&out, &words(&dy)));
        first += channels;
    }
}
