//! How each layer is said in ONNX: one converter a kind of layer, by its Keras class name, from its arguments and
//! shapes alone.

use super::Error;
use super::graph::{Writer, float, int, ints};
use super::proto::AttributeProto;
use crate::exchange::transpose::Order;
use crate::graph::Node;
use crate::ops::activation::NEGATIVE_SLOPE;
use serde_json::Value;

/// Writes a layer's nodes.
pub(super) type Convert = fn(&mut Writer, &Node) -> Result<(), Error>;

/// A line for each layer of [`crate::layers::LAYERS`].
static CONVERTERS: &[(&str, Convert)] = &[
    ("Activation", activation),
    ("Add", |writer, node| {
        let op = if node.inputs.len() == 2 { "Add" } else { "Sum" };
        writer.layer(node, op, vec![], vec![])
    }),
    ("AveragePooling2D", |writer, node| {
        let mut attributes = window(writer, node, "pool_size")?;
        attributes.push(int("count_include_pad", 0));
        writer.layer(node, "AveragePool", vec![], attributes)
    }),
    ("BatchNormalization", batch_normalization),
    ("Concatenate", |writer, node| {
        // The channels, of images and of rows of features alike.
        writer.layer(node, "Concat", vec![], vec![int("axis", 1)])
    }),
    ("Conv2D", |writer, node| {
        let window = window(writer, node, "kernel_size")?;
        let (kernel, bias) = (full_kernel(writer, node, 0), bias(writer, node, 1));
        let more = [kernel].into_iter().chain(bias).collect();
        writer.layer(node, "Conv", more, window)
    }),
    ("Dense", dense),
    ("DepthwiseConv2D", |writer, node| {
        let window = window(writer, node, "kernel_size")?;
        let (kernel, group) = depthwise_kernel(writer, node);
        let more = [kernel].into_iter().chain(bias(writer, node, 1)).collect();
        writer.layer(node, "Conv", more, [window, vec![group]].concat())
    }),
    ("Dropout", nothing),
    ("Flatten", |writer, node| {
        writer.layer(node, "Flatten", vec![], vec![int("axis", 1)])
    }),
    ("GlobalAveragePooling2D", |writer, node| {
        global_pooling(writer, node, "GlobalAveragePool", "mean")
    }),
    ("GlobalMaxPooling2D", |writer, node| {
        global_pooling(writer, node, "GlobalMaxPool", "max")
    }),
    ("LocalResponseNormalization", local_response_normalization),
    ("MaxPooling2D", |writer, node| {
        let attributes = window(writer, node, "pool_size")?;
        writer.layer(node, "MaxPool", vec![], attributes)
    }),
    ("SeparableConv2D", separable_conv2d),
    ("ZeroPadding2D", zero_padding),
    ("SpatialDropout2D", nothing),
];

/// The converter of a kind of layer.
pub(super) fn converter(node: &Node) -> Result<Convert, Error> {
    let kind = node.layer.kind();
    let found = CONVERTERS.iter().find(|(name, _)| *name == kind);
    found
        .map(|(_, convert)| *convert)
        .ok_or_else(|| unsupported(node, "there is no ONNX for it here"))
}

fn unsupported(node: &Node, what: impl Into<String>) -> Error {
    Error::Layer {
        layer: node.name.clone(),
        kind: node.layer.kind(),
        what: what.into(),
    }
}

/// What predictions do not have. It is asked for where the layer makes the logits; else the graph lacks it.
fn nothing(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    writer.layer(node, "Identity", vec![], vec![])
}

/// Keras's functions whose ONNX has no arguments.
const FUNCTIONS: &[(&str, &str)] = &[
    ("linear", "Identity"),
    ("relu", "Relu"),
    ("sigmoid", "Sigmoid"),
    ("softplus", "Softplus"),
    ("softsign", "Softsign"),
    ("tanh", "Tanh"),
];

fn activation(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let config = node.layer.config();
    let function = config["activation"].as_str().unwrap_or_default();
    if let Some((_, op)) = FUNCTIONS.iter().find(|(name, _)| *name == function) {
        return writer.layer(node, op, vec![], vec![]);
    }
    match function {
        "elu" => writer.layer(node, "Elu", vec![], vec![float("alpha", 1.0)]),
        "leaky_relu" => {
            let slope = float("alpha", NEGATIVE_SLOPE);
            writer.layer(node, "LeakyRelu", vec![], vec![slope])
        }
        "relu6" => {
            let ends = [("low", 0.0), ("high", 6.0)];
            let ends = ends.map(|(end, at)| writer.constant(&format!("{}/{end}", node.name), at));
            writer.layer(node, "Clip", ends.to_vec(), vec![])
        }
        "silu" => {
            let x = writer.value(node.inputs[0]);
            let gate = step(writer, node, "gate", "Sigmoid", vec![x]);
            writer.layer(node, "Mul", vec![gate], vec![])
        }
        "gelu" => gelu(writer, node),
        _ => Err(unsupported(
            node,
            format!("there is no ONNX here for the function `{function}`"),
        )),
    }
}

