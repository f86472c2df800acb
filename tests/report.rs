//! The page about a run, and the curves: what is in them, and that they load nothing whatever names say.

#[path = "common/run.rs"]
mod run;

use fer_gpu::report::{Mistake, Outcome, page};
use fer_gpu::score::Tally;
use fer_gpu::train::{Config, EpochRow, Regime};
use run::{faces, fer_gpu, stderr};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::tempdir;

/// `fer-gpu train` of a few steps, with a report.
fn trained(
    folder: &Path,
    name: &str,
    data: &Path,
    extra: &[&str],
) -> (Vec<serde_json::Value>, PathBuf) {
    let out = folder.join(name);
    let mut command = fer_gpu();
    command
        .args([
            "train",
            "--model",
            "inception-gap",
            "--batch",
            "8",
            "--json",
        ])
        .args(["--epochs", "2", "--data"])
        .arg(data)
        .arg("--out")
        .arg(&out)
        .args(extra);
    (run::succeed(command), out)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What a page must not do, whatever is in it.
fn loads_nothing(page: &str) {
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">";
    assert_eq!(page.matches(policy).count(), 1);
    // What stands in pictures is no address.
    let mut parts = page.split(";base64,");
    let mut text = parts.next().expect("a page").to_string();
    parts.for_each(|part| text += part.split_once('"').expect("its end").1);
    for forbidden in [
        "http:", "https:", "//", "url(", "@import", "href=", "<script", "<link", "<iframe", "<base",
    ] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    let sources = page.matches(" src=\"").count();
    let pictures = page.matches("<img src=\"data:image/png;base64,").count();
    assert_eq!(sources, pictures);
}

/// What it tells.
fn succeeds(mut command: Command) -> String {
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_run_ends_with_curves_and_a_page() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 9);
    let (events, out) = trained(folder.path(), "run", &data, &[]);
    let history = read(&out.join("history.csv"));
    assert!(
        history.starts_with("epoch,loss,accuracy,val_loss,val_accuracy,seconds,learning_rate\n")
    );
    assert!(
        history.lines().skip(1).all(|line| line.ends_with(",0.001")),
        "{history}"
    );
    let curves = read(&out.join("curves.svg"));
    assert!(curves.contains("<title>epoch 2\ntraining: ") && curves.contains(">Learning rate<"));

    let text = read(&out.join("report.html"));
    loads_nothing(&text);
    let done = events.last().expect("a last event");
    let hash = done["weights_hash"].as_str().expect("a hash");
    assert!(hash.len() == 32 && text.contains(hash));
    assert_eq!(
        done["report"],
        out.join("report.html").to_str().expect("a path")
    );
    let next = done["next"].as_array().expect("commands");
    assert_eq!(next.len(), 3);
    for needle in [
        "This page shows ",
        "--no-pictures",
        ">true class<",
        ">answered class<",
        "Most often taken for",
        "--lr 0.001 --optimizer adam --seed 0",
    ] {
        let found = text.to_lowercase().contains(&needle.to_lowercase());
        assert!(found, "{needle}");
    }
    // The figures are those of evaluate, and those of the best epoch.
    let mut evaluate = fer_gpu();
    evaluate.arg("evaluate").arg(&out).arg("--json");
    let score = &run::succeed(evaluate)[0];
    let accuracy = score["accuracy"].as_f64().expect("a number");
    assert_eq!(done["accuracy"].as_f64(), Some(accuracy));
    assert_eq!(done["best_val_loss"], score["loss"]);
    assert_eq!(done["macro_f1"], score["macro_f1"]);
    assert_eq!(done["distinct_accuracy"], score["distinct_accuracy"]);
    assert!(text.contains(&format!(
        "<span class=\"figure\">{:.2}\u{a0}%</span>",
        100.0 * accuracy
    )));
    let wrong = score["rows"].as_u64().expect("rows") - (9.0 * accuracy).round() as u64;
    assert_eq!(text.matches("<img ").count() as u64, wrong);

    // Made anew it is the same, and without pictures it has none.
    let again = |extra: &[&str]| {
        let mut command = fer_gpu();
        command.arg("report").arg(&out).args(extra);
        let told = succeeds(command);
        (told, read(&out.join("report.html")))
    };
    let (told, same) = again(&[]);
    assert!(
        same == text && told.contains("shows pictures of the data set"),
        "{told}"
    );
    let (told, without) = again(&["--no-pictures"]);
    loads_nothing(&without);
    assert!(!without.contains("<img") && !without.contains("This page shows"));
    assert!(without.contains("Their pictures were left out") && !told.contains("shows pictures"));
}

