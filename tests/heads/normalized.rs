//! Batch normalization in a network: what padding holds plays no part, moving averages follow the batches, a frozen
//! one uses them and keeps them, and rows that were flattened from images are normalized in Keras's order.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, VALID, assert_close, options};
use fer_gpu::gpu::{Gpu, LimitChoice};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{
    Activation, Add, BatchNormalization, DepthwiseConv2D, Function, SeparableConv2D,
};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::Phase;
use fer_gpu::ops::conv2d::Padding::Same;
use fer_gpu::plan::{EVALUATE, FOLD, PREDICT};

fn norm(b: &mut Builder, name: &str, x: TensorId) -> TensorId {
    let layer = BatchNormalization {
        momentum: 0.75,
        ..BatchNormalization::default()
    };
    b.layer(name, layer, &[x])
        .expect("it takes any image and row")
}

fn relu(b: &mut Builder, name: &str, x: TensorId) -> TensorId {
    let layer = Activation(Function::Relu);
    b.layer(name, layer, &[x]).expect("it takes anything")
}

/// Normalized behind a convolution, in a range of channels, and behind flattening.
fn network(image: [u32; 3], frozen: &[&str]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let window = Window::square(3, 1, Same);
    let left = b.conv2d("left", x, 4, window, false);
    let left = norm(&mut b, "left/norm", left);
    let left = relu(&mut b, "left/relu", left);
    let right = b.conv2d("right", x, 3, window, true);
    let right = norm(&mut b, "right/norm", right);
    let both = b.concat("both", &[left, right]);
    let y = norm(&mut b, "both/norm", both);
    let flat = b.flatten("flat", y);
    let flat = norm(&mut b, "flat/norm", flat);
    let wide = b.dense("wide", flat, 8, false);
    let wide = norm(&mut b, "wide/norm", wide);
    let wide = relu(&mut b, "wide/relu", wide);
    let logits = b.dense("output", wide, CLASSES, false);
    for prefix in frozen {
        b.freeze(prefix);
    }
    b.model("normalized", logits)
}

fn trial<'g>(gpu: &'g Gpu, image: [u32; 3], frozen: &[&str]) -> Trial<'g> {
    println!("{}", gpu.info);
    Trial::new(gpu, &network(image, frozen), &options(gpu))
}

#[test]
fn every_dispatch_agrees_and_padding_plays_no_part() {
    for gpu in common::devices(LimitChoice::Native) {
        for image in IMAGES {
            let [usual, wild] = [false, true].map(|wild| {
                let mut trial = trial(&gpu, image, &[]);
                if wild {
                    trial.fill_padding(1e4);
                }
                trial.checked();
                trial.step();
                trial.all_values()
            });
            for (name, values) in &usual {
                assert!(wild[name] == *values, "{name} on {}", gpu.info);
            }
        }
    }
}

#[test]
fn moving_averages_follow_the_batches() {
    for gpu in common::devices(LimitChoice::Native) {
        let mut trial = trial(&gpu, IMAGES[1], &[]);
        // The output of the convolution, from the same weights.
        let [kernel, bias] = ["left/kernel", "left/bias"].map(|name| trial.values(name));
        let before = trial.predict("logits");
        trial.step();
        let values = convolved(&trial, IMAGES[1], &kernel, &bias);
        let mut expected = [Vec::new(), Vec::new()];
        for channel in values {
            let count = channel.len() as f64;
            let mean = channel.iter().sum::<f64>() / count;
            let squares = channel.iter().map(|v| (v - mean).powi(2));
            let variance = squares.sum::<f64>() / count;
            // From zero and one, a quarter of the way.
            expected[0].push(0.25 * mean as f32);
            expected[1].push(0.75 + 0.25 * variance as f32);
        }
        for (suffix, expected) in ["moving_mean", "moving_variance"].iter().zip(expected) {
            let name = format!("left/norm/{suffix}");
            assert_close(&name, &trial.values(&name), &expected);
        }
        assert!(trial.predict("logits") != before);
    }
}

/// The values of each channel of `left` over the rows that count.
fn convolved(trial: &Trial, [h, w, c]: [u32; 3], kernel: &[f32], bias: &[f32]) -> Vec<Vec<f64>> {
    let images = trial.images();
    let (h, w, c) = (h as i64, w as i64, c as usize);
    let mut channels = vec![Vec::new(); bias.len()];
    for n in 0..VALID as usize {
        let at = |y: i64, x: i64, i: usize| {
            let inside = (0..h).contains(&y) && (0..w).contains(&x);
            let plane = (n * c + i) as i64 * h;
            if inside {
                images[((plane + y) * w + x) as usize] as f64
            } else {
                0.0
            }
        };
        for (o, channel) in channels.iter_mut().enumerate() {
            for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                let mut sum = bias[o] as f64;
                for (tap, (ky, kx)) in (0..9).map(|t| (t as usize, (t / 3 - 1, t % 3 - 1))) {
                    for i in 0..c {
                        sum +=
                            at(y + ky, x + kx, i) * kernel[(tap * c + i) * bias.len() + o] as f64;
                    }
                }
                channel.push(sum);
            }
        }
    }
    channels
}

