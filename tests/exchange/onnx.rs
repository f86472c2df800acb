//! The ONNX files, read back: what they say of themselves, and what their graph makes of pixels, against the plain
//! forward pass over the same weights.

use crate::interpreter::{Array, evaluate};
use crate::plain;
use crate::trained::{drawn, record, trained};
use fer_gpu::data::PixelRange;
use fer_gpu::exchange::onnx::proto::{ModelProto, ValueInfoProto};
use fer_gpu::exchange::{self, Error, Format};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{
    Activation, Add, AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout,
    Function, GlobalMaxPooling2D, LocalResponseNormalization, SeparableConv2D, ZeroPadding2D,
};
use fer_gpu::network::{Builder, Model, NETWORKS};
use fer_gpu::ops::conv2d::Padding::{Same, Valid};
use fer_gpu::pictures::Standardise;
use fer_gpu::random::unit;
use fer_gpu::weights::Record;
use prost::Message;
use std::collections::HashMap;
use tempfile::tempdir;

/// Exports a network and reads the file back.
fn exported(model: &Model, weights: &HashMap<String, Vec<f32>>, record: &Record) -> ModelProto {
    let folder = tempdir().expect("a folder");
    let mut trained = trained(&folder.path().join("w.safetensors"), model, weights, record);
    let path = folder.path().join("model.onnx");
    exchange::write(&path, Format::Onnx, &mut trained).expect("written");
    ModelProto::decode(&std::fs::read(path).expect("a file")[..]).expect("a model")
}

/// Bytes of an image, as pixels 0..255.
fn pixels(number: u64, count: usize) -> Vec<u8> {
    (0..count as u64)
        .map(|i| (unit(number, i) * 256.0) as u8)
        .collect()
}

/// The file's logits and probabilities are those of the plain forward pass.
fn agrees(model: &Model, range: PixelRange) -> ModelProto {
    agrees_with(model, &record(model, range))
}

fn agrees_with(model: &Model, record: &Record) -> ModelProto {
    const IMAGES: usize = 2;
    let weights = drawn(model);
    let file = exported(model, &weights, record);
    let shape = model.image_shape().map(|extent| extent as usize);
    let count = shape.iter().product();
    let images: Vec<Vec<u8>> = (0..IMAGES).map(|n| pixels(n as u64, count)).collect();
    let batch = Array {
        dims: [&[IMAGES], &shape[..]].concat(),
        values: images.iter().flatten().map(|&byte| byte.into()).collect(),
    };
    let graph = file.graph.as_ref().expect("a graph");
    let found = evaluate(graph, HashMap::from([("images".into(), batch)]));
    let preprocessing = &record.preprocessing;
    let classes = model.classes as usize;
    for (n, image) in images.iter().enumerate() {
        let logits = plain::logits(model, &weights, &plain::prepared(preprocessing, image));
        let largest = logits.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        let row = n * classes..(n + 1) * classes;
        let close = |found: &[f64], expected: &[f64], within: f64| {
            for (found, expected) in found.iter().zip(expected) {
                let error = (found - expected).abs();
                assert!(error <= within, "{}: {found}, not {expected}", model.name);
            }
        };
        close(
            &found["logits"].values[row.clone()],
            &logits,
            1e-5 * largest,
        );
        let expected = plain::softmax(&logits);
        close(&found["probabilities"].values[row], &expected, 1e-5);
        // Nothing is shown by zeros.
        assert!(logits.iter().any(|logit| logit.abs() > 0.1), "{logits:?}");
    }
    file
}

#[test]
fn every_network_of_the_box_computes_what_it_computes_here() {
    for network in NETWORKS.iter() {
        // As small as its layers are not: the dense kernel behind the flattening grows with the image.
        let sizes = [[9, 7], [33, 35], [80, 83]];
        let of = |[h, w]: [u32; 2]| network.try_build_for([h, w, network.image[2]], 5).ok();
        let model = sizes.into_iter().find_map(of).expect("large enough");
        agrees(&model, PixelRange::ZeroTo255);
    }
}

