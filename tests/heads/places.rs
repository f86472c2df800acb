//! Tensors that several layers read, at other places in memory: the same bits wherever they lie, and what a port
//! promises is there.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, options};
use fer_gpu::gpu::{LimitChoice, Metrics, Work};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Activation, Add, Concatenate, Function};
use fer_gpu::network::{Builder, Head, Model};
use fer_gpu::ops::conv2d::Padding::Same;
use fer_gpu::plan::Options;

fn conv(b: &mut Builder, name: &str, x: TensorId, relu: bool) -> TensorId {
    b.conv2d(name, x, 5, Window::square(3, 1, Same), relu)
}

/// A branch of a concatenation that others read too: flattened, pooled, convolved; before it and behind.
fn read_elsewhere(image: [u32; 3]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let p = conv(&mut b, "p", x, true);
    let q = conv(&mut b, "q", x, true);
    let flat = b.flatten("flat", q);
    let early = b.dense("early", flat, 6, true);
    let joined = b.concat("joined", &[p, q]);
    let gap = b.global_average_pool("gap", joined);
    let flat = b.flatten("flat_late", q);
    let late = b.dense("late", flat, 4, true);
    let pooled = b.global_average_pool("gap_p", p);
    let features = b.concat("features", &[early, gap, late, pooled]);
    let logits = b.dense("output", features, CLASSES, false);
    b.model("read-elsewhere", logits)
}

/// Rows of features side by side, whose kernels write no ranges even where ReLU rides in them.
fn rows_joined(image: [u32; 3]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let y = conv(&mut b, "conv", x, true);
    let gap = b.global_average_pool("gap", y);
    let wide = b.dense("wide", gap, 9, true);
    let narrow = b.dense("narrow", gap, 4, true);
    let joined = b.concat("joined", &[wide, narrow]);
    let logits = b.dense("output", joined, CLASSES, false);
    b.model("rows-joined", logits)
}

/// As in DenseNet: a branch is computed from its neighbour in the same concatenation.
fn dense_block(image: [u32; 3]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let first = conv(&mut b, "first", x, true);
    let second = conv(&mut b, "second", first, true);
    let both = b.concat("both", &[first, second]);
    let third = conv(&mut b, "third", both, false);
    let sum = b.layer("sum", Add, &[first, third]).expect("one shape");
    let all = b.concat("all", &[both, third, sum]);
    let pool = Window::square(2, 1, Same);
    let pooled = b.max_pool2d("pool", first, pool);
    let again = b.concat("again", &[all, first, pooled]);
    let gap = b.global_average_pool("gap", again);
    let logits = b.dense("output", gap, CLASSES, false);
    b.model("dense-block", logits)
}

#[test]
fn where_a_tensor_lies_changes_no_bit() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            for network in [read_elsewhere, rows_joined, dense_block] {
                let model = network(image);
                let [in_place, copied] = [true, false].map(|concat_in_place| {
                    let options = Options {
                        concat_in_place,
                        ..options(&gpu)
                    };
                    let mut trial = Trial::new(&gpu, &model, &options);
                    let metrics: Metrics = trial.checked();
                    let names = trial.names();
                    let gradients = names.into_iter().map(|n| (trial.gradient(&n), n));
                    (metrics, gradients.collect::<Vec<_>>())
                });
                assert_eq!(in_place.0, copied.0, "{}", model.name);
                for (a, b) in in_place.1.iter().zip(&copied.1) {
                    assert!(a == b, "{}: the gradient of {}", model.name, a.1);
                }
            }
        }
    }
}

/// Logits that fusion could place elsewhere: a change of name, a branch of what another head reads.
#[test]
fn ports_hold_the_logits_wherever_they_are_computed() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let mut b = Builder::new();
        let x = b.input("image", IMAGES[1]);
        let y = conv(&mut b, "trunk", x, true);
        let [h, w, _] = IMAGES[1];
        let whole = Window {
            size: [h, w],
            stride: [1, 1],
            padding: fer_gpu::ops::conv2d::Padding::Valid,
        };
        let one = b.conv2d("one_pixel", y, CLASSES, whole, false);
        let aux = b.flatten("aux", one);
        let gap = b.global_average_pool("gap", y);
        let near = b.dense("near", gap, CLASSES, false);
        let relu = b
            .layer("near_relu", Activation(Function::Relu), &[near])
            .expect("any shape");
        let features = b
            .layer("features", Concatenate, &[gap, relu, aux])
            .expect("rows");
        let main = b.dense("output", features, CLASSES, false);
        let heads = vec![
            Head::main(main),
            Head::auxiliary("flat", aux, 0.5),
            Head::auxiliary("near", near, 0.25),
        ];
        let model = b.model_with_heads("ports", heads);
        let mut trial = Trial::new(&gpu, &model, &options(&gpu));
        for work in [Work::EVALUATE, Work::TRAIN] {
            let metrics = trial.submit(work);
            let port = |name: &str| trial.executor.read_port(work, name).expect("a port");
            let mut whole = 0.0;
            for (head, weight) in [("", 1.0), ("/flat", 0.5), ("/near", 0.25)] {
                let logits = port(&format!("logits{head}"));
                assert!(logits.iter().any(|&z| z != 0.0), "logits{head}");
                let loss = port(&format!("metrics{head}"))[0] as f64;
                let expected = trial.loss(&logits);
                assert!(
                    (loss - expected).abs() <= 1e-5 * expected,
                    "{head}: {loss}, {expected}"
                );
                whole += weight * expected;
            }
            assert!((metrics.loss_sum as f64 - whole).abs() <= 1e-5 * whole);
        }
    }
}

/// Flattened images keep their order in memory: what would mix two orders is refused.
#[test]
fn rows_of_several_orders_are_not_mixed() {
    let mut b = Builder::new();
    let x = b.input("image", [2, 3, 4]);
    let flat = b.flatten("flat", x);
    let dense = b.dense("dense", flat, 24, false);
    let relu = Activation(Function::Relu);
    let relu = b.layer("relu", relu, &[flat]).expect("any shape");
    for inputs in [[flat, dense], [dense, relu]] {
        let refused = b.layer("sum", Add, &inputs);
        let refusal = refused.expect_err("two orders").to_string();
        assert!(refusal.contains("6 pixels"), "{refusal}");
        let refused = b.layer("joined", Concatenate, &inputs);
        refused.expect_err("two orders");
    }
    let sum = b.layer("sum", Add, &[flat, relu]).expect("one order");
    // Behind a ReLU or a sum the order is what it was before.
    let model = {
        let logits = b.dense("output", sum, CLASSES, false);
        b.model("orders", logits)
    };
    let output = model
        .graph
        .nodes
        .iter()
        .find(|n| n.name == "output")
        .expect("it");
    assert_eq!(model.graph.flattened_pixels(output.inputs[0]), 6);
}
