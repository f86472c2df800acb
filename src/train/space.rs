//! What the files of a run take on the disk.

use super::state::{BEST, HISTORY, LAST, RESUME};
use crate::plan::Plan;
use std::path::Path;

/// Headers, tables and what a file system rounds up.
const SMALL: u64 = 1 << 20;

/// Bytes that saving takes beside what the folder holds: each file once, and the largest, the
/// resume point with its two moments, once more while it is replaced.
pub fn needed(plan: &Plan, folder: &Path) -> u64 {
    let parameters = plan.parameters.iter();
    let weights: u64 = parameters.map(|p| 4 * p.shape.len() as u64).sum();
    let files = [
        (BEST, weights),
        (LAST, weights),
        (RESUME, 3 * weights),
        (HISTORY, 0),
    ];
    let missing = files.iter().map(|(name, bytes)| {
        let there = folder.join(name).metadata().map_or(0, |found| found.len());
        bytes.saturating_sub(there)
    });
    missing.sum::<u64>() + 3 * weights + SMALL
}
