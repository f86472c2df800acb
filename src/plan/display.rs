//! Prints a plan: each dispatch with its kernel, shapes, buffers, flops and bytes, then the
//! buffers and the device memory they take.

use super::{Dispatch, FOLD, Mode, Plan, Program};
use crate::ops::AnyOp;
use crate::ops::params::{Field, FieldRole, Scalar};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt;

/// 1234567 as `1.23 M`.
pub fn si(number: u64) -> String {
    let scaled = |divisor: f64, unit: &str| format!("{:.2} {unit}", number as f64 / divisor);
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => scaled(1e3, "k"),
        1_000_000..1_000_000_000 => scaled(1e6, "M"),
        _ => scaled(1e9, "G"),
    }
}

/// The parameters that say on how much a kernel works, readable.
pub fn shape(op: &dyn AnyOp, params: &[u8]) -> String {
    let value = |field: &Field| field.word(params);
    let of = |name: &str| op.fields().iter().find(|f| f.name == name).map(value);
    let tells = |field: &&Field| {
        let (name, value) = (field.name, value(field));
        let usual = match name {
            "h_out" => of("h_in") == Some(value),
            "w_out" => of("w_in") == Some(value),
            "stride_h" | "stride_w" | "splits" => value == 1,
            _ => value == 0 || field.role == FieldRole::Detail,
        };
        field.scalar == Scalar::U32 && field.role != FieldRole::Place && !usual
    };
    let told = op.fields().iter().filter(tells);
    let all: Vec<String> = told.map(|f| format!("{}={}", f.name, value(f))).collect();
    all.join(" ")
}

fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(header);
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

impl Program {
    /// What it does, as the head of its table.
    pub fn title(&self) -> &'static str {
        match self.mode {
            _ if self.name == FOLD => "Once, when weights have changed",
            Mode::Train => "One training step",
            Mode::Evaluate => "One validation batch",
            Mode::Predict => "One batch of predictions",
        }
    }
}

impl Plan {
    fn dispatches(&self, program: &[Dispatch]) -> Table {
        let mut table = table(
            &[
                "#", "layer", "kernel", "variant", "buffers", "flops", "bytes",
            ],
            &[0, 5, 6],
        );
        for (i, dispatch) in program.iter().enumerate() {
            let cost = dispatch.cost();
            let buffers =
                dispatch
                    .op
                    .bindings()
                    .iter()
                    .zip(&dispatch.bindings)
                    .map(|(binding, range)| {
                        let name = &self.buffers[range.buffer].name;
                        if range.offset == 0 {
                            format!("{}={name}", binding.name)
                        } else {
                            format!("{}={name}+{}", binding.name, range.offset)
                        }
                    });
            table.add_row([
                i.to_string(),
                dispatch.label.clone(),
                dispatch.op.name().to_string(),
                dispatch.variant_name().to_string(),
                buffers.collect::<Vec<_>>().join("\n"),
                si(cost.flops),
                si(cost.bytes),
            ]);
        }
        table
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.programs[0];
        writeln!(
            f,
            "{}, batch {}, planned for {}\n",
            self.model, first.batch, self.target
        )?;
        for program in &self.programs {
            let title = program.title();
            writeln!(f, "{title}\n{}", self.dispatches(&program.dispatches))?;
        }
        let mut buffers = table(&["buffer", "bytes"], &[1]);
        for buffer in &self.buffers {
            buffers.add_row([buffer.name.clone(), buffer.bytes.to_string()]);
        }
        writeln!(f, "Buffers\n{buffers}")?;
        let total = |of: fn(&Dispatch) -> u64| si(first.dispatches.iter().map(of).sum());
        writeln!(
            f,
            "A step: {} dispatches, {} flops, {} bytes. Device memory: {} bytes ({:.1} MiB).",
            first.dispatches.len(),
            total(|d| d.cost().flops),
            total(|d| d.cost().bytes),
            self.device_bytes(),
            self.device_bytes() as f64 / (1 << 20) as f64,
        )
    }
}
