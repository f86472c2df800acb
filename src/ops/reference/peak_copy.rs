//! A copy, and an update in place.

use super::{Expected, floats};

pub fn peak_copy(x: &[u32]) -> Expected {
    Expected::exact(floats(x).iter().map(|&value| value as f64).collect())
}

pub fn peak_update(z: &[u32]) -> Expected {
    Expected::exact(floats(z).iter().map(|&value| -value as f64).collect())
}
