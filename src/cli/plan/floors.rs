//! A plan for a card as text: a line for each dispatch with the least time that the card's figures leave it, and
//! what the step comes to.

use crate::cards::{Bound, Card, Floor};
use crate::cli::bench::narrow;
use crate::cli::bench::table::significant;
use crate::plan::{Dispatch, Plan, Program, si};
use comfy_table::{CellAlignment, Table, presets};

const COLUMNS: [&str; 8] = [
    "#",
    "layer",
    "kernel/variant",
    "groups",
    "flops",
    "bytes",
    "us",
    "bound by",
];

/// What the floor is, below every table of them.
const MEANING: &str = "\
This is a floor, not a prediction: each dispatch alone, as its operations at the card's peak, its
operands once through the memory, or its launch, whichever takes longest. Kernels reach a part of
that; what a cache holds may come faster than from the memory.";

/// All programs, the training step first, and its sum.
pub fn text(plan: &Plan, card: &Card) -> String {
    let step = &plan.programs[0];
    let mut text = format!(
        "{}, batch {}, planned for {}\nIts figures: {} TFLOP/s, {} GB/s, {} compute units, {} us a launch{}\n",
        plan.model,
        step.batch,
        plan.target,
        significant(1e-12 * card.flops),
        significant(1e-9 * card.bytes),
        card.compute_units,
        significant(1e6 * card.launch),
        if card.launch_is_estimated() {
            " (estimate)"
        } else {
            ""
        },
    );
    for program in &plan.programs {
        let (title, sum) = (program.title(), ms(seconds(program, card)));
        text += &format!("\n{title}: floors in us, {sum} together\n");
        text += &format!("{}\n", table(program, card).trim_fmt());
    }
    text += &format!("\n{}\n{MEANING}", total(plan, card));
    text
}

fn ms(seconds: f64) -> String {
    format!("{:.3} ms", 1e3 * seconds)
}

/// Seconds of all dispatches.
fn seconds(program: &Program, card: &Card) -> f64 {
    floors(program, card).map(|floor| floor.seconds).sum()
}

fn floors(program: &Program, card: &Card) -> impl Iterator<Item = Floor> {
    let all = program.dispatches.iter();
    all.map(|dispatch| card.floor(dispatch.cost()))
}

fn table(program: &Program, card: &Card) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS);
    for (number, dispatch) in program.dispatches.iter().enumerate() {
        table.add_row(row(number, dispatch, card));
    }
    for column in [0, 3, 4, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table
}

fn row(number: usize, dispatch: &Dispatch, card: &Card) -> [String; COLUMNS.len()] {
    let cost = dispatch.cost();
    let floor = card.floor(cost);
    [
        number.to_string(),
        dispatch.label.clone(),
        format!("{}/{}", dispatch.op.name(), dispatch.variant_name()),
        narrow::cell(dispatch.workgroups(), Some(&card.full())),
        si(cost.flops),
        si(cost.bytes),
        significant(1e6 * floor.seconds),
        floor.bound.name().into(),
    ]
}

/// The step's work and memory, its floor by what binds, and how much of it does not fill the card.
fn total(plan: &Plan, card: &Card) -> String {
    let step = &plan.programs[0];
    let sum = |of: fn(&Dispatch) -> u64| si(step.dispatches.iter().map(of).sum());
    let share = |bound: Bound| {
        let bound_so = floors(step, card).filter(|floor| floor.bound == bound);
        let (count, seconds) = bound_so.fold((0, 0.0), |(n, s), f| (n + 1, s + f.seconds));
        format!("{count} by {} {:.3}", bound.name(), 1e3 * seconds)
    };
    let full = card.full().workgroups;
    let few = step.dispatches.iter().filter(|d| d.workgroups() < full);
    format!(
        "A step: {} dispatches, {} flops, {} bytes. Device memory: {:.1} MiB.\n\
         Floor of a step: {} ({}, {}, {}).\n\
         Fewer workgroups than the {full} that fill the card: {} dispatches (marked !).",
        step.dispatches.len(),
        sum(|d| d.cost().flops),
        sum(|d| d.cost().bytes),
        plan.device_bytes() as f64 / (1 << 20) as f64,
        ms(seconds(step, card)),
        share(Bound::Arithmetic),
        share(Bound::Bytes),
        share(Bound::Launch),
        few.count(),
    )
}
