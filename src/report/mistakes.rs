//! The wrong answers that were the most confident: rows of logits in, a few of them kept.

use crate::inference::Answered;

/// An image that was taken for another class.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Of the validation set, from 0.
    pub row: usize,
    /// Class numbers.
    pub truth: usize,
    pub answer: usize,
    /// Of the answer, and of the true class.
    pub probability: f64,
    pub of_truth: f64,
    /// The image, if it is to be shown.
    pub png: Option<Vec<u8>>,
}

/// Keeps the mistakes of the highest probability; of equal ones those that come first.
pub struct Worst {
    most: usize,
    kept: Vec<Mistake>,
}

impl Worst {
    pub fn of(most: usize) -> Worst {
        let kept = Vec::with_capacity(most + 1);
        Worst { most, kept }
    }

    /// Takes a row; one with a logit that is not finite has no answer that could be wrong.
    pub fn add(&mut self, row: &Answered) {
        let (logits, truth) = (row.logits, row.label as usize);
        if !logits.iter().all(|logit| logit.is_finite()) {
            return;
        }
        // The first of the largest, as `score` and the kernels have it.
        let larger = |best, i| if logits[i] > logits[best] { i } else { best };
        let answer = (0..logits.len()).fold(0, larger);
        if answer == truth {
            return;
        }
        let share = |class: usize| (f64::from(logits[class]) - f64::from(logits[answer])).exp();
        let sum: f64 = (0..logits.len()).map(share).sum();
        let mistake = Mistake {
            row: row.row,
            truth,
            answer,
            probability: 1.0 / sum,
            of_truth: share(truth) / sum,
            png: None,
        };
        let place = |kept: &Mistake| kept.probability >= mistake.probability;
        let place = self.kept.partition_point(place);
        if place < self.most {
            self.kept.insert(place, mistake);
            self.kept.truncate(self.most);
        }
    }

    /// The most confident first.
    pub fn mistakes(self) -> Vec<Mistake> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::Worst;
    use crate::inference::Answered;

    #[test]
    fn the_most_confident_are_kept_in_order() {
        let rows: [(u32, [f32; 3]); 7] = [
            (0, [0.0, 1.0, 0.0]),
            // Right.
            (1, [0.0, 9.0, 0.0]),
            (0, [0.0, 0.0, 3.0]),
            // No answer.
            (0, [0.0, f32::NAN, 9.0]),
            (2, [100.0, 0.0, 100.0]),
            // As sure as the third row, and later.
            (1, [0.0, 0.0, 3.0]),
            (1, [4.0, 0.0, 0.0]),
        ];
        let of = |most| {
            let mut worst = Worst::of(most);
            for (row, (label, logits)) in rows.iter().enumerate() {
                let label = *label;
                worst.add(&Answered { row, label, logits });
            }
            worst.mistakes()
        };
        let found: Vec<_> = of(9).iter().map(|m| (m.row, m.truth, m.answer)).collect();
        let expected = [(6, 1, 0), (2, 0, 2), (5, 1, 2), (0, 0, 1), (4, 2, 0)];
        // Of two equal logits the first class is the answer, with half of the probability.
        assert_eq!(found, expected);
        let two = of(2);
        assert_eq!(two.iter().map(|m| m.row).collect::<Vec<_>>(), [6, 2]);
        let (e3, first) = (3f64.exp(), &two[1]);
        assert!((first.probability - e3 / (e3 + 2.0)).abs() < 1e-12);
        assert!((first.of_truth - 1.0 / (e3 + 2.0)).abs() < 1e-12);
        assert!((of(9)[4].probability - 0.5).abs() < 1e-12);
        assert!(Worst::of(0).mistakes().is_empty());
    }
}
