//! Times training steps of one of the two networks in burn on wgpu, with fusion and autotune:
//! forward, softmax cross-entropy, backward, Adam(1e-3). burn defers its work, so the clock stops
//! once the loss is on the host and the device has nothing left to do.
//!
//!     burn-step MODEL BATCH STEPS

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{relu, softmax};
use std::time::Instant;

const WARM_UP: usize = 5;

#[derive(Module, Debug)]
struct Inception {
    reduce3: Conv2d,
    conv3: Conv2d,
    reduce5: Conv2d,
    conv5: Conv2d,
    pool: MaxPool2d,
    project: Conv2d,
    dense: Vec<Linear>,
    flatten: bool,
}

impl Inception {
    fn new(model: &str, device: &Device) -> Inception {
        let conv = |channels, size| {
            Conv2dConfig::new([channels, 10], [size, size])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        let pool = MaxPool2dConfig::new([3, 3])
            .with_strides([1, 1])
            .with_padding(PaddingConfig2d::Same);
        let (units, parameters): (&[usize], usize) = match model {
            "inception" => (&[48 * 48 * 30, 1200, 600, 150, 7], 83_760_487),
            "inception-gap" => (&[30, 150, 7], 9_187),
            other => panic!("no model {other}"),
        };
        let network = Inception {
            reduce3: conv(1, 1),
            conv3: conv(10, 3),
            reduce5: conv(1, 1),
            conv5: conv(10, 5),
            pool: pool.init(),
            project: conv(1, 1),
            dense: units
                .windows(2)
                .map(|pair| LinearConfig::new(pair[0], pair[1]).init(device))
                .collect(),
            flatten: model == "inception",
        };
        assert_eq!(network.num_params(), parameters);
        network
    }

    /// Images (n, 1, 48, 48) to logits (n, 7).
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let conv3 = relu(self.conv3.forward(relu(self.reduce3.forward(x.clone()))));
        let conv5 = relu(self.conv5.forward(relu(self.reduce5.forward(x.clone()))));
        let pooled = relu(self.project.forward(self.pool.forward(x)));
        let joined = Tensor::cat(vec![conv3, conv5, pooled], 1);
        let mut x: Tensor<2> = if self.flatten {
            joined.flatten(1, 3)
        } else {
            joined.mean_dims(&[2, 3]).flatten(1, 3)
        };
        let (output, hidden) = self.dense.split_last().expect("a network has an output");
        for dense in hidden {
            x = relu(dense.forward(x));
        }
        output.forward(x)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, batch, steps] = &arguments[..] else {
        panic!("usage: burn-step MODEL BATCH STEPS");
    };
    let batch: usize = batch.parse().expect("BATCH is a number");
    let steps: usize = steps.parse().expect("STEPS is a number");

    let device = Device::wgpu(DeviceKind::DefaultDevice);
    device.seed(0);
    let name = device.identity().map(|identity| identity.name);
    let plain = device.clone();
    let device = device.autodiff();

    let random = |n: usize| -> Tensor<4> {
        Tensor::random([n, 1, 48, 48], Distribution::Uniform(0.0, 1.0), &plain)
    };
    let images = Tensor::from_data(random(batch).into_data(), &device);
    let classes: Vec<i32> = (0..batch as i32).map(|n| n * 5 % 7).collect();
    let labels = Tensor::<1, Int>::from_data(classes.as_slice(), &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
    let mut network = Inception::new(model, &device);

    let mut step_ms = Vec::new();
    let mut losses = Vec::new();
    for _ in 0..WARM_UP + steps {
        let start = Instant::now();
        let loss = loss.forward(network.forward(images.clone()), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = adam.step(1e-3, network, gradients);
        losses.push(loss.into_scalar::<f32>());
        device.sync().expect("the device finishes the step");
        step_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }

    let network = network.valid();
    let image = random(1);
    let infer1_ms: Vec<f64> = (0..WARM_UP + steps)
        .map(|_| {
            let start = Instant::now();
            let probabilities = softmax(network.forward(image.clone()), 1).into_data();
            assert_eq!(probabilities.num_elements(), 7);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();

    println!(
        "{}",
        serde_json::json!({
            "peer": "burn wgpu",
            "versions": { "burn": locked("burn"), "cubecl": locked("cubecl"), "wgpu": locked("wgpu") },
            "device": name,
            "model": model,
            "batch": batch,
            "step_ms": &step_ms[WARM_UP..],
            "losses": &losses[WARM_UP..],
            "infer1_ms": &infer1_ms[WARM_UP..],
        })
    );
}

/// The version of a crate in this program's lock file.
fn locked(name: &str) -> Option<&'static str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = include_str!("../Cargo.lock").split_once(&entry)?;
    rest.split('"').next()
}
