//! Malformed files of weights: a clear line, exit code 2, nothing written.

use crate::run::{faces, fer_gpu, stderr};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

const OLD: &[u8] = include_bytes!("before_records.safetensors");

/// The header as text and the tensors behind it.
fn split() -> (String, Vec<u8>) {
    let size = u64::from_le_bytes(OLD[..8].try_into().expect("eight bytes")) as usize;
    let header = String::from_utf8(OLD[8..8 + size].to_vec()).expect("utf-8");
    (header, OLD[8 + size..].to_vec())
}

/// A file of that header, as other programs write it: without a hash.
fn foreign(change: impl Fn(String) -> String) -> Vec<u8> {
    let (header, tensors) = split();
    let mut json: serde_json::Value = serde_json::from_str(header.trim()).expect("JSON");
    let metadata = json["__metadata__"].as_object_mut().expect("metadata");
    metadata.remove("xxh3-128");
    metadata.remove("fer-gpu");
    let header = change(json.to_string());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(tensors);
    file
}

fn without(key: &str) -> Vec<u8> {
    foreign(|header| {
        let mut json: serde_json::Value = serde_json::from_str(&header).expect("JSON");
        json["__metadata__"]
            .as_object_mut()
            .expect("metadata")
            .remove(key);
        json.to_string()
    })
}

fn with(key: &str, value: &str) -> Vec<u8> {
    foreign(|header| {
        let mut json: serde_json::Value = serde_json::from_str(&header).expect("JSON");
        json["__metadata__"][key] = value.into();
        json.to_string()
    })
}

fn flipped(at: usize) -> Vec<u8> {
    let mut file = OLD.to_vec();
    file[at] ^= 4;
    file
}

#[test]
fn malformed_weights_are_refused_on_a_line() {
    let huge = format!("{:?}", ["x"; 3]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "shorter"),
        ("seven bytes", OLD[..7].to_vec(), "shorter"),
        ("a header alone", OLD[..200].to_vec(), "header"),
        ("half", OLD[..OLD.len() / 2].to_vec(), "bytes"),
        ("a byte short", OLD[..OLD.len() - 1].to_vec(), "bytes"),
        ("a byte more", [OLD, &[0]].concat(), "bytes"),
        (
            "a bit of a tensor",
            flipped(OLD.len() - 9),
            "changed or damaged",
        ),
        ("a bit of the header", flipped(300), ""),
        (
            "a picture",
            b"\x89PNG\r\n\x1a\n0000000000000000".to_vec(),
            "header",
        ),
        ("a claim of 2^63", [&[255; 8][..], OLD].concat(), "header"),
        ("text", b"these are no weights at all".to_vec(), "header"),
        ("no JSON", foreign(|h| h.replace('{', "[")), "bad header"),
        ("no model", without("model"), "does not name its model"),
        (
            "no classes",
            without("class_names"),
            "does not name its class names",
        ),
        ("no range", without("pixel_range"), "pixel range"),
        ("no image", without("image"), "image"),
        ("another model", with("model", "resnet"), "resnet"),
        (
            "the other model",
            with("model", "inception"),
            "inception expects",
        ),
        ("one class", with("class_names", "[\"a\"]"), "class names"),
        ("three classes", with("class_names", &huge), "expects"),
        (
            "classes as a word",
            with("class_names", "angry"),
            "class_names",
        ),
        (
            "a foreign range",
            with("pixel_range", "0..7"),
            "pixel_range",
        ),
        ("an image of none", with("image", "0x48x1"), "preprocessing"),
        (
            "a vast image",
            with("image", "99999x99999x1"),
            "preprocessing",
        ),
        ("two channels", with("image", "48x48x2"), "preprocessing"),
        (
            "a record of lies",
            with("preprocessing", "{\"image\":[48,48,1]}"),
            "preprocessing",
        ),
        (
            "a schedule of none",
            with(
                "schedule",
                "{\"fuse_adam\":true,\"images_per_split\":0,\"split_k\":0}",
            ),
            "schedule",
        ),
        ("variants as a word", with("variants", "fast"), "variants"),
    ];
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 8, 2);
    // Its names would be refused before the weights are looked at.
    fs::remove_file(data.join("classes.json")).expect("removed");
    let file = folder.path().join("w.safetensors");
    let count = |at: &Path| fs::read_dir(at).expect("a folder").count();
    for (name, bytes, says) in cases {
        fs::write(&file, &bytes).expect("written");
        let before = count(folder.path());
        let mut predict = fer_gpu();
        predict
            .arg("predict")
            .arg(&file)
            .arg(data.join("X_test.npy"));
        let mut evaluate = fer_gpu();
        evaluate.arg("evaluate").arg(&file).arg("--data").arg(&data);
        for mut command in [predict, evaluate] {
            let output = command
                .current_dir(folder.path())
                .output()
                .expect("it runs");
            let told = stderr(&output);
            let lines: Vec<&str> = told
                .lines()
                .filter(|l| !l.contains("carries no hash"))
                .collect();
            assert_eq!(output.status.code(), Some(2), "{name}: {told}");
            assert_eq!(lines.len(), 1, "{name}: {told}");
            assert!(lines[0].contains(says), "{name}: {told}");
            assert!(output.stdout.is_empty(), "{name}");
        }
        assert_eq!(count(folder.path()), before, "{name}");
    }
}

/// Weights that others wrote are taken, and that nothing vouches for them is said.
#[test]
fn weights_without_a_hash_are_taken_and_told() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 8, 2);
    let file = folder.path().join("w.safetensors");
    fs::write(&file, foreign(|header| header)).expect("written");
    let mut command = fer_gpu();
    command
        .arg("predict")
        .arg(&file)
        .arg(data.join("X_test.npy"));
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("carries no hash"),
        "{}",
        stderr(&output)
    );
}

/// A run that ended before its first epoch has no best weights, and says what to give.
#[test]
fn folders_without_weights_say_what_is_missing() {
    let folder = tempdir().expect("a folder");
    let says = |path: &Path, words: &str| {
        let mut command = fer_gpu();
        command.arg("evaluate").arg(path);
        let output = command.output().expect("it runs");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    };
    says(folder.path(), "--last");
    says(
        &folder.path().join("nowhere"),
        "neither a run's folder nor a file",
    );
}
