//! Several runs side by side: their figures, what they differ in, their curves one over the other, and class by
//! class what each finds.

use super::page::curves;
use super::{Outcome, parts};
use crate::charts::COLOURS;
use maud::{Markup, html};

pub(super) fn side_by_side(runs: &[Outcome]) -> Markup {
    html! {
        header {
            p.kind { "Training report" }
            h1 { (runs.len()) " runs side by side" }
            p.about { "Each with its weights of the lowest validation loss, over the images that it validates on." }
        }
        (parts::sharing(runs))
        section { (figures(runs)) }
        section {
            h2 { "What they differ in" }
            (differences(runs))
        }
        section {
            h2 { "Epoch by epoch" }
            (curves(runs))
            p.note { "Point at an epoch to read its values. A ring marks each run's lowest validation loss." }
        }
        section {
            h2 { "Recall, class by class" }
            (recalls(runs))
        }
        section {
            h2 { "What they take for what" }
            div.matrices {
                @for (number, run) in runs.iter().enumerate() {
                    div {
                        h3 { (name(number, run)) }
                        (parts::remarks(run))
                        (parts::confusion(run))
                    }
                }
            }
            (parts::confusion_note())
        }
        section {
            h2 { "Their most confident mistakes" }
            @for (number, run) in runs.iter().enumerate() {
                details open[number == 0] { summary { (name(number, run)) } (parts::mistakes(run)) }
            }
        }
        @if runs.iter().any(|run| run.augmented.is_some()) {
            section {
                h2 { "What they saw first" }
                @for (number, run) in runs.iter().enumerate().filter(|(_, run)| run.augmented.is_some()) {
                    details { summary { (name(number, run)) } (parts::first_batch(run)) }
                }
            }
        }
        section {
            h2 { "The weights, and how to make them again" }
            @for (number, run) in runs.iter().enumerate() {
                h3 { (name(number, run)) }
                (parts::weights(run))
            }
            (parts::weights_note())
        }
    }
}

/// A run's name with the colour of its lines.
fn name(number: usize, run: &Outcome) -> Markup {
    html! { span.run { span class={ "chip colour-" (number % COLOURS) } {} (run.name) } }
}

/// Which of the values is the best, if there are different ones.
fn best(values: &[Option<f64>], better: fn(f64, f64) -> bool) -> Option<f64> {
    let finite = values.iter().flatten().filter(|value| value.is_finite());
    let best = finite
        .clone()
        .copied()
        .reduce(|a, b| if better(b, a) { b } else { a })?;
    finite.clone().any(|value| *value != best).then_some(best)
}

type Value = fn(&Outcome) -> Option<f64>;
type Better = fn(f64, f64) -> bool;

/// The figures of all runs, the best of each printed bold.
fn figures(runs: &[Outcome]) -> Markup {
    let higher: Better = |a, b| a > b;
    let lower: Better = |a, b| a < b;
    let columns: [(&str, Value, Better); 4] = [
        ("Accuracy", |run| Some(run.score.accuracy), higher),
        (
            "Without duplicates",
            |run| run.score.distinct_accuracy,
            higher,
        ),
        ("Loss", |run| Some(run.score.loss), lower),
        ("Macro F1", |run| Some(run.score.macro_f1), higher),
    ];
    let shown = |head: &str, value: Option<f64>| match value {
        None => "–".into(),
        Some(value) if head == "Loss" => format!("{value:.4}"),
        Some(value) => parts::percent(value),
    };
    let values = |value: Value| runs.iter().map(value).collect::<Vec<_>>();
    let bests = columns.map(|(_, value, better)| best(&values(value), better));
    html! {
        div.scroll { table.runs {
            thead { tr {
                th { "run" }
                @for (head, ..) in columns { th.number { (head) } }
                th { "Hardest class" } th.number { "Epoch" }
            } }
            tbody {
                @for (number, run) in runs.iter().enumerate() {
                    tr {
                        th scope="row" { (name(number, run)) }
                        @for ((head, value, _), best) in columns.iter().zip(bests) {
                            @let value = value(run);
                            td.number.top[value.is_some() && value == best] { (shown(head, value)) }
                        }
                        td {
                            @if let Some(class) = run.hardest() {
                                (class.class) " " span.quiet { "recall " (parts::percent(class.recall)) }
                            }
                        }
                        td.number { (run.epoch) " of " (run.history.len()) }
                    }
                }
            }
        } }
    }
}

/// The facts that are not the same of all, a row each.
fn differences(runs: &[Outcome]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    let all: Vec<_> = runs.iter().map(parts::facts).collect();
    for (name, _) in all.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let of = |facts: &[(&str, String)], name: &str| {
        let found = facts.iter().find(|fact| fact.0 == name);
        found.map_or("–".to_string(), |fact| fact.1.clone())
    };
    let row = |name| all.iter().map(|facts| of(facts, name)).collect::<Vec<_>>();
    let rows = names.into_iter().map(|name| (name, row(name)));
    let (same, differing): (Vec<_>, Vec<_>) =
        rows.partition(|(_, values)| values.iter().all(|value| *value == values[0]));
    html! {
        @if differing.is_empty() {
            p { "Nothing: they have the same configuration." }
        } @else {
            div.scroll { table {
                thead { tr {
                    th {}
                    @for (number, run) in runs.iter().enumerate() { th { (name(number, run)) } }
                } }
                tbody {
                    @for (name, values) in differing {
                        tr { th scope="row" { (name) } @for value in values { td { (value) } } }
                    }
                }
            } }
        }
        details {
            summary { "What they have in common" }
            dl.facts { @for (name, values) in same { div { dt { (name) } dd { (values[0]) } } } }
        }
    }
}

/// Recall by class and run; classes are told apart by their names.
fn recalls(runs: &[Outcome]) -> Markup {
    let mut classes: Vec<&str> = Vec::new();
    for class in runs.iter().flat_map(|run| &run.score.classes) {
        if !classes.contains(&class.as_str()) {
            classes.push(class);
        }
    }
    let recall = |run: &Outcome, class: &str| {
        let mut found = run.score.per_class.iter();
        let found = found.find(|of| of.class == class && of.count > 0);
        found.map(|of| of.recall)
    };
    html! {
        div.scroll { table.classes {
            thead { tr {
                th { "class" }
                @for (number, run) in runs.iter().enumerate() { th.number { (name(number, run)) } }
            } }
            tbody {
                @for class in classes {
                    @let values = runs.iter().map(|run| recall(run, class)).collect::<Vec<_>>();
                    @let best = best(&values, |a, b| a > b);
                    tr {
                        th scope="row" { (class) }
                        @for (number, value) in values.iter().enumerate() {
                            @match value {
                                Some(share) => {
                                    @let top = if *value == best { " top" } else { "" };
                                    (parts::bar(*share, &format!("colour-{}{top}", number % COLOURS)))
                                }
                                None => { td.number { span.quiet { "–" } } }
                            }
                        }
                    }
                }
            }
        } }
    }
}
