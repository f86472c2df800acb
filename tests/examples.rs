//! The programs of `examples/` run and do what they say; and what [`Trainer`] refuses.

#[path = "../examples/kernel_against_reference.rs"]
mod kernel_against_reference;
#[path = "../examples/own_network.rs"]
mod own_network;
#[path = "../examples/train_on_arrays.rs"]
mod train_on_arrays;

use fer_gpu::gpu::{Adapter, Gpu, LimitChoice, Selector, Tensor};
use fer_gpu::graph::Window;
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;
use fer_gpu::ops::global_average_pool;
use fer_gpu::random::unit;
use fer_gpu::trainer::{Error, Recipe, Trainer};

fn gpu() -> Gpu {
    let adapter = Adapter::select(&Selector::Default).unwrap_or_else(|e| panic!("{e}"));
    Gpu::open(&adapter, LimitChoice::Native).expect("a device opens")
}

#[test]
fn train_on_arrays_learns_stripes() {
    let right = train_on_arrays::train().unwrap_or_else(|e| panic!("{e}"));
    assert!(right >= 0.9, "{right}");
    train_on_arrays::main().unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn own_network_learns_its_batch() {
    let metrics = own_network::train(30).unwrap_or_else(|e| panic!("{e}"));
    let [first, .., last] = &metrics[..] else {
        panic!("thirty steps")
    };
    assert!(last.loss_sum < 0.7 * first.loss_sum, "{first:?} {last:?}");
    own_network::main().unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn kernel_against_reference_finds_an_error_within_the_bound() {
    let found = kernel_against_reference::judge(&global_average_pool::Forward)
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(found.len() > 1);
    for (variant, cases, worst) in found {
        assert!(
            cases > 0 && worst > 0.0 && worst <= 1.0,
            "{variant}: {worst}"
        );
    }
    kernel_against_reference::main().unwrap_or_else(|e| panic!("{e}"));
}

/// Images of 4 x 3 pixels in two colours, two classes.
fn network() -> Model {
    let mut b = Builder::new();
    let x = b.input("image", [4, 3, 2]);
    let x = b.conv2d("conv", x, 5, Window::square(3, 1, Same), true);
    let x = b.flatten("flat", x);
    let logits = b.dense("output", x, 2, false);
    b.model("small", logits)
}

const IMAGE: usize = 4 * 3 * 2;

fn recipe(batch: u32) -> Recipe {
    Recipe {
        batch,
        ..Recipe::default()
    }
}

fn images(count: usize) -> Vec<f32> {
    let pixels = 0..(count * IMAGE) as u64;
    pixels.map(|i| unit(3, i) as f32).collect()
}

#[test]
fn what_is_no_batch_is_refused_with_the_remedy() {
    let gpu = gpu();
    let refused = Trainer::new(&gpu, &network(), recipe(0)).map(drop);
    assert!(matches!(refused, Err(Error::NoBatch)));
    let mut trainer = Trainer::new(&gpu, &network(), recipe(3)).expect("a trainer");
    let four = images(4);
    let mut told = |images: &[f32], labels: &[u32]| {
        let refused = trainer.step(images, labels).expect_err("refused");
        refused.to_string()
    };
    assert_eq!(
        told(&[], &[]),
        "a step of 0 images; the recipe's batch allows 1 to 3"
    );
    assert_eq!(
        told(&four, &[0; 4]),
        "a step of 4 images; the recipe's batch allows 1 to 3"
    );
    assert_eq!(
        told(&four[..25], &[0]),
        "25 numbers are no 1 images of 4 x 3 x 2"
    );
    let label = "label 2 of image 1: the network has classes 0 to 1";
    assert_eq!(told(&four[..2 * IMAGE], &[1, 2]), label);
    let refused = trainer.predict(&four[1..]).expect_err("refused");
    assert_eq!(refused.to_string(), "95 numbers are no images of 4 x 3 x 2");
    assert_eq!(trainer.steps(), 0);
    assert!(trainer.predict(&[]).expect("none").is_empty());
}

/// Three images are the same step in a batch of three and in one of eight; and five predictions those of one
/// by one.
#[test]
fn a_smaller_last_batch_counts_as_what_it_is() {
    let gpu = gpu();
    let [mut exact, mut padded] = [3, 8].map(|batch| {
        let mut trainer = Trainer::new(&gpu, &network(), recipe(batch)).expect("a trainer");
        // What an earlier, whole batch left must not count.
        if batch == 8 {
            trainer.predict(&images(8)).expect("predictions");
        }
        let metrics = trainer.step(&images(3), &[0, 1, 1]).expect("a step");
        (trainer, metrics)
    });
    let (a, b) = (exact.1, padded.1);
    assert_eq!((a.rows, a.correct), (b.rows, b.correct));
    assert!((a.loss_sum - b.loss_sum).abs() <= 1e-5 * a.loss_sum);
    let five = images(5);
    let at_once = padded.0.predict(&five).expect("predictions");
    for (one, expected) in five.chunks(IMAGE).zip(at_once.chunks(2)) {
        let alone = padded.0.predict(one).expect("a prediction");
        assert_eq!(alone, expected);
        assert!((alone[0] + alone[1] - 1.0).abs() < 1e-6);
    }
    let both = exact.0.predict(&five).expect("predictions");
    for (a, b) in both.iter().zip(&at_once) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

/// Images lie as (h, w, c): a pixel's colours side by side.
#[test]
fn colours_are_told_apart() {
    let gpu = gpu();
    let mut b = Builder::new();
    let x = b.input("image", [2, 2, 2]);
    let gap = b.global_average_pool("gap", x);
    let logits = b.dense("output", gap, 2, false);
    let model = b.model("colours", logits);
    let mut trainer = Trainer::new(&gpu, &model, recipe(2)).expect("a trainer");
    let unity = |_: std::ops::Range<usize>, values: &mut [f32]| {
        values.copy_from_slice(&[1.0, 0.0, 0.0, 1.0]);
        Ok::<(), fer_gpu::gpu::Error>(())
    };
    let executor = trainer.executor();
    executor
        .write_parameter(0, Tensor::Values, unity)
        .expect("a kernel");
    // The second colour is the brighter one.
    let image = [0.0, 1.0, 0.2, 3.0, 0.0, 2.0, 0.2, 2.0];
    let found = trainer.predict(&image).expect("a prediction");
    let expected = 1.0 / (1.0 + f32::exp(0.1 - 2.0));
    assert!((found[1] - expected).abs() < 1e-6, "{found:?} {expected}");
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing_and_training_can_go_on() {
    let gpu = gpu();
    let mut trainer = Trainer::new(&gpu, &network(), recipe(2)).expect("a trainer");
    let sound = images(2);
    let before = trainer.predict(&sound).expect("predictions");
    let mut broken = sound.clone();
    broken[5] = f32::NAN;
    let refused = trainer.step(&broken, &[0, 1]).expect_err("not finite");
    assert!(matches!(refused, Error::NonFinite { step: 1 }), "{refused}");
    assert_eq!(trainer.predict(&sound).expect("predictions"), before);
    trainer.step(&sound, &[0, 1]).expect("a step");
    assert_eq!(trainer.steps(), 1);
    assert_ne!(trainer.predict(&sound).expect("predictions"), before);
}
