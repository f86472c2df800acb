//! Bad input: a clear error of few lines, exit code 2, no panic, nothing overwritten.

use crate::run::{faces, fer_gpu, stderr, succeed, train};
use crate::{forgotten, good, header, npy, refused, run_in};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn bad_data_is_refused() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("out");
    let pixels = vec![100u8; 16 * 2304];
    type Break<'a> = &'a dyn Fn(&Path);
    let images = |descr: &str, shape: &str, data: Vec<u8>| {
        let header = header(descr, shape);
        move |d: &Path| npy(&d.join("X_train.npy"), &header, &data)
    };
    let labels = |descr: &str, shape: &str, data: Vec<u8>| {
        let header = header(descr, shape);
        move |d: &Path| npy(&d.join("y_train.npy"), &header, &data)
    };
    let doubles = |values: &[f64]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let mut floats = vec![0.5f32; 16 * 2304];
    floats[5000] = f32::NAN;
    let nan: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
    floats[5000] = f32::INFINITY;
    let infinite: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
    let cases: Vec<(&str, &str, Break)> = vec![
        ("a missing file", "y_test.npy", &|d| {
            fs::remove_file(d.join("y_test.npy")).unwrap()
        }),
        ("no npy", "X_train.npy", &|d| {
            fs::write(d.join("X_train.npy"), "hello").unwrap()
        }),
        ("an empty file", "X_train.npy", &|d| {
            fs::write(d.join("X_train.npy"), "").unwrap()
        }),
        ("truncated", "truncated", &|d| {
            let path = d.join("X_train.npy");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 100]).unwrap();
        }),
        (
            "a header bomb",
            "X_train.npy",
            Box::leak(Box::new(images(
                "|u1",
                "(1000000000, 48, 48, 1)",
                pixels.clone(),
            ))),
        ),
        (
            "an overflowing shape",
            "X_train.npy",
            Box::leak(Box::new(images(
                "|u1",
                "(9223372036854775807, 48, 48, 1)",
                pixels.clone(),
            ))),
        ),
        (
            "a negative shape",
            "X_train.npy",
            Box::leak(Box::new(images("|u1", "(-16, 48, 48, 1)", pixels.clone()))),
        ),
        (
            "a wrong shape",
            "X_train.npy",
            Box::leak(Box::new(images("|u1", "(16, 24, 96)", pixels.clone()))),
        ),
        (
            "objects",
            "X_train.npy",
            Box::leak(Box::new(images("|O", "(16, 48, 48, 1)", pixels.clone()))),
        ),
        (
            "strings",
            "X_train.npy",
            Box::leak(Box::new(images(
                "<U1",
                "(16, 48, 48)",
                vec![0; 4 * 16 * 2304],
            ))),
        ),
        (
            "complex numbers",
            "X_train.npy",
            Box::leak(Box::new(images(
                "<c8",
                "(16, 48, 48)",
                vec![0; 8 * 16 * 2304],
            ))),
        ),
        (
            "NaN",
            "row 2",
            Box::leak(Box::new(images("<f4", "(16, 48, 48)", nan))),
        ),
        (
            "infinity",
            "row 2",
            Box::leak(Box::new(images("<f4", "(16, 48, 48)", infinite))),
        ),
        (
            "row counts",
            "y_train.npy",
            Box::leak(Box::new(labels("|u1", "(15,)", vec![0; 15]))),
        ),
        (
            "a negative label",
            "y_train.npy",
            Box::leak(Box::new(labels("|i1", "(16,)", vec![255; 16]))),
        ),
        (
            "fractional labels",
            "y_train.npy",
            Box::leak(Box::new(labels("<f8", "(16,)", doubles(&[0.5; 16])))),
        ),
        (
            "two ones in a row",
            "y_train.npy",
            Box::leak(Box::new(labels("|u1", "(16, 2)", vec![1; 32]))),
        ),
        ("an empty set", "X_train.npy", &|d| {
            npy(
                &d.join("X_train.npy"),
                &header("|u1", "(0, 48, 48, 1)"),
                &[],
            );
            npy(&d.join("y_train.npy"), &header("|u1", "(0,)"), &[]);
        }),
        ("labels of the test set out of range", "y_test.npy", &|d| {
            npy(&d.join("y_test.npy"), &header("|u1", "(8,)"), &[9; 8])
        }),
        ("a test set of another range", "X_test.npy", &|d| {
            let data: Vec<u8> = vec![0.25f32; 8 * 2304]
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect();
            npy(
                &d.join("X_test.npy"),
                &header("<f4", "(8, 48, 48, 1)"),
                &data,
            );
        }),
    ];
    for (i, (name, needle, damage)) in cases.iter().enumerate() {
        let data = good(folder.path(), &format!("case-{i}"));
        damage(&data);
        let mut command = train(&data, &["--epochs", "1", "--out"]);
        command.arg(&out);
        println!("{name}");
        refused(command, needle);
        assert!(!out.exists(), "{name}: something was written");
    }
    let mut command = train(&folder.path().join("nowhere"), &["--out"]);
    command.arg(&out);
    refused(command, "nowhere");
}

