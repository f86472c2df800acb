//! What dropout drops: at its rate, independently of neighbours, rows, steps, layers and seeds, the same whatever
//! the shards are, and nothing at all where nothing trains.

use fer_gpu::graph::{Mode, TensorId, Window};
use fer_gpu::layers::{Activation, Dropout, Function, SpatialDropout2D};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding;
use fer_gpu::ops::dropout;
use fer_gpu::ops::params::Step;
use fer_gpu::plan::{self, Loss, Options, Source, Wanted};
use fer_gpu::profile::{Class, Profile};

const ROWS: u32 = 64;
const PIXELS: u32 = 64;
const CHANNELS: u32 = 16;

fn step(number: u32, seed: u32, first_row: u32) -> Step {
    Step {
        first_row,
        seed,
        ..Step::new(number, ROWS, [0.0; 4])
    }
}

/// Of each element, row by row in (pixel, channel) order: 1 - rate where it is dropped, else -rate.
fn mask(rate: f64, stream: u32, step: Step) -> Vec<f64> {
    let p = dropout::Dropout::new(ROWS, CHANNELS, PIXELS, rate, stream);
    let one = |i: u32| {
        let (n, element) = (i / (PIXELS * CHANNELS), i % (PIXELS * CHANNELS));
        let is_dropped = p.is_dropped(&step, n, element % CHANNELS, element / CHANNELS);
        f64::from(is_dropped) - rate
    };
    (0..ROWS * PIXELS * CHANNELS).map(one).collect()
}

/// The correlation of two masks in standard deviations.
fn correlation(rate: f64, a: &[f64], b: &[f64]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    sum / (rate * (1.0 - rate) * (a.len().min(b.len()) as f64).sqrt())
}

/// Of some 650 numbers that are normal, the largest is below 4.5 but for one in 200 seeds; these are fixed.
#[test]
fn elements_are_dropped_at_the_rate_and_independently() {
    for rate in [0.1, 0.5, 0.8] {
        for number in 1..=8 {
            let own = mask(rate, 1, step(number, 0, 0));
            let deviation = (rate * (1.0 - rate) * own.len() as f64).sqrt();
            let mut found = vec![("rate", own.iter().sum::<f64>() / deviation)];
            let others = [
                ("step", mask(rate, 1, step(number + 1, 0, 0))),
                ("stream", mask(rate, 2, step(number, 0, 0))),
                ("seed", mask(rate, 1, step(number, 1, 0))),
            ];
            for (name, other) in &others {
                found.push((name, correlation(rate, &own, other)));
            }
            // Channels, pixels and rows beside it, and powers of two.
            let row = (PIXELS * CHANNELS) as usize;
            for lag in [1, 2, 3, 4, 8, 16, 17, 32, 64, 128, 256, 512, row, 2 * row] {
                found.push(("neighbour", correlation(rate, &own, &own[lag..])));
            }
            for (name, deviations) in found {
                assert!(
                    deviations.abs() < 4.5,
                    "rate {rate}, step {number}, {name}: off by {deviations} deviations"
                );
            }
        }
    }
}

/// A row has its mask by its number among those of all shards.
#[test]
fn a_shard_drops_what_the_whole_batch_drops() {
    let whole = mask(0.5, 3, step(9, 4, 0));
    let shard = mask(0.5, 3, step(9, 4, 16));
    let row = (PIXELS * CHANNELS) as usize;
    assert_eq!(whole[16 * row..], shard[..48 * row]);
}

#[test]
fn a_spatial_dropout_drops_whole_channels() {
    let p = dropout::Dropout {
        whole_channels: 1,
        ..dropout::Dropout::new(ROWS, CHANNELS, PIXELS, 0.25, 1)
    };
    let step = step(1, 0, 0);
    let mut dropped = 0;
    for (n, c) in (0..ROWS).flat_map(|n| (0..CHANNELS).map(move |c| (n, c))) {
        let first = p.is_dropped(&step, n, c, 0);
        assert!((1..PIXELS).all(|pixel| p.is_dropped(&step, n, c, pixel) == first));
        dropped += u32::from(first);
    }
    // 1,024 channels, of which 256 are expected and 14 a deviation.
    assert!((200..312).contains(&dropped), "{dropped} channels");
}

/// A small network, with dropout between its layers or without.
fn network(rate: Option<f64>) -> Model {
    let mut b = Builder::new();
    let image = b.input("image", [8, 8, 1]);
    let window = Window::square(3, 1, Padding::Same);
    let drop = |b: &mut Builder, name: &str, x: TensorId, whole: bool| match rate {
        None => x,
        Some(rate) if whole => b
            .layer(name, SpatialDropout2D { rate }, &[x])
            .expect("a layer"),
        Some(rate) => b.layer(name, Dropout { rate }, &[x]).expect("a layer"),
    };
    let x = b.conv2d("conv", image, 4, window, false);
    let x = drop(&mut b, "channels", x, true);
    let x = b
        .layer("relu", Activation(Function::Relu), &[x])
        .expect("a layer");
    let x = b.flatten("flat", x);
    let x = drop(&mut b, "twice", x, false);
    let x = drop(&mut b, "elements", x, false);
    let logits = b.dense("logits", x, 3, false);
    b.model("a network", logits)
}

/// Kernels and parameters of a program.
fn told(model: &Model, wanted: &[Wanted]) -> Vec<(String, String)> {
    let options = Options::new(Profile::webgpu(Class::Gpu));
    let plan = plan::plan(model, wanted, &options).expect("a plan");
    let program = plan.programs.last().expect("a program");
    let told = |d: &plan::Dispatch| (d.op.name().to_string(), d.op.describe(&d.params));
    program.dispatches.iter().map(told).collect()
}

/// Convolution and ReLU are one kernel again, as if no layer had stood between them.
#[test]
fn nothing_is_dropped_where_nothing_trains() {
    let training = Wanted::training(4, [Source::Host; 2]);
    for wanted in [&training[..], &Wanted::prediction(4)] {
        let [with, without] = [Some(0.5), None].map(|rate| told(&network(rate), wanted));
        assert_eq!(with, without);
    }
    let count = |wanted| {
        let all = told(&network(Some(0.5)), wanted);
        all.iter().filter(|(op, _)| op == "dropout").count()
    };
    assert_eq!(count(&training[..1]), 6, "three layers, two passes each");
}

/// At rate 0 a dropout is another name of its input, in training too.
#[test]
fn a_dropout_that_drops_nothing_has_no_kernel() {
    let training = Wanted::training(4, [Source::Host; 2]);
    let all = told(&network(Some(0.0)), &training[..1]);
    assert!(all.iter().all(|(op, _)| op != "dropout"));
}

#[test]
fn a_head_may_end_in_a_dropout() {
    let mut b = Builder::new();
    let image = b.input("image", [4, 4, 1]);
    let x = b.flatten("flat", image);
    let x = b.dense("dense", x, 3, false);
    let logits = b
        .layer("dropped", Dropout { rate: 0.5 }, &[x])
        .expect("a layer");
    let model = b.model("a network", logits);
    for mode in [Mode::Evaluate, Mode::Predict] {
        let graph = model.graph_for(mode, &Loss::default());
        assert!(graph.nodes.iter().any(|node| node.name == "dropped"));
    }
    let all = told(&model, &Wanted::prediction(4));
    assert!(all.iter().all(|(op, _)| op != "dropout"));
}
