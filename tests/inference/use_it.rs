//! What a user does with a run: evaluates it, asks it, scripts it.

use crate::run::{faces, fer_gpu, stderr, succeed, train};
use fer_gpu::data::Dataset;
use image::{GrayImage, ImageFormat};
use ndarray_npy::ReadNpyExt;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::tempdir;

/// A file of weights from before files said how they are to be used, of one epoch on sample faces.
const OLD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/inference/before_records.safetensors"
);

fn trained(folder: &Path) -> (PathBuf, PathBuf, Vec<Value>) {
    let data = faces(folder, 60, 37);
    let run = folder.join("run");
    let out = run.to_str().expect("utf-8").to_string();
    let events = succeed(train(&data, &["--out", &out, "--epochs", "2"]));
    (data, run, events)
}

fn ask(weights: &Path, extra: &[&str]) -> Output {
    let mut command = fer_gpu();
    command.arg("predict").arg(weights).args(extra);
    command.output().expect("it runs")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("utf-8");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

fn evaluate(weights: &Path, extra: &[&str]) -> Value {
    let mut command = fer_gpu();
    command
        .arg("evaluate")
        .arg(weights)
        .arg("--json")
        .args(extra);
    succeed(command).remove(0)
}

#[test]
fn evaluate_gives_the_figures_of_the_history_to_the_last_digit() {
    let folder = tempdir().expect("a folder");
    let (data, run, events) = trained(folder.path());
    let epochs = events.iter().filter(|event| event["event"] == "epoch");
    let epochs: Vec<&Value> = epochs.collect();
    let last = epochs.last().expect("two epochs");
    let found = evaluate(&run, &["--last"]);
    assert_eq!(found["loss"], last["val_loss"]);
    assert_eq!(found["accuracy"], last["val_accuracy"]);
    assert_eq!(found["rows"], 37);
    let best = epochs.iter().min_by(|a, b| {
        let loss = |e: &Value| e["val_loss"].as_f64().expect("a loss");
        loss(a).total_cmp(&loss(b))
    });
    assert_eq!(
        evaluate(&run, &[])["loss"],
        best.expect("two epochs")["val_loss"]
    );
    // By file, on data that are named, in another batch: the answers are the same.
    let data = data.to_str().expect("utf-8");
    let file = run.join("last.safetensors");
    let other = evaluate(&file, &["--data", data, "--batch", "7"]);
    for member in [
        "accuracy",
        "top2",
        "macro_f1",
        "confusion",
        "per_class",
        "distinct_rows",
    ] {
        assert_eq!(other[member], found[member], "{member}");
    }
    let sum: u64 = found["confusion"]
        .as_array()
        .expect("rows")
        .iter()
        .flat_map(|row| {
            row.as_array()
                .expect("counts")
                .iter()
                .map(|count| count.as_u64().expect("a count"))
        })
        .sum();
    assert_eq!(sum, 37);
}

/// A validation folder needs no training images; where they are, images in both are counted.
#[test]
fn evaluate_counts_images_that_were_trained_on() {
    let folder = tempdir().expect("a folder");
    let (data, run, _) = trained(folder.path());
    let both = folder.path().join("both");
    fs::create_dir(&both).expect("a folder");
    for (from, to) in [
        ("X_train", "X_train"),
        ("y_train", "y_train"),
        ("X_train", "X_test"),
        ("y_train", "y_test"),
    ] {
        fs::copy(
            data.join(format!("{from}.npy")),
            both.join(format!("{to}.npy")),
        )
        .expect("copied");
    }
    let found = evaluate(&run, &["--data", both.to_str().expect("utf-8")]);
    assert_eq!(found["distinct_rows"], 0);
    assert_eq!(found["distinct_accuracy"], Value::Null);
    fs::remove_file(both.join("X_train.npy")).expect("removed");
    let csv = folder.path().join("classes.csv");
    let found = evaluate(
        &run,
        &[
            "--data",
            both.to_str().expect("utf-8"),
            "--csv",
            csv.to_str().expect("utf-8"),
        ],
    );
    assert_eq!(found["distinct_rows"], Value::Null);
    assert_eq!(fs::read_to_string(csv).expect("written").lines().count(), 8);
}

/// One picture's probabilities are the same bits alone, in a folder, in an array and at any batch.
#[test]
fn a_picture_is_answered_with_the_same_bits_wherever_it_stands() {
    let folder = tempdir().expect("a folder");
    let (data, run, _) = trained(folder.path());
    let array =
        ndarray::Array4::<u8>::read_npy(fs::File::open(data.join("X_test.npy")).expect("a file"));
    let array = array.expect("an npy");
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    for (row, image) in array.outer_iter().enumerate() {
        let pixels = image.iter().copied().collect();
        let picture = GrayImage::from_raw(48, 48, pixels).expect("a picture");
        let format = [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm][row % 3];
        let name = format!("{row:03}.{}", format.extensions_str()[0]);
        picture
            .save_with_format(pictures.join(name), format)
            .expect("saved");
    }
    let probabilities = |output: Output| -> Vec<Value> {
        assert!(output.status.success(), "{}", stderr(&output));
        lines(&output)
            .into_iter()
            .map(|line| line["probabilities"].clone())
            .collect()
    };
    let x = data.join("X_test.npy");
    let x = x.to_str().expect("utf-8");
    let expected = probabilities(ask(&run, &["--json", x]));
    assert_eq!(expected.len(), 37);
    for batch in ["1", "7", "64"] {
        let found = probabilities(ask(
            &run,
            &[
                "--json",
                "--batch",
                batch,
                pictures.to_str().expect("utf-8"),
            ],
        ));
        assert_eq!(found, expected, "batch {batch}");
    }
    let alone = pictures.join("005.pbm");
    let alone = if alone.exists() {
        alone
    } else {
        first_of(&pictures, "005")
    };
    let found = probabilities(ask(&run, &["--json", alone.to_str().expect("utf-8")]));
    assert_eq!(found[0], expected[5]);
    // On standard input, between others.
    let mut command = fer_gpu();
    command
        .arg("predict")
        .arg(&run)
        .args(["--json", x, "-"])
        .arg(&alone);
    let output = with_input(command, &fs::read(&alone).expect("read"));
    let found = lines(&output);
    assert_eq!(found.len(), 39);
    assert_eq!(found[37]["input"], "-");
    assert_eq!(found[37]["probabilities"], expected[5]);
    assert_eq!(found[38]["probabilities"], expected[5]);
}

fn first_of(folder: &Path, prefix: &str) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder");
    let named = |path: &PathBuf| {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        name.starts_with(prefix)
    };
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    paths.find(named).expect("a file")
}

