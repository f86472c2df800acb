//! How a run learns, beside its rule: whatever is in play, a run that was stopped goes on to the bits of one that
//! was not, a recipe makes its run again, and each part does what it says.

mod common;
#[path = "common/run.rs"]
mod run;

use run::{bytes, faces, fer_gpu, resume, same, stderr, succeed, train};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

/// Everything at once.
const ALL: &[&str] = &[
    "--optimizer",
    "SGD",
    "--momentum",
    "0.9",
    "--nesterov",
    "--lr",
    "0.05",
    "--weight-decay",
    "0.01",
    "--decay",
    "kernels",
    "--global-clipnorm",
    "0.5",
    "--schedule",
    "cosine",
    "--warmup-epochs",
    "1",
    "--ema",
    "0.9",
    "--early-stopping",
    "5",
    "--reduce-on-plateau",
    "1",
];

fn run_in(folder: &Path, data: &Path, name: &str, extra: &[&[&str]]) -> PathBuf {
    let out = folder.join(name);
    let mut command = train(data, &extra.concat());
    command.arg("--log-steps").arg("--out").arg(&out);
    succeed(command);
    out
}

#[test]
fn with_all_in_play_runs_go_on_to_the_same_bits() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let run = |name: &str, extra: &[&str]| run_in(folder.path(), &data, name, &[ALL, extra]);
    for shards in ["1", "4"] {
        let cut = ["--epochs", "3", "--shards", shards];
        let whole = run(&format!("whole-{shards}"), &cut);
        let parts = run(
            &format!("parts-{shards}"),
            &[&cut[..], &["--steps", "5"]].concat(),
        );
        resume(&parts, &["--steps", "4"]);
        resume(&parts, &[]);
        same(&whole, &parts);
        for name in ["average.safetensors", "recipe.toml"] {
            assert!(bytes(&whole, name) == bytes(&parts, name), "{name}");
        }
        assert!(bytes(&whole, "average.safetensors") != bytes(&whole, "last.safetensors"));
        // The average was validated, and the best is one.
        let history = fs::read_to_string(whole.join("history.csv")).expect("a history");
        assert!(history.starts_with(
            "epoch,loss,accuracy,val_loss,val_accuracy,seconds,learning_rate,val_weights\n"
        ));
        assert!(
            history
                .lines()
                .skip(1)
                .all(|line| line.ends_with(",average"))
        );
    }
    let [one, four] =
        ["whole-1", "whole-4"].map(|name| bytes(&folder.path().join(name), "last.safetensors"));
    assert!(one != four, "the bits depend on the shards");
}

#[test]
fn its_recipe_makes_a_run_again() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let whole = run_in(folder.path(), &data, "whole", &[ALL, &["--epochs", "2"]]);
    let again = folder.path().join("again");
    let mut command = fer_gpu();
    command.args(["train", "--json", "--no-report", "--log-steps", "--recipe"]);
    command
        .arg(whole.join("recipe.toml"))
        .arg("--data")
        .arg(&data);
    command.arg("--out").arg(&again);
    succeed(command);
    for name in [
        "last.safetensors",
        "best.safetensors",
        "average.safetensors",
        "steps.csv",
        "recipe.toml",
    ] {
        assert!(bytes(&whole, name) == bytes(&again, name), "{name}");
    }
}

/// Two halves of a batch have the gradients of the whole, but for rounding.
#[test]
fn shards_learn_what_a_whole_batch_does() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let run = |shards: &str| {
        let out = run_in(
            folder.path(),
            &data,
            shards,
            &[&["--epochs", "2", "--shards", shards]],
        );
        let steps = fs::read_to_string(out.join("steps.csv")).expect("steps");
        let loss = |line: &str| line.split(',').nth(1).and_then(|n| n.parse::<f64>().ok());
        steps.lines().filter_map(loss).collect::<Vec<f64>>()
    };
    let whole = run("1");
    assert_eq!(whole.len(), 8);
    for shards in ["2", "8"] {
        let parts = run(shards);
        assert_eq!(parts.len(), whole.len());
        for (a, b) in whole.iter().zip(parts) {
            assert!((a - b).abs() <= 1e-5 * a, "{shards} shards: {a} and {b}");
        }
    }
}

