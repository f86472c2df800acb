//! Does this device compute what we say? Kernels against their f64 references.
//!
//! `outcome` compares, `case` runs one test case, `step` one training step of a network; `suite`
//! runs whatever a `pattern` names on many devices and keeps a report; `known_faults` lists
//! what vendors have confirmed to be wrong.

mod case;
pub mod known_faults;
mod outcome;
mod pattern;
mod report;
mod step;
mod suite;

pub use case::{expected, inputs, run_case};
pub use known_faults::{KNOWN_FAULTS, KnownFault};
pub use outcome::{Mismatch, Outcome, Written};
pub use pattern::{BadPattern, Pattern};
pub use report::{AdapterReport, Failure, Reason, Tally};
pub(crate) use step::check_shard;
pub use step::{STEP_BATCH, check_step};
pub use suite::{Device, Subject, run, subjects};
