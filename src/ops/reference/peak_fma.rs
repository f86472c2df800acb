//! Sums of ones: what the FMA chains of the ceiling must add up to.

use super::Expected;
use crate::ops::peak_fma::FmaParams;

/// The invocation's number modulo 64, and one for each FMA of one component.
pub fn peak_fma(p: &FmaParams) -> Expected {
    let ones = 4.0 * p.vectors as f64 * p.one as f64;
    let values = (0..p.invocations).map(|i| (i % 64) as f64 + ones);
    Expected::exact(values.collect())
}
