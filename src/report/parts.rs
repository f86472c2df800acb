//! The parts of a page that tell of one run.

use super::command::{commands, path};
use super::{Mistake, Outcome};
use crate::charts;
use crate::train::BEST;
use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{Markup, PreEscaped, html};

/// 0.6612 as `66.12 %`, which does not break.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}\u{a0}%", 100.0 * share)
}

/// 0.6612 as `66.1 %`: enough for one class or one image.
pub(super) fn about_percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * share)
}

/// 83760487 as `83 760 487`, with spaces that do not break.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// The run in a sentence.
pub(super) fn about(run: &Outcome) -> Markup {
    let epochs = counted(run.history.len() as u64, "epoch");
    html! {
        (run.config.model) ", " (epochs) ". The figures are those of the weights of epoch " (run.epoch)
        " over the " (counted(run.score.rows, "validation image")) " of " span.path { (run.data) } "."
    }
}

/// What one should know before one shows the page to others.
pub(super) fn sharing(runs: &[Outcome]) -> Markup {
    let pictures = runs.iter().map(Outcome::pictures).sum();
    let folders: Vec<String> = runs.iter().map(|run| path(&run.folder)).collect();
    html! {
        @if pictures > 0 {
            aside.sharing {
                strong { "This page shows " (counted(pictures, "picture")) " of the data set." }
                " Before you share it, make sure that you may share them. Without them: "
                code { "fer-gpu report " (folders.join(" ")) " --no-pictures" }
            }
        }
    }
}

/// The figures that matter most.
pub(super) fn tiles(run: &Outcome) -> Markup {
    let score = &run.score;
    let distinct = match (score.distinct_rows, score.distinct_accuracy) {
        (Some(rows), Some(accuracy)) => Some((percent(accuracy), rows)),
        _ => None,
    };
    html! {
        div.tiles {
            div.tile.first {
                span.label { "Accuracy" }
                span.figure { (percent(score.accuracy)) }
                span.more { "of " (counted(score.rows, "image")) "; among the two likeliest " (percent(score.top2)) }
            }
            div.tile {
                span.label { "Without duplicates" }
                @match (&distinct, score.distinct_rows) {
                    (Some((accuracy, rows)), _) => {
                        span.figure { (accuracy) }
                        span.more { "of the " (counted(*rows, "image")) " that do not also lie in the training set" }
                    }
                    (None, Some(_)) => {
                        span.figure { "–" }
                        span.more { "every image also lies in the training set" }
                    }
                    (None, None) => {
                        span.figure { "–" }
                        span.more { "the training set was not there to compare" }
                    }
                }
            }
            div.tile {
                span.label { "Loss" }
                span.figure { (format!("{:.4}", score.loss)) }
                span.more { "mean cross-entropy" }
            }
            div.tile {
                span.label { "Macro F1" }
                span.figure { (percent(score.macro_f1)) }
                span.more { "mean over the classes" }
            }
            @if let Some(class) = run.hardest() {
                div.tile {
                    span.label { "Hardest class" }
                    span.figure.word { (class.class) }
                    span.more { "lowest recall: " (percent(class.recall)) " of " (counted(class.count, "image")) }
                }
            }
        }
    }
}

/// What must be said so that the figures are not taken for something else.
pub(super) fn remarks(run: &Outcome) -> Markup {
    let unanswered = run.score.unanswered();
    html! {
        @if run.config.overfit_batch {
            p.warning { "This run trained and validated on one batch alone: its curves are of that batch, the answers here of the whole validation set." }
        }
        @if unanswered > 0 {
            p.warning {
                (counted(unanswered, "image")) " gave a number that is not finite: no answer, counted as wrong and in no column."
            }
        }
    }
}

pub(super) fn confusion_note() -> Markup {
    html! {
        p.note { "Images by true and answered class. The percentages are shares of the true class: those of a row add up to 100 %." }
    }
}

