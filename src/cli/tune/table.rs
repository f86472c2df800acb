//! The outcome of tuning for people: where another variant won, the schedules, whole steps.

use crate::bench::tune::{Outcome, Shape};
use crate::cli::bench::table::{significant, spread};
use crate::plan::Schedule;
use comfy_table::{CellAlignment, Table, presets};

/// The shapes at which another variant than the committed one won.
pub fn shapes(outcome: &Outcome) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "kernel and shape",
        "times",
        "committed",
        "us",
        "winner",
        "us",
        "gain",
    ]);
    for shape in outcome.shapes.iter().filter(|s| s.winner != s.committed) {
        table.add_row(cells(shape));
    }
    for column in [1, 3, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn cells(shape: &Shape) -> [String; 7] {
    let before = shape.committed_seconds;
    let gain = before.map(|s| format!("{:.2} x", s / shape.seconds));
    [
        shape.key.clone(),
        shape.count.to_string(),
        shape.committed.into(),
        before.map_or("far behind".into(), |s| significant(1e6 * s)),
        shape.winner.into(),
        significant(1e6 * shape.seconds),
        gain.unwrap_or_default(),
    ]
}

/// Who kept its place, the schedules, and whole steps.
pub fn remarks(outcome: &Outcome) -> Vec<String> {
    let kept = outcome.shapes.iter().filter(|s| s.winner == s.committed);
    let mut lines = vec![format!(
        "At {} of {} shapes the committed variant is the fastest.",
        kept.count(),
        outcome.shapes.len()
    )];
    for (schedule, seconds) in &outcome.schedules {
        let mark = if *schedule == outcome.schedule {
            "  <- taken"
        } else {
            ""
        };
        lines.push(format!(
            "schedule: {}: kernels {:.2} ms{mark}",
            described(schedule),
            1e3 * seconds
        ));
    }
    for wrong in &outcome.wrong {
        lines.push(format!(
            "WRONG    {}/{} was left out: {}",
            wrong.op, wrong.variant, wrong.what
        ));
    }
    let [committed, tuned] = &outcome.steps;
    lines.push(format!(
        "A step of {} at batch {}: {:.2} ms {} by the committed table, {:.2} ms {} as tuned: {:.2} x.",
        outcome.model,
        outcome.batch,
        1e3 * committed.median,
        spread(committed),
        1e3 * tuned.median,
        spread(tuned),
        committed.median / tuned.median
    ));
    lines
}

fn described(schedule: &Schedule) -> String {
    let Schedule {
        fuse_update,
        join_products,
        join_siblings,
        join_branches,
        whole_dense,
        images_per_split,
        workgroups,
        split_k,
    } = schedule;
    let adam = if *fuse_update {
        "Adam inside the dense gradient"
    } else {
        "Adam apart"
    };
    let shares = match workgroups {
        Some(workgroups) => format!(
            "{workgroups} workgroups of shares, {images_per_split} images a share elsewhere"
        ),
        None => format!("{images_per_split} images a share"),
    };
    let products = if *join_products {
        "gradients of 1x1 branches joined"
    } else {
        "gradients of 1x1 branches apart"
    };
    let siblings = if *join_siblings {
        "sibling layers as one"
    } else {
        "sibling layers apart"
    };
    let branches = if *join_branches {
        "batch norms of branches as one"
    } else {
        "batch norms of branches apart"
    };
    let dense = if *whole_dense {
        "small dense layers as one kernel each way"
    } else {
        "small dense layers as several"
    };
    format!(
        "{adam}, {siblings}, {branches}, {products}, {dense}, {shares}, {split_k} inputs a share"
    )
}
