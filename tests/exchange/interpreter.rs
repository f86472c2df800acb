//! Evaluates an ONNX graph as its specification has it, plainly and in f64: what ONNX Runtime would say, where
//! there is none. It knows nothing of this crate but the messages.

use fer_gpu::exchange::onnx::proto::{GraphProto, NodeProto, TensorProto};
use std::collections::HashMap;

#[derive(Clone, Debug)]
pub struct Array {
    pub dims: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    fn of(tensor: &TensorProto) -> Array {
        let bytes = tensor.raw_data.as_ref().expect("raw values");
        let values: Vec<f64> = match tensor.data_type {
            Some(1) => {
                let floats = bytes.as_chunks().0.iter();
                floats.map(|b| f32::from_le_bytes(*b).into()).collect()
            }
            Some(7) => {
                let integers = bytes.as_chunks().0.iter();
                integers.map(|b| i64::from_le_bytes(*b) as f64).collect()
            }
            other => panic!("{other:?}: neither float32 nor int64"),
        };
        let array = Array {
            dims: tensor.dims.iter().map(|&extent| extent as usize).collect(),
            values,
        };
        assert_eq!(array.dims.iter().product::<usize>(), array.values.len());
        array
    }

    fn nchw(&self) -> [usize; 4] {
        self.dims[..].try_into().expect("an image")
    }
}

fn ints(node: &NodeProto, name: &str) -> Vec<usize> {
    let found = node
        .attribute
        .iter()
        .find(|a| a.name.as_deref() == Some(name));
    let found = found.unwrap_or_else(|| panic!("{node:?} has no {name}"));
    found.ints.iter().map(|&v| v as usize).collect()
}

fn int(node: &NodeProto, name: &str) -> i64 {
    let found = node
        .attribute
        .iter()
        .find(|a| a.name.as_deref() == Some(name));
    found.expect(name).i.expect("a number")
}

fn float(node: &NodeProto, name: &str) -> f64 {
    let found = node
        .attribute
        .iter()
        .find(|a| a.name.as_deref() == Some(name));
    found.expect(name).f.expect("a number").into()
}

/// The values of all names.
pub fn evaluate(graph: &GraphProto, inputs: HashMap<String, Array>) -> HashMap<String, Array> {
    let mut values = inputs;
    for tensor in &graph.initializer {
        let name = tensor.name.clone().expect("a name");
        assert!(values.insert(name, Array::of(tensor)).is_none());
    }
    for node in &graph.node {
        let inputs: Vec<&Array> = node.input.iter().map(|name| &values[name]).collect();
        let output = run(node, &inputs);
        assert!(values.insert(node.output[0].clone(), output).is_none());
    }
    values
}

