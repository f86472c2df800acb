//! Two runs of the same kernels: which became slower? Each time counts relative to what the ceilings
//! of its own run would need, so that a slow day of the machine is no slow-down of a kernel.

use super::report::{Peak, Report, Row};

/// A kernel in both runs.
#[derive(Clone, Debug)]
pub struct Change {
    pub op: String,
    pub shape: String,
    pub variant: String,
    /// New time over old time, both relative to their ceilings, less one.
    pub change: f64,
    /// The widest spread behind the two: below it a change means nothing.
    pub noise: f64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Faster,
    /// By more than the threshold and more than the noise, and in seconds too.
    Slower,
    /// The noise is wider than the threshold, or the ceilings alone changed so much.
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
        for row in &new.kernels {
            match old.kernels.iter().find(|before| same(before, row)) {
                Some(before) => {
                    let change = change((before, old), (row, new), threshold);
                    comparison.changes.push(change);
                }
                None => comparison.added += 1,
            }
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

fn change(old: (&Row, &Report), new: (&Row, &Report), threshold: f64) -> Change {
    let slowness = |(row, report): (&Row, &Report)| 1.0 / row.of_ceiling(&report.ceilings);
    let change = slowness(new) / slowness(old) - 1.0;
    let noise = noise(old).max(noise(new));
    let beyond = threshold.max(noise);
    // Some kernels do not scale with the ceilings: launches weigh more than work. On a faster day they
    // fall behind without being slower, on a slower day they seem to gain.
    let seconds = new.0.time.median - old.0.time.median;
    let verdict = if change > beyond && seconds > 0.0 {
        Verdict::Slower
    } else if change < -beyond && seconds < 0.0 {
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
