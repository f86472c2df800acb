//! What `fer-gpu` refuses, how its runs end, and what it prints without data.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/run.rs"]
mod run;

mod bad_input;
mod runs;

use run::{faces, fer_gpu, stderr, train};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::tempdir;

/// Runs what must be refused: exit code 2, at most three short lines that name `needle`.
fn refused(mut command: Command, needle: &str) {
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(
        text.contains(needle),
        "{command:?}: `{needle}` is not in: {text}"
    );
    assert!(
        text.lines().filter(|l| !l.is_empty()).count() <= 7 && text.len() < 700,
        "{text}"
    );
}

/// An npy file by hand: version 1, any header, any data.
fn npy(path: &Path, header: &str, data: &[u8]) {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let padded = (header.len() + 1 + 10).next_multiple_of(64) - 10;
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:w$}\n", w = padded - 1).bytes());
    bytes.extend(data);
    fs::write(path, bytes).expect("an npy file is written");
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
}

/// A good set whose files a case then breaks.
fn good(folder: &Path, name: &str) -> PathBuf {
    let data = folder.join(name);
    fs::rename(faces(folder, 16, 8), &data).expect("renamed");
    data
}

fn run_in(folder: &Path, name: &str, data: &Path, extra: &[&str]) -> (Output, PathBuf) {
    let out = folder.join(name);
    let mut command = train(data, extra);
    command.arg("--out").arg(&out);
    (command.output().expect("the command runs"), out)
}

/// What `--init-from` takes: weights whose hash was forgotten by whoever changed them.
fn forgotten(mut weights: Vec<u8>) -> Vec<u8> {
    for key in ["\"fer-gpu\"", "\"xxh3-128\""] {
        let at = weights
            .windows(key.len())
            .position(|w| w == key.as_bytes())
            .expect("a key");
        weights[at + 1] = b'_';
    }
    weights
}

#[test]
fn summary_and_plan_print_without_data() {
    for (arguments, needle) in [
        (&["summary"] as &[&str], "83,760,487"),
        (&["summary", "--model", "inception-gap"], "9,187"),
        (&["plan", "--model", "inception"], "Device memory"),
        (
            &["plan", "--model", "inception-gap", "--limits", "webgpu"],
            "Device memory",
        ),
    ] {
        let output = fer_gpu()
            .args(arguments)
            .output()
            .expect("the command runs");
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).expect("utf-8");
        assert!(text.contains(needle), "{arguments:?}: {text}");
    }
}

#[test]
fn sample_faces_are_written_once() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("faces");
    let sample = || {
        let mut command = fer_gpu();
        command
            .args(["data", "sample", "--train", "14", "--test", "7", "--out"])
            .arg(&out);
        command
    };
    assert!(sample().status().expect("the command runs").success());
    assert_eq!(
        fs::metadata(out.join("X_train.npy")).expect("a file").len(),
        128 + 14 * 2304
    );
    refused(sample(), "exists");
}