#[test]
fn every_dispatch_of_a_step_of_shards_is_held_against_its_reference() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    for shards in ["1", "2"] {
        let out = folder.path().join(shards);
        let mut command = train(&data, ALL);
        command
            .args(["--check", "--steps", "1", "--shards", shards, "--out"])
            .arg(&out);
        let output = command.output().expect("the command runs");
        assert!(output.status.success(), "{}", stderr(&output));
        let checked = stderr(&output).matches("ok, worst error").count();
        assert!(checked > 25, "{checked} dispatches of {shards} shards");
    }
}

#[test]
fn a_run_that_no_longer_improves_ends_early_and_stays_so() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    // A rate at which nothing changes: no epoch is better than the first.
    let still = [
        "--optimizer",
        "sgd",
        "--lr",
        "1e-30",
        "--epochs",
        "9",
        "--early-stopping",
        "2",
    ];
    let out = run_in(folder.path(), &data, "still", &[&still]);
    let history = fs::read_to_string(out.join("history.csv")).expect("a history");
    assert_eq!(history.lines().count(), 1 + 3, "{history}");
    let mut again = fer_gpu();
    again.args(["train", "--resume"]).arg(&out);
    let output = again.output().expect("the command runs");
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("early stopping"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_plateau_takes_the_rate_down() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let still = [
        "--optimizer",
        "sgd",
        "--lr",
        "1e-30",
        "--epochs",
        "4",
        "--reduce-on-plateau",
        "1",
    ];
    let out = run_in(folder.path(), &data, "still", &[&still]);
    let history = fs::read_to_string(out.join("history.csv")).expect("a history");
    let rate = |line: &str| line.split(',').nth(6).and_then(|n| n.parse::<f64>().ok());
    let rates: Vec<f64> = history.lines().filter_map(rate).collect();
    for (rate, expected) in rates.iter().zip([1e-30, 1e-30, 1e-31, 1e-32]) {
        assert!((rate / expected - 1.0).abs() < 1e-9, "{rates:?}");
    }
}

/// Frozen tensors keep their bits, the others do not, and nothing is computed for what lies below the first trained
/// layer.
#[test]
fn frozen_tensors_stay_as_they_are() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let first = run_in(folder.path(), &data, "first", &[&["--epochs", "1"]]);
    let from = first.join("last.safetensors");
    let from = from.to_str().expect("a path");
    let frozen = [
        "--epochs",
        "1",
        "--init-from",
        from,
        "--strict",
        "--freeze",
        "mid_1/*",
    ];
    let second = run_in(folder.path(), &data, "second", &[&frozen]);
    let tensors = |folder: &Path| {
        let bytes = bytes(folder, "last.safetensors");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("a file of tensors");
        let one = |name: &str| {
            (
                name.to_string(),
                file.tensor(name).expect("a tensor").data().to_vec(),
            )
        };
        file.names()
            .into_iter()
            .map(one)
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (before, after) = (tensors(&first), tensors(&second));
    for (name, values) in &before {
        assert_eq!(after[name] == *values, name.starts_with("mid_1/"), "{name}");
    }
    let mut command = train(&data, &["--freeze", "no_such/*", "--out"]);
    let output = command
        .arg(folder.path().join("none"))
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no_such/*"), "{}", stderr(&output));
}

#[test]
fn what_no_run_can_have_is_refused_in_one_line() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let recipe = folder.path().join("wrong.toml");
    fs::write(
        &recipe,
        "epochs = 3\n[optimizer]\ntype = \"sgd\"\nmomentun = 0.9\n",
    )
    .expect("a file");
    let recipe = recipe.to_str().expect("a path");
    let cases: &[(&[&str], &str)] = &[
        (&["--shards", "3"], "shards 3"),
        (&["--shards", "16"], "a batch of 8"),
        (&["--ema", "1"], "ema 1"),
        (&["--label-smoothing", "1.5"], "label_smoothing 1.5"),
        (&["--class-weights", "1,2"], "2 weights for 7 classes"),
        (&["--recipe", "no-such"], "no recipe `no-such`"),
        (&["--recipe", recipe], "momentun"),
        (
            &["--optimizer", "rmsprop", "--nesterov"],
            "nesterov is nothing that rmsprop takes",
        ),
    ];
    for (options, expected) in cases {
        let mut command = train(&data, options);
        let output = command
            .arg("--out")
            .arg(folder.path().join("none"))
            .output()
            .expect("it runs");
        assert_eq!(
            output.status.code(),
            Some(2),
            "{options:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(expected),
            "{options:?}: {}",
            stderr(&output)
        );
        assert!(
            !folder.path().join("none").exists(),
            "{options:?} left a folder"
        );
    }
}
