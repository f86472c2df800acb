//! A forward pass as plain as it can be: f64, NHWC, a loop a layer. It knows nothing of kernels or plans.

#![allow(dead_code)]

use fer_gpu::graph::{Node, TensorId};
use fer_gpu::network::Model;
use fer_gpu::ops::conv2d::output_size;
use serde_json::Value;
use std::collections::HashMap;

/// Probabilities of one image (h, w, c), with the weights by name in Keras's order.
pub fn probabilities(
    model: &Model,
    weights: &HashMap<String, Vec<f32>>,
    image: &[f32],
) -> Vec<f64> {
    softmax(&logits(model, weights, image))
}

/// What the probabilities are made of.
pub fn logits(model: &Model, weights: &HashMap<String, Vec<f32>>, image: &[f32]) -> Vec<f64> {
    let mut values: HashMap<TensorId, Vec<f64>> = HashMap::new();
    values.insert(model.image, image.iter().map(|&v| v as f64).collect());
    for node in &model.graph.nodes {
        let y = layer(model, node, &values, weights);
        values.insert(node.outputs[0], y);
    }
    values.remove(&model.heads[0].logits).expect("the head's")
}

pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().cloned().fold(f64::MIN, f64::max);
    let terms: Vec<f64> = logits.iter().map(|x| (x - max).exp()).collect();
    let sum: f64 = terms.iter().sum();
    terms.iter().map(|term| term / sum).collect()
}

fn layer(
    model: &Model,
    node: &Node,
    values: &HashMap<TensorId, Vec<f64>>,
    weights: &HashMap<String, Vec<f32>>,
) -> Vec<f64> {
    let graph = &model.graph;
    let x = &values[&node.inputs[0]];
    let shape = |id: TensorId| graph.shape(id).nhwc().map(|d| d as usize);
    let ([_, h, w, c], [_, ho, wo, co]) = (shape(node.inputs[0]), shape(node.outputs[0]));
    let own = |i: usize| &weights[&graph.tensors[node.own[i]].name];
    let config = node.layer.config();
    match node.layer.kind() {
        "Conv2D" => {
            let window = Window::of(&config, "kernel_size", [h, w]);
            let (kernel, bias) = (own(0), own(1));
            let mut y = Vec::with_capacity(ho * wo * co);
            for (oy, ox, o) in cells(ho, wo, co) {
                let mut sum = bias[o] as f64;
                for (ky, kx, iy, ix) in window.inside(oy, ox) {
                    for ci in 0..c {
                        let at = ((ky * window.size[1] + kx) * c + ci) * co + o;
                        sum += x[(iy * w + ix) * c + ci] * kernel[at] as f64;
                    }
                }
                y.push(sum);
            }
            y
        }
        "MaxPooling2D" | "AveragePooling2D" => {
            let window = Window::of(&config, "pool_size", [h, w]);
            let mut y = Vec::with_capacity(ho * wo * co);
            for (oy, ox, o) in cells(ho, wo, co) {
                let all = window.inside(oy, ox).into_iter();
                let all: Vec<f64> = all.map(|(_, _, iy, ix)| x[(iy * w + ix) * c + o]).collect();
                y.push(match node.layer.kind() {
                    "MaxPooling2D" => all.iter().cloned().fold(f64::MIN, f64::max),
                    _ => all.iter().sum::<f64>() / all.len() as f64,
                });
            }
            y
        }
        "Activation" => {
            let function = config["activation"].as_str().expect("a function");
            x.iter().map(|&v| activated(function, v)).collect()
        }
        "Flatten" | "Dropout" | "SpatialDropout2D" => x.clone(),
        "Add" => {
            let one = |at: usize| node.inputs.iter().map(|id| values[id][at]).sum();
            (0..x.len()).map(one).collect()
        }
        "GlobalAveragePooling2D" => (0..c)
            .map(|ci| (0..h * w).map(|p| x[p * c + ci]).sum::<f64>() / (h * w) as f64)
            .collect(),
        "Concatenate" => {
            let mut y = Vec::new();
            for pixel in 0..h * w {
                for &branch in &node.inputs {
                    let c = shape(branch)[3];
                    y.extend_from_slice(&values[&branch][pixel * c..(pixel + 1) * c]);
                }
            }
            y
        }
        "Dense" => {
            let (kernel, bias) = (own(0), own(1));
            let mut y: Vec<f64> = bias.iter().map(|&b| b as f64).collect();
            for (value, row) in x.iter().zip(kernel.chunks_exact(co)) {
                for (y, &k) in y.iter_mut().zip(row) {
                    *y += value * k as f64;
                }
            }
            y
        }
        other => panic!("the plain forward pass has no {other}"),
    }
}

fn activated(function: &str, x: f64) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match function {
        "relu" => x.max(0.0),
        "relu6" => x.clamp(0.0, 6.0),
        "leaky_relu" => x.max(0.2 * x),
        "elu" => x.max(0.0) + x.min(0.0).exp_m1(),
        "sigmoid" => sigmoid,
        "tanh" => x.tanh(),
        "silu" => x * sigmoid,
        "gelu" => 0.5 * x * libm::erfc(-x / 2f64.sqrt()),
        "linear" => x,
        other => panic!("the plain forward pass has no {other}"),
    }
}

fn cells(h: usize, w: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..h).flat_map(move |y| (0..w).flat_map(move |x| (0..c).map(move |c| (y, x, c))))
}

struct Window {
    size: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 2],
    image: [usize; 2],
}

impl Window {
    fn of(config: &Value, size: &str, image: [usize; 2]) -> Window {
        let pair = |name: &str| [0, 1].map(|i| config[name][i].as_u64().expect("a pair") as usize);
        let (size, stride) = (pair(size), pair("strides"));
        let padding = serde_json::from_value(config["padding"].clone()).expect("a padding");
        let pad = [0, 1].map(|i| {
            let (_, pad) = output_size(image[i] as u32, size[i] as u32, stride[i] as u32, padding);
            pad as usize
        });
        Window {
            size,
            stride,
            pad,
            image,
        }
    }

    /// (ky, kx, y, x) of the cells of a window that lie in the image.
    fn inside(&self, oy: usize, ox: usize) -> Vec<(usize, usize, usize, usize)> {
        let along = |axis: usize, o: usize, k: usize| {
            let at = (o * self.stride[axis] + k).checked_sub(self.pad[axis])?;
            (at < self.image[axis]).then_some(at)
        };
        let mut all = Vec::new();
        for (ky, kx, _) in cells(self.size[0], self.size[1], 1) {
            if let (Some(y), Some(x)) = (along(0, oy, ky), along(1, ox, kx)) {
                all.push((ky, kx, y, x));
            }
        }
        all
    }
}
