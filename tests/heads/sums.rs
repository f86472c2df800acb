//! Add as a layer: of two and three inputs, of one input twice, inside a concatenation.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, assert_close, options};
use fer_gpu::gpu::LimitChoice;
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Activation, Add, Conv2D, Function};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;
use fer_gpu::plan::Options;

const WINDOW: Window = Window {
    size: [3, 3],
    stride: [1, 1],
    padding: Same,
};

/// Three convolutions with ReLU and one without.
fn branches(b: &mut Builder, x: TensorId) -> [TensorId; 4] {
    [0, 1, 2, 3].map(|i| b.conv2d(&format!("conv_{i}"), x, 5, WINDOW, i < 3))
}

fn finish(mut b: Builder, y: TensorId) -> Model {
    let pooled = b.global_average_pool("gap", y);
    let logits = b.dense("output", pooled, CLASSES, false);
    b.model("sums", logits)
}

/// Sums of all kinds, side by side; convolutions before and behind.
fn network(image: [u32; 3]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let [p, q, r, s] = branches(&mut b, x);
    let mut add = |name: &str, inputs: &[TensorId]| b.layer(name, Add, inputs).expect("one shape");
    let two = add("two", &[p, q]);
    let three = add("three", &[q, r, s]);
    let twice = add("twice", &[s, s]);
    let thrice = add("thrice", &[r, r, r]);
    let of_sums = add("of_sums", &[two, three]);
    let relu = Activation(Function::Relu);
    let open = b.layer("open", relu, &[of_sums]).expect("any shape");
    let joined = b.concat("joined", &[two, three, twice, thrice, open]);
    let y = b.conv2d("behind", joined, 6, WINDOW, true);
    finish(b, y)
}

/// 2 x, as a sum or as a convolution by twice the identity: what learns before it must learn the same.
fn doubled(image: [u32; 3], by_sum: bool) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let y = b.conv2d("before", x, 5, WINDOW, true);
    let y = match by_sum {
        true => b.layer("twice", Add, &[y, y]),
        false => {
            let window = Window::square(1, 1, Same);
            b.layer("twice", Conv2D::new(5, window), &[y])
        }
    };
    finish(b, y.expect("an image"))
}

#[test]
fn every_sum_agrees_with_its_reference() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            let model = network(image);
            let [in_place, copied] = [true, false].map(|concat_in_place| {
                let options = Options {
                    concat_in_place,
                    ..options(&gpu)
                };
                let mut trial = Trial::new(&gpu, &model, &options);
                let metrics = trial.checked();
                let gradients = trial.names().into_iter().map(|name| trial.gradient(&name));
                (metrics, gradients.collect::<Vec<_>>())
            });
            assert!(in_place == copied, "the same bits");
        }
    }
}

#[test]
fn a_tensor_added_to_itself_counts_twice() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            let mut sum = Trial::new(&gpu, &doubled(image, true), &options(&gpu));
            let mut conv = Trial::new(&gpu, &doubled(image, false), &options(&gpu));
            let twice = |i| if i / 5 == i % 5 { 2.0 } else { 0.0 };
            conv.write("twice/kernel", &(0..25).map(twice).collect::<Vec<f32>>());
            let (found, expected) = (sum.checked(), conv.step());
            assert!((found.loss_sum - expected.loss_sum).abs() <= 1e-5 * expected.loss_sum);
            for name in sum.names() {
                assert_close(&name, &sum.gradient(&name), &conv.gradient(&name));
            }
        }
    }
}

#[test]
fn tensors_of_several_shapes_are_refused() {
    let mut b = Builder::new();
    let x = b.input("image", IMAGES[0]);
    let y = b.conv2d("conv", x, 5, WINDOW, false);
    for inputs in [&[x][..], &[], &[x, y], &[y, y, x]] {
        let refusal = b.layer("sum", Add, inputs).expect_err("no sum");
        assert!(refusal.to_string().contains("of one shape"), "{refusal}");
    }
}
