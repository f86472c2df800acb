//! Frozen layers: no slots, no gradient, not a bit of them changes; what lies behind and beside them learns.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, options};
use fer_gpu::gpu::LimitChoice;
use fer_gpu::graph::{Kind, Window};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::Phase;
use fer_gpu::ops::conv2d::Padding::Same;

/// A trunk, a dense layer with a region of its own, and an output; what begins with one of `frozen` stays.
fn network(image: [u32; 3], frozen: &[&str]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let window = Window::square(3, 1, Same);
    let y = b.conv2d("trunk/a", x, 9, window, true);
    let y = b.conv2d("trunk/b", y, 10, window, true);
    let flat = b.flatten("flat", y);
    let wide = b.dense("wide", flat, 1000, true);
    let logits = b.dense("output", wide, CLASSES, false);
    for prefix in frozen {
        b.freeze(prefix);
    }
    b.model("frozen", logits)
}

#[test]
fn frozen_layers_stay_as_they_are() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for (image, frozen, gradients) in [
            // Nothing before the frozen trunk's end needs a gradient.
            (IMAGES[0], &["trunk"][..], &["wide", "output"][..]),
            // The wide kernel does not learn, but what lies before it does.
            (
                IMAGES[1],
                &["wide"],
                &["trunk/a", "trunk/b", "wide", "output"],
            ),
            (
                IMAGES[1],
                &["output"],
                &["trunk/a", "trunk/b", "wide", "output"],
            ),
            (IMAGES[0], &["trunk", "wide"], &["output"]),
        ] {
            let model = network(image, frozen);
            let mut trial = Trial::new(&gpu, &model, &options(&gpu));
            let is_frozen = |name: &str| frozen.iter().any(|prefix| name.starts_with(prefix));
            let plan = &trial.executor.plan;
            for parameter in &plan.parameters {
                let name = &parameter.name;
                assert_eq!(parameter.kind == Kind::Frozen, is_frozen(name), "{name}");
                for (region, _) in parameter.storage.pieces() {
                    let slots = plan.regions[region].slots.len();
                    assert_eq!(slots, if is_frozen(name) { 0 } else { 2 }, "{name}");
                }
            }
            let words: usize = plan.parameters.iter().map(|p| p.shape.len()).sum();
            assert_eq!(model.parameters(), words);
            assert!(model.trainable() < words);
            for dispatch in trial
                .dispatches()
                .iter()
                .filter(|d| d.phase == Phase::Backward)
            {
                let (label, op) = (&dispatch.label, dispatch.op.name());
                assert!(gradients.contains(&label.as_str()), "{label} {op}");
                let of_weight = op.contains("weight") || op.contains("bias");
                assert!(!(of_weight && is_frozen(label)), "{label} {op}");
            }
            let before = trial.all_values();
            trial.checked();
            trial.step();
            trial.step();
            for (name, values) in trial.all_values() {
                assert_eq!(before[&name] == values, is_frozen(&name), "{name}");
            }
        }
    }
}

/// A kernel learns without its bias, and a bias without its kernel.
#[test]
fn parts_of_layers_may_be_frozen() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for frozen in [
            &["trunk/a/bias", "wide/bias", "output/bias"][..],
            &["trunk/a/kernel", "output/kernel"],
            &["trunk/b/kernel", "wide/kernel"],
        ] {
            let mut model = network(IMAGES[0], &[]);
            for name in frozen {
                assert_eq!(model.freeze(name).expect("a pattern"), 1);
            }
            let mut trial = Trial::new(&gpu, &model, &options(&gpu));
            let before = trial.all_values();
            trial.checked();
            trial.step();
            for (name, values) in trial.all_values() {
                let stays = frozen.contains(&name.as_str());
                assert_eq!(before[&name] == values, stays, "{name} of {frozen:?}");
            }
        }
    }
}

/// Nothing is left to learn: the losses are there, and no update.
#[test]
fn a_network_may_be_frozen_whole() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let model = network(IMAGES[0], &[""]);
        assert_eq!(model.trainable(), 0);
        let mut trial = Trial::new(&gpu, &model, &options(&gpu));
        let phases = trial.dispatches().iter().map(|d| d.phase);
        assert!(phases.max() == Some(Phase::Loss));
        let before = trial.all_values();
        let first = trial.checked();
        assert_eq!(first.loss_sum, trial.step().loss_sum);
        assert!(before == trial.all_values());
    }
}