fn run(node: &NodeProto, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    let map = |f: &dyn Fn(f64) -> f64| Array {
        dims: x.dims.clone(),
        values: x.values.iter().map(|&v| f(v)).collect(),
    };
    match node.op_type.as_deref().expect("an operator") {
        "Mul" => pairs(x, inputs[1], &|a, b| a * b),
        "Div" => pairs(x, inputs[1], &|a, b| a / b),
        "Sub" => pairs(x, inputs[1], &|a, b| a - b),
        "Max" => pairs(x, inputs[1], &f64::max),
        "Sqrt" => map(&f64::sqrt),
        "ReduceMean" => {
            assert_eq!(
                (ints(node, "axes"), int(node, "keepdims")),
                (vec![1, 2, 3], 1)
            );
            let count = x.values.len() / x.dims[0];
            let mean = |image: &[f64]| image.iter().sum::<f64>() / count as f64;
            Array {
                dims: vec![x.dims[0], 1, 1, 1],
                values: x.values.chunks(count).map(mean).collect(),
            }
        }
        "Relu" => map(&|v| v.max(0.0)),
        "Identity" => x.clone(),
        "Sigmoid" => map(&|v| 1.0 / (1.0 + (-v).exp())),
        "Tanh" => map(&f64::tanh),
        "Erf" => map(&libm::erf),
        "Clip" => map(&|v| v.clamp(inputs[1].values[0], inputs[2].values[0])),
        "Elu" => {
            let alpha = float(node, "alpha");
            map(&|v| if v < 0.0 { alpha * v.exp_m1() } else { v })
        }
        "LeakyRelu" => {
            let alpha = float(node, "alpha");
            map(&|v| if v < 0.0 { alpha * v } else { v })
        }
        "Add" if inputs[1].dims.is_empty() => map(&|v| v + inputs[1].values[0]),
        "Add" | "Sum" => Array {
            dims: x.dims.clone(),
            values: (0..x.values.len())
                .map(|at| inputs.iter().map(|array| array.values[at]).sum())
                .collect(),
        },
        "Transpose" => transpose(x, &ints(node, "perm")),
        "Flatten" => {
            assert_eq!(int(node, "axis"), 1);
            Array {
                dims: vec![x.dims[0], x.dims[1..].iter().product()],
                values: x.values.clone(),
            }
        }
        "Concat" => concat(node, inputs),
        "Conv" => conv(node, x, inputs[1], inputs.get(2)),
        "Pad" => pad(x, inputs[1]),
        "MaxPool" => pool(node, x, &|all| all.iter().cloned().fold(f64::MIN, f64::max)),
        "AveragePool" => {
            assert_eq!(int(node, "count_include_pad"), 0);
            pool(node, x, &|all| all.iter().sum::<f64>() / all.len() as f64)
        }
        "GlobalAveragePool" => {
            let [n, c, h, w] = x.nchw();
            let mean = |plane: &[f64]| plane.iter().sum::<f64>() / (h * w) as f64;
            Array {
                dims: vec![n, c, 1, 1],
                values: x.values.chunks(h * w).map(mean).collect(),
            }
        }
        "GlobalMaxPool" => {
            let [n, c, h, w] = x.nchw();
            let max = |plane: &[f64]| plane.iter().cloned().fold(f64::MIN, f64::max);
            Array {
                dims: vec![n, c, 1, 1],
                values: x.values.chunks(h * w).map(max).collect(),
            }
        }
        "BatchNormalization" => {
            let plane: usize = x.dims[2..].iter().product();
            let one = |(at, v): (usize, &f64)| {
                let of = |i: usize| inputs[i].values[at / plane % x.dims[1]];
                let deviation = (of(4) + float(node, "epsilon")).sqrt();
                of(1) * (v - of(3)) / deviation + of(2)
            };
            Array {
                dims: x.dims.clone(),
                values: x.values.iter().enumerate().map(one).collect(),
            }
        }
        "LRN" => local_response_normalization(node, x),
        "Gemm" => gemm(x, inputs[1], inputs.get(2)),
        "Softmax" => {
            assert_eq!((int(node, "axis"), x.dims.len()), (1, 2));
            let rows = x.values.chunks(x.dims[1]).map(crate::plain::softmax);
            Array {
                dims: x.dims.clone(),
                values: rows.flatten().collect(),
            }
        }
        other => panic!("the interpreter has no {other}"),
    }
}

/// f of each value and of the other array's, which is repeated along axes that it lacks or has one of.
fn pairs(x: &Array, other: &Array, f: &dyn Fn(f64, f64) -> f64) -> Array {
    let lacking = x.dims.len() - other.dims.len();
    let of = |mut at: usize| {
        let (mut place, mut stride) = (0, 1);
        for (axis, &extent) in x.dims.iter().enumerate().rev() {
            let Some(theirs) = axis.checked_sub(lacking).map(|axis| other.dims[axis]) else {
                break;
            };
            assert!(
                theirs == extent || theirs == 1,
                "{:?} {:?}",
                x.dims,
                other.dims
            );
            place += (at % extent) % theirs * stride;
            stride *= theirs;
            at /= extent;
        }
        other.values[place]
    };
    let values = x.values.iter().enumerate();
    Array {
        dims: x.dims.clone(),
        values: values.map(|(at, &v)| f(v, of(at))).collect(),
    }
}

