//! The switches of `train` that end a run in their own way, and what ends it unasked.

use crate::run::{faces, fer_gpu, stderr};
use crate::{forgotten, good, header, npy, run_in};
use std::fs;
use tempfile::tempdir;

/// Weights of infinity give a loss that is not finite: the run names the tensor, has an exit
/// code of its own, and leaves the resume point as it was.
#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_names_the_tensor() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let (output, run) = run_in(folder.path(), "good", &data, &["--epochs", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut weights = fs::read(run.join("last.safetensors")).expect("weights");
    let header = 8 + u64::from_le_bytes(weights[..8].try_into().expect("eight bytes")) as usize;
    let text = String::from_utf8(weights[8..header].to_vec()).expect("utf-8");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let at = header
        + json["mid_1/5x5/kernel"]["data_offsets"][0]
            .as_u64()
            .expect("an offset") as usize;
    weights[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let poisoned = folder.path().join("poisoned.safetensors");
    fs::write(&poisoned, forgotten(weights)).expect("weights");
    let (output, run) = run_in(
        folder.path(),
        "bad",
        &data,
        &[
            "--epochs",
            "1",
            "--init-from",
            poisoned.to_str().expect("a path"),
        ],
    );
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("`mid_1/5x5/kernel`"),
        "{}",
        stderr(&output)
    );
    assert!(!run.join("last.safetensors").exists());
    assert!(
        stderr(&output).contains("have no hash"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("--lr"), "{}", stderr(&output));
}

/// Black training images and white validation images under a huge weight: only the validation
/// overflows. That is no fault of the training, which goes on, also after a resume; but a run that
/// ends so has not succeeded.
#[test]
fn an_overflow_in_the_validation_does_not_stop_the_run() {
    let folder = tempdir().expect("a folder");
    let data = good(folder.path(), "black-and-white");
    let x = data.join("X_train.npy");
    npy(&x, &header("|u1", "(16, 48, 48, 1)"), &[0; 16 * 2304]);
    let x = data.join("X_test.npy");
    npy(&x, &header("|u1", "(8, 48, 48, 1)"), &[255; 8 * 2304]);
    let (output, run) = run_in(folder.path(), "first", &data, &["--epochs", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut weights = fs::read(run.join("last.safetensors")).expect("weights");
    let start = 8 + u64::from_le_bytes(weights[..8].try_into().expect("eight bytes")) as usize;
    let json: serde_json::Value = serde_json::from_slice(&weights[8..start]).expect("JSON");
    for name in ["mid_1/5x5_reduce/kernel", "mid_1/3x3_reduce/kernel"] {
        let offsets = &json[name]["data_offsets"];
        let [from, to] = [0, 1].map(|i| start + offsets[i].as_u64().expect("an offset") as usize);
        for weight in weights[from..to].chunks_mut(4) {
            weight.copy_from_slice(&3e38f32.to_le_bytes());
        }
    }
    let huge = folder.path().join("huge.safetensors");
    fs::write(&huge, forgotten(weights)).expect("weights");
    let init = [
        "--epochs",
        "2",
        "--init-from",
        huge.to_str().expect("a path"),
    ];
    let (output, run) = run_in(folder.path(), "overflow", &data, &init);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let told = stderr(&output).matches("validation loss of epoch").count();
    assert_eq!(told, 2, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("utf-8");
    let epoch: serde_json::Value =
        serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert!(epoch["val_loss"].is_null(), "{epoch}");
    assert!(epoch["loss"].is_number(), "{epoch}");
    assert!(!run.join("best.safetensors").exists());
    let mut resume = fer_gpu();
    resume
        .args(["train", "--json", "--epochs", "3", "--resume"])
        .arg(&run);
    let output = resume.output().expect("the command runs");
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let history = fs::read_to_string(run.join("history.csv")).expect("a history");
    assert_eq!(history.lines().count(), 4, "{history}");
}

#[test]
fn check_holds_every_dispatch_of_the_first_step_against_its_reference() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let (output, _) = run_in(
        folder.path(),
        "checked",
        &data,
        &["--steps", "2", "--check"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stderr(&output);
    let checked = text.lines().filter(|l| l.contains("of its bound")).count();
    assert!(checked >= 28, "{checked} dispatches checked: {text}");
    assert!(!text.contains("WRONG"), "{text}");
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let (output, _) = run_in(
        folder.path(),
        "overfit",
        &data,
        &["--epochs", "300", "--lr", "0.01", "--overfit-batch"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("utf-8");
    let last = text
        .lines()
        .rfind(|l| l.contains("\"epoch\""))
        .expect("an epoch");
    let epoch: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert!(epoch["loss"].as_f64().expect("a loss") < 0.5, "{epoch}");
}
