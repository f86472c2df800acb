//! How the command speaks: alone, in groups, in colour or without, quietly; what shells and `man` are given.

#[path = "common/run.rs"]
mod run;

use run::{faces, fer_gpu, stderr, succeed, train};
use std::fs;
use std::process::Output;
use tempfile::tempdir;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn alone_it_tells_where_one_is() {
    let folder = tempdir().expect("a folder");
    let alone = || {
        let mut command = fer_gpu();
        let output = command
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    let (shown, next) = alone();
    assert!(
        shown.contains("adapter  ") && shown.contains("runs     none"),
        "{shown}"
    );
    assert!(next.contains("next: fer-gpu train"), "{next}");

    // A run that is done and one that was stopped.
    let data = faces(folder.path(), 16, 8);
    let mut done = train(&data, &["--epochs", "1", "--out"]);
    done.arg(folder.path().join("runs/done"));
    succeed(done);
    let mut stopped = train(&data, &["--epochs", "3", "--steps", "1", "--out"]);
    stopped.arg(folder.path().join("stopped here"));
    succeed(stopped);
    let (shown, next) = alone();
    for said in [
        "runs/done",
        "1 of 1 epochs",
        "val_accuracy",
        "stopped here",
        "no epoch has ended",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(
        next.contains("next: fer-gpu train --resume 'stopped here'"),
        "{next}"
    );
    assert!(next.contains("fer-gpu evaluate runs/done"), "{next}");
    // What is no run, or a broken one, does no harm.
    fs::create_dir(folder.path().join("broken")).expect("made");
    fs::write(folder.path().join("broken/config.json"), "{").expect("written");
    assert_eq!(alone().0, shown);
}

#[test]
fn colours_are_for_terminals_and_who_asks() {
    let refused = |arguments: &[&str], no_color: bool| {
        let mut command = fer_gpu();
        command.args(arguments).args(["summary", "--model", "vgg"]);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    assert!(refused(&[], false).starts_with("error: no model `vgg`"));
    assert!(refused(&["--color", "always"], false).contains("\u{1b}["));
    assert!(!refused(&["--color", "never"], false).contains('\u{1b}'));
    assert!(!refused(&[], true).contains('\u{1b}'));
}

#[test]
fn an_error_has_its_remedy_on_a_line_of_its_own() {
    let folder = tempdir().expect("a folder");
    let output = fer_gpu()
        .args(["evaluate", "nothing", "--color", "never"])
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let output = fer_gpu()
        .args(["data", "import", "."])
        .arg("--out")
        .arg(folder.path().join("out"))
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].starts_with("error: ") && lines[1].starts_with("help: "),
        "{told}"
    );
}

#[test]
fn quiet_leaves_results_alone() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("sample");
    let mut command = fer_gpu();
    command.args([
        "data", "sample", "--train", "14", "--test", "7", "--quiet", "--out",
    ]);
    let output = command.arg(&out).output().expect("it runs");
    assert!(stdout(&output).contains("14 training"));
    assert_eq!(stderr(&output), "");
    let mut command = train(&out, &["--epochs", "1", "-q", "--out"]);
    let output = command
        .arg(folder.path().join("run"))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("\"event\":\"epoch\""));
    assert_eq!(stderr(&output), "");
}

