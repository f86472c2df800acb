//! `export` by hand: npz and safetensors hold the weights, and what is wrong is told without a trace left.

use crate::run::{fer_gpu, stderr};
use crate::trained::{drawn, record, save};
use fer_gpu::data::PixelRange;
use fer_gpu::network::Network;
use ndarray_npy::NpzReader;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::{TempDir, tempdir};

/// A run's folder with its best and last weights.
fn run() -> (TempDir, PathBuf, [HashMap<String, Vec<f32>>; 2]) {
    let folder = tempdir().expect("a folder");
    let run = folder.path().join("run");
    fs::create_dir(&run).expect("a folder");
    let model = Network::find("inception-gap").expect("a network").build(7);
    let best = drawn(&model);
    let mut last = best.clone();
    last.values_mut().flatten().for_each(|value| *value += 1.0);
    for (name, weights) in [("best", &best), ("last", &last)] {
        let path = run.join(format!("{name}.safetensors"));
        save(
            &path,
            &model,
            weights,
            &record(&model, PixelRange::ZeroTo255),
        );
    }
    (folder, run, [best, last])
}

fn export(from: &Path, to: &Path, extra: &[&str]) -> Output {
    let mut command = fer_gpu();
    command
        .arg("export")
        .arg(from)
        .arg("-o")
        .arg(to)
        .args(extra);
    command.output().expect("it runs")
}

#[test]
fn npz_holds_every_tensor_by_its_name() {
    let (folder, run, weights) = run();
    for (expected, extra) in weights.iter().zip([&[][..], &["--last"]]) {
        let path = folder.path().join("weights.npz");
        let output = export(&run, &path, extra);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut npz = NpzReader::new(File::open(path).expect("a file")).expect("an npz");
        assert_eq!(npz.len(), expected.len());
        for (name, values) in expected {
            let array: ndarray::ArrayD<f32> = npz.by_name(&format!("{name}.npy")).expect(name);
            assert!(array.iter().eq(values), "{name}");
            if name == "mid_1/5x5/kernel" {
                assert_eq!(array.shape(), [5, 5, 10, 10]);
            }
        }
    }
}

#[test]
fn safetensors_is_the_sealed_file_of_the_run() {
    let (folder, run, _) = run();
    let path = folder.path().join("copy.safetensors");
    assert!(export(&run, &path, &[]).status.success());
    let best = fs::read(run.join("best.safetensors")).expect("a file");
    assert_eq!(fs::read(&path).expect("a copy"), best);
    // Over an older one, too, and of that itself.
    assert!(export(&run, &path, &["--last"]).status.success());
    assert_ne!(fs::read(&path).expect("a copy"), best);
}

#[test]
fn what_cannot_be_exported_is_told_and_nothing_is_written() {
    let (folder, run, _) = run();
    let at = |name: &str| folder.path().join(name);
    let best = run.join("best.safetensors");
    fs::create_dir(at("folder.onnx")).expect("a folder");
    let mut bytes = fs::read(&best).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(at("damaged.safetensors"), bytes).expect("written");
    let before = fs::read_dir(folder.path()).expect("a folder").count();
    for (from, to, told) in [
        (
            run.clone(),
            at("model.pb"),
            "known format: .onnx, .npz, .safetensors",
        ),
        (run.clone(), at("folder.onnx"), "is a folder"),
        (run.clone(), at("none/model.onnx"), "cannot write"),
        (best.clone(), best.clone(), "is read by this command"),
        (at("nothing"), at("model.onnx"), "no such file"),
        (
            at("damaged.safetensors"),
            at("model.onnx"),
            "changed or damaged",
        ),
    ] {
        let output = export(&from, &to, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", to.display());
        let text = stderr(&output);
        assert!(text.contains(told) && text.lines().count() == 1, "{text}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        before
    );
}

/// ONNX and npz go through what is no regular file; a sealed file cannot.
#[test]
#[cfg(unix)]
fn pipes_are_written_through() {
    let (folder, run, _) = run();
    for (ending, code) in [("onnx", 0), ("npz", 0), ("safetensors", 2)] {
        let [pipe, file] =
            ["pipe", "file"].map(|name| folder.path().join(format!("{name}.{ending}")));
        let name = std::ffi::CString::new(pipe.to_str().expect("utf-8")).expect("a name");
        // SAFETY: the name ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let reader = (code == 0).then(|| {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read(pipe).expect("read"))
        });
        let output = export(&run, &pipe, &[]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        if let Some(reader) = reader {
            assert!(export(&run, &file, &[]).status.success());
            assert_eq!(
                reader.join().expect("read"),
                fs::read(&file).expect("a file")
            );
        }
    }
}