/// One of several nodes of a layer: its output.
fn step(writer: &mut Writer, node: &Node, name: &str, op: &str, inputs: Vec<String>) -> String {
    let name = format!("{}/{name}", node.name);
    let output = writer.between(&name);
    writer.node(&name, op, inputs, output.clone(), vec![]);
    output
}

/// x times half of 1 + erf(x / sqrt 2).
fn gelu(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let x = writer.value(node.inputs[0]);
    let constants = [
        ("root", std::f32::consts::FRAC_1_SQRT_2),
        ("one", 1.0),
        ("half", 0.5),
    ];
    let [root, one, half] =
        constants.map(|(name, value)| writer.constant(&format!("{}/{name}", node.name), value));
    let scaled = step(writer, node, "scaled", "Mul", vec![x, root]);
    let erf = step(writer, node, "erf", "Erf", vec![scaled]);
    let sum = step(writer, node, "sum", "Add", vec![erf, one]);
    let below = step(writer, node, "below", "Mul", vec![sum, half]);
    writer.layer(node, "Mul", vec![below], vec![])
}

/// The layer's tensor number `own`, a kernel whose filters read every channel: (h, w, in, out) as (out, in, h, w).
fn full_kernel(writer: &mut Writer, node: &Node, own: usize) -> String {
    let &[h, w, c, o] = &writer.graph.shape(node.own[own]).0[..] else {
        unreachable!("a kernel (h, w, in, out)");
    };
    let order = Order::of(&[h, w, c, o], &[3, 2, 0, 1]);
    writer.held(node, own, order, &[o, c, h, w])
}

/// The layer's first tensor, whose filters read a channel each: (h, w, in, multiplier) as (in * multiplier, 1, h, w),
/// and the attribute that says so.
fn depthwise_kernel(writer: &mut Writer, node: &Node) -> (String, AttributeProto) {
    let &[h, w, c, m] = &writer.graph.shape(node.own[0]).0[..] else {
        unreachable!("a kernel (h, w, in, multiplier)");
    };
    let order = Order::of(&[h, w, c, m], &[2, 3, 0, 1]);
    let kernel = writer.held(node, 0, order, &[c * m, 1, h, w]);
    (kernel, int("group", c.into()))
}

/// The layer's tensor number `own`, its bias, if it has one.
fn bias(writer: &mut Writer, node: &Node, own: usize) -> Option<String> {
    let &id = node.own.get(own)?;
    let count = writer.graph.shape(id).0[0];
    Some(writer.held(node, own, Order::kept(count as usize), &[count]))
}

/// A convolution of each channel, and one of 1 x 1 over all.
fn separable_conv2d(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let window = window(writer, node, "kernel_size")?;
    let (kernel, group) = depthwise_kernel(writer, node);
    let (x, y) = (writer.value(node.inputs[0]), writer.value(node.outputs[0]));
    let name = format!("{}/depthwise", node.name);
    let middle = writer.between(&name);
    let attributes = [window, vec![group]].concat();
    writer.node(&name, "Conv", vec![x, kernel], middle.clone(), attributes);
    let pointwise = full_kernel(writer, node, 1);
    let inputs = [middle, pointwise].into_iter().chain(bias(writer, node, 2));
    writer.node(&node.name, "Conv", inputs.collect(), y, vec![]);
    Ok(())
}

/// (above, below), (left, right) as ONNX's begins and ends of (N, C, H, W).
fn zero_padding(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let padding = node.layer.config()["padding"].clone();
    let [[top, bottom], [left, right]] = serde_json::from_value(padding)
        .map_err(|_| unsupported(node, "its `padding` is no border"))?;
    let pads = [0, 0, top, left, 0, 0, bottom, right];
    let pads = writer.integers(&format!("{}/pads", node.name), &pads);
    writer.layer(node, "Pad", vec![pads], vec![])
}

/// Behind a flattened image the kernel's rows change places: Keras walks (h, w, c), and ONNX's images
/// are (c, h, w).
fn dense(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let &[k, n] = &writer.graph.shape(node.own[0]).0[..] else {
        unreachable!("a kernel (in, out)");
    };
    let order = features(writer, node, k, n);
    let kernel = writer.held(node, 0, order, &[k, n]);
    let more = [kernel].into_iter().chain(bias(writer, node, 1)).collect();
    writer.layer(node, "Gemm", more, vec![])
}

