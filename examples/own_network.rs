//! A network of one's own: a convolution that two places share, a sum around it, and a second head that helps in
//! training and is not there in predictions.
//!
//!     cargo run --release --example own_network

use fer_gpu::gpu::{Adapter, Gpu, LimitChoice, Metrics, Selector, Work};
use fer_gpu::graph::{Refusal, Window};
use fer_gpu::layers::{Add, Conv2D};
use fer_gpu::network::{Builder, Head, Model};
use fer_gpu::ops::conv2d::Padding::Same;
use fer_gpu::random::unit;
use fer_gpu::{Recipe, Trainer};
use std::error::Error;

/// Colour images of 12 x 12 pixels in four classes.
fn network() -> Result<Model, Refusal> {
    let mut b = Builder::new();
    let window = Window::square(3, 1, Same);
    let image = b.input("image", [12, 12, 3]);
    let stem = b.conv2d("stem", image, 8, window, true);
    let once = b.layer("shared", Conv2D::new(8, window), &[stem])?;
    let twice = b.again("shared_again", "shared", &[once])?;
    let sum = b.layer("sum", Add, &[stem, once, twice])?;
    let pooled = b.global_average_pool("gap", sum);
    let logits = b.dense("output", pooled, 4, false);
    let flat = b.flatten("flat", stem);
    let early = b.dense("early", flat, 4, false);
    let heads = vec![Head::main(logits), Head::auxiliary("early", early, 0.3)];
    Ok(b.model_with_heads("own", heads))
}

/// The metrics of some steps on one batch.
pub fn train(steps: u32) -> Result<Vec<Metrics>, Box<dyn Error>> {
    let gpu = Gpu::open(&Adapter::select(&Selector::Default)?, LimitChoice::Native)?;
    let recipe = Recipe {
        batch: 16,
        learning_rate: 0.01,
        ..Recipe::default()
    };
    let mut trainer = Trainer::new(&gpu, &network()?, recipe)?;
    for dispatch in &trainer.executor().program(Work::PREDICT).dispatches {
        println!("{:14} {}", dispatch.label, dispatch.op.name());
    }
    // Red, green, blue and grey noise.
    let labels: Vec<u32> = (0..16).map(|i| i % 4).collect();
    let bright = |i: u64| labels[i as usize / (12 * 12 * 3)] as u64 == i % 3;
    let pixel = |i| unit(0, i) as f32 * if bright(i) { 1.0 } else { 0.5 };
    let images: Vec<f32> = (0..16 * 12 * 12 * 3).map(pixel).collect();
    (0..steps)
        .map(|_| Ok(trainer.step(&images, &labels)?))
        .collect()
}

pub fn main() -> Result<(), Box<dyn Error>> {
    for (i, m) in train(30)?.iter().enumerate().step_by(5) {
        let (loss, right) = (m.loss_sum / m.rows as f32, m.correct);
        println!("step {i:2}: loss of both heads {loss:.4}, {right} of 16 right");
    }
    Ok(())
}