fn local_response_normalization(node: &NodeProto, x: &Array) -> Array {
    let [_, c, h, w] = x.nchw();
    let size = int(node, "size") as usize;
    let [alpha, beta, bias] = ["alpha", "beta", "bias"].map(|name| float(node, name));
    let one = |(at, v): (usize, &f64)| {
        let channel = at / (h * w) % c;
        let first = channel.saturating_sub((size - 1) / 2);
        let last = (c - 1).min(channel + (size - 1).div_ceil(2));
        let squares = (first..=last).map(|j| x.values[at + j * h * w - channel * h * w].powi(2));
        v / (bias + alpha / size as f64 * squares.sum::<f64>()).powf(beta)
    };
    Array {
        dims: x.dims.clone(),
        values: x.values.iter().enumerate().map(one).collect(),
    }
}

fn transpose(x: &Array, perm: &[usize]) -> Array {
    let stride = |axis: usize| x.dims[axis + 1..].iter().product::<usize>();
    let dims: Vec<usize> = perm.iter().map(|&axis| x.dims[axis]).collect();
    let value = |mut number: usize| {
        let mut at = 0;
        for (&axis, &extent) in perm.iter().zip(&dims).rev() {
            at += number % extent * stride(axis);
            number /= extent;
        }
        x.values[at]
    };
    let values = (0..x.values.len()).map(value).collect();
    Array { dims, values }
}

fn concat(node: &NodeProto, inputs: &[&Array]) -> Array {
    assert_eq!(int(node, "axis"), 1);
    let mut dims = inputs[0].dims.clone();
    dims[1] = inputs.iter().map(|array| array.dims[1]).sum();
    let mut values = Vec::new();
    for n in 0..dims[0] {
        for array in inputs {
            let one = array.values.len() / dims[0];
            values.extend_from_slice(&array.values[n * one..(n + 1) * one]);
        }
    }
    Array { dims, values }
}

fn gemm(x: &Array, kernel: &Array, bias: Option<&&Array>) -> Array {
    let (k, n) = (kernel.dims[0], kernel.dims[1]);
    let mut values = Vec::new();
    for row in x.values.chunks(k) {
        assert_eq!(row.len(), k);
        let sum = |j: usize| {
            let products = row
                .iter()
                .enumerate()
                .map(|(i, v)| v * kernel.values[i * n + j]);
            bias.map_or(0.0, |bias| bias.values[j]) + products.sum::<f64>()
        };
        values.extend((0..n).map(sum));
    }
    Array {
        dims: vec![x.dims[0], n],
        values,
    }
}

/// Where a window lies: for each cell of it that is in the image, its place there.
struct Windows {
    size: Vec<usize>,
    strides: Vec<usize>,
    pads: Vec<usize>,
    image: [usize; 2],
    output: [usize; 2],
}

impl Windows {
    fn of(node: &NodeProto, image: [usize; 2]) -> Windows {
        for name in ["auto_pad", "ceil_mode"] {
            let has = node
                .attribute
                .iter()
                .any(|a| a.name.as_deref() == Some(name));
            assert!(!has, "{name}");
        }
        let (size, strides) = (ints(node, "kernel_shape"), ints(node, "strides"));
        let pads = ints(node, "pads");
        let output = [0, 1].map(|axis| {
            (image[axis] + pads[axis] + pads[axis + 2] - size[axis]) / strides[axis] + 1
        });
        Windows {
            size,
            strides,
            pads,
            image,
            output,
        }
    }

