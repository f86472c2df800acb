//! The page as HTML: one file that loads nothing, for one run or for several side by side.

use super::{Outcome, compare, parts};
use crate::charts;
use crate::train;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What a page says of who wrote it: a file with this in it may be replaced by a new one.
pub const GENERATOR: &str = "<meta name=\"generator\" content=\"fer-gpu\">";

/// Nothing is loaded, no script runs; pictures and style are in the page.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const STYLE: &str = include_str!("style.css");

/// The page of these runs.
///
/// # Panics
/// If there is none.
pub fn page(runs: &[Outcome]) -> String {
    let (title, body) = match runs {
        [one] => (one.name.clone(), alone(one)),
        [] => panic!("a report needs a run"),
        several => (
            format!("{} runs", several.len()),
            compare::side_by_side(several),
        ),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                (PreEscaped(GENERATOR))
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) " · fer-gpu" }
                style { (PreEscaped(STYLE)) (PreEscaped(charts::STYLE)) }
            }
            body {
                main { (body) }
                footer {
                    p { "Made by fer-gpu " (env!("CARGO_PKG_VERSION")) ". This file holds all that it shows and loads nothing." }
                }
            }
        }
    };
    page.into_string()
}

fn alone(run: &Outcome) -> Markup {
    html! {
        header {
            p.kind { "Training report" }
            h1 { (run.name) }
            p.about { (parts::about(run)) }
        }
        (parts::sharing(std::slice::from_ref(run)))
        (parts::tiles(run))
        section {
            h2 { "Epoch by epoch" }
            (curves(std::slice::from_ref(run)))
            p.note { "Point at an epoch to read its values. The ring marks the weights of this report: those of the lowest validation loss." }
        }
        section {
            h2 { "What it takes for what" }
            (parts::remarks(run))
            div.halves {
                (parts::confusion(run))
                (parts::per_class(run))
            }
            (parts::confusion_note())
        }
        section {
            h2 { "Its most confident mistakes" }
            (parts::mistakes(run))
        }
        @if run.augmented.is_some() {
            section {
                h2 { "What it saw first" }
                (parts::first_batch(run))
            }
        }
        section {
            h2 { "Configuration" }
            (parts::configuration(run))
        }
        section {
            h2 { "The weights, and how to make them again" }
            (parts::weights(run))
            (parts::weights_note())
        }
    }
}

/// The diagrams of all runs, one over the other.
pub(super) fn curves(runs: &[Outcome]) -> Markup {
    let curve = |run: &Outcome| {
        let (config, history) = (&run.config, &run.history);
        train::curve(run.name.clone(), config, history, Some(run.epoch))
    };
    let curves: Vec<_> = runs.iter().map(curve).collect();
    let several = if runs.len() > 1 {
        "panels wide"
    } else {
        "panels"
    };
    html! {
        div class=(several) {
            @for panel in charts::panels(&curves) { div { (PreEscaped(panel)) } }
        }
    }
}
