//! What a verification found, as plain data: the table, the JSON and the Markdown are made from it.

use super::{KnownFault, Outcome};
use crate::gpu::adapter::Info;
use crate::gpu::{self, Checks, LimitChoice};
use std::time::Duration;

/// Everything that was run on one adapter.
#[derive(Clone, Debug)]
pub struct AdapterReport {
    pub adapter: Info,
    /// Place in `fer-gpu devices`.
    pub index: usize,
    pub limits: Vec<LimitChoice>,
    /// One for each subject, in the order in which they ran.
    pub tallies: Vec<Tally>,
}

/// What ran of one subject: an op, or a network's step.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub subject: String,
    /// Launches that were compared.
    pub runs: usize,
    /// The largest error of any element, over its bound.
    pub worst: f64,
    pub time: Duration,
    pub failures: Vec<Failure>,
    /// Failures that the table of known faults excuses.
    pub known: Vec<Failure>,
    /// Why something could not run here at all.
    pub skipped: Vec<String>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub struct Failure {
    pub limits: LimitChoice,
    /// `op/variant/case`, or `step/network/dispatch`.
    pub place: String,
    /// Were the shader's run-time checks on? None where both ways are concerned.
    pub checks: Option<Checks>,
    pub reason: Reason,
    /// The pattern for `--op` that runs just this again.
    pub rerun: String,
    /// Images of the step, where it is one.
    pub batch: Option<u32>,
}

#[derive(Clone, Debug)]
pub enum Reason {
    /// Elements beyond their bounds, or written where nothing should be.
    Wrong(Outcome),
    /// The same step gave other bits.
    Unrepeatable { tensor: String },
    /// The device failed.
    Device(String),
    /// A fault in the table of known ones no longer shows.
    FaultGone(KnownFault),
}

impl AdapterReport {
    pub fn passed(&self) -> bool {
        self.tallies.iter().all(|tally| tally.failures.is_empty())
    }

    pub fn runs(&self) -> usize {
        self.tallies.iter().map(|tally| tally.runs).sum()
    }

    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.tallies.iter().flat_map(|tally| &tally.failures)
    }
}

impl Tally {
    pub fn new(subject: &str) -> Tally {
        Tally {
            subject: subject.into(),
            ..Tally::default()
        }
    }

    /// Books one comparison.
    pub fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.worst = self.worst.max(outcome.worst);
    }

    /// Adds what ran of the same subject under other limits.
    pub fn merge(&mut self, other: Tally) {
        self.runs += other.runs;
        self.worst = self.worst.max(other.worst);
        self.time += other.time;
        self.failures.extend(other.failures);
        self.known.extend(other.known);
        self.skipped.extend(other.skipped);
    }
}

impl From<&gpu::Error> for Reason {
    fn from(error: &gpu::Error) -> Reason {
        Reason::Device(error.to_string())
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Wrong(outcome) => outcome.fmt(f),
            Reason::Unrepeatable { tensor } => {
                write!(f, "the same step twice gave other bits, first in {tensor}")
            }
            Reason::Device(error) => f.write_str(error),
            Reason::FaultGone(fault) => write!(
                f,
                "the known fault `{}` ({}) no longer shows: take it off the table",
                fault.op, fault.reason
            ),
        }
    }
}
