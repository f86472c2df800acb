//! Two runs of the same kernels: which became slower? Each time counts relative to what the ceilings
//! of its own run would need, so that a slow day of the machine is no slow-down of a kernel. On such a
//! day arithmetic, memory, caches and launches lose unequally, and a kernel leans on all of them: only
//! what neither the ceiling that lost most nor the kernels of like duration explain is the kernel's own.

use super::report::{Ceilings, Peak, Report, Row};
use super::stats::Stats;

/// A kernel in both runs.
#[derive(Clone, Debug)]
pub struct Change {
    pub op: String,
    pub shape: String,
    pub variant: String,
    /// New time over old time, both relative to the nearer ceiling of their runs, less one.
    pub change: f64,
    /// The widest spread behind the two: below it a change means nothing.
    pub noise: f64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Faster,
    /// By more than the threshold and more than the noise, whichever ceiling it is measured by and next to
    /// the kernels of like duration, in seconds too; and even its fastest sample by more than the threshold.
    Slower,
    /// The noise is wider than the threshold, or the machine alone may have changed so much.
    Undecided,
}

/// What became of the kernels.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    pub changes: Vec<Change>,
    /// Kernels of the new run that the old one does not have, and the other way round.
    pub added: usize,
    pub gone: usize,
}

impl Comparison {
    /// Compares run with run; `threshold` is a share of the time, such as 0.1.
    pub fn of(old: &Report, new: &Report, threshold: f64) -> Comparison {
        let mut comparison = Comparison::default();
        let mut pairs = Vec::new();
        for row in &new.kernels {
            match old.kernels.iter().find(|before| same(before, row)) {
                Some(before) => pairs.push((before, row)),
                None => comparison.added += 1,
            }
        }
        for &(before, row) in &pairs {
            let alike = like_duration(before, &pairs);
            let change = change((before, old), (row, new), alike, threshold);
            comparison.changes.push(change);
        }
        let is_gone = |before: &&Row| !new.kernels.iter().any(|row| same(before, row));
        comparison.gone = old.kernels.iter().filter(is_gone).count();
        comparison
    }

    pub fn slower(&self) -> usize {
        let slower = |c: &&Change| c.verdict == Verdict::Slower;
        self.changes.iter().filter(slower).count()
    }
}

/// The same kernel on the same shape? Planned or not: what the plan prefers may change.
fn same(a: &Row, b: &Row) -> bool {
    let key = |r: &Row| (r.flops, r.bytes);
    a.op == b.op && a.shape == b.shape && a.variant == b.variant && key(a) == key(b)
}

/// How far durations may lie apart to count as alike, and how many such kernels must be there to tell
/// what the machine does to them.
const ALIKE: f64 = 4.0;
const ENOUGH: usize = 5;

/// How many times as long the kernels take that took about as long as `one`: the median, so that no few of
/// them have a say. What all of them lost, to dearer launches say, is no one's own.
fn like_duration(one: &Row, pairs: &[(&Row, &Row)]) -> f64 {
    let seconds = one.time.median;
    let near = |row: &Row| (seconds / ALIKE..seconds * ALIKE).contains(&row.time.median);
    let alike = pairs.iter().filter(|(before, _)| near(before));
    let ratios: Vec<f64> = alike
        .map(|(before, row)| row.time.median / before.time.median)
        .collect();
    if ratios.len() < ENOUGH {
        return 1.0;
    }
    Stats::of(&ratios).median
}

/// `alike` is how many times as long kernels of like duration take.
fn change(old: (&Row, &Report), new: (&Row, &Report), alike: f64, threshold: f64) -> Change {
    let noise = noise(old).max(noise(new));
    let beyond = threshold.max(noise);
    let time = new.0.time.median / old.0.time.median;
    let rates: [fn(&Row, &Ceilings) -> f64; 3] = [
        |row, ceilings| row.ideal(ceilings).recip(),
        |_, ceilings| ceilings.bytes.per_second,
        |_, ceilings| ceilings.flops.per_second,
    ];
    // How many times as long as then the machine itself needs, by the nearer ceiling, memory, arithmetic.
    let machine = rates.map(|rate| rate(old.0, &old.1.ceilings) / rate(new.0, &new.1.ceilings));
    let change = time / machine[0] - 1.0;
    // Some kernels do not scale with the ceilings, since launches weigh more than work: they may keep
    // their seconds while the machine changes.
    let slowest = machine.into_iter().fold(alike.max(1.0), f64::max);
    let fastest = machine.into_iter().fold(alike.min(1.0), f64::min);
    let least = new.0.time.minimum / old.0.time.median;
    let verdict = if time / slowest - 1.0 > beyond && least / slowest - 1.0 > threshold {
        Verdict::Slower
    } else if time / fastest - 1.0 < -beyond {
        Verdict::Faster
    } else if noise > threshold || change.abs() > beyond {
        Verdict::Undecided
    } else {
        Verdict::Same
    };
    let row = new.0;
    Change {
        op: row.op.clone(),
        shape: row.shape.clone(),
        variant: row.variant.clone(),
        change,
        noise,
        verdict,
    }
}

/// The spread of a kernel or of the ceiling above it, whichever is wider.
fn noise((row, report): (&Row, &Report)) -> f64 {
    let peak: &Peak = report.ceilings.above(row);
    row.time.spread.max(peak.time.spread)
}
