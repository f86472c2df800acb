//! Answers by the mean of an image and its mirror image: what is mirrored scores the same bits, and of what is
//! symmetric the mean is the answer.

use crate::run::{faces, fer_gpu, succeed, train};
use ndarray::{Array4, s};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::tempdir;

fn read(path: &Path) -> Array4<u8> {
    Array4::read_npy(File::open(path).expect("a file")).expect("an npy")
}

fn write(path: &Path, images: &Array4<u8>) {
    let file = File::create(path).expect("a file");
    images.write_npy(file).expect("written");
}

/// What a command says on standard output, line by line.
fn said(what: &str, weights: &Path, extra: &[&str]) -> Vec<Value> {
    let mut command = fer_gpu();
    command.arg(what).arg(weights).arg("--json").args(extra);
    succeed(command)
}

#[test]
fn mirrored_images_score_the_same_bits_and_symmetric_ones_as_they_are() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 60, 37);
    let run = folder.path().join("run");
    let out = run.to_str().expect("utf-8").to_string();
    succeed(train(&data, &["--out", &out, "--epochs", "2"]));
    let x = read(&data.join("X_test.npy"));
    let set = |name: &str, images: &Array4<u8>| -> PathBuf {
        let set = folder.path().join(name);
        fs::create_dir(&set).expect("a folder");
        write(&set.join("X_test.npy"), images);
        for file in ["y_test.npy", "classes.json"] {
            fs::copy(data.join(file), set.join(file)).expect("copied");
        }
        set
    };
    let turned = x.slice(s![.., .., ..;-1, ..]).to_owned();
    let mut symmetric = x.clone();
    let left = x.slice(s![.., .., ..24, ..]);
    symmetric
        .slice_mut(s![.., .., 24.., ..])
        .assign(&left.slice(s![.., .., ..;-1, ..]));
    let sets = [
        ("as_it_is", &x),
        ("turned", &turned),
        ("symmetric", &symmetric),
    ];
    let [plain, turned, symmetric] = sets.map(|(name, images)| set(name, images));
    let evaluate = |set: &Path, extra: &[&str]| {
        let data = ["--data", set.to_str().expect("utf-8")];
        said("evaluate", &run, &[&data, extra].concat()).remove(0)
    };
    let alone = evaluate(&plain, &[]);
    assert!(alone.get("tta").is_none(), "{alone}");
    let mut both = evaluate(&plain, &["--tta", "mirror"]);
    let mean = both["tta"].clone();
    assert_eq!(mean["kind"], "mirror");
    let other = evaluate(&turned, &["--tta", "mirror"]);
    assert_eq!(other["tta"], mean);
    // Else it shows nothing; and the images alone score as ever.
    assert_ne!(other["loss"], both["loss"]);
    assert_ne!(mean["loss"], both["loss"]);
    both.as_object_mut().expect("an object").remove("tta");
    assert_eq!(both, alone);
    let same = evaluate(&symmetric, &["--tta", "mirror"]);
    for figure in ["accuracy", "top2", "macro_f1"] {
        assert_eq!(same["tta"][figure], same[figure], "{figure}");
    }
    let [a, b] = [&same["tta"], &same].map(|at| at["loss"].as_f64().expect("a number"));
    assert!((a - b).abs() < 1e-5 * b, "{a}, not {b}");
    // The same of predictions, at any batch.
    let predict = |set: &Path, extra: &[&str]| -> Vec<Value> {
        let x = set.join("X_test.npy").display().to_string();
        let lines = said("predict", &run, &[&[&x[..]], extra].concat());
        let kind = lines[0].get("tta").and_then(Value::as_str);
        assert_eq!(kind, extra.contains(&"mirror").then_some("mirror"));
        lines.iter().map(|l| l["probabilities"].clone()).collect()
    };
    let expected = predict(&plain, &["--tta", "mirror"]);
    for batch in ["7", "64"] {
        let found = predict(&turned, &["--tta", "mirror", "--batch", batch]);
        assert_eq!(found, expected);
    }
    let alone = [predict(&plain, &[]), predict(&turned, &["--tta", "none"])];
    let number = |value: &Value| value.as_f64().expect("a number");
    for (row, mean) in expected.iter().enumerate() {
        for (class, mean) in mean.as_object().expect("classes") {
            let [a, b] = [0, 1].map(|view| number(&alone[view][row][class]));
            assert!((0.5 * (a + b) - number(mean)).abs() < 1e-7);
        }
    }
    assert_eq!(
        predict(&symmetric, &["--tta", "mirror"]),
        predict(&symmetric, &[])
    );
}
