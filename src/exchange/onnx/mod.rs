//! A trained network as an ONNX file: opset 17, a free batch, pixels in and probabilities out.
//!
//! `input` prepares the pixels; the forward graph is walked node by node; `layers` says each in ONNX, `graph` collects what they say, `proto`
//! has the messages. The values of the weights are no part of a message in memory: they are copied from the file of
//! weights as the last fields of the graph, in the order that ONNX wants.

mod graph;
mod input;
mod layers;
pub mod proto;

use super::{Error, Trained, write_floats};
use crate::data::PixelRange;
use crate::files;
use crate::graph::Mode;
use crate::layers::Loss;
use crate::weights::Record;
use graph::{Initialiser, Writer};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use proto::{
    DimensionProto, FLOAT, GRAPH, INITIALIZER, ModelProto, OperatorSetIdProto, RAW_DATA,
    StringStringEntryProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use std::path::Path;

/// Version of the operators, and of the format that goes with it.
pub const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// Names of what goes in and comes out.
pub const IMAGES: &str = "images";
pub const LOGITS: &str = "logits";
pub const PROBABILITIES: &str = "probabilities";

/// No message of protobuf may be longer.
const LONGEST: u64 = i32::MAX as u64;

/// Writes a trained network to `path`: over a regular file, through anything else.
///
/// # Errors
/// If a layer cannot be said in ONNX, or the file would pass protobuf's 2 GiB: then nothing was written.
pub fn write(path: &Path, trained: &mut Trained) -> Result<(), Error> {
    let (graph, initialisers) = converted(trained)?;
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("fer-gpu".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(about(trained)),
        graph: None,
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: metadata(trained),
    };
    // The graph comes last in the model, and the weights last in the graph, whose length stands before it.
    let heads: Vec<Vec<u8>> = initialisers.iter().map(head).collect();
    let weights = initialisers.iter().zip(&heads);
    let weights = weights.map(|(initialiser, head)| head.len() as u64 + bytes(initialiser));
    let length = graph.encoded_len() as u64 + weights.sum::<u64>();
    let mut start = model.encode_to_vec();
    encode_key(GRAPH, WireType::LengthDelimited, &mut start);
    encode_varint(length, &mut start);
    let whole = start.len() as u64 + length;
    if whole > LONGEST {
        let path = path.into();
        return Err(Error::TooLarge { path, bytes: whole });
    }
    graph.encode(&mut start).expect("memory has room");
    files::put(path, |out| {
        let failed = |source| files::Error::write(path, source);
        out.write_all(&start).map_err(failed)?;
        for (initialiser, head) in initialisers.iter().zip(&heads) {
            out.write_all(head).map_err(failed)?;
            let source = &initialiser.source;
            write_floats(out, path, &mut trained.file, source, &initialiser.order)?;
        }
        Ok(())
    })
}

/// The graph without the weights, and those.
fn converted(trained: &Trained) -> Result<(proto::GraphProto, Vec<Initialiser>), Error> {
    let model = &trained.model;
    let graph = model.graph_for(Mode::Predict, &Loss::default());
    let mut writer = Writer::new(&graph, &[IMAGES, LOGITS, PROBABILITIES]);
    let logits = model.heads[0].logits;
    writer.name(logits, LOGITS);
    input::write(&mut writer, trained);
    for node in &graph.nodes {
        layers::converter(node)?(&mut writer, node)?;
    }
    writer.node(
        PROBABILITIES,
        "Softmax",
        vec![LOGITS.into()],
        PROBABILITIES.into(),
        vec![graph::int("axis", 1)],
    );
    let [h, w, c] = model.image_shape();
    let classes = [model.classes];
    let order = "by class number, whose names are `names` in the metadata";
    let images = value(IMAGES, &[h, w, c], "(N, H, W, C), pixels 0..255".into());
    let outputs = vec![
        value(LOGITS, &classes, format!("before the softmax, {order}")),
        value(PROBABILITIES, &classes, order.into()),
    ];
    Ok(writer.finish(&model.name, images, outputs))
}

/// An input or output of the whole: (N, ...) with a free N.
fn value(name: &str, extents: &[u32], about: String) -> ValueInfoProto {
    let free = DimensionProto {
        dim_value: None,
        dim_param: Some("N".into()),
    };
    let fixed = extents.iter().map(|&extent| DimensionProto {
        dim_value: Some(extent.into()),
        dim_param: None,
    });
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(FLOAT),
                shape: Some(TensorShapeProto {
                    dim: std::iter::once(free).chain(fixed).collect(),
                }),
            }),
        }),
        doc_string: Some(about),
    }
}

fn about(trained: &Trained) -> String {
    format!(
        "{} as fer-gpu trained it: {IMAGES} are (N, H, W, C) of 0..255 and normalised inside",
        trained.model.name
    )
}

/// What a reader must know to use the file.
fn metadata(trained: &Trained) -> Vec<StringStringEntryProto> {
    let Record {
        model,
        class_names,
        preprocessing,
        epoch,
        ..
    } = &trained.record;
    let entries = [
        ("names", json(class_names)),
        (
            "classes",
            "columns of logits and probabilities are in the order of `names`".into(),
        ),
        ("pixel_range", PixelRange::ZeroTo255.to_string()),
        ("model", model.clone()),
        ("preprocessing", json(preprocessing)),
        ("epoch", epoch.to_string()),
        ("weights_xxh3", trained.file.hash.clone()),
    ];
    let entry = |(key, value): (&str, String)| StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value),
    };
    entries.into_iter().map(entry).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers")
}

/// Bytes of a weight's values.
fn bytes(initialiser: &Initialiser) -> u64 {
    4 * initialiser.order.count() as u64
}

/// What stands before a weight's values: its key and length as a field of the graph, its message, and key and
/// length of the values.
fn head(initialiser: &Initialiser) -> Vec<u8> {
    let values = bytes(initialiser);
    let about = initialiser.message.encode_to_vec();
    let inside = about.len() + key_len(RAW_DATA) + encoded_len_varint(values);
    let mut head = Vec::new();
    encode_key(INITIALIZER, WireType::LengthDelimited, &mut head);
    encode_varint(inside as u64 + values, &mut head);
    head.extend(about);
    encode_key(RAW_DATA, WireType::LengthDelimited, &mut head);
    encode_varint(values, &mut head);
    head
}
