//! `fer-gpu summary`: a network's layers, as Keras's `Model.summary` shows them.

use super::{Error, print};
use crate::network::{Model, Network};
use crate::train;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use std::process::ExitCode;

#[derive(Args)]
pub struct Summary {
    /// Network
    #[arg(long, value_name = "NAME", default_value = "inception")]
    model: String,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    classes: u32,
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
        let network = network(&self.model)?;
        print(format_args!("{}: {}", network.name, network.about));
        let model = network.build(self.classes);
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
        Ok(ExitCode::SUCCESS)
    }
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

/// 83760487 as `83,760,487`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let mut groups: Vec<&str> = Vec::new();
    if head > 0 {
        groups.push(&digits[..head]);
    }
    groups.extend((head..digits.len()).step_by(3).map(|i| &digits[i..i + 3]));
    groups.join(",")
}
