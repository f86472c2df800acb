//! What runs reached, epoch by epoch: loss, accuracy and learning rate.

use super::COLOURS;
use super::panel::{Panel, Series, Unit, label};
use super::svg::{Svg, cut};

/// One epoch of a run. Accuracies are fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: u32,
    pub loss: f64,
    pub accuracy: f64,
    pub val_loss: f64,
    pub val_accuracy: f64,
    pub learning_rate: f64,
}

/// A run and its epochs, which ascend.
#[derive(Clone, Debug)]
pub struct Curve {
    pub name: String,
    pub epochs: Vec<Epoch>,
    /// The epoch of the lowest validation loss.
    pub best: Option<u32>,
}

/// The three diagrams.
const DIAGRAMS: [(&str, Unit); 3] = [
    ("Loss", Unit::Loss),
    ("Accuracy", Unit::Share),
    ("Learning rate", Unit::Rate),
];

/// A picture of its own, for a file: loss and accuracy side by side, the learning rate below.
pub fn curves(runs: &[Curve]) -> String {
    let (margin, gap, head) = (28.0, 36.0, 62.0);
    let (wide, high, low) = (470.0, 310.0, 150.0);
    let size = [2.0 * (margin + wide) + gap, head + high + 26.0 + low + 16.0];
    let places = [
        ([margin, head], [wide, high]),
        ([margin + wide + gap, head], [wide, high]),
        ([margin, head + high + 26.0], [2.0 * wide + gap, low]),
    ];
    let mut out = Svg::default();
    out.rect([0.0; 2], size, "class=\"paper\" rx=\"14\"", "");
    let names: Vec<String> = runs.iter().map(|run| cut(&run.name, 60)).collect();
    let name = cut(&names.join(", "), 90);
    out.text([margin, 36.0], "class=\"name\"", &name);
    let last = runs.iter().flat_map(|run| run.epochs.last());
    let epochs = last.map(|epoch| epoch.epoch).max().unwrap_or(0);
    let counted = match epochs {
        1 => "1 epoch".to_string(),
        epochs => format!("{epochs} epochs"),
    };
    out.text([size[0] - margin, 36.0], "class=\"right\"", &counted);
    for ((title, unit), (place, size)) in DIAGRAMS.into_iter().zip(places) {
        let series = series(runs, unit);
        let series = &series;
        out.group(
            place,
            &Panel {
                title,
                unit,
                series,
                size,
            }
            .draw(),
        );
    }
    let label = format!("Loss, accuracy and learning rate of {name}, {counted}");
    out.picture(size, &label, Some(super::STYLE))
}

/// The three diagrams one by one, without style, for a page that puts them where there is room.
pub fn panels(runs: &[Curve]) -> [String; 3] {
    let size = match runs.len() {
        0 | 1 => [400.0, 270.0],
        _ => [450.0, 300.0],
    };
    DIAGRAMS.map(|(title, unit)| {
        let series = series(runs, unit);
        let series = &series;
        let panel = Panel {
            title,
            unit,
            series,
            size,
        }
        .draw();
        panel.picture(size, title, None)
    })
}

/// The lines of a diagram: of one run training and validation, of several the validation in front.
fn series(runs: &[Curve], unit: Unit) -> Vec<Series> {
    type Value = fn(&Epoch) -> f64;
    let [training, validation]: [Option<Value>; 2] = match unit {
        Unit::Loss => [Some(|e| e.loss), Some(|e| e.val_loss)],
        Unit::Share => [Some(|e| e.accuracy), Some(|e| e.val_accuracy)],
        Unit::Rate => [None, Some(|e| e.learning_rate)],
    };
    let mut found = Vec::new();
    let alone = runs.len() == 1;
    for (number, run) in runs.iter().enumerate() {
        let points = |value: Value| run.epochs.iter().map(|e| (e.epoch, value(e))).collect();
        let named = |what: &str| match alone {
            true => what.to_string(),
            false => format!("{}, {what}", cut(&run.name, 60)),
        };
        if let Some(value) = training {
            found.push(Series {
                label: alone.then(|| "training".into()),
                name: named("training"),
                colour: if alone { 1 } else { number % COLOURS },
                thin: !alone,
                dotted: alone,
                steps: false,
                points: points(value),
                best: None,
            });
        }
        let what = if unit == Unit::Rate {
            "rate"
        } else {
            "validation"
        };
        found.extend(validation.map(|value| Series {
            label: Some(if alone { what.into() } else { label(&run.name) }),
            name: named(what),
            colour: match (alone, unit) {
                (true, Unit::Rate) => 2,
                (true, _) => 0,
                (false, _) => number % COLOURS,
            },
            thin: false,
            dotted: alone,
            steps: unit == Unit::Rate,
            points: points(value),
            best: run.best.filter(|_| unit != Unit::Rate),
        }));
    }
    found
}
