//! A run keeps its network's text, so that what becomes of the file changes nothing.

use crate::run::{faces, fer_gpu, resume, same, stderr, succeed};
use fer_gpu::network::Network;
use fer_gpu::weights::{Record, TensorFile};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

const TEXT: &str = "name = \"mine\"
image = [48, 48, 1]

[[layer]]
type = \"Conv2D\"
filters = 3
kernel_size = 5
strides = 4
activation = \"relu\"

[[layer]]
type = \"GlobalAveragePooling2D\"

[[layer]]
type = \"Dense\"
units = \"classes\"
";

fn record(run: &Path) -> Record {
    let file = TensorFile::open(&run.join("last.safetensors"), "weights").expect("a file");
    Record::of(&file).expect("a record")
}

#[test]
fn a_run_goes_by_the_text_that_it_began_with() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let (file, out) = (folder.path().join("mine.toml"), folder.path().join("run"));
    fs::write(&file, TEXT).expect("a text");
    let mut command = fer_gpu();
    command
        .args([
            "train",
            "--batch",
            "8",
            "--json",
            "--no-report",
            "--log-steps",
            "--epochs",
            "1",
            "--data",
        ])
        .arg(&data)
        .arg("--out")
        .arg(&out)
        .arg("--model")
        .arg(&file);
    succeed(command);
    let kept = record(&out);
    assert_eq!(
        (kept.model.as_str(), kept.network.as_deref()),
        ("mine", Some(TEXT))
    );
    // Another network under the same name, in the same file.
    fs::write(&file, TEXT.replace("filters = 3", "filters = 4")).expect("a text");
    let answer = |arguments: &[&str]| {
        let mut command = fer_gpu();
        let output = command.args(arguments).arg(&out).output().expect("it runs");
        assert!(output.status.success(), "{}", stderr(&output));
    };
    answer(&["evaluate"]);
    answer(&[
        "export",
        "-o",
        &folder.path().join("mine.onnx").display().to_string(),
    ]);
    // The run can be made again by its recipe.
    let again = folder.path().join("again");
    let mut command = fer_gpu();
    command
        .args(["train", "--json", "--no-report", "--log-steps", "--data"])
        .arg(&data)
        .arg("--recipe")
        .arg(out.join("recipe.toml"))
        .arg("--out")
        .arg(&again);
    succeed(command);
    same(&out, &again);
    // Asked for by its file, it is another one.
    let mut command = fer_gpu();
    command
        .args(["train", "--epochs", "2", "--resume"])
        .arg(&out);
    let output = command.arg("--model").arg(&file).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("which is another"),
        "{}",
        stderr(&output)
    );
    resume(&out, &["--epochs", "2"]);
    assert_eq!(record(&out), Record { epoch: 2, ..kept });
    // And without the file.
    fs::remove_file(&file).expect("removed");
    resume(&out, &["--epochs", "3"]);
    answer(&["evaluate"]);
}

/// Networks of the box too: what a later version calls by the same name is another matter.
#[test]
fn runs_of_the_box_keep_their_text() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 20, 11);
    let out = folder.path().join("run");
    let mut command = crate::run::train(&data, &["--epochs", "1", "--out"]);
    command.arg(&out);
    succeed(command);
    let network = Network::find("inception-gap").expect("one of the box");
    assert_eq!(record(&out).network.as_ref(), Some(&network.text));
}