#[test]
fn bad_options_are_refused() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let out = folder.path().join("out");
    for (options, needle) in [
        (&["--batch", "17"] as &[&str], "--batch 17"),
        (&["--batch", "0"], "--batch"),
        (&["--lr", "0"], "--lr"),
        (&["--lr", "-0.1"], "--lr"),
        (&["--lr", "nan"], "--lr"),
        (&["--lr", "inf"], "--lr"),
        (&["--lr", "fast"], "--lr"),
        (&["--epochs", "0"], "--epochs"),
        (&["--model", "vgg"], "inception-gap"),
        (&["--batch", "8", "--device", "no such GPU"], "there are"),
        (&["--batch", "8", "--device", "99"], "there are"),
        (&["--optimizer", "lamb"], "adam, adamw, rmsprop, sgd"),
        (&["--momentum", "0.9"], "--momentum is nothing that adam"),
        (&["--momentum", "0"], "--momentum is nothing that adam"),
        (&["--nesterov"], "--nesterov is nothing that adam"),
        (&["--optimizer", "sgd", "--nesterov"], "above 0"),
        (&["--optimizer", "sgd", "--momentum", "1"], "below 1"),
        (&["--optimizer", "sgd", "--momentum", "-0.1"], "below 1"),
        (&["--optimizer", "sgd", "--momentum", "nan"], "below 1"),
        // An f32 would make it 1.
        (
            &["--optimizer", "sgd", "--momentum", "0.99999999999"],
            "below 1",
        ),
        (&["--optimizer", "sgd", "--momentum", "much"], "--momentum"),
        (&["--steps", "0"], "--steps"),
        (&["--checkpoint-minutes", "-1"], "--checkpoint-minutes"),
        (&["--limits", "none"], "--limits"),
        (&["--resume", "x", "--no-shuffle"], "--resume"),
    ] {
        let mut command = fer_gpu();
        command.arg("train").arg("--data").arg(&data).args(options);
        if !options.contains(&"--resume") {
            command.arg("--out").arg(&out);
        }
        refused(command, needle);
        assert!(!out.exists(), "{options:?}: something was written");
    }
}

#[test]
fn a_run_that_goes_on_keeps_its_optimizer() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    for (name, begun, refusals) in [
        (
            "adam",
            &[] as &[&str],
            &[
                (&["--optimizer", "sgd"] as &[&str], "optimizer adam"),
                (&["--momentum", "0.9"], "momentum 0,"),
                (&["--nesterov"], "nesterov false"),
            ] as &[(&[&str], &str)],
        ),
        (
            "sgd",
            &["--optimizer", "sgd", "--momentum", "0.5"],
            &[
                (&["--optimizer", "adam"], "optimizer sgd"),
                (&["--momentum", "0"], "momentum 0.5,"),
                (&["--momentum", "0.5", "--nesterov"], "nesterov false"),
            ],
        ),
    ] {
        let options = [&["--epochs", "2", "--steps", "1"], begun].concat();
        let (output, run) = run_in(folder.path(), name, &data, &options);
        assert!(output.status.success(), "{}", stderr(&output));
        let before = fs::read(run.join("resume.safetensors")).expect("a resume point");
        for (options, needle) in refusals {
            let mut command = fer_gpu();
            command.args(["train", "--resume"]).arg(&run).args(*options);
            refused(command, needle);
        }
        assert!(before == fs::read(run.join("resume.safetensors")).expect("a resume point"));
    }
}

