//! A small network with all that keeps state or shares weights learns as in Keras's float64: batch normalization,
//! separable and depthwise convolutions, a residual, average pooling; under RMSprop, SGD with Nesterov's momentum, L2
//! and label smoothing, and AdamW with decay and clipping by the global norm (tests/golden/make_learning.py).

mod common;

use common::{Golden, devices};
use fer_gpu::gpu::{Batch, Checks, Executor, Gpu, Images, LimitChoice, Tensor, Work};
use fer_gpu::layers::Loss;
use fer_gpu::network::Network;
use fer_gpu::ops::Step;
use fer_gpu::plan::{self, Clip, Decay, Options, Source, Training, Wanted};
use fer_gpu::random::unit;
use fer_gpu::rules::{self, Choices};

const BATCH: usize = 16;
const STEPS: u64 = 12;
const IMAGE: [usize; 3] = [16, 16, 2];
const CLASSES: u32 = 5;

/// The network of make_learning.py.
const NETWORK: &str = r#"
name = "learning"
about = "all that keeps state or shares weights"
image = [16, 16, 2]

[[layer]]
type = "Conv2D"
name = "stem"
filters = 8
kernel_size = 3
padding = "same"
use_bias = false
kernel_regularizer = L2

[[layer]]
type = "BatchNormalization"
name = "stem_bn"
momentum = 0.9

[[layer]]
type = "Activation"
name = "stem_relu"
activation = "relu"

[[layer]]
type = "SeparableConv2D"
name = "separable"
filters = 8
kernel_size = 3
padding = "same"
use_bias = false
depthwise_regularizer = L2
pointwise_regularizer = L2

[[layer]]
type = "BatchNormalization"
name = "separable_bn"
momentum = 0.9

[[layer]]
type = "Activation"
name = "separable_relu"
activation = "relu"

[[layer]]
type = "DepthwiseConv2D"
name = "depthwise"
kernel_size = 3
padding = "same"
depthwise_regularizer = L2

[[layer]]
type = "Add"
name = "residual"
inputs = ["stem_relu", "depthwise"]

[[layer]]
type = "AveragePooling2D"
name = "pool"
pool_size = 3
strides = 2
padding = "same"

[[layer]]
type = "Conv2D"
name = "conv"
filters = 12
kernel_size = 3
padding = "same"
use_bias = false
kernel_regularizer = L2

[[layer]]
type = "BatchNormalization"
name = "conv_bn"
momentum = 0.9

[[layer]]
type = "Activation"
name = "conv_relu"
activation = "relu"

[[layer]]
type = "GlobalAveragePooling2D"
name = "gap"

[[layer]]
type = "Dense"
name = "output"
units = "classes"
kernel_regularizer = L2
"#;

/// A way to learn.
struct Way {
    name: &'static str,
    rule: (&'static str, Choices),
    rate: f64,
    l2: f64,
    smoothing: f32,
    decay: f64,
    clip: Option<Clip>,
}

fn ways() -> [Way; 3] {
    let plain = Way {
        name: "rmsprop",
        rule: ("rmsprop", Choices::default()),
        rate: 1e-3,
        l2: 0.0,
        smoothing: 0.0,
        decay: 0.0,
        clip: None,
    };
    let nesterov = Choices {
        momentum: Some(0.9),
        nesterov: true,
        ..Choices::default()
    };
    let sgd = Way {
        name: "sgd",
        rule: ("sgd", nesterov),
        rate: 0.05,
        l2: 5e-3,
        smoothing: 0.1,
        ..plain
    };
    let adamw = Way {
        name: "adamw",
        rule: ("adamw", Choices::default()),
        rate: 2e-3,
        decay: 0.05,
        clip: Some(Clip::GlobalNorm(0.5)),
        ..plain
    };
    [plain, sgd, adamw]
}

/// Images (n, c, h, w) of a stream that has them as (n, h, w, c).
fn images(stream: u64) -> Vec<f32> {
    let [h, w, c] = IMAGE;
    let mut planes = vec![0.0; BATCH * h * w * c];
    for at in 0..planes.len() {
        let (pixel, channel) = (at / c, at % c);
        let (n, pixel) = (pixel / (h * w), pixel % (h * w));
        planes[(n * c + channel) * h * w + pixel] = unit(stream, at as u64) as f32;
    }
    planes
}

impl Way {
    fn executor<'g>(&self, gpu: &'g Gpu) -> Executor<'g> {
        let text = NETWORK.replace("= L2", &format!("= {:?}", self.l2));
        let network = Network::from_text("learning.toml", &text).expect("a network");
        let decay = match self.decay {
            0.0 => Decay::None,
            _ => Decay::All,
        };
        let options = Options {
            rule: rules::find(self.rule.0, &self.rule.1).expect("a rule"),
            loss: Loss {
                label_smoothing: self.smoothing,
                ..Loss::default()
            },
            training: Training {
                decay,
                clip: self.clip,
                ..Training::default()
            },
            ..Options::new(gpu.profile.clone())
        };
        let [train, _] = Wanted::training(BATCH as u32, [Source::Host; 2]);
        let [predict] = Wanted::prediction(BATCH as u32);
        let model = network.build(CLASSES);
        let plan = plan::plan(&model, &[train, predict], &options).expect("a plan");
        Executor::new(gpu, plan, Checks::On, &mut |_, _| ()).expect("an executor")
    }

    /// The scalars of step `t`, from 1.
    fn step(&self, executor: &Executor, t: u64) -> Step {
        Step {
            decay: (self.rate * self.decay) as f32,
            ..Step::new(
                t as u32,
                BATCH as u32,
                executor.plan.rule.scalars(self.rate, t),
            )
        }
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a
        .iter()
        .zip(b)
        .map(|(a, b)| (*a as f64 - *b as f64).powi(2));
    squares.sum::<f64>().sqrt()
}

