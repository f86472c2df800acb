//! How many values are infinite or NaN, share by share.

use super::{Expected, floats};
use crate::ops::non_finite::{NonFinite, SHARES};

/// counts\[i\]: over the vectors of four i, i + SHARES, i + 2 SHARES, ... of x.
pub fn non_finite(p: &NonFinite, x: &[u32]) -> Expected {
    let mut counts = vec![0.0; SHARES];
    let vectors = floats(x)[..p.count as usize].chunks(4);
    for (i, vector) in vectors.enumerate() {
        counts[i % SHARES] += vector.iter().filter(|v| !v.is_finite()).count() as f64;
    }
    Expected::exact(counts)
}
