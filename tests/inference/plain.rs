//! A forward pass as plain as it can be: f64, NHWC, a loop a layer. It knows nothing of kernels or plans.

#![allow(dead_code)]

use fer_gpu::graph::{Node, TensorId};
use fer_gpu::network::Model;
use fer_gpu::ops::conv2d::output_size;
use fer_gpu::pictures::{Preprocessing, Standardise};
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

/// What the network sees of 8-bit pixels (h, w, c): scaled, and standardised where the record says so.
pub fn prepared(preprocessing: &Preprocessing, pixels: &[u8]) -> Vec<f32> {
    let scaled = preprocessing.inputs(pixels);
    let channels = preprocessing.image[2];
    let deviation_of = |values: &[f32], mean: f64| {
        let squares = values.iter().map(|&v| (f64::from(v) - mean).powi(2));
        (squares.sum::<f64>() / values.len() as f64).sqrt()
    };
    let of = |(at, &value): (usize, &f32)| -> f32 {
        let [mean, deviation] = match &preprocessing.standardise {
            None => return value,
            Some(Standardise::Channel { mean, deviation }) => {
                [mean[at % channels], deviation[at % channels]]
            }
            Some(Standardise::Picture { epsilon }) => {
                let sum: f64 = scaled.iter().map(|&v| f64::from(v)).sum();
                let mean = sum / scaled.len() as f64;
                [mean, deviation_of(&scaled, mean).max(*epsilon)]
            }
        };
        ((f64::from(value) - mean) / deviation) as f32
    };
    scaled.iter().enumerate().map(of).collect()
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
    let bias = |i: usize| node.own.get(i).map(|_| &own(i)[..]);
    let config = node.layer.config();
    match node.layer.kind() {
        "Conv2D" => {
            let window = Window::of(&config, "kernel_size", [h, w]);
            convolved(x, c, own(0), bias(1), co, &window, [ho, wo])
        }
        "DepthwiseConv2D" => {
            let window = Window::of(&config, "kernel_size", [h, w]);
            depthwise(x, c, own(0), bias(1), co, &window, [ho, wo])
        }
        "SeparableConv2D" => {
            let window = Window::of(&config, "kernel_size", [h, w]);
            let middle = own(1).len() / co;
            let between = depthwise(x, c, own(0), None, middle, &window, [ho, wo]);
            let point = Window::point([ho, wo]);
            convolved(&between, middle, own(1), bias(2), co, &point, [ho, wo])
        }
        "ZeroPadding2D" => {
            let before = [0, 1].map(|axis| config["padding"][axis][0].as_u64().expect("a border"));
            let [top, left] = before.map(|count| count as usize);
            let mut y = vec![0.0; ho * wo * c];
            for (iy, ix, ci) in cells(h, w, c) {
                y[((iy + top) * wo + ix + left) * c + ci] = x[(iy * w + ix) * c + ci];
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
        "BatchNormalization" => {
            let has = |name: &str| usize::from(config[name] == Value::Bool(true));
            let (scale, center) = (has("scale"), has("center"));
            let epsilon = config["epsilon"].as_f64().expect("a number");
            let one = |(at, &v): (usize, &f64)| {
                let number = |i: usize| own(i)[at % c] as f64;
                let gamma = if scale == 1 { number(0) } else { 1.0 };
                let beta = if center == 1 { number(scale) } else { 0.0 };
                let (mean, variance) = (number(scale + center), number(scale + center + 1));
                gamma * (v - mean) / (variance + epsilon).sqrt() + beta
            };
            x.iter().enumerate().map(one).collect()
        }
        "LocalResponseNormalization" => {
            let number = |name: &str| config[name].as_f64().expect("a number");
            let size = number("size") as usize;
            let one = |(at, &v): (usize, &f64)| {
                let (pixel, ci) = (at / c * c, at % c);
                let seen = ci.saturating_sub((size - 1) / 2)..(ci + size / 2 + 1).min(c);
                let squares: f64 = seen.map(|j| x[pixel + j] * x[pixel + j]).sum();
                v / (number("k") + number("alpha") / size as f64 * squares).powf(number("beta"))
            };
            x.iter().enumerate().map(one).collect()
        }
        "GlobalMaxPooling2D" => (0..c)
            .map(|ci| (0..h * w).map(|p| x[p * c + ci]).fold(f64::MIN, f64::max))
            .collect(),
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
            let mut y: Vec<f64> = (0..co).map(|o| bias_of(bias(1), o)).collect();
            for (value, row) in x.iter().zip(own(0).chunks_exact(co)) {
                for (y, &k) in y.iter_mut().zip(row) {
                    *y += value * k as f64;
                }
            }
            y
        }
        other => panic!("the plain forward pass has no {other}"),
    }
}

fn bias_of(bias: Option<&[f32]>, o: usize) -> f64 {
    bias.map_or(0.0, |bias| bias[o] as f64)
}

/// `co` filters that read all `c` channels.
fn convolved(
    x: &[f64],
    c: usize,
    kernel: &[f32],
    bias: Option<&[f32]>,
    co: usize,
    window: &Window,
    [ho, wo]: [usize; 2],
) -> Vec<f64> {
    let mut y = Vec::with_capacity(ho * wo * co);
    for (oy, ox, o) in cells(ho, wo, co) {
        let mut sum = bias_of(bias, o);
        for (ky, kx, iy, ix) in window.inside(oy, ox) {
            for ci in 0..c {
                let at = ((ky * window.size[1] + kx) * c + ci) * co + o;
                sum += x[(iy * window.image[1] + ix) * c + ci] * kernel[at] as f64;
            }
        }
        y.push(sum);
    }
    y
}

/// `co` filters, of which every channel is read by `co / c` side by side.
fn depthwise(
    x: &[f64],
    c: usize,
    kernel: &[f32],
    bias: Option<&[f32]>,
    co: usize,
    window: &Window,
    [ho, wo]: [usize; 2],
) -> Vec<f64> {
    let mut y = Vec::with_capacity(ho * wo * co);
    for (oy, ox, o) in cells(ho, wo, co) {
        let mut sum = bias_of(bias, o);
        for (ky, kx, iy, ix) in window.inside(oy, ox) {
            let weight = kernel[(ky * window.size[1] + kx) * co + o] as f64;
            sum += x[(iy * window.image[1] + ix) * c + o / (co / c)] * weight;
        }
        y.push(sum);
    }
    y
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

    /// One pixel at a time.
    fn point(image: [usize; 2]) -> Window {
        Window {
            size: [1; 2],
            stride: [1; 2],
            pad: [0; 2],
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
