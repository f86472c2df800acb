//! What the files of a run take on the disk.

use super::state::{BEST, HISTORY, LAST, RESUME};
use crate::plan::{Parameter, Plan};
use std::path::Path;

/// Headers, tables and what a file system rounds up.
const SMALL: u64 = 1 << 20;

/// Bytes that saving takes beside what the folder holds: each file once, and the largest, the resume point
/// with what the optimiser keeps, once more while it is replaced.
pub fn needed(plan: &Plan, folder: &Path) -> u64 {
    let bytes = |p: &Parameter| 4 * p.shape.len() as u64;
    let weights: u64 = plan.parameters.iter().map(bytes).sum();
    let trained = plan.parameters.iter().filter(|p| p.is_trained());
    let slots = plan.rule.slots().len() as u64 * trained.map(bytes).sum::<u64>();
    let resume = weights + slots;
    let files = [
        (BEST, weights),
        (LAST, weights),
        (RESUME, resume),
        (HISTORY, 0),
    ];
    let missing = files.iter().map(|(name, bytes)| {
        let there = folder.join(name).metadata().map_or(0, |found| found.len());
        bytes.saturating_sub(there)
    });
    missing.sum::<u64>() + resume + SMALL
}
