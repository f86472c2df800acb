//! Peak memory of the whole seed network over init, steps, validation, save and resume, on an
//! adapter whose device memory is the host's.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/run.rs"]
mod run;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::tempdir;

/// Keras on JAX takes 1.8 GB for the same, on TensorFlow 2.7.
const LIMIT: u64 = 1_700_000_000;

/// Runs a command to its good end; its peak resident bytes (VmHWM).
fn peak(mut command: Command) -> u64 {
    let mut child = command
        .stdout(Stdio::null())
        .spawn()
        .expect("the command runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(Path::new(&status)).unwrap_or_default();
        if let Some(line) = text.lines().find(|l| l.starts_with("VmHWM")) {
            let kib: u64 = line
                .split_whitespace()
                .nth(1)
                .and_then(|n| n.parse().ok())
                .expect("a number");
            peak = peak.max(kib * 1024);
        }
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "{command:?}: {status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_seed_network_stays_below_its_memory_limit() {
    let folder = tempdir().expect("a folder");
    let data = run::faces(folder.path(), 130, 70);
    let out = folder.path().join("run");
    let mut train = run::fer_gpu();
    train
        .args(["train", "--device", "vulkan", "--epochs", "2", "--data"])
        .arg(&data)
        .arg("--out")
        .arg(&out);
    let first = peak(train);
    let mut resume = run::fer_gpu();
    resume
        .args(["train", "--device", "vulkan", "--epochs", "3", "--resume"])
        .arg(&out);
    let second = peak(resume);
    println!("peak: {first} bytes, resumed: {second} bytes");
    assert!(
        first > 1_000_000_000,
        "the weights alone take that: {first}"
    );
    assert!(first.max(second) <= LIMIT, "{first}, {second}");
}