#[test]
fn a_frozen_one_uses_and_keeps_its_moving_averages() {
    for gpu in common::devices(LimitChoice::Native) {
        let frozen = ["both/norm", "wide/norm"];
        let mut trial = trial(&gpu, IMAGES[0], &frozen);
        let ops = |trial: &Trial, label: &str| -> Vec<&str> {
            let all = trial.dispatches().iter();
            let own = all.filter(|d| d.label == label && d.phase <= Phase::Backward);
            own.map(|d| d.op.name()).collect()
        };
        let constant = [
            "batch_norm_apply",
            "batch_norm_backward_merge",
            "batch_norm_backward_input",
        ];
        for label in frozen {
            assert_eq!(ops(&trial, label), constant);
        }
        let whole = ["batch_norm_forward", "batch_norm_backward"];
        assert_eq!(ops(&trial, "left/norm"), whole);
        let before = trial.all_values();
        trial.checked();
        trial.step();
        for (name, values) in trial.all_values() {
            let is_frozen = frozen.iter().any(|prefix| name.starts_with(prefix));
            assert_eq!(before[&name] == values, is_frozen, "{name}");
        }
    }
}

/// Convolutions without bias, plain, depthwise and separable, each normalized; what stands behind the first is read twice.
fn folding() -> Model {
    let mut b = Builder::new();
    let x = b.input("image", IMAGES[1]);
    let window = Window::square(3, 1, Same);
    let plain = b.conv2d("plain", x, 4, window, false);
    let y = norm(&mut b, "plain/norm", plain);
    let y = relu(&mut b, "plain/relu", y);
    let without = |layer: DepthwiseConv2D| DepthwiseConv2D {
        use_bias: false,
        ..layer
    };
    let y = b.layer("depthwise", without(DepthwiseConv2D::new(window)), &[y]);
    let y = norm(&mut b, "depthwise/norm", y.expect("an image"));
    let y = b.layer("separable", SeparableConv2D::new(5, window), &[y]);
    let layer = BatchNormalization {
        scale: false,
        center: false,
        ..BatchNormalization::default()
    };
    let y = b.layer("separable/norm", layer, &[y.expect("an image")]);
    let y = relu(&mut b, "separable/relu", y.expect("an image"));
    // Read by its normalization and by a sum.
    let twice = b.conv2d("twice", y, 5, window, false);
    let normed = norm(&mut b, "twice/norm", twice);
    let sum = b.layer("sum", Add, &[twice, normed]).expect("of one shape");
    let mean = b.global_average_pool("mean", sum);
    let logits = b.dense("output", mean, CLASSES, false);
    b.model("folding", logits)
}

#[test]
fn predictions_fold_it_into_the_convolution_before_it() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let mut trial = Trial::new(&gpu, &folding(), &options(&gpu));
        let plan = &trial.executor.plan;
        let labels = |program: &str, op: &str| -> Vec<&str> {
            let program = plan.program(program).expect("a program");
            let all = program.dispatches.iter().filter(|d| d.op.name() == op);
            all.map(|d| &*d.label).collect()
        };
        let folded = ["plain", "depthwise", "separable"];
        assert_eq!(labels(FOLD, "fold_batch_norm_kernel"), folded);
        assert_eq!(labels(FOLD, "fold_batch_norm_bias"), folded);
        assert_eq!(labels(PREDICT, "batch_norm_apply"), ["twice/norm"]);
        assert_eq!(labels(PREDICT, "relu_forward"), [""; 0]);
        assert_eq!(labels(EVALUATE, "batch_norm_apply").len(), 4);
        // Whenever the weights have changed, by steps or by whoever writes them.
        for change in 0..4 {
            let predicted = trial.predict("logits");
            let evaluated = trial.evaluate("logits");
            assert_close("logits", &predicted, &evaluated);
            match change {
                1 => trial.write("plain/norm/gamma", &[3.0, -2.0, 1.0, 0.5]),
                _ => drop(trial.step()),
            }
            assert!(trial.predict("logits") != predicted, "{change}");
        }
    }
}

/// Two places of one layer: each is normalized by its own batch.
#[test]
fn a_shared_one_has_statistics_for_each_place() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let mut b = Builder::new();
        let x = b.input("image", IMAGES[0]);
        let window = Window::square(3, 1, Same);
        let left = b.conv2d("left", x, 4, window, false);
        let right = b.conv2d("right", x, 4, window, false);
        let first = norm(&mut b, "norm", left);
        let second = b.again("norm/again", "norm", &[right]).expect("it fits");
        let both = b.concat("both", &[first, second]);
        let mean = b.global_average_pool("mean", both);
        let logits = b.dense("output", mean, CLASSES, false);
        let model = b.model("shared", logits);
        let mut trial = Trial::new(&gpu, &model, &options(&gpu));
        trial.checked();
        trial.checked();
    }
}