#[test]
fn switches_leave_out_pictures_and_the_page() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 9);
    let (_, out) = trained(folder.path(), "plain", &data, &["--no-pictures"]);
    let text = read(&out.join("report.html"));
    assert!(!text.contains("<img") && text.contains("<svg"));
    let (events, out) = trained(folder.path(), "none", &data, &["--no-report"]);
    assert!(!out.join("report.html").exists() && out.join("curves.svg").exists());
    let done = events.last().expect("a last event");
    assert!(
        done["report"].is_null() && done["weights_hash"].is_string(),
        "{done}"
    );
    // A run that was cut is not at its end.
    let (events, out) = trained(folder.path(), "cut", &data, &["--steps", "3"]);
    assert!(!out.join("report.html").exists());
    assert!(events.last().expect("a last event")["next"].is_null());
}

#[test]
fn several_runs_stand_side_by_side() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 9);
    let (_, one) = trained(folder.path(), "one", &data, &[]);
    let (_, two) = trained(
        folder.path(),
        "two",
        &data,
        &["--lr", "0.0123", "--seed", "5"],
    );
    let report = |extra: &[&str]| {
        let mut command = fer_gpu();
        command
            .current_dir(folder.path())
            .arg("report")
            .args(extra)
            .args([&one, &two]);
        command
    };
    succeeds(report(&["-o", "both.html", "--no-pictures"]));
    let text = read(&folder.path().join("both.html"));
    loads_nothing(&text);
    for needle in [
        "2 runs side by side",
        "What they differ in",
        "0.0123",
        "Recall, class by class",
        "one, validation: ",
    ] {
        assert!(text.contains(needle), "{needle}");
    }
    assert_eq!(text.matches(">answered class<").count(), 2);
    assert!(text.contains("one") && text.contains("two"));
    assert!(!folder.path().join("report.html").exists());
    // Here, if nobody says where; over a report, but over nothing else.
    succeeds(report(&[]));
    succeeds(report(&[]));
    let here = folder.path().join("report.html");
    assert!(read(&here).contains("<img "));
    fs::write(&here, "mine").expect("a file");
    let output = report(&[]).output().expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("another file"),
        "{}",
        stderr(&output)
    );
    assert_eq!(read(&here), "mine");
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 9);
    let (_, out) = trained(folder.path(), "run", &data, &["--no-report"]);
    let refused = |arguments: &[&Path], needle: &str| {
        let mut command = fer_gpu();
        command.arg("report").args(arguments);
        let output = command.output().expect("the command runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(needle), "{}", stderr(&output));
        assert!(!out.join("report.html").exists());
    };
    refused(&[&data], "config.json");
    refused(&[&folder.path().join("nowhere")], "config.json");
    refused(&[&out.join("best.safetensors")], "config.json");
    let over = out.join("best.safetensors");
    refused(&[&out, Path::new("-o"), &over], "a file of a run");
    let history = out.join("history.csv");
    let good = read(&history);
    // One of before there were rates is read.
    let old: Vec<&str> = good
        .lines()
        .map(|line| line.rsplit_once(',').expect("columns").0)
        .collect();
    fs::write(&history, old.join("\n")).expect("written");
    let page = folder.path().join("old.html");
    let mut command = fer_gpu();
    command.arg("report").arg(&out).arg("-o").arg(&page);
    succeeds(command);
    assert!(read(&page).contains("rate: 0.001"));
    fs::write(&history, good.replace("\n2,", "\n3,")).expect("written");
    refused(&[&out], "line 3: epoch 3 instead of 2");
    fs::write(&history, "epoch,loss\n1,much\n").expect("written");
    refused(&[&out], "history.csv");
}

