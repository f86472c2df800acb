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
    ("Concatenate", |writer, node| {
        // The channels, of images and of rows of features alike.
        writer.layer(node, "Concat", vec![], vec![int("axis", 1)])
    }),
    ("Conv2D", conv2d),
    ("Dense", dense),
    ("Dropout", nothing),
    ("Flatten", |writer, node| {
        writer.layer(node, "Flatten", vec![], vec![int("axis", 1)])
    }),
    ("GlobalAveragePooling2D", global_average_pooling),
    ("MaxPooling2D", |writer, node| {
        let attributes = window(writer, node, "pool_size")?;
        writer.layer(node, "MaxPool", vec![], attributes)
    }),
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

fn conv2d(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let &[h, w, c, o] = &writer.graph.shape(node.own[0]).0[..] else {
        unreachable!("a kernel (h, w, in, out)");
    };
    let order = Order::of(&[h, w, c, o], &[3, 2, 0, 1]);
    let kernel = writer.held(node, 0, order, &[o, c, h, w]);
    let bias = writer.held(node, 1, Order::kept(o as usize), &[o]);
    let attributes = window(writer, node, "kernel_size")?;
    writer.layer(node, "Conv", vec![kernel, bias], attributes)
}

/// Behind a flattened image the kernel's rows change places: Keras walks (h, w, c), and ONNX's images
/// are (c, h, w).
fn dense(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let &[k, n] = &writer.graph.shape(node.own[0]).0[..] else {
        unreachable!("a kernel (in, out)");
    };
    let order = features(writer, node, k, n);
    let kernel = writer.held(node, 0, order, &[k, n]);
    let bias = writer.held(node, 1, Order::kept(n as usize), &[n]);
    writer.layer(node, "Gemm", vec![kernel, bias], vec![])
}

/// Rows of `width` numbers, one for each feature that the layer reads, in ONNX's order of the features.
fn features(writer: &Writer, node: &Node, count: u32, width: u32) -> Order {
    match writer.graph.flattened_pixels(node.inputs[0]) {
        1 => Order::kept((count * width) as usize),
        pixels => Order::of(&[pixels, count / pixels, width], &[1, 0, 2]),
    }
}

/// (N, C, H, W) to (N, C, 1, 1) to (N, C).
fn global_average_pooling(writer: &mut Writer, node: &Node) -> Result<(), Error> {
    let (x, y) = (writer.value(node.inputs[0]), writer.value(node.outputs[0]));
    let mean = writer.between(&format!("{}/mean", node.name));
    writer.node(
        &node.name,
        "GlobalAveragePool",
        vec![x],
        mean.clone(),
        vec![],
    );
    let name = format!("{}/flatten", node.name);
    writer.node(&name, "Flatten", vec![mean], y, vec![int("axis", 1)]);
    Ok(())
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