/// Rows of `width` numbers, one for each feature that the layer reads, in ONNX's order of the features.
fn features(writer: &Writer, node: &Node, count: u32, width: u32) -> Order {
    match writer.graph.flattened_pixels(node.inputs[0]) {
        1 => Order::kept((count * width) as usize),
        pixels => Order::of(&[pixels, count / pixels, width], &[1, 0, 2]),
    }
}

/// (N, C, H, W) to (N, C, 1, 1) to (N, C).
fn global_pooling(writer: &mut Writer, node: &Node, op: &str, what: &str) -> Result<(), Error> {
    let (x, y) = (writer.value(node.inputs[0]), writer.value(node.outputs[0]));
    let pooled = writer.between(&format!("{}/{what}", node.name));
    writer.node(&node.name, op, vec![x], pooled.clone(), vec![]);
    let name = format!("{}/flatten", node.name);
    writer.node(&name, "Flatten", vec![pooled], y, vec![int("axis", 1)]);
    Ok(())
}

/// With the moving averages. ONNX always has a scale and a bias: ones and zeros where the layer has none.
fn batch_normalization(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let config = node.layer.config();
    let has = |name: &str| config[name].as_bool() == Some(true);
    let (scale, center) = (has("scale"), has("center"));
    let count = writer.graph.shape(node.outputs[0]).nhwc()[3];
    let mut own = 0..node.own.len();
    let mut held = |writer: &mut Writer| {
        let order = features(writer, node, count, 1);
        let own = own
            .next()
            .expect("moving averages, and what the arguments say");
        writer.held(node, own, order, &[count])
    };
    let gamma = match scale {
        true => held(writer),
        false => writer.vector(&format!("{}/ones", node.name), 1.0, count),
    };
    let beta = match center {
        true => held(writer),
        false => writer.vector(&format!("{}/zeros", node.name), 0.0, count),
    };
    let (mean, variance) = (held(writer), held(writer));
    let epsilon = float("epsilon", real(node, &config, "epsilon")?);
    let inputs = vec![gamma, beta, mean, variance];
    writer.layer(node, "BatchNormalization", inputs, vec![epsilon])
}

/// ONNX divides alpha by size as we do, and sees one channel more behind than before if size is even.
fn local_response_normalization(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let config = node.layer.config();
    let mut attributes = Vec::new();
    for (ours, onnx) in [("alpha", "alpha"), ("beta", "beta"), ("k", "bias")] {
        attributes.push(float(onnx, real(node, &config, ours)?));
    }
    let size = config["size"].as_i64();
    let size = size.ok_or_else(|| unsupported(node, "its `size` is no number"))?;
    attributes.push(int("size", size));
    writer.layer(node, "LRN", vec![], attributes)
}

/// A number among the arguments.
fn real(node: &Node, config: &Value, name: &str) -> Result<f32, Error> {
    let number = config[name].as_f64();
    let number = number.ok_or_else(|| unsupported(node, format!("its `{name}` is no number")))?;
    Ok(number as f32)
}

/// Size, strides and pads of a window that slides over an image. The pads follow from the shapes: they are what
/// the windows need beyond the image, the odd one at the end.
fn window(writer: &Writer, node: &Node, size: &str) -> Result<Vec<AttributeProto>, Error> {
    let config = node.layer.config();
    let size = pair(node, &config, size)?;
    let stride = pair(node, &config, "strides")?;
    let [_, h, w, _] = writer.graph.shape(node.inputs[0]).nhwc();
    let [_, out_h, out_w, _] = writer.graph.shape(node.outputs[0]).nhwc();
    let along = |axis: usize, from: u32, to: u32| {
        let total = ((to - 1) * stride[axis] + size[axis]).saturating_sub(from);
        [total / 2, total - total / 2]
    };
    let [[top, bottom], [left, right]] = [along(0, h, out_h), along(1, w, out_w)];
    Ok(vec![
        ints("kernel_shape", size),
        ints("strides", stride),
        ints("pads", [top, left, bottom, right]),
    ])
}

/// (height, width) of an argument.
fn pair(node: &Node, config: &Value, name: &str) -> Result<[u32; 2], Error> {
    serde_json::from_value(config[name].clone())
        .map_err(|_| unsupported(node, format!("its `{name}` is no pair of numbers")))
}

#[cfg(test)]
mod tests {
    use super::CONVERTERS;
    use crate::layers::LAYERS;

    /// Who adds a layer says it in ONNX too.
    #[test]
    fn every_layer_has_a_converter_and_every_converter_a_layer() {
        let layers: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
        let converters: Vec<&str> = CONVERTERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(layers, converters, "a line each, in the same order");
    }
}