/// A run with hostile names everywhere.
fn hostile(classes: usize) -> Outcome {
    let evil = "<script src=x>alert('&1')</script>\"><img src=//x>";
    let classes: Vec<String> = (0..classes).map(|i| format!("{evil}{i}")).collect();
    let mut tally = Tally::new(classes.clone(), None);
    let mut logits = vec![0.0; classes.len()];
    logits[1] = 2.0;
    tally.add(0, &logits);
    tally.add(1, &logits);
    logits[0] = f32::NAN;
    tally.add(1, &logits);
    let row = |epoch, val_loss, rate| EpochRow {
        epoch,
        loss: 1.0,
        accuracy: 0.5,
        val_loss,
        val_accuracy: 0.5,
        seconds: 1.0,
        learning_rate: rate,
    };
    Outcome {
        name: evil.into(),
        folder: PathBuf::from(format!("-runs/{evil}")),
        config: Config {
            model: evil.into(),
            model_file: None,
            epochs: 3,
            batch: 8,
            learning_rate: 0.5,
            optimizer: "sgd".into(),
            momentum: 0.9,
            nesterov: true,
            regime: Regime::default(),
            seed: 7,
            shuffle: false,
            overfit_batch: true,
            init_from: Some(evil.into()),
            data: Some("it's; rm -r $HOME".into()),
            data_absolute: None,
            class_names: classes,
            pixel_range: evil.into(),
            image: [8, 8, 1],
            standardised: None,
        },
        history: vec![
            row(1, f64::NAN, None),
            row(2, 0.9, Some(0.5)),
            row(3, 1.0, Some(0.05)),
        ],
        epoch: 2,
        parameters: 1,
        hash: "0".repeat(32),
        adapter: evil.into(),
        data: evil.into(),
        score: tally.report(f64::NAN, 1).expect("three rows"),
        mistakes: vec![Mistake {
            row: 0,
            truth: 0,
            answer: 1,
            probability: 0.75,
            of_truth: 0.125,
            png: Some(vec![1, 2, 3]),
        }],
        augmented: Some(vec![4, 5, 6]),
    }
}

#[test]
fn names_are_text_whatever_they_say() {
    for classes in [2, 61] {
        let runs = [hostile(classes), hostile(classes)];
        for runs in [&runs[..1], &runs] {
            let text = page(runs);
            for forbidden in ["<script", "<img src=//", "\"><img", "onerror="] {
                assert!(!text.contains(forbidden), "{forbidden}");
            }
            assert!(text.contains("&lt;script src=x&gt;"));
            // A mistake and the first batch of each.
            assert_eq!(text.matches("<img ").count(), 2 * runs.len());
            assert_eq!(text.matches(" src=\"").count(), 2 * runs.len());
            let pictures = format!("{} pictures of the data set", 2 * runs.len());
            assert!(text.contains(&pictures), "{pictures}");
            for picture in ["AQID", "BAUG"] {
                let source = format!("src=\"data:image/png;base64,{picture}\"");
                assert_eq!(text.matches(&source).count(), runs.len());
            }
            // Three rows, one of them without an answer.
            assert!(text.contains("1 image gave a number that is not finite"));
        }
    }
}

/// The command has every option, and says that the rate was changed on the way.
#[test]
fn the_command_makes_the_run_again() {
    let mut outcome = hostile(2);
    (outcome.config.model, outcome.config.init_from) =
        ("inception-gap".into(), Some("w.safetensors".into()));
    outcome.folder = "runs/a b".into();
    let text = page(&[outcome]);
    let unescaped = text.replace("&quot;", "\"");
    let expected = "fer-gpu train --model inception-gap --data 'it'\\''s; rm -r $HOME' --epochs 2 --batch 8 --lr 0.5 --optimizer sgd --momentum 0.9 --seed 7 --init-from w.safetensors --out 'runs/a b-again' --nesterov --no-shuffle --overfit-batch\nfer-gpu train --resume 'runs/a b-again' --epochs 3 --lr 0.05";
    assert!(unescaped.contains(expected), "{unescaped}");
}