fn with_input(mut command: Command, bytes: &[u8]) -> Output {
    use std::io::Write;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(bytes)
        .expect("written");
    child.wait_with_output().expect("it ends")
}

#[test]
fn json_has_all_classes_in_the_order_of_their_numbers() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 8, 3);
    let x = data.join("X_test.npy");
    let csv = folder.path().join("p.csv");
    let (x, csv_name) = (x.to_str().expect("utf-8"), csv.to_str().expect("utf-8"));
    let output = ask(
        Path::new(OLD),
        &["--json", "--top", "1", "--csv", csv_name, x],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout.clone()).expect("utf-8");
    let places: Vec<usize> = fer_gpu::data::FER_CLASSES
        .iter()
        .map(|class| {
            text.lines()
                .next()
                .expect("a line")
                .find(&format!("\"{class}\":"))
                .expect("a class")
        })
        .collect();
    assert!(places.is_sorted(), "{text}");
    for (row, line) in lines(&output).iter().enumerate() {
        assert_eq!(line["row"], row);
        let all = line["probabilities"].as_object().expect("classes");
        let sum: f64 = all.values().map(|p| p.as_f64().expect("a number")).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{line}");
        let class = line["class"].as_str().expect("a name");
        assert_eq!(all[class], line["probability"]);
        assert!(
            all.values()
                .all(|p| p.as_f64() <= line["probability"].as_f64())
        );
    }
    let written = fs::read_to_string(csv).expect("written");
    assert_eq!(written.lines().count(), 4, "{written}");
    assert!(
        written.starts_with("input,row,class,probability,p:angry,"),
        "{written}"
    );
}

/// Weights of before files said how they are to be used.
#[test]
fn files_of_before_are_read() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 14, 21);
    let found = evaluate(Path::new(OLD), &["--data", data.to_str().expect("utf-8")]);
    assert_eq!(found["rows"], 21);
    let loss = found["loss"].as_f64().expect("a loss");
    assert!((1.5..2.2).contains(&loss), "{loss}");
}

