//! A confusion matrix as a picture: a row a true class, a column an answer, both axes named.

use super::svg::{Svg, cut, width};

/// More classes than this are no picture that one can read.
pub const LARGEST: usize = 60;

/// Characters of a class name.
const NAME: usize = 16;

/// A picture without style, for a page: `counts` are rows by `[true][answered]` class. Shares are of the rows of
/// the true class; `rows` are all of those, also where an answer is missing.
pub fn confusion(classes: &[String], counts: &[Vec<u64>], rows: &[u64]) -> String {
    let count = classes.len();
    let names: Vec<String> = classes.iter().map(|name| cut(name, NAME)).collect();
    let cell = match count {
        0..=8 => [58.0, 48.0],
        9..=12 => [46.0, 40.0],
        13..=24 => [30.0, 26.0],
        _ => [17.0, 17.0],
    };
    let longest = names
        .iter()
        .map(|name| width(name, 12.0))
        .fold(0.0, f64::max);
    let turned = longest > cell[0] + 2.0;
    // The name of the axis, then the names of the classes.
    let left = 22.0 + longest + 10.0;
    let top = if turned {
        24.0 + 0.75 * longest + 12.0
    } else {
        48.0
    };
    let behind = if turned { 0.6 * longest } else { 4.0 };
    let size = [
        left + count as f64 * cell[0] + behind,
        top + count as f64 * cell[1] + 4.0,
    ];
    let mut out = Svg::default();
    let middle = [0, 1].map(|i| [left, top][i] + count as f64 * cell[i] / 2.0);
    out.text(
        [middle[0], 14.0],
        "class=\"axis-name middle\"",
        "answered class",
    );
    let (x, y) = (14.0, middle[1]);
    let upright = format!("class=\"axis-name middle\" transform=\"rotate(-90 {x} {y})\"");
    out.text([x, y], &upright, "true class");
    for (i, name) in names.iter().enumerate() {
        let y = top + (i as f64 + 0.5) * cell[1];
        out.text([left - 10.0, y + 4.0], "class=\"class right\"", name);
        let x = left + (i as f64 + 0.5) * cell[0];
        if turned {
            let (x, y) = (x + 2.0, top - 8.0);
            let slanted = format!("class=\"class\" transform=\"rotate(-45 {x} {y})\"");
            out.text([x, y], &slanted, name);
        } else {
            out.text([x, top - 10.0], "class=\"class middle\"", name);
        }
    }
    for (truth, row) in counts.iter().enumerate() {
        for (answer, found) in row.iter().enumerate() {
            let at = [left + answer as f64 * cell[0], top + truth as f64 * cell[1]];
            let share = *found as f64 / rows[truth].max(1) as f64;
            let title = format!(
                "true {}, answered {}: {found} of {} ({})",
                cut(&classes[truth], 60),
                cut(&classes[answer], 60),
                rows[truth],
                percent(share)
            );
            draw_cell(&mut out, at, cell, *found, share, truth == answer, &title);
        }
    }
    out.picture(
        size,
        "Confusion matrix: rows are true classes, columns answered ones",
        None,
    )
}

fn draw_cell(
    out: &mut Svg,
    at: [f64; 2],
    cell: [f64; 2],
    found: u64,
    share: f64,
    right: bool,
    title: &str,
) {
    let attributes = match (found, right) {
        (0, _) => "class=\"cell void\" rx=\"4\"".to_string(),
        (_, right) => {
            let class = if right { "right-cell" } else { "wrong-cell" };
            let opacity = 0.04 + 0.92 * share.powf(0.8);
            out.rect(at, cell, "class=\"cell void\" rx=\"4\"", "");
            format!("class=\"cell {class}\" rx=\"4\" fill-opacity=\"{opacity:.3}\"")
        }
    };
    out.rect(at, cell, &attributes, title);
    if cell[0] < 28.0 {
        return;
    }
    let class = match (found, share) {
        (0, _) => " none",
        (_, share) if share > 0.5 => " strong",
        _ => "",
    };
    // What lies above the box must not hide its tooltip.
    let class = |name: &str| format!("class=\"{name}{class}\" pointer-events=\"none\"");
    let [x, y] = [at[0] + cell[0] / 2.0, at[1] + cell[1] / 2.0];
    let text = found.to_string();
    if cell[0] < 40.0 {
        out.text([x, y + 4.0], &class("share"), &text);
    } else if found == 0 {
        out.text([x, y + 5.0], &class("count"), &text);
    } else {
        out.text([x, y - 1.0], &class("count"), &text);
        out.text([x, y + 14.0], &class("share"), &percent(share));
    }
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        small if small > 0.0 && small < 1.0 => "<1 %".into(),
        large if large < 100.0 => format!("{:.0} %", large.min(99.0)),
        _ => "100 %".into(),
    }
}
