//! Small dense layers that run as one kernel each way make and learn what they would in a kernel for each gradient.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, assert_learn_the_same, options};
use fer_gpu::gpu::{Gpu, LimitChoice};
use fer_gpu::graph::Window;
use fer_gpu::layers::{Activation, Dense, Function};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;

/// With ReLU behind, without a bias, and the logits; an image for the first, or the features of one.
fn network(image: [u32; 3], trunk: bool) -> Model {
    let mut b = Builder::new();
    let mut x = b.input("image", image);
    if trunk {
        x = b.conv2d("trunk", x, 5, Window::square(3, 1, Same), true);
    }
    let flat = b.flatten("flat", x);
    let hidden = b.dense("hidden", flat, 23, true);
    let plain = Dense {
        use_bias: false,
        ..Dense::new(33)
    };
    let plain = b.layer("plain", plain, &[hidden]).expect("features");
    let relu = b.layer("relu", Activation(Function::Relu), &[plain]);
    let logits = b.dense("output", relu.expect("any"), CLASSES, false);
    b.model("dense", logits)
}

fn trial<'g>(gpu: &'g Gpu, model: &Model, whole_dense: bool) -> Trial<'g> {
    let mut options = options(gpu);
    options.schedule.whole_dense = whole_dense;
    Trial::new(gpu, model, &options)
}

/// The layers whose gradients are all of one dispatch.
fn whole<'t>(trial: &'t Trial) -> Vec<&'t str> {
    let dispatches = trial.dispatches().iter();
    let whole = dispatches.filter(|d| d.op.name() == "matmul_backward");
    whole.map(|d| d.label.as_str()).collect()
}

#[test]
fn small_dense_layers_learn_the_same_in_one_kernel() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            for trunk in [true, false] {
                let model = network(image, trunk);
                let [mut one, mut several] = [true, false].map(|join| trial(&gpu, &model, join));
                // Nobody wants the gradient of the image.
                let all = ["output", "plain", "hidden"];
                let expected = if trunk { &all[..] } else { &all[..2] };
                assert_eq!(whole(&one), expected);
                assert!(whole(&several).is_empty());
                assert_learn_the_same(&mut one, &mut several, &format!("{trunk} {image:?}"));
            }
        }
    }
}

/// What does not learn keeps a layer's gradients apart if it is its kernel.
#[test]
fn frozen_tensors_of_dense_layers_stay_as_they_are() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for (frozen, expected) in [
            ("hidden/bias", &["output", "plain", "hidden"][..]),
            ("plain/kernel", &["output", "hidden"]),
            ("output/kernel", &["plain", "hidden"]),
        ] {
            let mut model = network(IMAGES[0], true);
            assert_eq!(model.freeze(frozen).expect("a pattern"), 1);
            for join in [true, false] {
                let mut trial = trial(&gpu, &model, join);
                assert_eq!(whole(&trial), if join { expected } else { &[] });
                let before = trial.values(frozen);
                trial.checked();
                assert_eq!(trial.values(frozen), before, "{frozen}");
                assert_ne!(trial.gradient("hidden/kernel"), vec![0.0; 320 * 23]);
            }
        }
    }
}
