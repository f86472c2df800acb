//! Trains a small network on arrays in memory: stripes that lie, stand or are not there at all.
//!
//!     cargo run --release --example train_on_arrays

use fer_gpu::gpu::{Adapter, Gpu, LimitChoice, Selector};
use fer_gpu::network::Network;
use fer_gpu::random::{stream, unit};
use fer_gpu::{Recipe, Trainer};
use std::error::Error;

const SIDE: usize = 16;
const CLASSES: u32 = 3;

/// `count` images (n, 16, 16, 1) in 0..1, with their classes.
fn draw(seed: u64, count: usize) -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..count as u32).map(|i| i % CLASSES).collect();
    let pixel = |n: usize| {
        let (i, at) = (n / (SIDE * SIDE), n % (SIDE * SIDE));
        let random = |what| unit(stream(&[seed, what, i as u64]), at as u64);
        let along = [at / SIDE, at % SIDE, (4.0 * random(0)) as usize];
        let stripe = along[labels[i] as usize] % 4 / 2;
        (0.6 * stripe as f64 + 0.4 * random(1)) as f32
    };
    let images = (0..count * SIDE * SIDE).map(pixel).collect();
    (images, labels)
}

/// The share of new images that are told right after a few epochs.
pub fn train() -> Result<f64, Box<dyn Error>> {
    let gpu = Gpu::open(&Adapter::select(&Selector::Default)?, LimitChoice::Native)?;
    let network = Network::find("inception-gap").ok_or("no such network")?;
    let model = network.build_for([SIDE as u32, SIDE as u32, 1], CLASSES);
    let recipe = Recipe {
        batch: 32,
        learning_rate: 0.003,
        ..Recipe::default()
    };
    let mut trainer = Trainer::new(&gpu, &model, recipe)?;
    // The last batch has 8 images: they count as 8.
    let (images, labels) = draw(0, 200);
    for epoch in 1..=12 {
        let mut loss = 0.0;
        for (images, labels) in images.chunks(32 * SIDE * SIDE).zip(labels.chunks(32)) {
            loss += trainer.step(images, labels)?.loss_sum;
        }
        println!(
            "epoch {epoch:2}: mean loss {:.4}",
            loss / labels.len() as f32
        );
    }
    let (images, labels) = draw(1, 100);
    let probabilities = trainer.predict(&images)?;
    let rows = probabilities.chunks(CLASSES as usize).zip(&labels);
    let right = rows.filter(|(row, label)| row.iter().all(|&p| p <= row[**label as usize]));
    Ok(right.count() as f64 / labels.len() as f64)
}

pub fn main() -> Result<(), Box<dyn Error>> {
    println!("{:.0} % of new images are told right", 100.0 * train()?);
    Ok(())
}