/// Everybody hears once that pictures were cropped, and what the network expects.
#[test]
fn large_pictures_are_fitted_and_that_is_said_once() {
    let folder = tempdir().expect("a folder");
    for i in 0..3 {
        let picture = image::RgbImage::from_fn(90, 60, |x, y| image::Rgb([x as u8, y as u8, i]));
        picture
            .save(folder.path().join(format!("{i}.png")))
            .expect("saved");
    }
    let output = ask(Path::new(OLD), &[folder.path().to_str().expect("utf-8")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = stderr(&output);
    let said: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("cropped"))
        .collect();
    assert_eq!(said.len(), 1, "{told}");
    assert!(
        said[0].contains("3 pictures") && said[0].contains("expects a cropped face"),
        "{told}"
    );
    let table = String::from_utf8(output.stdout).expect("utf-8");
    assert_eq!(table.lines().count(), 4, "{table}");
}

/// A bad picture is named on standard error, the others are answered, the exit code is 2.
#[test]
fn a_bad_picture_keeps_no_other_from_its_answer() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    GrayImage::new(48, 48).save(at("a.png")).expect("saved");
    fs::write(at("b.png"), b"no picture").expect("written");
    GrayImage::new(48, 48).save(at("c.png")).expect("saved");
    fs::write(at("d.jpg"), b"").expect("written");
    let before = fs::read_dir(folder.path()).expect("a folder").count();
    let missing = at("missing.png");
    let output = ask(
        Path::new(OLD),
        &[
            "--json",
            missing.to_str().expect("utf-8"),
            folder.path().to_str().expect("utf-8"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let answered: Vec<String> = lines(&output)
        .iter()
        .map(|l| l["input"].to_string())
        .collect();
    assert_eq!(answered.len(), 2, "{answered:?}");
    assert!(answered[0].contains("a.png") && answered[1].contains("c.png"));
    let told = stderr(&output);
    let named: Vec<bool> = ["missing.png", "b.png", "d.jpg"]
        .map(|n| told.contains(n))
        .to_vec();
    assert_eq!(named, [true; 3], "{told}");
    assert_eq!(told.trim().lines().count(), 3, "{told}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        before
    );
}

/// A data set whose classes or range are not those of the weights.
#[test]
fn data_that_do_not_fit_are_refused_on_a_line() {
    let folder = tempdir().expect("a folder");
    let faces = Dataset::sample_faces(1, [8, 8]);
    let other = folder.path().join("other");
    let mut labels = faces.clone();
    labels.test.labels[3] = 9;
    labels.train.labels[3] = 9;
    labels.class_names = fer_gpu::data::class_names(10);
    labels.write(&other).expect("written");
    let mut command = fer_gpu();
    command.args(["evaluate", OLD, "--data"]).arg(&other);
    let output = command.output().expect("it runs");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert_eq!(told.trim().lines().count(), 1, "{told}");
    assert!(
        told.contains("classes.json has the class `class 0`"),
        "{told}"
    );
    // Without names a label tells.
    fs::remove_file(other.join("classes.json")).expect("removed");
    let mut command = fer_gpu();
    command.args(["evaluate", OLD, "--data"]).arg(&other);
    let told = stderr(&command.output().expect("it runs"));
    assert!(told.contains("y_test.npy"), "{told}");
    let mut command = fer_gpu();
    command.args(["evaluate", OLD]);
    let told = stderr(&command.output().expect("it runs"));
    assert!(told.contains("--data"), "{told}");
}

/// A report goes over no file that the command reads, and over no table where there is nothing to say.
#[test]
fn a_report_replaces_nothing_that_is_read() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("utf-8")
            .to_string()
    };
    fs::copy(OLD, at("w.safetensors")).expect("copied");
    GrayImage::new(48, 48).save(at("a.png")).expect("saved");
    fs::write(at("old.csv"), "what was there").expect("written");
    let weights = at("w.safetensors");
    for target in ["w.safetensors", "a.png", "."] {
        let output = ask(Path::new(&weights), &["--csv", &at(target), &at("a.png")]);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{target}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty(), "{target}");
    }
    assert_eq!(
        fs::read(&weights).expect("read"),
        fs::read(OLD).expect("read")
    );
    let output = ask(
        Path::new(&weights),
        &["--csv", &at("old.csv"), &at("none.png")],
    );
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(
        fs::read_to_string(at("old.csv")).expect("read"),
        "what was there"
    );
}

/// What a run does not vouch for is not taken for its word.
#[test]
fn an_edited_config_is_refused_where_it_is_asked() {
    let folder = tempdir().expect("a folder");
    let (data, run, _) = trained(folder.path());
    let config = run.join("config.json");
    let text = fs::read_to_string(&config).expect("a config");
    for edited in [
        text.replace("\"batch\": 8", "\"batch\": 0"),
        "{".into(),
        String::new(),
    ] {
        fs::write(&config, edited).expect("written");
        let mut command = fer_gpu();
        let output = command.arg("evaluate").arg(&run).output().expect("it runs");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("config.json was edited or damaged"), "{told}");
        let data = data.to_str().expect("utf-8");
        assert_eq!(
            evaluate(&run, &["--data", data, "--batch", "8"])["rows"],
            37
        );
    }
}

/// A name may not talk to the terminal.
#[cfg(unix)]
#[test]
fn control_characters_of_names_are_shown_not_obeyed() {
    let folder = tempdir().expect("a folder");
    let name = folder.path().join("a\u{1b}[31m\nb.png");
    GrayImage::new(48, 48).save(&name).expect("saved");
    let missing = folder.path().join("\u{202e}gnp.png");
    let inputs = [&name, &missing].map(|path| path.to_str().expect("utf-8"));
    let output = ask(Path::new(OLD), &inputs);
    let shown = String::from_utf8(output.stdout.clone()).expect("utf-8") + &stderr(&output);
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
        "{shown:?}"
    );
    // A heading, an answer, an error, what to type next.
    assert_eq!(shown.lines().count(), 4, "{shown}");
}