fn largest(a: &[f32], b: &[f32]) -> f64 {
    let apart = a.iter().zip(b).map(|(a, b)| (*a as f64 - *b as f64).abs());
    apart.fold(0.0, f64::max)
}

#[test]
fn a_small_network_learns_as_in_keras() {
    let mut golden = Golden::open("learning");
    for gpu in devices(LimitChoice::Native) {
        for way in ways() {
            let place = format!("{} on {}", way.name, gpu.info);
            let mut executor = way.executor(&gpu);
            let names: Vec<String> = executor
                .plan
                .parameters
                .iter()
                .map(|p| p.name.clone())
                .collect();
            // Keras calls the kernel of a depthwise convolution just so.
            let theirs = |name: &str| name.replace("depthwise/depthwise_", "depthwise/");
            let mut of = |what: &str, name: &str| {
                golden.f32(&format!("{}/{what}/{}", way.name, theirs(name)))
            };
            let mut initial = Vec::new();
            for (index, name) in names.iter().enumerate() {
                let values = of("initial", name);
                let write =
                    executor.write_parameter(index, Tensor::Values, |range, out: &mut [f32]| {
                        out.copy_from_slice(&values[range]);
                        Ok::<(), fer_gpu::gpu::Error>(())
                    });
                write.expect("it is written");
                initial.push(values);
            }
            let mut finals: Vec<Vec<f32>> = names.iter().map(|name| of("final", name)).collect();
            let losses = golden.f64(&format!("{}/losses", way.name));
            for (t, expected) in (1..=STEPS).zip(losses) {
                let planes = images(7000 + t - 1);
                let label = |n| (unit(8000 + t - 1, n) * CLASSES as f64) as u32;
                let labels: Vec<u32> = (0..BATCH as u64).map(label).collect();
                let batch = Batch::new(Images::Host(&planes), &labels, way.step(&executor, t));
                executor.submit(Work::TRAIN, &batch).expect("a step");
                let metrics = executor.finish_oldest().expect("a step").expect("metrics");
                let apart = (metrics.loss() - expected).abs();
                assert!(
                    apart < 5e-5,
                    "{place}, step {t}: loss {}, Keras {expected}",
                    metrics.loss()
                );
            }
            for (index, name) in names.iter().enumerate() {
                let mut found = vec![0.0; initial[index].len()];
                let read = executor.read_parameter(index, Tensor::Values, |range, values| {
                    found[range].copy_from_slice(values);
                    Ok::<(), fer_gpu::gpu::Error>(())
                });
                read.expect("it is read");
                let expected = std::mem::take(&mut finals[index]);
                if name.contains("/moving_") {
                    let apart = largest(&found, &expected);
                    assert!(apart < 1e-4, "{place}: {name} is {apart} apart");
                }
                let moved = distance(&expected, &initial[index]);
                let apart = distance(&found, &expected) / moved;
                assert!(
                    apart < 0.03,
                    "{place}: the change of {name} is {apart} of its length apart"
                );
            }
            let planes = images(9000);
            let step = Step::new(0, BATCH as u32, [0.0; 4]);
            let batch = Batch::new(Images::Host(&planes), &[], step);
            let found = executor
                .compute(Work::PREDICT, &batch, "probabilities")
                .expect("probabilities");
            let apart = largest(&found, &golden.f32(&format!("{}/probabilities", way.name)));
            assert!(apart < 1e-4, "{place}: probabilities are {apart} apart");
        }
    }
}
