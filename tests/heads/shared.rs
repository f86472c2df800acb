//! A layer in two places or three: the gradient of its tensors is the sum of what each place says.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, assert_close, options, plus};
use fer_gpu::gpu::LimitChoice;
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Activation, Conv2D, Dense, Function};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::add::TERMS;
use fer_gpu::ops::conv2d::Padding::Same;

/// The layer `shared` on each of the inputs, with ReLU behind; the same tensors, or others of equal values.
fn places(
    b: &mut Builder,
    inputs: &[TensorId],
    again: bool,
    first: impl Fn(&mut Builder, &str, TensorId) -> TensorId,
) -> Vec<TensorId> {
    let place = |(i, &x): (usize, &TensorId)| {
        let name = if i == 0 {
            "shared".into()
        } else {
            format!("shared_{i}")
        };
        let y = match again && i > 0 {
            true => b.again(&name, "shared", &[x]).expect("the same shapes"),
            false => first(b, &name, x),
        };
        let relu = Activation(Function::Relu);
        b.layer(&format!("{name}_relu"), relu, &[y])
            .expect("any shape")
    };
    inputs.iter().enumerate().map(place).collect()
}

/// `count` branches, each through the same convolution.
fn convolutions(image: [u32; 3], count: usize, again: bool) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let window = Window::square(3, 1, Same);
    let inputs: Vec<TensorId> = (0..count)
        .map(|i| b.conv2d(&format!("before_{i}"), x, 5, window, true))
        .collect();
    let branches = places(&mut b, &inputs, again, |b, name, x| {
        b.layer(name, Conv2D::new(7, window), &[x])
            .expect("an image")
    });
    let joined = b.concat("joined", &branches);
    let pooled = b.global_average_pool("gap", joined);
    let logits = b.dense("output", pooled, CLASSES, false);
    b.model("shared", logits)
}

/// Two rows of features through the same dense layer of so many units.
fn dense(image: [u32; 3], units: u32, again: bool) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let window = Window::square(3, 1, Same);
    let inputs: Vec<TensorId> = (0..2)
        .map(|i| {
            let y = b.conv2d(&format!("before_{i}"), x, 8, window, true);
            b.flatten(&format!("flat_{i}"), y)
        })
        .collect();
    let branches = places(&mut b, &inputs, again, |b, name, x| {
        b.layer(name, Dense::new(units), &[x]).expect("features")
    });
    let joined = b.concat("joined", &branches);
    let logits = b.dense("output", joined, CLASSES, false);
    b.model("shared", logits)
}

/// Holds a network whose layer is shared by `count` places against one with as many layers of equal values.
fn compare(what: &str, gpu: &fer_gpu::gpu::Gpu, shared: &Model, apart: &Model, count: usize) {
    let mut shared = Trial::new(gpu, shared, &options(gpu));
    let mut apart = Trial::new(gpu, apart, &options(gpu));
    for name in ["kernel", "bias"] {
        let values = shared.values(&format!("shared/{name}"));
        for i in 1..count {
            apart.write(&format!("shared_{i}/{name}"), &values);
        }
    }
    assert_eq!(shared.names().len() + 2 * (count - 1), apart.names().len());
    let sums = shared.dispatches().iter();
    let sums = sums.filter(|d| d.op.name() == "add" && d.label.starts_with("shared"));
    let of_each = (count - 1).div_ceil(TERMS - 1);
    assert_eq!(sums.count(), 2 * of_each, "{what}: kernel and bias");
    let (found, expected) = (shared.checked(), apart.step());
    assert!((found.loss_sum - expected.loss_sum).abs() <= 1e-5 * expected.loss_sum);
    for name in shared.names() {
        let mut expected = apart.gradient(&name);
        if let Some(own) = name.strip_prefix("shared/") {
            for i in 1..count {
                expected = plus(
                    &expected,
                    1.0,
                    &apart.gradient(&format!("shared_{i}/{own}")),
                );
            }
        }
        assert_close(
            &format!("{what}: {name}"),
            &shared.gradient(&name),
            &expected,
        );
    }
}

#[test]
fn a_shared_convolution_learns_from_every_place() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for (image, count) in [(IMAGES[0], 2), (IMAGES[1], 3)] {
            let [shared, apart] = [true, false].map(|again| convolutions(image, count, again));
            compare("conv", &gpu, &shared, &apart, count);
        }
    }
}

/// A small kernel, and one that alone would be updated where its gradient is made.
#[test]
fn a_shared_dense_kernel_learns_from_every_place() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for (image, units) in [(IMAGES[0], 33), (IMAGES[1], 1000)] {
            let [shared, apart] = [true, false].map(|again| dense(image, units, again));
            compare("dense", &gpu, &shared, &apart, 2);
        }
    }
}

#[test]
fn a_layer_is_not_shared_where_its_input_would_be_read_in_another_order() {
    let mut b = Builder::new();
    let x = b.input("image", [2, 3, 4]);
    let flat = b.flatten("flat", x);
    let first = b.dense("first", flat, 24, false);
    let refused = b.again("second", "first", &[first]);
    let refusal = refused.expect_err("24 features, but of one pixel");
    assert!(refusal.to_string().contains("6 pixels"), "{refusal}");
}