pub(super) fn confusion(run: &Outcome) -> Markup {
    let score = &run.score;
    let rows: Vec<u64> = score.per_class.iter().map(|class| class.count).collect();
    html! {
        @if score.classes.len() <= charts::LARGEST_CONFUSION {
            figure.matrix {
                (PreEscaped(charts::confusion(&score.classes, &score.confusion, &rows)))
            }
        } @else {
            (confusions(run))
        }
    }
}

/// In place of a matrix that nobody could read.
fn confusions(run: &Outcome) -> Markup {
    let score = &run.score;
    let mut found: Vec<(u64, usize, usize)> = Vec::new();
    for (truth, row) in score.confusion.iter().enumerate() {
        let wrong = row
            .iter()
            .enumerate()
            .filter(|(answer, n)| *answer != truth && **n > 0);
        found.extend(wrong.map(|(answer, count)| (*count, truth, answer)));
    }
    found.sort_by_key(|(count, truth, answer)| (u64::MAX - count, *truth, *answer));
    html! {
        div.scroll { table {
            caption { "A matrix of " (score.classes.len()) " classes does not fit a page: these are the most frequent mistakes." }
            thead { tr { th { "true class" } th { "answered class" } th.number { "images" } } }
            tbody {
                @for (count, truth, answer) in found.into_iter().take(40) {
                    tr { td { (score.classes[truth]) } td { (score.classes[answer]) } td.number { (grouped(count)) } }
                }
            }
        } }
    }
}

/// A share with a bar behind it.
pub(super) fn bar(share: f64, class: &str) -> Markup {
    let width = format!("--share:{:.1}%", 100.0 * share.clamp(0.0, 1.0));
    html! { td class={ "number bar " (class) } style=(width) { span { (about_percent(share)) } } }
}

