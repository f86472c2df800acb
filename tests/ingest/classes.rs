//! Names of classes travel with data and weights, so that one order cannot be taken for another; sources are
//! trained on directly, imported once.

use super::run::{fer_gpu, stderr, succeed};
use super::sources::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::tempdir;

/// A run of one epoch on a source, its import in a cache of its own.
fn train_on(folder: &Path, source: &Path, run: &Path) {
    succeed(with_cache(folder, |command| {
        command.args(["train", "--json", "--model", "inception-gap"]);
        command.args(["--batch", "7", "--epochs", "1", "--data"]);
        command.arg(source).arg("--out").arg(run);
    }));
}

/// Such a run on the CSV: the CSV, the run.
fn run_on_csv(folder: &Path) -> (PathBuf, PathBuf) {
    let source = write(&folder.join("fer2013.csv"), csv_of(&rows()));
    let run = folder.join("run");
    train_on(folder, &source, &run);
    (source, run)
}

fn with_cache(folder: &Path, arguments: impl FnOnce(&mut Command)) -> Command {
    let mut command = fer_gpu();
    command.env("FER_GPU_CACHE", folder.join("cache"));
    arguments(&mut command);
    command
}

fn evaluate(folder: &Path, run: &Path, data: &Path) -> Output {
    let mut command = with_cache(folder, |command| {
        command
            .args(["evaluate", "--json"])
            .arg(run)
            .arg("--data")
            .arg(data);
    });
    command.output().expect("it runs")
}

fn object(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn a_csv_and_folders_of_another_order_are_evaluated_alike() {
    let folder = tempdir().expect("a folder");
    let (source, run) = run_on_csv(folder.path());
    // The same test images as pictures, whose classes are numbered by their names.
    let mut few = rows();
    few.retain(|row| row.0 != "PrivateTest");
    let root = folder.path().join("pictures");
    for (at, (usage, label, pixels)) in few.iter().enumerate() {
        let part = if *usage == "Training" {
            "train"
        } else {
            "test"
        };
        let class = fer_gpu::data::FER_CLASSES[*label as usize];
        let pixels: Vec<u8> = pixels
            .split(' ')
            .map(|n| n.parse().expect("a byte"))
            .collect();
        picture(
            &root.join(part).join(class).join(format!("{at}.png")),
            &pixels,
        );
    }
    let own = object(&evaluate(folder.path(), &run, &source));
    let output = evaluate(folder.path(), &run, &root);
    let other = object(&output);
    assert!(
        stderr(&output).contains("matched by name"),
        "{}",
        stderr(&output)
    );
    for key in ["accuracy", "top2", "macro_f1", "rows", "classes"] {
        assert_eq!(own[key], other[key], "{key}");
    }
    assert_eq!(own["confusion"], other["confusion"]);
    let loss = |value: &serde_json::Value| value["loss"].as_f64().expect("a loss");
    assert!((loss(&own) - loss(&other)).abs() < 1e-6);

    // A class that the network does not know.
    picture(&root.join("train/bored/1.png"), &[1; 2304]);
    let output = evaluate(folder.path(), &run, &root);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("bored"), "{}", stderr(&output));
}

#[test]
fn names_in_any_script_travel_with_the_weights() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("größe");
    for (at, (usage, label, pixels)) in rows().iter().enumerate() {
        let part = if *usage == "Training" {
            "train"
        } else {
            "test"
        };
        let class = ["fröhlich", "悲しい"][*label as usize % 2];
        let pixels: Vec<u8> = pixels
            .split(' ')
            .map(|n| n.parse().expect("a byte"))
            .collect();
        picture(
            &root.join(part).join(class).join(format!("{at}.png")),
            &pixels,
        );
    }
    let run = folder.path().join("rün");
    train_on(folder.path(), &root, &run);
    let told = object(&evaluate(folder.path(), &run, &root));
    assert_eq!(told["classes"], serde_json::json!(["fröhlich", "悲しい"]));
    succeed(with_cache(folder.path(), |command| {
        command
            .args(["train", "--json", "--epochs", "2", "--resume"])
            .arg(&run);
    }));
}

