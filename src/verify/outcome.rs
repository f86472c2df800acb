//! Compares what a kernel wrote with what its reference says, element by element.

use crate::ops::reference::{Expected, UNTOUCHED};

/// One element that is wrong.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub binding: &'static str,
    pub element: usize,
    pub found: f32,
    pub expected: f64,
    pub bound: f64,
}

/// What a kernel made of a binding, or of a range of it.
pub struct Written<'a> {
    pub binding: &'static str,
    /// The number of the range's first element.
    pub first: usize,
    /// The words before the dispatch and after it.
    pub before: &'a [u32],
    pub found: &'a [u32],
}

/// What a comparison saw.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The largest |found - expected| / bound of any element with a bound.
    pub worst: f64,
    pub elements: usize,
    pub wrong: usize,
    /// The first wrong element.
    pub first: Option<Mismatch>,
    /// The wrong element farthest from its reference, in bounds.
    pub farthest: Option<Mismatch>,
    /// A write where the kernel had nothing to write.
    pub stray: Option<String>,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.wrong == 0 && self.stray.is_none()
    }

    /// Compares what was written with what must stand there.
    pub fn compare(&mut self, written: Written, expected: &Expected, chain: u64, exact: bool) {
        let Written {
            binding,
            first,
            before,
            found,
        } = written;
        assert_eq!(
            found.len(),
            expected.values.len(),
            "the reference of {binding} has another length"
        );
        for (i, (&word, &value)) in found.iter().zip(&expected.values).enumerate() {
            self.elements += 1;
            if value.to_bits() == UNTOUCHED.to_bits() {
                if word != before[i] && self.stray.is_none() {
                    self.stray = Some(format!(
                        "{binding}[{}] lies outside the kernel's range and was written",
                        first + i
                    ));
                }
                continue;
            }
            let number = f32::from_bits(word);
            let bound = if exact && value.is_finite() {
                0.0
            } else {
                expected.bound(i, chain)
            };
            let error = (number as f64 - value).abs();
            // Written so that NaN fails, unless the reference itself is not finite.
            let agrees = if value.is_finite() {
                error <= bound
            } else {
                !number.is_finite()
            };
            if agrees {
                if bound > 0.0 && value.is_finite() {
                    self.worst = self.worst.max(error / bound);
                }
                continue;
            }
            self.wrong += 1;
            let mismatch = Mismatch {
                binding,
                element: first + i,
                found: number,
                expected: value,
                bound,
            };
            let distance = |m: &Mismatch| {
                let error = (m.found as f64 - m.expected).abs();
                if error.is_nan() { f64::INFINITY } else { error }
            };
            if self
                .farthest
                .as_ref()
                .is_none_or(|f| distance(&mismatch) > distance(f))
            {
                self.farthest = Some(mismatch.clone());
            }
            self.first.get_or_insert(mismatch);
        }
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}[{}] = {:?} instead of {:?} +- {:.2e}",
            self.binding, self.element, self.found, self.expected, self.bound
        )
    }
}

/// What is wrong, on one line.
impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if let Some(first) = &self.first {
            let (wrong, elements) = (self.wrong, self.elements);
            parts.push(format!(
                "{wrong} of {elements} elements wrong; first {first}"
            ));
        }
        if let Some(farthest) = &self.farthest
            && self.wrong > 1
        {
            parts.push(format!("worst {farthest}"));
        }
        parts.extend(self.stray.clone());
        f.write_str(&parts.join("; "))
    }
}
