//! Weights begin by their names: what another layer draws, or where it stands, changes nothing.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, options};
use fer_gpu::gpu::{LimitChoice, Tensor};
use fer_gpu::graph::Window;
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;

fn network(more: bool) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", IMAGES[0]);
    let window = Window::square(3, 1, Same);
    // As wide as the image has channels: what lies behind keeps its shapes.
    let x = if more {
        b.conv2d("more", x, 1, window, true)
    } else {
        x
    };
    let a = b.conv2d("a", x, 4, window, true);
    let twin = b.conv2d("twin", x, 4, window, true);
    let joined = b.concat("joined", &[a, twin]);
    let flat = b.flatten("flat", joined);
    let dense = b.dense("dense", flat, 600, true);
    let logits = b.dense("output", dense, CLASSES, false);
    b.model("initial", logits)
}

#[test]
fn another_layer_before_it_changes_no_initial_weight() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let [few, more] =
            [false, true].map(|more| Trial::new(&gpu, &network(more), &options(&gpu)));
        for name in few.names() {
            assert!(few.values(&name) == more.values(&name), "{name}");
            assert!(few.read(&name, Tensor::Slot(0)).iter().all(|&m| m == 0.0));
        }
        assert_ne!(few.values("a/kernel"), few.values("twin/kernel"));
        // Glorot's bound, nearly reached: 9 x 1 x 4 kernel values, fans 9 and 36.
        let limit = (6.0f32 / 45.0).sqrt();
        let largest = few
            .values("a/kernel")
            .iter()
            .fold(0f32, |m, v| m.max(v.abs()));
        assert!(
            (0.6 * limit..=limit).contains(&largest),
            "{largest} of {limit}"
        );
        assert!(few.values("a/bias").iter().all(|&b| b == 0.0));
        // Another seed draws others.
        few.executor.draw_parameters(8).expect("weights");
        assert_ne!(few.values("a/kernel"), more.values("a/kernel"));
    }
}

#[test]
fn two_layers_cannot_bear_one_name() {
    let mut b = Builder::new();
    let x = b.input("image", IMAGES[0]);
    let window = Window::square(3, 1, Same);
    let layer = || fer_gpu::layers::Conv2D::new(2, window);
    b.layer("a", layer(), &[x]).expect("the first");
    let refusal = b.layer("a", layer(), &[x]).expect_err("the second");
    assert!(refusal.to_string().contains("`a`"), "{refusal}");
    let refusal = b.again("a", "a", &[x]).expect_err("the third");
    assert!(refusal.to_string().contains("`a`"), "{refusal}");
}
