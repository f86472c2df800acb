//! `import`: files that Keras wrote answer as Keras did, each doubt is told, and no bytes make it panic.

use crate::LARGEST;
use crate::run::{fer_gpu, stderr};
use fer_gpu::data::{PixelRange, class_names};
use fer_gpu::exchange::import::{Import, Wanted};
use fer_gpu::network::Network;
use fer_gpu::random::unit;
use fer_gpu::weights::{Record, TensorFile};
use ndarray::{Array2, Array4};
use ndarray_npy::{NpzReader, WriteNpyExt};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::tempdir;

fn golden(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exchange/keras")).join(name)
}

fn wanted() -> Wanted {
    Wanted {
        network: Network::find("inception-gap").expect("a network").clone(),
        class_names: None,
        image: None,
        range: PixelRange::ZeroTo255,
        standardise: None,
    }
}

fn import(file: &Path, to: &Path, extra: &[&str]) -> Output {
    let mut command = fer_gpu();
    command.arg("import").arg(file).arg("-o").arg(to);
    command.args(["--model", "inception-gap"]).args(extra);
    command.output().expect("it runs")
}

/// All that has its tensors' names in one way or another; npz says nothing of the images.
const GOOD: &[(&str, &[&str])] = &[
    ("named.keras", &[]),
    ("nameless.keras", &[]),
    ("named.h5", &[]),
    ("named.weights.h5", &["--image", "12x10x1"]),
    ("legacy.h5", &["--image", "12x10x1"]),
    (
        "named.npz",
        &["--image", "12x10x1", "--classes", "a, b,c,d,e"],
    ),
];

