//! The networks of the box train: each learns a batch by heart, and one with everything in play goes on to the bits
//! of a run that was not stopped.

mod common;
#[path = "common/run.rs"]
mod run;

use run::{bytes, faces, fer_gpu, resume, same, succeed};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

fn train(data: &Path, out: &Path, options: &[&str]) {
    let mut command = fer_gpu();
    command.args(["train", "--json", "--no-report", "--log-steps", "--data"]);
    command.arg(data).arg("--out").arg(out).args(options);
    succeed(command);
}

/// Trains on one batch until every image of it is told right.
fn learns_by_heart(model: &str, options: &[&str]) {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 8, 8);
    let out = folder.path().join("run");
    let usual = ["--model", model, "--overfit-batch", "--batch", "8"];
    train(&data, &out, &[&usual, options].concat());
    let history = fs::read_to_string(out.join("history.csv")).expect("a history");
    let accuracy = |line: &str| line.split(',').nth(2).and_then(|n| n.parse::<f64>().ok());
    let best = history.lines().filter_map(accuracy).fold(0.0, f64::max);
    assert_eq!(best, 1.0, "{model}:\n{history}");
}

#[test]
fn mini_xception_learns_a_batch_by_heart() {
    learns_by_heart("mini-xception", &["--epochs", "8", "--lr", "0.005"]);
}

#[test]
fn fer_inception_learns_a_batch_by_heart() {
    learns_by_heart("fer-inception", &["--epochs", "8", "--lr", "0.003"]);
}

#[test]
fn mollahosseini_learns_a_batch_by_heart() {
    learns_by_heart("mollahosseini", &["--epochs", "25", "--lr", "0.0003"]);
}

#[test]
#[ignore = "minutes, and a gigabyte and a half"]
fn the_large_ones_learn_a_batch_by_heart() {
    for (model, epochs) in [
        ("inception-2", "40"),
        ("inception-3", "40"),
        ("googlenet-48", "120"),
    ] {
        learns_by_heart(model, &["--epochs", epochs, "--lr", "0.0005"]);
    }
}

/// Batch normalization, dropout, a schedule with warm-up, averages, plateaus, early stopping and L2.
#[test]
fn fer_inception_goes_on_to_the_same_bits_with_everything_in_play() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 20, 9);
    let all = [
        "--recipe",
        "fer-inception",
        "--batch",
        "8",
        "--epochs",
        "3",
        "--early-stopping",
        "5",
        "--reduce-on-plateau",
        "1",
    ];
    for shards in ["1", "2"] {
        let cut = [&all[..], &["--shards", shards]].concat();
        let [whole, parts] =
            ["whole", "parts"].map(|name| folder.path().join(name.to_string() + shards));
        train(&data, &whole, &cut);
        train(&data, &parts, &[&cut[..], &["--steps", "4"]].concat());
        // Stopped twice, once with shards.
        if shards == "1" {
            resume(&parts, &["--steps", "1"]);
        }
        resume(&parts, &[]);
        same(&whole, &parts);
        let name = "average.safetensors";
        assert!(bytes(&whole, name) == bytes(&parts, name), "{name}");
    }
}