    /// Those of a convolution that says nothing.
    fn of_one(size: [usize; 2], image: [usize; 2]) -> Windows {
        Windows {
            size: size.to_vec(),
            strides: vec![1; 2],
            pads: vec![0; 4],
            image,
            output: [0, 1].map(|axis| image[axis] + 1 - size[axis]),
        }
    }

    /// (cell of the window, pixel of the image)
    fn cells(&self, y: usize, x: usize) -> Vec<(usize, usize)> {
        let along = |axis: usize, at: usize, k: usize| {
            let place = (at * self.strides[axis] + k).checked_sub(self.pads[axis])?;
            (place < self.image[axis]).then_some(place)
        };
        let mut found = Vec::new();
        for ky in 0..self.size[0] {
            for kx in 0..self.size[1] {
                if let (Some(iy), Some(ix)) = (along(0, y, ky), along(1, x, kx)) {
                    found.push((ky * self.size[1] + kx, iy * self.image[1] + ix));
                }
            }
        }
        found
    }
}

/// The attributes of a convolution have defaults: no stride, no border, one group.
fn conv(node: &NodeProto, x: &Array, kernel: &Array, bias: Option<&&Array>) -> Array {
    let [n, c, h, w] = x.nchw();
    let [o, per_group, kh, kw] = kernel.nchw();
    let windows = match &node.attribute[..] {
        [] => Windows::of_one([kh, kw], [h, w]),
        _ => Windows::of(node, [h, w]),
    };
    let groups = c / per_group;
    let has = node.attribute.iter().any(|a| a.name() == "group");
    let said = if has { int(node, "group") } else { 1 };
    assert_eq!(said as usize, groups, "group");
    assert_eq!(windows.size, [kh, kw]);
    let [ho, wo] = windows.output;
    let mut values = Vec::new();
    for image in x.values.chunks(c * h * w) {
        for (filter, kernel) in kernel.values.chunks(per_group * kh * kw).enumerate() {
            let first = filter / (o / groups) * per_group;
            for at in 0..ho * wo {
                let mut sum = bias.map_or(0.0, |bias| bias.values[filter]);
                for (cell, pixel) in windows.cells(at / wo, at % wo) {
                    for i in 0..per_group {
                        sum += kernel[i * kh * kw + cell] * image[(first + i) * h * w + pixel];
                    }
                }
                values.push(sum);
            }
        }
    }
    Array {
        dims: vec![n, o, ho, wo],
        values,
    }
}

/// Zeros around an image: begins, then ends, of all four axes.
fn pad(x: &Array, pads: &Array) -> Array {
    let [n, c, h, w] = x.nchw();
    let pads: Vec<usize> = pads.values.iter().map(|&count| count as usize).collect();
    assert_eq!(
        [pads[0], pads[1], pads[4], pads[5]],
        [0; 4],
        "images, channels"
    );
    let (top, left) = (pads[2], pads[3]);
    let [ho, wo] = [top + h + pads[6], left + w + pads[7]];
    let mut values = vec![0.0; n * c * ho * wo];
    for (at, &value) in x.values.iter().enumerate() {
        let (plane, y, x) = (at / (h * w), at / w % h, at % w);
        values[(plane * ho + top + y) * wo + left + x] = value;
    }
    Array {
        dims: vec![n, c, ho, wo],
        values,
    }
}

fn pool(node: &NodeProto, x: &Array, of: &dyn Fn(&[f64]) -> f64) -> Array {
    let [n, c, h, w] = x.nchw();
    let windows = Windows::of(node, [h, w]);
    let [ho, wo] = windows.output;
    let mut values = Vec::new();
    for plane in x.values.chunks(h * w) {
        for at in 0..ho * wo {
            let cells = windows.cells(at / wo, at % wo);
            let cells: Vec<f64> = cells.iter().map(|&(_, pixel)| plane[pixel]).collect();
            values.push(of(&cells));
        }
    }
    Array {
        dims: vec![n, c, ho, wo],
        values,
    }
}