#[test]
fn a_damaged_import_is_made_anew() {
    let folder = tempdir().expect("a folder");
    let (source, run) = run_on_csv(folder.path());
    let entries = fs::read_dir(folder.path().join("cache")).expect("a cache");
    let cached = entries
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("an import");
    fs::write(cached.join("X_train.npy"), "cut").expect("written");
    object(&evaluate(folder.path(), &run, &source));
    assert!(
        fs::metadata(cached.join("X_train.npy"))
            .expect("arrays")
            .len()
            > 2304
    );
    fs::remove_file(cached.join("import.json")).expect("removed");
    object(&evaluate(folder.path(), &run, &source));
    assert!(cached.join("import.json").exists());
}

#[test]
fn a_source_is_imported_once_and_again_when_it_changes() {
    let folder = tempdir().expect("a folder");
    let (source, run) = run_on_csv(folder.path());
    let imports = || {
        let entries = fs::read_dir(folder.path().join("cache")).expect("a cache");
        let mut names: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        names
    };
    let first = imports();
    assert_eq!(first.len(), 1, "{first:?}");
    let arrays = first[0].join("X_train.npy");
    let written = fs::metadata(&arrays)
        .expect("arrays")
        .modified()
        .expect("a time");
    succeed(with_cache(folder.path(), |command| {
        command
            .args(["train", "--json", "--epochs", "2", "--resume"])
            .arg(&run);
    }));
    assert_eq!(imports(), first);
    assert_eq!(
        fs::metadata(&arrays)
            .expect("arrays")
            .modified()
            .expect("a time"),
        written
    );

    // Other contents: a run does not go on with them, and they are imported beside.
    let mut other = rows();
    other[0].2 = other[1].2.clone();
    other.push(("Training", 0, "1 2 3".into()));
    write(&source, csv_of(&other));
    let output = with_cache(folder.path(), |command| {
        command
            .args(["train", "--json", "--epochs", "3", "--resume"])
            .arg(&run);
    });
    let output = { output }.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("this run has data of hash"), "{said}");
    assert!(
        said.contains("1 row of") && said.contains("could not be read"),
        "{said}"
    );
    assert_eq!(imports().len(), 2);
}

#[test]
fn a_run_does_not_go_on_with_other_names() {
    let folder = tempdir().expect("a folder");
    let data = super::run::faces(folder.path(), 16, 8);
    let run = folder.path().join("run");
    let mut command = super::run::train(&data, &["--epochs", "1", "--out"]);
    command.arg(&run);
    succeed(command);
    let names = fs::read_to_string(data.join("classes.json")).expect("names");
    let swapped = names
        .replace("angry", "x")
        .replace("happy", "angry")
        .replace("\"x\"", "\"happy\"");
    assert_ne!(names, swapped);
    fs::write(data.join("classes.json"), swapped).expect("written");
    let output = fer_gpu()
        .args(["train", "--json", "--epochs", "2", "--resume"])
        .arg(&run)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("the classes"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_part_for_validation_is_taken_out_and_looked_at() {
    let folder = tempdir().expect("a folder");
    let data = super::run::faces(folder.path(), 70, 7);
    let out = folder.path().join("parted");
    let mut command = fer_gpu();
    command.args([
        "data", "split", "--json", "--rows", "14", "--seed", "1", "--out",
    ]);
    command.arg(&out).arg(&data);
    let told = &succeed(command)[0];
    assert_eq!(told["test"], serde_json::json!([2, 2, 2, 2, 2, 2, 2]));
    let mut command = fer_gpu();
    command.args(["data", "check", "--json"]).arg(&out);
    let told = &succeed(command)[0];
    assert_eq!(told["train"]["rows"], 56);
    assert_eq!(told["test"]["rows"], 14);
    assert_eq!(told["shared"], serde_json::json!([]));
    assert_eq!(told["range"], "0..255");
    let output = fer_gpu()
        .args(["data", "check"])
        .arg(&out)
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    for said in ["different images", "surprise", "48 x 48 x 1"] {
        assert!(text.contains(said), "{text}");
    }
}
