//! The figures of a classifier over labelled rows: from the counts of a tally to fractions, and
//! as one JSON object, whose keys come in the order of the fields.

use serde::Serialize;

/// What a classifier answers over some labelled rows. Accuracies and the like are fractions.
///
/// In JSON a number that is not finite is null, and so is what there is none of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename = "evaluate")]
pub struct Report {
    pub rows: u64,
    /// Mean cross-entropy; NaN if a logit was not finite.
    pub loss: f64,
    /// Rows whose first largest logit is the label's.
    pub accuracy: f64,
    /// Rows whose label is among the two largest logits; of equal ones the lower class number
    /// counts as the larger.
    pub top2: f64,
    /// Mean F1 over the classes that occur, as a label or as an answer: scikit-learn's
    /// `f1_score(average="macro", zero_division=0)`.
    pub macro_f1: f64,
    /// Rows whose image is not in the training set; none where there is no training set.
    pub distinct_rows: Option<u64>,
    /// Accuracy over these rows; none if there is no such row.
    pub distinct_accuracy: Option<f64>,
    /// Names by class number.
    pub classes: Vec<String>,
    /// Rows by `[true][predicted]` class. A row with a logit that is not finite is no answer and
    /// in no column.
    pub confusion: Vec<Vec<u64>>,
    /// By class number.
    pub per_class: Vec<PerClass>,
    /// The figures of the mean over several views of each image, where some were asked for: all else is of the images
    /// alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta: Option<Averaged>,
}

/// The same rows, answered by the mean of the probabilities of several views of an image (test-time augmentation).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Averaged {
    /// `mirror`: the image and its mirror image.
    pub kind: &'static str,
    /// Mean cross-entropy of the mean probabilities of the main head, with the L2 of the weights.
    pub loss: f64,
    pub accuracy: f64,
    pub top2: f64,
    pub macro_f1: f64,
    /// As the report's.
    pub distinct_accuracy: Option<f64>,
}

/// One class against all others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerClass {
    pub class: String,
    /// Of the rows answered so, those that are of this class; 0 if no row is answered so.
    pub precision: f64,
    /// Of the rows of this class, those that are answered so; 0 if there is no such row.
    pub recall: f64,
    /// Harmonic mean of the two; 0 if both are.
    pub f1: f64,
    /// Rows of this class.
    pub count: u64,
}

impl Report {
    /// Rows without an answer, because a logit was not finite.
    pub fn unanswered(&self) -> u64 {
        self.rows - self.confusion.iter().flatten().sum::<u64>()
    }
}

/// Each class of its rows by true class and the confusion matrix.
pub(super) fn per_class(
    classes: &[String],
    counts: &[u64],
    confusion: &[Vec<u64>],
) -> Vec<PerClass> {
    let of = |(number, class): (usize, &String)| {
        let (right, count) = (confusion[number][number], counts[number]);
        let answered = answered(confusion, number);
        PerClass {
            class: class.clone(),
            precision: fraction(right, answered),
            recall: fraction(right, count),
            f1: fraction(2 * right, answered + count),
            count,
        }
    };
    classes.iter().enumerate().map(of).collect()
}

/// Mean F1 over the classes with a row or an answer.
pub(super) fn macro_f1(per_class: &[PerClass], confusion: &[Vec<u64>]) -> f64 {
    let occurs = |number: usize| per_class[number].count + answered(confusion, number) > 0;
    let occurring = (0..per_class.len()).filter(|&number| occurs(number));
    let f1: Vec<f64> = occurring.map(|number| per_class[number].f1).collect();
    f1.iter().sum::<f64>() / f1.len() as f64
}

/// Rows answered with this class.
fn answered(confusion: &[Vec<u64>], class: usize) -> u64 {
    confusion.iter().map(|row| row[class]).sum()
}

/// 0 of nothing, which is scikit-learn's `zero_division=0`.
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