pub(super) fn per_class(run: &Outcome) -> Markup {
    let score = &run.score;
    let taken_for = |truth: usize| {
        let row = score.confusion[truth].iter().enumerate();
        let wrong = row.filter(|(answer, count)| *answer != truth && **count > 0);
        wrong.max_by_key(|(answer, count)| (**count, usize::MAX - answer))
    };
    html! {
        div.scroll { table.classes {
            thead { tr {
                th { "class" } th.number { "recall" } th.number { "precision" } th.number { "F1" }
                th.number { "images" } th { "most often taken for" }
            } }
            tbody {
                @for (number, class) in score.per_class.iter().enumerate() {
                    tr {
                        th scope="row" { (class.class) }
                        (bar(class.recall, ""))
                        td.number { (about_percent(class.precision)) }
                        td.number { (about_percent(class.f1)) }
                        td.number { (grouped(class.count)) }
                        td {
                            @match taken_for(number) {
                                Some((answer, count)) => {
                                    (score.classes[answer]) " "
                                    span.quiet { (about_percent(*count as f64 / class.count as f64)) }
                                }
                                None => { span.quiet { "–" } }
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// A PNG as the address of an image.
fn inline(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))
}

/// What training saw in its first step, if the run drew it.
pub(super) fn first_batch(run: &Outcome) -> Markup {
    html! {
        @if let Some(png) = &run.augmented {
            img.sheet src=(inline(png)) alt="Images of the first batch as they were augmented, each with its label";
        }
    }
}

pub(super) fn mistakes(run: &Outcome) -> Markup {
    let class = |number: usize| &run.score.classes[number];
    let described = |mistake: &Mistake| {
        let (truth, answer) = (class(mistake.truth), class(mistake.answer));
        format!("row {}: {truth}, taken for {answer}", mistake.row)
    };
    html! {
        @if run.mistakes.is_empty() {
            p { "It made none." }
        } @else if run.mistakes.iter().any(|mistake| mistake.png.is_some()) {
            p.note { "Wrong answers of the highest probability, and what these images are labelled. A label can be wrong as well." }
            ul.mistakes {
                @for mistake in &run.mistakes {
                    li {
                        @if let Some(png) = &mistake.png {
                            img src=(inline(png)) alt=(described(mistake));
                        }
                        div {
                            strong.answer { (class(mistake.answer)) } " " span.share { (about_percent(mistake.probability)) }
                            span.truth { "is " strong { (class(mistake.truth)) } " " (about_percent(mistake.of_truth)) }
                            span.quiet { "row " (mistake.row) }
                        }
                    }
                }
            }
        } @else {
            p.note { "Wrong answers of the highest probability, by their rows in the validation set, from 0. Their pictures were left out." }
            div.scroll { table.listed {
                thead { tr { th.number { "row" } th { "answered" } th.number { "probability" } th { "true class" } th.number { "probability" } } }
                tbody {
                    @for mistake in &run.mistakes {
                        tr {
                            td.number { (mistake.row) }
                            td { (class(mistake.answer)) } td.number { (about_percent(mistake.probability)) }
                            td { (class(mistake.truth)) } td.number { (about_percent(mistake.of_truth)) }
                        }
                    }
                }
            } }
        }
    }
}

/// What defines a run, by name.
pub(super) fn facts(run: &Outcome) -> Vec<(&'static str, String)> {
    let config = &run.config;
    let [h, w, c] = config.image;
    let optimizer = match (config.momentum, config.nesterov) {
        (0.0, _) => config.optimizer.clone(),
        (momentum, false) => format!("{}, momentum {momentum}", config.optimizer),
        (momentum, true) => format!("{}, Nesterov's momentum {momentum}", config.optimizer),
    };
    let order = match config.shuffle {
        true => "shuffled each epoch",
        false => "as in the file",
    };
    let begun = match &config.init_from {
        Some(file) => format!("weights of {}", file.display()),
        None => "drawn from the seed".into(),
    };
    let mut facts = vec![
        ("Network", config.model.clone()),
        ("Parameters", grouped(run.parameters as u64)),
        (
            "Images",
            format!("{h} × {w} × {c}, pixels {}", config.pixel_range),
        ),
        ("Classes", run.score.classes.join(", ")),
        ("Data", run.data.clone()),
        ("Epochs done", run.history.len().to_string()),
        ("Epochs asked for", config.epochs.to_string()),
        ("Batch", config.batch.to_string()),
        ("Optimiser", optimizer),
        ("Learning rate", rates(run)),
        ("Seed", config.seed.to_string()),
        ("Order of images", order.into()),
        ("Begun with", begun),
        ("Adapter that answered", run.adapter.clone()),
    ];
    if config.overfit_batch {
        facts.push(("Trained on", "the first batch alone".into()));
    }
    facts
}

/// The rates that the epochs had.
fn rates(run: &Outcome) -> String {
    let all = run.history.iter().filter_map(|row| row.learning_rate);
    let mut rates: Vec<f64> = all.collect();
    rates.dedup();
    match rates.len() {
        0 => run.config.learning_rate.to_string(),
        1..=4 => rates
            .iter()
            .map(f64::to_string)
            .collect::<Vec<_>>()
            .join(", then "),
        many => format!("{} to {}, {many} values", rates[0], rates[many - 1]),
    }
}

pub(super) fn configuration(run: &Outcome) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts(run) { div { dt { (name) } dd { (value) } } }
        }
    }
}

pub(super) fn weights(run: &Outcome) -> Markup {
    let commands = commands(run);
    html! {
        dl.facts.hash {
            div { dt { "File" } dd { code { (run.folder.join(BEST).display()) } } }
            div { dt { "Its xxh3-128" } dd { code { (run.hash) } } }
        }
        pre { code { (commands.join("\n")) } }
    }
}

pub(super) fn weights_note() -> Markup {
    html! {
        p.note {
            "On the same adapter and driver, with the same data and version, these weights come out again to the last bit. The hash is of the whole file but for the place where the file keeps it."
        }
    }
}