fn layer(
    b: &mut Builder,
    name: &str,
    layer: impl fer_gpu::graph::Layer + 'static,
    x: &[TensorId],
) -> TensorId {
    b.layer(name, layer, x).expect(name)
}

/// Every kind of layer, odd extents, strides that leave an odd element of padding, colour, a shared layer,
/// an activation between flattening and the dense layer, and names that the file needs itself.
fn odd() -> Model {
    let mut b = Builder::new();
    let image = b.input("images", [11, 8, 3]);
    let window = |size, stride, padding| Window {
        size,
        stride,
        padding,
    };
    let x = b.conv2d(
        "probabilities",
        image,
        6,
        window([3, 4], [2, 3], Same),
        true,
    );
    let y = b.conv2d("valid", image, 4, window([2, 4], [2, 2], Valid), false);
    let max = b.max_pool2d("max", x, window([3, 2], [2, 1], Same));
    let mean = layer(
        &mut b,
        "mean",
        AveragePooling2D(window([3, 3], [2, 1], Same)),
        &[x],
    );
    let sum = layer(&mut b, "sum", Add, &[max, mean, max]);
    let both = b.concat("both", &[sum, max]);
    let framed = ZeroPadding2D {
        padding: [[1, 0], [2, 1]],
    };
    let both = layer(&mut b, "framed", framed, &[both]);
    let bare = DepthwiseConv2D {
        depth_multiplier: 2,
        use_bias: false,
        ..DepthwiseConv2D::new(window([3, 2], [1, 2], Same))
    };
    let both = layer(&mut b, "deep", bare, &[both]);
    let apart = SeparableConv2D {
        depth_multiplier: 3,
        ..SeparableConv2D::new(7, window([2, 3], [1, 1], Same))
    };
    let both = layer(&mut b, "apart", apart, &[both]);
    let unbiased = Conv2D {
        use_bias: false,
        ..Conv2D::new(12, window([1, 2], [1, 1], Valid))
    };
    let both = layer(&mut b, "unbiased", unbiased, &[both]);
    let again = b.conv2d("again", both, 12, Window::square(1, 1, Same), true);
    let more = b.again("more", "again", &[again]).expect("it fits");
    let flat = b.flatten("flat", more);
    let flat = layer(&mut b, "act", Activation(Function::Relu), &[flat]);
    let dense = b.dense("dense", flat, 9, true);
    let plain = Dense {
        use_bias: false,
        ..Dense::new(8)
    };
    let dense = layer(&mut b, "no_bias", plain, &[dense]);
    let gap = b.global_average_pool("gap", y);
    let features = b.concat("features", &[dense, gap]);
    let logits = b.dense("logits_", features, 4, false);
    b.model("odd", logits)
}

