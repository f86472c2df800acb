//! How good a classifier's answers are: rows of logits and their labels in, a [`Report`] out.
//!
//! [`Tally`] takes the rows one by one and keeps counts alone; `report` makes the figures of them.
//! Loss and correct rows are the device's, as a training's validation has them: everything else is
//! counted here, by the same rule for the answer, so the two must agree and are held together.

mod report;
#[cfg(test)]
mod tests;

pub use report::{Averaged, PerClass, Report};

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("no rows to score")]
    #[diagnostic(help("at least one labelled image is needed"))]
    NoRows,
    #[error("the device counts {correct} correct rows, by their logits {diagonal} of {rows} are")]
    #[diagnostic(help("hold its kernels against their references with `fer-gpu verify`"))]
    Disagree {
        correct: u64,
        diagonal: u64,
        rows: u64,
    },
}

/// Counts what each row says.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Names by class number.
    classes: Vec<String>,
    /// By row: does its image also lie in the training set?
    duplicates: Option<Vec<bool>>,
    rows: u64,
    /// Rows by true class.
    counts: Vec<u64>,
    /// `[true][predicted]`; a row without an answer is in none.
    confusion: Vec<Vec<u64>>,
    /// Rows whose label is among the two largest logits.
    top2: u64,
    distinct_rows: u64,
    distinct_correct: u64,
}

impl Tally {
    /// An empty tally for these classes, by class number. `duplicates` says of each row to come, in
    /// the order of [`Tally::add`], whether its image also lies in the training set, as
    /// [`crate::data::duplicates()`] finds it; none where there is no training set.
    pub fn new(classes: Vec<String>, duplicates: Option<Vec<bool>>) -> Tally {
        let count = classes.len();
        Tally {
            classes,
            duplicates,
            rows: 0,
            counts: vec![0; count],
            confusion: vec![vec![0; count]; count],
            top2: 0,
            distinct_rows: 0,
            distinct_correct: 0,
        }
    }

    /// Takes the next row: its class number and its logits, one a class. Probabilities do as well,
    /// but two logits that differ may have the same one, and then the first class is the answer.
    ///
    /// # Panics
    /// If there is no such class, if the logits are not one a class, or if the tally was given
    /// duplicates and they end before this row.
    pub fn add(&mut self, label: u32, logits: &[f32]) {
        assert_eq!(logits.len(), self.classes.len(), "one logit a class");
        let label = label as usize;
        let duplicate = self.duplicates.as_ref().map(|all| all[self.rows as usize]);
        let answer = answer(logits);
        self.rows += 1;
        self.counts[label] += 1;
        if let Some(answer) = answer {
            self.confusion[label][answer] += 1;
            self.top2 += u64::from(rank(logits, label) < 2);
        }
        if duplicate == Some(false) {
            self.distinct_rows += 1;
            self.distinct_correct += u64::from(answer == Some(label));
        }
    }

    /// The rows taken so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows whose answer is their label.
    pub fn correct(&self) -> u64 {
        (0..self.classes.len()).map(|c| self.confusion[c][c]).sum()
    }

    /// The figures of all rows. `loss_sum` and `correct` are the device's sums over the same rows:
    /// loss and accuracy are these over the rows, bit by bit what a validation shows.
    ///
    /// # Errors
    /// No rows at all, or as many correct rows by the device as there are not by the logits.
    ///
    /// # Panics
    /// If the tally was given duplicates of more rows than it took.
    pub fn report(self, loss_sum: f64, correct: u64) -> Result<Report, Error> {
        let rows = self.rows;
        if rows == 0 {
            return Err(Error::NoRows);
        }
        if let Some(duplicates) = &self.duplicates {
            assert_eq!(duplicates.len() as u64, rows, "one duplicate flag a row");
        }
        let diagonal = self.correct();
        if diagonal != correct {
            return Err(Error::Disagree {
                correct,
                diagonal,
                rows,
            });
        }
        let known = self.duplicates.is_some();
        let per_class = report::per_class(&self.classes, &self.counts, &self.confusion);
        Ok(Report {
            rows,
            loss: loss_sum / rows as f64,
            accuracy: correct as f64 / rows as f64,
            top2: self.top2 as f64 / rows as f64,
            macro_f1: report::macro_f1(&per_class, &self.confusion),
            distinct_rows: known.then_some(self.distinct_rows),
            distinct_accuracy: (self.distinct_rows > 0)
                .then(|| self.distinct_correct as f64 / self.distinct_rows as f64),
            classes: self.classes,
            confusion: self.confusion,
            per_class,
            tta: None,
        })
    }
}

/// The class that a row answers: the first of the largest logits, and none where one of them is
/// not finite. This is softmax_cross_entropy.wgsl's rule, by which such a row is never correct.
fn answer(logits: &[f32]) -> Option<usize> {
    let first_largest = |best, i| if logits[i] > logits[best] { i } else { best };
    let finite = logits.iter().all(|logit| logit.is_finite());
    finite.then(|| (0..logits.len()).fold(0, first_largest))
}

/// The place of `label` from 0 by falling logits; of equal ones the lower class number comes first.
fn rank(logits: &[f32], label: usize) -> usize {
    let own = logits[label];
    let before = |&(class, &logit): &(usize, &f32)| logit > own || (logit == own && class < label);
    logits.iter().enumerate().filter(before).count()
}