#[test]
fn what_keras_wrote_answers_as_keras_did() {
    let folder = tempdir().expect("a folder");
    let expected = File::open(golden("expected.npz")).expect("a file");
    let mut expected = NpzReader::new(expected).expect("an npz");
    let pixels: Array4<u8> = expected.by_name("pixels.npy").expect("pixels");
    let expected: Array2<f64> = expected
        .by_name("probabilities.npy")
        .expect("probabilities");
    let images = folder.path().join("images.npy");
    pixels
        .write_npy(File::create(&images).expect("a file"))
        .expect("written");
    let numbers = class_names(5);
    for (name, extra) in GOOD {
        let path = folder.path().join("imported.safetensors");
        let output = import(&golden(name), &path, extra);
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let table = String::from_utf8(output.stdout).expect("utf-8");
        assert!(
            table.contains("mid_1/5x5/kernel") && table.contains("(5, 5, 10, 10)"),
            "{table}"
        );
        let mut command = fer_gpu();
        let predict = command.arg("predict").arg(&path).arg(&images).arg("--json");
        let output = predict.output().expect("it runs");
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let lines = String::from_utf8(output.stdout).expect("utf-8");
        assert_eq!(lines.lines().count(), expected.nrows());
        for (line, row) in lines.lines().zip(expected.outer_iter()) {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let classes = line["probabilities"].as_object().expect("classes");
            let names: Vec<&str> = match extra.contains(&"--classes") {
                true => vec!["a", "b", "c", "d", "e"],
                false => numbers.iter().map(|name| &name[..]).collect(),
            };
            for (name, expected) in names.iter().zip(row) {
                let found = classes[*name].as_f64().expect("a number");
                assert!(
                    (found - expected).abs() <= 1e-5,
                    "{name}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn the_file_says_how_it_is_used() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("imported.safetensors");
    let names = folder.path().join("classes.json");
    fs::write(&names, r#"["v", "w", "x", "y", "z"]"#).expect("written");
    let names = names.to_str().expect("utf-8");
    let output = import(
        &golden("named.h5"),
        &path,
        &["--classes", names, "--range", "-1..1"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let record =
        Record::of(&TensorFile::open(&path, "weights").expect("a file")).expect("a record");
    assert_eq!(record.model, "inception-gap");
    assert_eq!(record.class_names, ["v", "w", "x", "y", "z"]);
    assert_eq!(record.preprocessing.image, [12, 10, 1]);
    assert_eq!(record.preprocessing.range, PixelRange::MinusOneToOne);
    assert_eq!(record.epoch, 0);
}

#[test]
fn every_doubt_and_fault_is_told_in_a_line_and_nothing_is_written() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let keras = fs::read(golden("named.keras")).expect("a file");
    let h5 = fs::read(golden("named.h5")).expect("a file");
    let cases = [
        (
            golden("nameless.weights.h5"),
            vec!["--image", "12x10x1"],
            "mid_1/3x3_reduce of inception-gap may be",
        ),
        (
            golden("other_names.weights.h5"),
            vec!["--image", "12x10x1"],
            "mid_1/3x3_reduce of inception-gap may be",
        ),
        (
            golden("named.keras"),
            vec!["--classes", "a,b"],
            "output has kernel (150, 2), bias (2)",
        ),
        (
            golden("named.keras"),
            vec!["--classes", "a,b,a"],
            "`a` is there twice",
        ),
        (
            golden("named.keras"),
            vec!["--classes", "none.json"],
            "cannot read none.json",
        ),
        (
            golden("named.keras"),
            vec!["--image", "12x12x1"],
            "its network takes 12x10x1",
        ),
        (
            golden("named.npz"),
            vec!["--image", "12x10x3"],
            "mid_1/3x3_reduce has kernel (1, 1, 3, 10)",
        ),
        (golden("expected.npz"), vec![], "no name of a layer"),
        (golden("none.h5"), vec![], "cannot read"),
        (
            golden("README.md"),
            vec![],
            "known format: .h5, .hdf5, .keras, .npz",
        ),
        (at("text.h5", b"no HDF5"), vec![], "it is no HDF5 file"),
        (at("text.keras", b"no zip"), vec![], "it is no zip archive"),
        (at("text.npz", b""), vec![], "it is no zip archive"),
        (at("h5.keras", &h5), vec![], "it is no zip archive"),
        (
            at("keras.h5", &keras[..keras.len() / 2]),
            vec![],
            "it is no HDF5 file",
        ),
        (at("keras.npz", &keras), vec![], "is not an npy file"),
        (at("half.h5", &h5[..h5.len() / 2]), vec![], "cannot be read"),
    ];
    let before = fs::read_dir(folder.path()).expect("a folder").count();
    let out = folder.path().join("out.safetensors");
    for (file, extra, told) in cases {
        let output = import(&file, &out, &extra);
        assert_eq!(output.status.code(), Some(2), "{}", file.display());
        let text = stderr(&output);
        assert!(text.contains(told), "{told}, not {text}");
        let said = text.lines().filter(|line| !line.starts_with("help: "));
        assert_eq!(said.count(), 1, "{text}");
        assert!(output.stdout.is_empty());
    }
    let npz = folder.path().join("out.npz");
    let output = import(&golden("named.npz"), &npz, &["--image", "12x10x1"]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "an import is a file of weights"
    );
    let mut command = fer_gpu();
    let inception = command
        .args(["import", "--model", "inception", "-o"])
        .arg(&out);
    let output = inception.arg(golden("named.h5")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("no layer by the name of dense_2"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        before
    );
}

/// No request of memory may be larger, where a file has some 80 KB: the reader of HDF5 makes room for as
/// many messages as 16 bits can count.
const LARGEST_REQUEST: usize = 16 << 20;

/// Files with a few bytes changed, or cut: an import that succeeds, or an error; never a panic, and no memory
/// that only a header asks for.
#[test]
fn no_change_of_a_file_makes_it_panic() {
    let folder = tempdir().expect("a folder");
    let (mut good, mut bad) = (0, 0);
    for (number, (name, _)) in GOOD.iter().enumerate() {
        let bytes = fs::read(golden(name)).expect("a file");
        for round in 0..150 {
            let mut mutant = bytes.clone();
            let draw = |i: u64, below: usize| {
                (unit((number * 1000 + round) as u64, i) * below as f64) as usize
            };
            if round % 10 == 0 {
                mutant.truncate(draw(0, bytes.len()));
            }
            let length = mutant.len().max(1);
            for change in 0..1 + draw(1, 8) as u64 {
                // What describes the tensors stands mostly at the head or the end.
                let at = match draw(3 * change + 2, 3) {
                    0 => draw(3 * change + 3, length.min(4096)),
                    1 => length - 1 - draw(3 * change + 3, length.min(4096)),
                    _ => draw(3 * change + 3, length),
                };
                if let Some(byte) = mutant.get_mut(at) {
                    *byte = [0, 1, 127, 255, *byte ^ (1 << (round % 8))][draw(3 * change + 4, 5)];
                }
            }
            let path = folder.path().join(format!("mutant-{name}"));
            fs::write(&path, mutant).expect("written");
            let out = folder.path().join("out.safetensors");
            let wanted = Wanted {
                image: Some([12, 10, 1]),
                ..wanted()
            };
            LARGEST.set(0);
            let outcome = Import::open(&path, &wanted).and_then(|mut import| import.write(&out));
            let largest = LARGEST.get();
            assert!(
                largest <= LARGEST_REQUEST,
                "{name}, round {round}: {largest}"
            );
            match outcome {
                Ok(()) => {
                    good += 1;
                    TensorFile::open(&out, "weights").expect("a whole file");
                    fs::remove_file(&out).expect("it was written");
                }
                Err(error) => {
                    bad += 1;
                    assert!(!error.to_string().contains('\n'), "{error}");
                    assert!(!out.exists(), "{error}");
                }
            }
        }
    }
    assert!(good > 50 && bad > 50, "{good} good, {bad} bad");
}
