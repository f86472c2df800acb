//! What a data set looks like: some images of each class, then those that a check finds. A set and its survey in, a
//! contact sheet out.

use crate::data::{Conflict, Dataset, Split, Survey};
use crate::drawing::{Row, Sheet, Thumbnail, grouped};
use crate::random;

/// Images of a row.
const SHOWN: usize = 14;

pub fn of(set: &Dataset, survey: &Survey) -> Sheet {
    let [height, width, channels] = survey.image;
    let classes = survey.classes.iter().enumerate();
    let mut rows: Vec<Row> = classes
        .map(|(class, name)| class_row(set, survey, class, name))
        .collect();
    let of_training = |row: usize| thumbnail(set, &set.train, row, row.to_string());
    let of_test = |row: usize| thumbnail(set, &set.test, row, row.to_string());
    let blank = survey.train.blank.iter().map(|&row| of_training(row));
    let blank = blank.chain(survey.test.blank.iter().map(|&row| of_test(row)));
    let count = survey.train.blank.len() + survey.test.blank.len();
    rows.extend(problem("of one colour", count, blank));
    let shared = survey.shared.iter().map(|&row| of_test(row));
    rows.extend(problem(
        "validation, in training too",
        survey.shared.len(),
        shared,
    ));
    let conflicts = survey
        .conflicts
        .iter()
        .map(|conflict| contradicting(set, conflict));
    rows.extend(problem(
        "under several labels",
        survey.conflicts.len(),
        conflicts,
    ));
    Sheet {
        title: survey.name.clone(),
        about: format!(
            "{} training and {} validation images of {height} x {width} x {channels}; numbers are rows",
            grouped(survey.train.rows),
            grouped(survey.test.rows)
        ),
        rows,
    }
}

/// Training images of a class, drawn at random but the same each time.
fn class_row(set: &Dataset, survey: &Survey, class: usize, name: &str) -> Row {
    let order = random::permutation(random::stream(&[class as u64]), set.train.rows());
    let rows = order.into_iter().map(|row| row as usize);
    let own = rows.filter(|&row| set.train.labels[row] as usize == class);
    let image = |row: usize| thumbnail(set, &set.train, row, row.to_string());
    Row {
        name: format!("{class}  {name}"),
        details: vec![
            format!("{} training", grouped(survey.train.counts[class] as usize)),
            format!("{} validation", grouped(survey.test.counts[class] as usize)),
        ],
        images: own.take(SHOWN).map(image).collect(),
    }
}

/// Images that something is wrong with, if there are any.
fn problem(name: &str, count: usize, images: impl Iterator<Item = Thumbnail>) -> Option<Row> {
    (count > 0).then(|| Row {
        name: name.into(),
        details: vec![format!("{} in all", grouped(count))],
        images: images.take(SHOWN).collect(),
    })
}

/// An image under several labels, with those labels.
fn contradicting(set: &Dataset, conflict: &Conflict) -> Thumbnail {
    let labels = |split: &Split, rows: &[usize]| -> Vec<u32> {
        rows.iter().map(|&row| split.labels[row]).collect()
    };
    let mut all = labels(&set.train, &conflict.train);
    all.extend(labels(&set.test, &conflict.test));
    all.sort();
    all.dedup();
    let names: Vec<String> = all.iter().map(u32::to_string).collect();
    let caption = names.join(" or ");
    match conflict.train.first() {
        Some(&row) => thumbnail(set, &set.train, row, caption),
        None => thumbnail(set, &set.test, conflict.test[0], caption),
    }
}

fn thumbnail(set: &Dataset, split: &Split, row: usize, caption: String) -> Thumbnail {
    let [height, width, channels] = set.image;
    let bytes = set.bytes(split, row);
    // Red, green and blue, or what there is first as grey.
    let rgb = |pixel: &[u8]| match pixel {
        [r, g, b, ..] => [*r, *g, *b],
        [grey, ..] => [*grey; 3],
        [] => [0; 3],
    };
    Thumbnail {
        size: [width, height],
        pixels: bytes.chunks_exact(channels).flat_map(rgb).collect(),
        caption,
    }
}
