//! Answers from more than one view of an image (test-time augmentation): the mean of the probabilities of an image and of
//! its mirror image, as Simonyan and Zisserman (arXiv 1409.1556) evaluate. Views are made on the host.

use crate::score::{Averaged, Error, Tally};

/// Which views of an image are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Tta {
    /// The image alone.
    #[default]
    None,
    /// The image and its mirror image.
    Mirror,
}

impl Tta {
    /// As results name it.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Tta::None => None,
            Tta::Mirror => Some("mirror"),
        }
    }
}

/// Images (.., h, w), each row of `width` pixels backwards.
pub(super) fn mirrored(planes: &[f32], width: usize) -> Vec<f32> {
    let rows = planes.chunks_exact(width);
    rows.flat_map(|row| row.iter().rev().copied()).collect()
}

/// The mean of two probabilities: the same bits, whichever comes first.
pub(super) fn mean(a: f32, b: f32) -> f32 {
    0.5 * (a + b)
}

/// What the averaged probabilities of rows come to.
pub(super) struct Averages {
    tally: Tally,
    loss: f64,
}

impl Averages {
    pub fn new(tally: Tally) -> Averages {
        Averages { tally, loss: 0.0 }
    }

    /// Takes a row: its class number, its logits and those of its mirror image, and what the L2 of the weights adds to
    /// its loss.
    pub fn add(&mut self, label: u32, [logits, mirrored]: [&[f32]; 2], penalty: f64) {
        let [a, b] = [log_softmax(logits), log_softmax(mirrored)];
        let mean: Vec<f64> = a.iter().zip(&b).map(|(&a, &b)| log_mean(a, b)).collect();
        self.loss += penalty - mean[label as usize];
        // Logarithms tell small probabilities apart, and their order is the same.
        let answer: Vec<f32> = mean.iter().map(|&value| value as f32).collect();
        self.tally.add(label, &answer);
    }

    pub fn figures(self) -> Result<Averaged, Error> {
        let correct = self.tally.correct();
        let report = self.tally.report(self.loss, correct)?;
        Ok(Averaged {
            kind: "mirror",
            loss: report.loss,
            accuracy: report.accuracy,
            top2: report.top2,
            macro_f1: report.macro_f1,
            distinct_accuracy: report.distinct_accuracy,
        })
    }
}

/// Logarithms of the probabilities; NaN of a row with a logit that is not finite, which then has no answer.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return vec![f64::NAN; logits.len()];
    }
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let shifted = logits.iter().map(|&l| f64::from(l) - f64::from(largest));
    let sum: f64 = shifted.clone().map(f64::exp).sum();
    shifted.map(|l| l - sum.ln()).collect()
}

/// ln((exp a + exp b) / 2): the same bits, whichever comes first, and a of two that are equal.
fn log_mean(a: f64, b: f64) -> f64 {
    let (largest, apart) = (a.max(b), -(a - b).abs());
    largest + (0.5 * apart.exp() + 0.5).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_turned_and_turned_back() {
        let planes = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(mirrored(&planes, 3), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        assert_eq!(mirrored(&mirrored(&planes, 2), 2), planes);
    }

    #[test]
    fn figures_are_those_of_the_mean_probabilities() {
        let names = || ["a", "b", "c"].map(String::from).to_vec();
        let softmax = |logits: [f32; 3]| {
            let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
            logits.map(|l| f64::from(l).exp() / sum)
        };
        let rows: [(u32, [f32; 3], [f32; 3]); 3] = [
            (0, [3.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
            (1, [3.0, 0.0, 1.0], [0.0, 9.0, 0.0]),
            (2, [-90.0, 0.0, -100.0], [-90.0, 0.0, -90.0]),
        ];
        let figures = |swapped: bool| {
            let mut averages = Averages::new(Tally::new(names(), None));
            for (label, a, b) in &rows {
                let views: [&[f32]; 2] = if swapped { [b, a] } else { [a, b] };
                averages.add(*label, views, 0.125);
            }
            averages.figures().expect("three rows")
        };
        let found = figures(false);
        assert_eq!(found, figures(true));
        let mean = |row: usize| {
            let (label, a, b) = rows[row];
            let [a, b] = [softmax(a), softmax(b)].map(|p| p[label as usize]);
            -(0.5 * (a + b)).ln()
        };
        let expected = (mean(0) + mean(1) + mean(2)) / 3.0 + 0.125;
        assert!((found.loss - expected).abs() < 1e-12, "{found:?}");
        assert_eq!(found.accuracy, 2.0 / 3.0);
    }

    #[test]
    fn a_logit_that_is_not_finite_is_no_answer() {
        let names = ["a", "b"].map(String::from).to_vec();
        let mut averages = Averages::new(Tally::new(names, None));
        averages.add(0, [&[1.0, 0.0], &[f32::INFINITY, 0.0]], 0.0);
        let found = averages.figures().expect("a row");
        assert!(found.loss.is_nan() && found.accuracy == 0.0);
    }
}
