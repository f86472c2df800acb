//! What `fer-gpu verify` runs, as tests: every case of every op and variant and the networks'
//! steps, on every adapter of this machine, under native and WebGPU's limits, with run-time
//! checks on and off. A test for each op; its kind names the adapters.

#[path = "common/budget.rs"]
mod budget;
mod common;

use budget::Budget;
use fer_gpu::gpu::LimitChoice;
use fer_gpu::verify::{self, Device, KNOWN_FAULTS, Pattern, STEP_BATCH, Subject};
use libtest_mimic::{Arguments, Failed, Trial};
use std::sync::Arc;

/// Bytes for the tensors of all trials that run at the same time. With kernels and drivers the
/// process stays below 3 GB.
const MEMORY: u64 = 2 << 30;

/// Trials at the same time, unless `--test-threads` says another number: each holds up to 300 MB of
/// kernels, and references and software adapters use every core anyway.
const TRIALS: usize = 3;

fn main() {
    let mut arguments = Arguments::from_args();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    arguments.test_threads.get_or_insert(cores.min(TRIALS));
    let adapters = common::adapters();
    let names: Vec<&str> = adapters.iter().map(|a| a.info.nickname()).collect();
    let kind = names.join(" ");
    let budget = Arc::new(Budget::new(MEMORY));
    let trial = |subject: &Subject| {
        let (name, bytes, budget) = (subject.name(), subject.bytes(), budget.clone());
        let run = move || budget.spend(bytes, || agrees(&name, &devices()));
        Trial::test(subject.name(), run).with_kind(kind.clone())
    };
    let mut subjects = verify::subjects(&Pattern::all(), STEP_BATCH);
    // The largest first: with light ones beside it, and nothing of the others left behind.
    subjects.sort_by_key(|subject| !matches!(subject, Subject::Step(..)));
    let trials = subjects.iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// A device on every adapter, under its own limits and under WebGPU's. Each trial opens its own:
/// software adapters keep more than a gigabyte if the kernels of all ops stay; and of one GL adapter
/// all devices share a lock that wgpu waits 6 seconds for, then panics.
fn devices() -> Vec<Device> {
    let adapters = common::adapters();
    let both = |adapter| {
        let limits = [LimitChoice::Native, LimitChoice::Webgpu];
        limits.map(|limits| Device::open(adapter, limits).expect("a device opens"))
    };
    adapters.iter().flat_map(both).collect()
}

fn agrees(subject: &str, devices: &[Device]) -> Result<(), Failed> {
    let pattern: Pattern = subject.parse().expect("a subject's name is a pattern");
    let subjects = verify::subjects(&pattern, STEP_BATCH);
    let reports = verify::run(
        devices,
        &subjects,
        &pattern,
        KNOWN_FAULTS,
        &mut |_, _, _| (),
    );
    let mut failures = Vec::new();
    for report in &reports {
        if report.runs() == 0 {
            failures.push(format!("nothing ran on {}", report.adapter));
        }
        for failure in report.failures() {
            failures.push(format!(
                "{} on {} ({:?} limits, checks {:?}): {}",
                failure.place, report.adapter, failure.limits, failure.checks, failure.reason
            ));
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(10)].join("\n")
    )
    .into())
}
