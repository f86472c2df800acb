//! Trained networks without a training: files with drawn weights.

use fer_gpu::data::{PixelRange, class_names};
use fer_gpu::exchange::Trained;
use fer_gpu::graph::Init;
use fer_gpu::network::{Model, Network};
use fer_gpu::pictures::Preprocessing;
use fer_gpu::random::fill_uniform;
use fer_gpu::tensor::Shape;
use fer_gpu::weights::{self, Record, TensorFile};
use std::collections::HashMap;
use std::path::Path;

/// Weights of a network that says different things of different images, and its record.
pub fn drawn(model: &Model) -> HashMap<String, Vec<f32>> {
    let draw = |(number, id): (usize, usize)| {
        let tensor = &model.graph.tensors[id];
        let (fan_in, _) = tensor.shape.fans();
        let limit = match tensor.shape.0.len() {
            1 => 0.3,
            _ => (6.0 / fan_in as f64).sqrt(),
        };
        let mut values = vec![0.0; tensor.shape.len()];
        fill_uniform(number as u64, 0, limit, &mut values);
        // Around where it begins: a variance is positive.
        if tensor.held.is_some_and(|held| held.init == Init::Ones) {
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        (tensor.name.clone(), values)
    };
    model.graph.held().enumerate().map(draw).collect()
}

pub fn record(model: &Model, range: PixelRange) -> Record {
    let image = model.image_shape().map(|extent| extent as usize);
    Record {
        model: model.name.clone(),
        network: Network::find(&model.name).map(|network| network.text.clone()),
        class_names: class_names(model.classes as usize),
        preprocessing: Preprocessing::usual(image, range),
        variants: Default::default(),
        schedule: None,
        epoch: 3,
    }
}

/// Writes those weights as `train` would.
pub fn save(path: &Path, model: &Model, values: &HashMap<String, Vec<f32>>, record: &Record) {
    let tensor = |id: usize| {
        let tensor = &model.graph.tensors[id];
        (tensor.name.clone(), tensor.shape.clone())
    };
    let tensors: Vec<(String, Shape)> = model.graph.held().map(tensor).collect();
    let metadata = record.metadata();
    weights::write(path, &tensors, metadata, |index, sink| {
        sink(&values[&tensors[index].0])
    })
    .unwrap_or_else(|error: weights::Error| panic!("{error}"));
}

/// A network whose weights are those.
pub fn trained(
    path: &Path,
    model: &Model,
    values: &HashMap<String, Vec<f32>>,
    record: &Record,
) -> Trained {
    save(path, model, values, record);
    let file = TensorFile::open(path, "weights").expect("a file");
    Trained::new(Record::of(&file).expect("a record"), model.clone(), file).expect("its tensors")
}
