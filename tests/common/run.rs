//! Runs the command as a user would.
#![allow(dead_code)]

use fer_gpu::data::Dataset;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn fer_gpu() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer-gpu"));
    command.env_remove("FER_GPU_KILL_AT");
    command.env_remove("FER_GPU_LOSE_DEVICE_AT");
    command.env_remove("FER_GPU_DISK_FULL");
    #[cfg(unix)]
    heeds_signals(&mut command);
    command
}

/// A script's background job ignores SIGINT, one under nohup SIGHUP, and what it begins would too.
#[cfg(unix)]
fn heeds_signals(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let reset = || {
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
            // SAFETY: the default action has no handler of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: signal() may be called between fork and exec.
    unsafe { command.pre_exec(reset) };
}

/// What was told, an error and its remedy on one line.
pub fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    // Drivers chat there too.
    let ours = text
        .lines()
        .filter(|l| !l.contains("XDG_RUNTIME_DIR") && !l.starts_with("MESA"));
    let mut told = String::new();
    for line in ours {
        if line.starts_with("help: ") && told.ends_with('\n') {
            told.pop();
            told.push_str("; ");
        }
        told += &format!("{line}\n");
    }
    told
}

/// A small data set on the disk: `train` and `test` sample faces.
pub fn faces(folder: &Path, train: usize, test: usize) -> PathBuf {
    let data = folder.join(format!("faces-{train}-{test}"));
    Dataset::sample_faces(7, [train, test])
        .write(&data)
        .expect("a data set is written");
    data
}

/// `fer-gpu train` of the small network with small batches, JSON on stdout; no report, which is a second device
/// and one more pass.
pub fn train(data: &Path, extra: &[&str]) -> Command {
    let mut command = fer_gpu();
    command
        .args([
            "train",
            "--model",
            "inception-gap",
            "--batch",
            "8",
            "--json",
            "--no-report",
            "--data",
        ])
        .arg(data)
        .args(extra);
    command
}

/// Runs to the end, which must be a good one; the JSON lines of stdout.
pub fn succeed(mut command: Command) -> Vec<serde_json::Value> {
    let output = command.output().expect("the command runs");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        stderr(&output)
    );
    let text = String::from_utf8(output.stdout).expect("utf-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect()
}

pub fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{}/{name}: {e}", folder.display()))
}

/// Weights, step log and history of two runs are equal.
pub fn same(a: &Path, b: &Path) {
    for name in ["last.safetensors", "best.safetensors", "steps.csv"] {
        assert!(
            bytes(a, name) == bytes(b, name),
            "{name} differs between {} and {}",
            a.display(),
            b.display()
        );
    }
    let figures = |folder: &Path| -> Vec<String> {
        let text = String::from_utf8(bytes(folder, "history.csv")).expect("utf-8");
        // All but the seconds; averages have a column of their own.
        let columns_of = text.lines().next().map(|header| header.split(',').count());
        assert_eq!(
            columns_of,
            Some(7 + usize::from(text.contains(",val_weights\n")))
        );
        let figures = |line: &str| {
            let mut columns: Vec<&str> = line.split(',').collect();
            assert_eq!(Some(columns.len()), columns_of, "{line}");
            columns.remove(5);
            columns.join(",")
        };
        text.lines().map(figures).collect()
    };
    assert_eq!(figures(a), figures(b));
}

/// Goes on with a run, to its good end.
pub fn resume(folder: &Path, extra: &[&str]) -> Vec<serde_json::Value> {
    let mut command = fer_gpu();
    command
        .args(["train", "--json", "--no-report", "--log-steps", "--resume"])
        .arg(folder)
        .args(extra);
    succeed(command)
}
