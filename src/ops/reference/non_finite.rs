//! How many values are infinite or NaN, share by share.

use super::{Expected, floats};
use crate::ops::non_finite::{NonFinite, SHARES, WORKGROUP};

/// counts\[share\]: the vectors of four of x are cut into equal runs, one for each WORKGROUP
/// shares, which take them in turn.
pub fn non_finite(p: &NonFinite, x: &[u32]) -> Expected {
    let mut counts = vec![0.0; SHARES];
    let run = WORKGROUP * (p.count as usize / 4).div_ceil(SHARES);
    let vectors = floats(x)[..p.count as usize].chunks(4);
    for (i, vector) in vectors.enumerate() {
        counts[i / run * WORKGROUP + i % WORKGROUP] +=
            vector.iter().filter(|v| !v.is_finite()).count() as f64;
    }
    Expected::exact(counts)
}
