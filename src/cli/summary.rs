//! `fer-gpu summary`: a network's layers, as Keras's `Model.summary` shows them, or the networks there are.

use super::{Error, output, print};
use crate::drawing::grouped;
use crate::network::{LayerRow, Model, NETWORKS, Network};
use crate::train;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub struct Summary {
    /// Network [default: a list of all]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    classes: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// The network of that name.
pub(super) fn network(name: &str) -> Result<&'static Network, train::Error> {
    Network::find(name).ok_or_else(|| train::Error::UnknownModel {
        found: name.into(),
        known: Network::names(),
    })
}

impl Summary {
    pub fn run(self) -> Result<ExitCode, Error> {
        let Some(name) = &self.model else {
            if self.json {
                print(json!({ "networks": NETWORKS.iter().map(|n| n.name).collect::<Vec<_>>() }));
                return Ok(ExitCode::SUCCESS);
            }
            print(networks(self.classes));
            output::next(&["fer-gpu summary --model inception"]);
            return Ok(ExitCode::SUCCESS);
        };
        let network = network(name)?;
        let model = network.build(self.classes);
        if self.json {
            print(as_json(&model, network.about));
            return Ok(ExitCode::SUCCESS);
        }
        print(format_args!("{}: {}", network.name, network.about));
        print(layers(&model));
        let total = model.parameters();
        print(format_args!(
            "Total parameters: {} ({:.2} MB), {}",
            grouped(total),
            4.0 * total as f64 / 1e6,
            match model.trainable() {
                trainable if trainable == total => "all trainable".into(),
                trainable => format!("{} trainable", grouped(trainable)),
            }
        ));
        output::next(&[
            format!(
                "fer-gpu plot-model --model {} -o model.svg --shapes",
                network.name
            ),
            format!("fer-gpu train --model {}", network.name),
        ]);
        Ok(ExitCode::SUCCESS)
    }
}

/// Every network of the box.
fn networks(classes: u32) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["network", "parameters", "images", "what"]);
    for network in NETWORKS {
        let [height, width, channels] = network.image;
        table.add_row([
            network.name.to_string(),
            grouped(network.build(classes).parameters()),
            format!("{height} x {width} x {channels}"),
            network.about.to_string(),
        ]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The same for programs: a layer's shape is of one image.
fn as_json(model: &Model, about: &str) -> Value {
    let layer = |layer: &LayerRow| {
        json!({
            "name": layer.name,
            "class": layer.kind,
            "output_shape": model.graph.shape(layer.output).0[1..],
            "parameters": layer.parameters,
            "inputs": layer.inputs,
        })
    };
    json!({
        "model": model.name,
        "about": about,
        "image": model.image_shape(),
        "classes": model.classes,
        "parameters": model.parameters(),
        "trainable": model.trainable(),
        "layers": model.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn layers(model: &Model) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "layer",
        "kind",
        "output shape",
        "parameters",
        "connected to",
    ]);
    for layer in &model.layers {
        let shape = &model.graph.shape(layer.output).0;
        let dims: Vec<String> = shape[1..].iter().map(u32::to_string).collect();
        table.add_row([
            layer.name.clone(),
            layer.kind.to_string(),
            format!("(batch, {})", dims.join(", ")),
            grouped(layer.parameters),
            layer.inputs.join(", "),
        ]);
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