#[test]
fn folders_that_cannot_be_written_are_refused() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let in_out = |out: &Path| {
        let mut command = train(&data, &["--epochs", "1", "--out"]);
        command.arg(out);
        command
    };
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("a file");
    refused(in_out(&file), "is a file");
    refused(in_out(&file.join("below")), "below");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");

    let run = folder.path().join("run");
    succeed(in_out(&run));
    let before = fs::read(run.join("last.safetensors")).expect("weights");
    refused(in_out(&run), "holds a run");
    assert!(before == fs::read(run.join("last.safetensors")).expect("weights"));
    // Nobody may write there, not even root.
    if cfg!(target_os = "linux") {
        refused(in_out(Path::new("/proc/fer-gpu")), "/proc/fer-gpu");
    }
}

#[test]
fn foreign_and_corrupt_weights_are_refused() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let run = folder.path().join("run");
    let mut command = train(&data, &["--epochs", "1", "--out"]);
    command.arg(&run);
    succeed(command);
    let weights = fs::read(run.join("last.safetensors")).expect("weights");

    // What one run wrote begins another.
    let mut command = train(&data, &["--epochs", "1", "--out"]);
    command
        .arg(folder.path().join("next"))
        .arg("--init-from")
        .arg(run.join("best.safetensors"));
    succeed(command);

    let foreign = |name: &str| {
        let mut bytes =
            format!("{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}}}")
                .into_bytes();
        let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
        file.append(&mut bytes);
        file.extend([0; 4]);
        file
    };
    // What no tensor fits is no beginning, whether or not all must.
    let none = folder.path().join("none.safetensors");
    fs::write(&none, foreign("conv1")).expect("a file");
    let mut command = train(&data, &["--epochs", "1", "--out"]);
    command
        .arg(folder.path().join("out"))
        .arg("--init-from")
        .arg(&none);
    refused(command, "no tensor that fits");

    let mut renamed = weights.clone();
    let at = renamed
        .windows(8)
        .position(|w| w == b"\"output/")
        .expect("a tensor's name");
    renamed[at + 1] = b'0';
    for (i, (bytes, needle)) in [
        (weights[..weights.len() - 4].to_vec(), "bytes"),
        (weights[..100].to_vec(), "header"),
        (b"garbage".to_vec(), "eight bytes"),
        (
            [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
            "header",
        ),
        (
            [(1u64 << 40).to_le_bytes().as_slice(), b"{}"].concat(),
            "header",
        ),
        (foreign("conv1"), "missing"),
        (renamed.clone(), "since it was written"),
        (forgotten(renamed), "output"),
        (weights.iter().copied().chain([0; 8]).collect(), "bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("bad-{i}.safetensors"));
        fs::write(&path, &bytes).expect("a file");
        let out = folder.path().join("out");
        let mut command = train(&data, &["--epochs", "1", "--out"]);
        command
            .arg(&out)
            .arg("--strict")
            .arg("--init-from")
            .arg(&path);
        refused(command, needle);
        assert!(!out.exists());

        // The same file in a resume point's place.
        let broken = folder.path().join(format!("broken-{i}"));
        fs::create_dir(&broken).expect("a folder");
        fs::write(broken.join("resume.safetensors"), &bytes).expect("a file");
        let mut command = fer_gpu();
        command.args(["train", "--resume"]).arg(&broken);
        refused(command, "resume.safetensors");
        assert!(bytes == fs::read(broken.join("resume.safetensors")).expect("a file"));
    }
    let mut other_model = fer_gpu();
    other_model
        .args(["train", "--model", "inception", "--resume"])
        .arg(&run);
    refused(other_model, "model");
    let other = faces(folder.path(), 24, 8);
    let mut other_data = fer_gpu();
    other_data
        .args(["train", "--data"])
        .arg(&other)
        .arg("--resume")
        .arg(&run);
    refused(other_data, "data");
    let mut nothing = fer_gpu();
    nothing.args(["train", "--resume"]).arg(folder.path());
    refused(nothing, "resume.safetensors");
    let mut missing = fer_gpu();
    missing
        .args(["train", "--resume"])
        .arg(folder.path().join("nowhere"));
    refused(missing, "nowhere");
}
