//! What an ONNX file makes of pixels before its first layer: scaled, brought to (N, C, H, W), standardised.

use super::IMAGES;
use super::graph::{Writer, int, ints};
use crate::data::PixelRange;
use crate::exchange::Trained;
use crate::pictures::Standardise;
use crate::plan::Standard;

/// Pixels 0..255 of (N, H, W, C) to what the network was trained on, as (N, C, H, W).
pub(super) fn write(writer: &mut Writer, trained: &Trained) {
    let record = &trained.record.preprocessing;
    let steps: &[(&str, &str, f32)] = match record.range {
        PixelRange::ZeroTo255 => &[("Mul", "scale", PixelRange::ZeroTo255.scale())],
        PixelRange::ZeroToOne => &[("Div", "scale", 255.0)],
        PixelRange::MinusOneToOne => &[("Div", "scale", 127.5), ("Sub", "shift", 1.0)],
    };
    let mut from = IMAGES.to_string();
    for (op, name, number) in steps {
        let number = writer.constant(&format!("{IMAGES}/{name}"), *number);
        let to = writer.between(&format!("{IMAGES}/{name}d"));
        let name = format!("{IMAGES}/{name}");
        writer.node(&name, op, vec![from, number], to.clone(), vec![]);
        from = to;
    }
    let image = writer.value(trained.model.image);
    let to = match record.standardise {
        Some(_) => writer.between(&format!("{IMAGES}/transposed")),
        None => image.clone(),
    };
    let name = format!("{IMAGES}/channels_first");
    let order = vec![ints("perm", [0, 3, 1, 2])];
    writer.node(&name, "Transpose", vec![from], to.clone(), order);
    if let Some(standardise) = &record.standardise {
        standardised(writer, standardise, to, image);
    }
}

/// As the kernels do it, in f32; of a picture the mean is taken at once, which is a rounding away from theirs.
fn standardised(writer: &mut Writer, standardise: &Standardise, from: String, image: String) {
    let between = |writer: &mut Writer, what: &str| writer.between(&format!("{IMAGES}/{what}"));
    let node = |writer: &mut Writer, what: &str, op: &str, inputs: &[&String], to: &String| {
        let all = vec![ints("axes", [1, 2, 3]), int("keepdims", 1)];
        let attributes = if op == "ReduceMean" { all } else { vec![] };
        let inputs = inputs.iter().map(|&name| name.clone()).collect();
        writer.node(
            &format!("{IMAGES}/{what}"),
            op,
            inputs,
            to.clone(),
            attributes,
        );
    };
    let centred = between(writer, "centred");
    match Standard::from(standardise) {
        Standard::Channels { mean, scale } => {
            let mean = writer.by_channel(&format!("{IMAGES}/mean"), &mean);
            let scale = writer.by_channel(&format!("{IMAGES}/one_over_deviation"), &scale);
            node(writer, "centre", "Sub", &[&from, &mean], &centred);
            node(writer, "standardise", "Mul", &[&centred, &scale], &image);
        }
        Standard::Pictures { epsilon } => {
            let epsilon = writer.constant(&format!("{IMAGES}/epsilon"), epsilon);
            let [mean, squares, variance, root, deviation] =
                ["mean", "squares", "variance", "root", "deviation"]
                    .map(|what| between(writer, what));
            node(writer, "average", "ReduceMean", &[&from], &mean);
            node(writer, "centre", "Sub", &[&from, &mean], &centred);
            node(writer, "square", "Mul", &[&centred, &centred], &squares);
            node(writer, "spread", "ReduceMean", &[&squares], &variance);
            node(writer, "root", "Sqrt", &[&variance], &root);
            node(writer, "at_least", "Max", &[&root, &epsilon], &deviation);
            node(
                writer,
                "standardise",
                "Div",
                &[&centred, &deviation],
                &image,
            );
        }
    }
}
