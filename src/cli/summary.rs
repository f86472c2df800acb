//! `fer-gpu summary`: a network's layers, as Keras's `Model.summary` shows them, with the work and the memory of
//! each; or the networks there are.

use super::{Error, LARGEST_BATCH, output, print};
use crate::drawing::grouped;
use crate::network::{LayerRow, Model, NETWORKS, Network};
use crate::train;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu summary                          the networks of the box
  fer-gpu summary --model my.toml          a file's layers, or what is wrong with it")]
pub struct Summary {
    /// Network, by name or by file [default: a list of all]
    #[arg(long, value_name = "NAME|FILE.toml")]
    model: Option<String>,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    classes: u32,
    /// Images whose activations are counted
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=LARGEST_BATCH))]
    batch: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// The network of that name, or in that file.
pub(super) fn network(model: &str) -> Result<Network, train::Error> {
    Ok(Network::named(model)?)
}

/// The network for so many classes.
pub(super) fn model(network: &Network, classes: u32) -> Result<Model, train::Error> {
    Ok(network.try_build_for(network.image, classes)?)
}

/// What `--model` said, as a word of a command.
pub(super) fn told(model: &str) -> String {
    output::told(Path::new(model))
}

impl Summary {
    pub fn run(self) -> Result<ExitCode, Error> {
        let Some(name) = &self.model else {
            if self.json {
                print(json!({ "networks": NETWORKS.iter().map(|n| &n.name).collect::<Vec<_>>() }));
                return Ok(ExitCode::SUCCESS);
            }
            print(networks(self.classes)?);
            output::next(&["fer-gpu summary --model inception"]);
            return Ok(ExitCode::SUCCESS);
        };
        let network = network(name)?;
        let model = model(&network, self.classes)?;
        if self.json {
            print(as_json(&model, &network.about, self.batch));
            return Ok(ExitCode::SUCCESS);
        }
        print(format_args!("{}: {}", network.name, network.about));
        print(layers(&model, self.batch));
        totals(&model, self.batch);
        output::next(&[
            format!(
                "fer-gpu plot-model --model {} -o model.svg --shapes",
                told(name)
            ),
            format!("fer-gpu train --model {}", told(name)),
        ]);
        Ok(ExitCode::SUCCESS)
    }
}

/// Every network of the box.
fn networks(classes: u32) -> Result<Table, train::Error> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["network", "parameters", "multiply-adds", "images", "what"]);
    for network in NETWORKS.iter() {
        let [height, width, channels] = network.image;
        let model = model(network, classes)?;
        table.add_row([
            network.name.clone(),
            grouped(model.parameters()),
            millions(model.multiply_adds()),
            format!("{height} x {width} x {channels}"),
            network.about.clone(),
        ]);
    }
    right(&mut table, &[1, 2]);
    Ok(table)
}

fn right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// `35.1 M`
fn millions(count: u64) -> String {
    format!("{:.1} M", count as f64 / 1e6)
}

/// Bytes of what a layer makes of so many images; what only renames or joins its inputs counts too.
fn activations(model: &Model, row: &LayerRow, batch: u32) -> u64 {
    4 * u64::from(batch) * model.graph.shape(row.output).len() as u64
}

fn all_activations(model: &Model, batch: u32) -> u64 {
    let rows = model.layers.iter();
    rows.map(|row| activations(model, row, batch)).sum()
}

fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// The same for programs: a layer's shape is of one image.
fn as_json(model: &Model, about: &str, batch: u32) -> Value {
    let layer = |layer: &LayerRow| {
        json!({
            "name": layer.name,
            "class": layer.kind,
            "output_shape": model.graph.shape(layer.output).0[1..],
            "parameters": layer.parameters,
            "trainable": model.trainable_of(layer),
            "multiply_adds": layer.multiply_adds,
            "activation_bytes": activations(model, layer, batch),
            "inputs": layer.inputs,
        })
    };
    let head = |head: &crate::network::Head| {
        // As it was written: 0.3, not 0.30000001.
        let weight: Option<f64> = head.weight.to_string().parse().ok();
        json!({ "name": head.name, "weight": weight })
    };
    json!({
        "model": model.name,
        "about": about,
        "image": model.image_shape(),
        "classes": model.classes,
        "batch": batch,
        "parameters": model.parameters(),
        "trainable": model.trainable(),
        "multiply_adds": model.multiply_adds(),
        "activation_bytes": all_activations(model, batch),
        "heads": model.heads.iter().map(head).collect::<Vec<_>>(),
        "layers": model.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

/// Keras's column, and how many of them no optimiser changes.
fn parameters(model: &Model, row: &LayerRow) -> String {
    match row.parameters - model.trainable_of(row) {
        0 => grouped(row.parameters),
        fixed => format!("{} ({} fixed)", grouped(row.parameters), grouped(fixed)),
    }
}

fn layers(model: &Model, batch: u32) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "layer",
        "kind",
        "output shape",
        "parameters",
        "multiply-adds",
        "memory",
        "connected to",
    ]);
    for layer in &model.layers {
        let shape = &model.graph.shape(layer.output).0;
        let dims: Vec<String> = shape[1..].iter().map(u32::to_string).collect();
        table.add_row([
            layer.name.clone(),
            layer.kind.to_string(),
            format!("(batch, {})", dims.join(", ")),
            parameters(model, layer),
            grouped(layer.multiply_adds as usize),
            bytes(activations(model, layer, batch)),
            layer.inputs.join(", "),
        ]);
    }
    right(&mut table, &[3, 4, 5]);
    table
}

/// The lines below the table.
fn totals(model: &Model, batch: u32) {
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
    print(format_args!(
        "Multiply-adds of one image: {} ({})",
        grouped(model.multiply_adds() as usize),
        millions(model.multiply_adds()),
    ));
    print(format_args!(
        "Activations of {}: {}",
        output::plural(batch.into(), "image"),
        bytes(all_activations(model, batch)),
    ));
    if let [_, further @ ..] = &model.heads[..]
        && !further.is_empty()
    {
        let told = further
            .iter()
            .map(|h| format!("{} at {}", h.name, h.weight));
        let told = told.collect::<Vec<_>>().join(", ");
        print(format_args!("Further heads, in training alone: {told}"));
    }
}