/// Whatever is named for output: a file of a run, of a data set, or of somebody else stays.
#[test]
fn outputs_replace_nothing_that_was_not_made_here() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let run = folder.path().join("run");
    let mut command = train(&data, &["--epochs", "1", "--out"]);
    command.arg(&run);
    succeed(command);
    let at = |name: &str| folder.path().join(name);
    image::GrayImage::new(4, 4)
        .save(at("photo.png"))
        .expect("saved");
    fs::write(at("keep.html"), "<p>mine").expect("written");
    let (run, data) = (run.to_str().expect("text"), data.to_str().expect("text"));
    let of_run = |name: &str| format!("{run}/{name}");
    let of_data = |name: &str| format!("{data}/{name}");
    let (photo, page) = (at("photo.png"), at("keep.html"));
    let (photo, page) = (photo.to_str().expect("text"), page.to_str().expect("text"));
    let cases: Vec<(Vec<&str>, String)> = vec![
        (vec!["report", run, "-o"], of_run("history.csv")),
        (vec!["report", run, "-o"], of_run("resume.safetensors")),
        (vec!["report", run, "-o"], page.into()),
        (vec!["report", run, "-o"], photo.into()),
        (
            vec!["data", "check", data, "--sheet"],
            of_data("X_train.npy"),
        ),
        (
            vec!["data", "check", data, "--sheet"],
            of_data("classes.json"),
        ),
        (vec!["data", "check", data, "--sheet"], photo.into()),
        (vec!["data", "preview", data, "-o"], of_data("y_train.npy")),
        (vec!["data", "preview", data, "-o"], photo.into()),
        (vec!["evaluate", run, "--csv"], of_data("X_test.npy")),
        (vec!["evaluate", run, "--csv"], of_run("history.csv")),
        (vec!["evaluate", run, "--csv"], photo.into()),
        (vec!["export", run, "-o"], of_run("resume.safetensors")),
        (vec!["export", run, "-o"], of_run("last.safetensors")),
        (
            vec!["plot-model", "--model", "inception-gap", "-o"],
            photo.into(),
        ),
    ];
    for (arguments, place) in cases {
        let before = fs::read(&place).expect("a file");
        let output = fer_gpu()
            .args(&arguments)
            .arg(&place)
            .output()
            .expect("it runs");
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?} {place}: {}",
            stderr(&output)
        );
        assert_eq!(
            fs::read(&place).expect("a file"),
            before,
            "{arguments:?} {place}"
        );
    }
    // What a command made it may make again.
    for (arguments, name) in [
        (vec!["report", run, "-o"], "page.html"),
        (vec!["data", "check", data, "--sheet"], "sheet.png"),
        (vec!["data", "preview", data, "-o"], "preview.png"),
        (vec!["evaluate", run, "--csv"], "table.csv"),
        (vec!["export", run, "-o"], "model.onnx"),
        (
            vec!["plot-model", "--model", "inception-gap", "-o"],
            "model.png",
        ),
    ] {
        for _ in 0..2 {
            let output = fer_gpu()
                .args(&arguments)
                .arg(at(name))
                .output()
                .expect("it runs");
            assert!(output.status.success(), "{name}: {}", stderr(&output));
        }
    }
}

#[test]
fn shells_and_man_get_what_they_read() {
    let folder = tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = fer_gpu()
            .args(["completions", shell])
            .output()
            .expect("it runs");
        let script = stdout(&output);
        assert!(
            script.contains("fer-gpu") && script.contains("plot-model"),
            "{shell}"
        );
    }
    let output = fer_gpu()
        .args(["man", "--out"])
        .arg(folder.path())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    for (page, said) in [
        ("fer-gpu.1", "predict"),
        ("fer-gpu-data-import.1", "\\-\\-strict"),
    ] {
        let text = fs::read_to_string(folder.path().join(page)).expect(page);
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{text}");
        assert!(text.contains(said), "{page} lacks {said}");
    }
}

#[test]
fn help_is_short_by_h_and_whole_by_help() {
    let help = |arguments: &[&str]| stdout(&fer_gpu().args(arguments).output().expect("it runs"));
    let (short, long) = (help(&["train", "-h"]), help(&["train", "--help"]));
    for option in ["--data", "--model", "--epochs", "--lr", "--resume"] {
        assert!(short.contains(option) && long.contains(option), "{option}");
    }
    for option in ["--checkpoint-minutes", "--accept-unhashed", "--host-data"] {
        assert!(!short.contains(option) && long.contains(option), "{option}");
    }
    let whole = help(&["--help"]);
    for heading in ["Train and use:", "Data and files:", "This machine:"] {
        assert!(whole.contains(heading), "{whole}");
    }
}
