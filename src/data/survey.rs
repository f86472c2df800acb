//! What a data set holds: classes and their counts, ranges, blank images, duplicates, labels that contradict each
//! other. A `Dataset` in, figures out, and the rows behind them.

use super::duplicates::hashes;
use super::{Dataset, PixelRange, Split};
use serde::Serialize;
use std::collections::HashMap;

/// The figures of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Survey {
    pub name: String,
    /// Height, width, channels.
    pub image: [usize; 3],
    #[serde(serialize_with = "as_text")]
    pub range: PixelRange,
    /// By class number.
    pub classes: Vec<String>,
    pub train: SplitSurvey,
    pub test: SplitSurvey,
    /// Rows of the test split whose image lies in the training split too.
    pub shared: Vec<usize>,
    /// Images that bear several labels, in one split or across.
    pub conflicts: Vec<Conflict>,
    /// As [`Dataset::hash`], in hexadecimal.
    pub hash: String,
}

/// The figures of one split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitSurvey {
    pub rows: usize,
    /// Rows by class number.
    pub counts: Vec<u64>,
    /// Of the stored pixels.
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    pub deviation: f64,
    /// Rows whose image is of one colour.
    pub blank: Vec<usize>,
    /// Different images.
    pub distinct: usize,
}

/// An image under several labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Rows of the training split, of the test split.
    pub train: Vec<usize>,
    pub test: Vec<usize>,
}

fn as_text<S: serde::Serializer>(range: &PixelRange, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(range)
}

impl Survey {
    /// Looks at every image of a set.
    pub fn of(set: &Dataset) -> Survey {
        let bytes = set.train.pixels.is_u8() && set.test.pixels.is_u8();
        let [train, test] = [&set.train, &set.test].map(|split| hashes(split, bytes));
        let width = set.image.iter().product();
        let classes = set.class_names.len();
        let rows_of = rows_by_image([&train, &test]);
        let shared = (0..test.len()).filter(|&row| !rows_of[&test[row]].train.is_empty());
        let shared = shared.collect();
        let label = |split: &Split, row: &usize| split.labels[*row];
        let contradicts = |rows: &&Conflict| {
            let train = rows.train.iter().map(|row| label(&set.train, row));
            let mut labels = train.chain(rows.test.iter().map(|row| label(&set.test, row)));
            let first = labels.next();
            labels.any(|label| Some(label) != first)
        };
        let mut conflicts: Vec<Conflict> = rows_of.values().filter(contradicts).cloned().collect();
        conflicts.sort_by(|a, b| (&a.train, &a.test).cmp(&(&b.train, &b.test)));
        Survey {
            name: set.name.clone(),
            image: set.image,
            range: set.range,
            classes: set.class_names.clone(),
            train: SplitSurvey::of(&set.train, &train, width, classes),
            test: SplitSurvey::of(&set.test, &test, width, classes),
            shared,
            conflicts,
            hash: crate::files::hexadecimal(set.hash),
        }
    }
}

/// The rows of each image.
fn rows_by_image([train, test]: [&[u128]; 2]) -> HashMap<u128, Conflict> {
    let mut rows: HashMap<u128, Conflict> = HashMap::new();
    let none = || Conflict {
        train: Vec::new(),
        test: Vec::new(),
    };
    for (row, &hash) in train.iter().enumerate() {
        rows.entry(hash).or_insert_with(none).train.push(row);
    }
    for (row, &hash) in test.iter().enumerate() {
        rows.entry(hash).or_insert_with(none).test.push(row);
    }
    rows
}

impl SplitSurvey {
    fn of(split: &Split, hashes: &[u128], width: usize, classes: usize) -> SplitSurvey {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut blank = Vec::new();
        let mut image = vec![0.0f32; width];
        for row in 0..split.rows() {
            split.row_f32(row, 1.0, &mut image);
            for value in image.iter().map(|&value| f64::from(value)) {
                min = min.min(value);
                max = max.max(value);
                sum += value;
                squares += value * value;
            }
            if image.iter().all(|value| *value == image[0]) {
                blank.push(row);
            }
        }
        let values = (split.rows() * width) as f64;
        let mean = sum / values;
        let mut distinct = hashes.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        SplitSurvey {
            rows: split.rows(),
            counts: split.counts(classes),
            min,
            max,
            mean,
            deviation: (squares / values - mean * mean).max(0.0).sqrt(),
            blank,
            distinct: distinct.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pixels;
    use super::*;

    /// Images of two pixels.
    fn split(images: &[[u8; 2]], labels: &[u32]) -> Split {
        Split::of(Pixels::U8(images.concat()), labels.to_vec())
    }

    #[test]
    fn what_is_planted_is_found() {
        let train = split(&[[1, 2], [1, 2], [7, 7], [3, 4], [5, 6]], &[0, 1, 0, 1, 1]);
        let test = split(&[[3, 4], [5, 6], [9, 0], [9, 0]], &[1, 0, 0, 0]);
        let names = super::super::class_names(2);
        let range = PixelRange::ZeroTo255;
        let set = Dataset::of(train, test, range, [1, 2, 1], names, "planted".into());
        let survey = Survey::of(&set);
        assert_eq!(survey.train.counts, [2, 3]);
        assert_eq!(survey.train.blank, [2]);
        assert_eq!([survey.train.distinct, survey.test.distinct], [4, 3]);
        assert_eq!(survey.shared, [0, 1]);
        let conflict = |train: &[usize], test: &[usize]| Conflict {
            train: train.to_vec(),
            test: test.to_vec(),
        };
        assert_eq!(
            survey.conflicts,
            [conflict(&[0, 1], &[]), conflict(&[4], &[1])]
        );
        assert_eq!([survey.train.min, survey.train.max], [1.0, 7.0]);
        assert!((survey.test.mean - 4.5).abs() < 1e-12);
        let variance: f64 = (2.0 * 1.5 * 1.5 + 2.0 * 0.5 * 0.5 + 4.0 * 4.5 * 4.5) / 8.0;
        assert!((survey.test.deviation - variance.sqrt()).abs() < 1e-9);
    }
}
