//! 5,000 steps of the small network, as a user runs them: epochs, shuffles, validation, logs and
//! checkpoints included. Host memory must stay flat.
//!
//! What counts is anonymous and shared memory (RssAnon and RssShmem of /proc/self/status): the
//! heap, and the buffers of a software driver. Pages of files (RssFile) come and go as the
//! system likes. Alone in its binary, for no other test may allocate beside it.

mod common;
#[path = "common/run.rs"]
mod run;

use fer_gpu::gpu::{LimitChoice, Selector};
use fer_gpu::train::{self, Config, Event, Out, Regime, Settings, Start};
use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const STEPS: u64 = 5_000;
/// Caches are full, kernels compiled, pools at their size.
const WARM: u64 = 500;
const LARGEST_GROWTH: i64 = 5_000_000;

/// Bytes of this process that are no file's; none where the system does not tell.
fn own_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let of = |key: &str| -> Option<i64> {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(1024 * (of("RssAnon:")? + of("RssShmem:")?))
}

/// 250 steps an epoch, and a checkpoint now and then.
fn settings(folder: &std::path::Path, started: Instant) -> Settings {
    let config = Config {
        model: "inception-gap".into(),
        model_file: None,
        epochs: (STEPS / 250) as u32,
        batch: 2,
        learning_rate: 0.001,
        optimizer: "adam".into(),
        momentum: 0.0,
        nesterov: false,
        regime: Regime::default(),
        seed: 0,
        shuffle: true,
        overfit_batch: false,
        init_from: None,
        data: Some(run::faces(folder, 500, 20)),
        data_absolute: None,
        class_names: Vec::new(),
        pixel_range: String::new(),
        image: [0; 3],
        standardised: None,
    };
    Settings {
        start: Start::New {
            config: Box::new(config),
            out: Out::Given(folder.join("run")),
            init_from: None,
            strict: false,
        },
        device: Selector::Default,
        limits: LimitChoice::Native,
        steps: None,
        checkpoint_every: Duration::from_secs(5),
        log_steps: true,
        check: false,
        host_data: false,
        pictures: false,
        started,
    }
}

#[test]
fn host_memory_stays_flat_over_5000_steps() {
    if own_bytes().is_none() {
        println!("skipped: this system has no /proc/self/status with RssAnon");
        return;
    }
    let folder = tempdir().expect("a folder");
    let started = Instant::now();
    let mut sizes = Vec::with_capacity(STEPS as usize);
    let mut observe = |event: Event| {
        if let Event::Step { .. } = event {
            sizes.push(own_bytes().expect("read before"));
        }
    };
    let summary = train::run(
        settings(folder.path(), started),
        &AtomicBool::new(false),
        &mut observe,
    )
    .expect("a good run");
    assert_eq!((summary.steps, sizes.len()), (STEPS, STEPS as usize));
    let at = |step: u64| sizes[step as usize - 1];
    let highest = sizes[WARM as usize..].iter().max().expect("steps");
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "own memory: {} bytes after {WARM} steps, {} after {STEPS}, {highest} at most between; {seconds:.0} s",
        at(WARM),
        at(STEPS),
    );
    assert!(at(STEPS) - at(WARM) < LARGEST_GROWTH);
}