#[test]
fn odd_extents_strides_colour_and_shared_layers_come_through() {
    for range in [
        PixelRange::ZeroTo255,
        PixelRange::ZeroToOne,
        PixelRange::MinusOneToOne,
    ] {
        let file = agrees(&odd(), range);
        let graph = file.graph.expect("a graph");
        let named = |name: &str| {
            graph
                .initializer
                .iter()
                .filter(|t| t.name() == name)
                .count()
        };
        assert_eq!(named("again/kernel"), 1, "a shared kernel is there once");
        let mut names: Vec<&str> = graph.node.iter().map(|node| node.name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(
            names.len(),
            graph.node.len(),
            "nodes have names of their own"
        );
    }
}

#[test]
fn pixels_are_standardised_in_the_graph() {
    let model = odd();
    let by_channel = Standardise::Channel {
        mean: vec![0.5, 0.25, 0.125],
        deviation: vec![0.25, 0.5, 0.75],
    };
    for standardise in [by_channel, Standardise::Picture { epsilon: 1e-3 }] {
        for range in [PixelRange::ZeroTo255, PixelRange::MinusOneToOne] {
            let mut record = record(&model, range);
            record.preprocessing.standardise = Some(standardise.clone());
            agrees_with(&model, &record);
        }
    }
}

/// Every function, one behind the other; what is dropped in training is not there.
#[test]
fn every_function_comes_through_and_dropout_does_not() {
    let mut b = Builder::new();
    let mut x = b.input("image", [6, 5, 3]);
    for name in Function::names() {
        let function = Function::find(name).expect("a function");
        x = b.conv2d(
            &format!("{name}_of"),
            x,
            4,
            Window::square(3, 1, Same),
            false,
        );
        x = layer(&mut b, name, Activation(function), &[x]);
        x = layer(
            &mut b,
            &format!("{name}_dropped"),
            Dropout { rate: 0.5 },
            &[x],
        );
    }
    let mean = b.global_average_pool("mean", x);
    let logits = b.dense("logits", mean, 3, false);
    let model = agrees(&b.model("functions", logits), PixelRange::ZeroTo255);
    let nodes = model.graph.expect("a graph").node;
    let ops: Vec<String> = nodes.into_iter().filter_map(|node| node.op_type).collect();
    assert!(ops.iter().all(|op| op != "Dropout"));
    assert_eq!(
        ops.iter().filter(|op| *op == "Identity").count(),
        1,
        "linear alone"
    );
}

/// Batch normalization with and without gamma and beta, of images, of rows that were flattened from them, and in two
/// places; local response normalization over an even number of channels; global maxima.
#[test]
fn normalizations_come_through() {
    let mut b = Builder::new();
    let x = b.input("image", [6, 5, 3]);
    let window = Window::square(3, 1, Same);
    let norm = |scale, center| BatchNormalization {
        scale,
        center,
        epsilon: 0.05,
        ..BatchNormalization::default()
    };
    let x = b.conv2d("conv", x, 5, window, false);
    let x = layer(&mut b, "norm", norm(true, true), &[x]);
    let x = b.again("norm/again", "norm", &[x]).expect("it fits");
    let x = layer(&mut b, "norm/scaled", norm(true, false), &[x]);
    let local = LocalResponseNormalization {
        size: 4,
        alpha: 0.5,
        beta: 0.75,
        k: 2.0,
    };
    let x = layer(&mut b, "local", local, &[x]);
    let flat = b.flatten("flat", x);
    let flat = layer(&mut b, "flat/norm", norm(false, true), &[flat]);
    let left = b.dense("left", flat, 3, false);
    let largest = layer(&mut b, "largest", GlobalMaxPooling2D, &[x]);
    let largest = layer(&mut b, "largest/norm", norm(false, false), &[largest]);
    let right = b.dense("right", largest, 3, false);
    let logits = layer(&mut b, "logits", Add, &[left, right]);
    let model = agrees(&b.model("normalizations", logits), PixelRange::ZeroTo255);
    let nodes = model.graph.expect("a graph").node;
    let of = |op: &str| nodes.iter().filter(|n| n.op_type() == op).count();
    assert_eq!(
        ["BatchNormalization", "LRN", "GlobalMaxPool"].map(of),
        [5, 1, 1]
    );
}

#[test]
fn the_file_says_what_it_takes_and_gives() {
    let model = odd();
    let file = exported(
        &model,
        &drawn(&model),
        &record(&model, PixelRange::MinusOneToOne),
    );
    assert_eq!(file.ir_version, Some(8));
    assert_eq!(file.opset_import.len(), 1);
    assert_eq!(file.opset_import[0].version, Some(17));
    let said = |key: &str| {
        let mut entries = file.metadata_props.iter();
        let entry = entries.find(|entry| entry.key() == key);
        entry.expect(key).value().to_string()
    };
    let names: Vec<String> = serde_json::from_str(&said("names")).expect("a list");
    assert_eq!(names, record(&model, PixelRange::ZeroToOne).class_names);
    assert_eq!(said("pixel_range"), "0..255");
    assert_eq!(said("model"), "odd");
    let graph = file.graph.expect("a graph");
    let shape = |value: &ValueInfoProto| -> (String, Vec<String>) {
        let tensor = value
            .r#type
            .clone()
            .expect("a type")
            .tensor_type
            .expect("a tensor");
        let dims = tensor.shape.expect("a shape").dim.into_iter();
        let dims = dims.map(|d| {
            d.dim_param
                .unwrap_or_else(|| d.dim_value.expect("one").to_string())
        });
        (value.name().into(), dims.collect())
    };
    let dims = |dims: &[&str]| dims.iter().map(|d| d.to_string()).collect::<Vec<_>>();
    assert_eq!(
        shape(&graph.input[0]),
        ("images".into(), dims(&["N", "11", "8", "3"]))
    );
    assert_eq!(
        shape(&graph.output[0]),
        ("logits".into(), dims(&["N", "4"]))
    );
    assert_eq!(
        shape(&graph.output[1]),
        ("probabilities".into(), dims(&["N", "4"]))
    );
    assert_eq!((graph.input.len(), graph.output.len()), (1, 2));
}

/// Protobuf's lengths are 31 bits. The file of weights is sparse: only its header is real.
#[test]
#[cfg(unix)]
fn a_network_too_large_for_protobuf_is_refused_before_anything_is_written() {
    use fer_gpu::weights::{Record, TensorFile};
    let mut b = Builder::new();
    let image = b.input("image", [16, 16, 1]);
    let x = b.flatten("flat", image);
    let x = b.dense("dense", x, 2_200_000, true);
    let logits = b.dense("output", x, 2, false);
    let model = b.model("large", logits);
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let record = record(&model, PixelRange::ZeroToOne);
    sparse(&path, &model, record.metadata());
    let file = TensorFile::open(&path, "weights").expect("a file");
    let record = Record::of(&file).expect("a record");
    let mut trained = exchange::Trained::new(record, model, file).expect("its tensors");
    let out = folder.path().join("model.onnx");
    let refused = exchange::write(&out, Format::Onnx, &mut trained);
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    assert!(!out.exists());
}

/// A file of that network's size that holds no more than its header, without a seal.
#[cfg(unix)]
fn sparse(path: &std::path::Path, model: &Model, metadata: HashMap<String, String>) {
    use std::io::Write;
    let (mut header, mut end) = (serde_json::json!({ "__metadata__": metadata }), 0);
    for id in model.graph.held() {
        let tensor = &model.graph.tensors[id];
        let start = end;
        end += 4 * tensor.shape.len();
        header[&tensor.name] = serde_json::json!({
            "dtype": "F32", "shape": tensor.shape.0, "data_offsets": [start, end],
        });
    }
    let header = header.to_string();
    let mut file = std::fs::File::create(path).expect("a file");
    file.write_all(&(header.len() as u64).to_le_bytes())
        .expect("written");
    file.write_all(header.as_bytes()).expect("written");
    file.set_len((8 + header.len() + end) as u64)
        .expect("a length");
}

#[test]
fn endings_say_the_format() {
    let of = |path: &str| Format::of(path.as_ref()).ok();
    assert_eq!(of("a/model.onnx"), Some(Format::Onnx));
    assert_eq!(of("W.NPZ"), Some(Format::Npz));
    assert_eq!(of("w.safetensors"), Some(Format::Safetensors));
    for unknown in ["model", "model.pb", "-", ".onnx"] {
        let error = Format::of(unknown.as_ref()).expect_err(unknown).to_string();
        for known in [".onnx", ".npz", ".safetensors"] {
            assert!(error.contains(known), "{error}");
        }
    }
}
