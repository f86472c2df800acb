//! Rows and pictures that cannot be read: told with their place and reason, counted, and the rest goes on; by
//! `--strict` they end it, and nothing is written.

use super::run::{fer_gpu, stderr};
use super::sources::*;
use fer_gpu::data::Dataset;
use fer_gpu::ingest::Options;
use std::fs;
use tempfile::tempdir;

#[test]
fn broken_rows_are_named_by_line_and_the_rest_goes_on() {
    let folder = tempdir().expect("a folder");
    let mut lines: Vec<String> = csv_of(&rows()).lines().map(String::from).collect();
    let mut expected = Vec::new();
    let mut spoil = |line: usize, text: String, said: &'static str| {
        lines[line - 1] = text;
        expected.push((line, said));
    };
    spoil(2, "0,1 2 3,Training".into(), "3 pixels");
    spoil(3, "9,1 2 3,Training".into(), "the emotion is `9`");
    spoil(5, "no commas".into(), "1 fields, the header has 3");
    spoil(6, format!("0,\"{},Training", "1 ".repeat(2304)), "2 fields");
    spoil(7, "3,1 2 3,Validation".into(), "the usage is `Validation`");
    spoil(9, format!("0,{} 256,Training", "1 ".repeat(2303)), "`256`");
    spoil(
        10,
        format!("0,{},Training", "1 ".repeat(1 << 20)),
        "longer than 1 MiB",
    );
    let mut bytes = lines.join("\n").into_bytes();
    // Bytes that are no text.
    bytes.extend(b"\n\xff\xfe,\xff,\xff\n");
    expected.push((lines.len() + 1, "the usage is"));
    let source = write(&folder.path().join("fer2013.csv"), bytes);
    let out = folder.path().join("out");
    let (told, faults) = imported(&source, &out, &options());
    assert_eq!(told.faults as usize, expected.len(), "{faults:?}");
    for (fault, (line, said)) in faults.iter().zip(&expected) {
        assert!(fault.contains(&format!("line {line}: ")), "{fault}");
        assert!(fault.contains(said), "{fault}");
        assert!(
            fault.contains("fer2013.csv") && fault.len() < 400,
            "{fault}"
        );
    }
    let set = Dataset::load(&out, IMAGE).expect("a set");
    assert_eq!([set.train.rows(), set.test.rows()], [7, 5]);

    let strict = Options {
        strict: true,
        ..options()
    };
    let error = refused(&source, &folder.path().join("strict"), &strict);
    assert!(error.contains("line 2: 3 pixels"), "{error}");
}

#[test]
fn broken_pictures_are_named_by_path() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("pictures");
    folders(&root);
    let good = fs::read(
        root.join("train/happy")
            .join(first(&root.join("train/happy"))),
    )
    .expect("a picture");
    write(&root.join("train/happy/cut.png"), &good[..good.len() / 2]);
    write(&root.join("train/sad/empty.png"), "");
    write(&root.join("test/sad/text.jpg"), "no picture");
    let out = folder.path().join("out");
    let (told, faults) = imported(&root, &out, &options());
    assert_eq!((told.faults, faults.len()), (3, 3));
    for name in ["cut.png", "empty.png", "text.jpg"] {
        assert_eq!(
            faults.iter().filter(|fault| fault.contains(name)).count(),
            1,
            "{faults:?}"
        );
    }
    let set = Dataset::load(&out, IMAGE).expect("a set");
    assert_eq!([set.train.rows(), set.test.rows()], [14, 7]);
}

fn first(folder: &std::path::Path) -> String {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names.remove(0)
}

#[test]
fn files_that_are_no_source_are_refused_and_nothing_is_overwritten() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let cases = [
        ("empty.csv", "", "no column `emotion`"),
        (
            "header.csv",
            "emotion,pixels,Usage\n",
            "nothing to train on",
        ),
        ("other.csv", "a,b\n1,2\n", "no column `emotion`"),
        ("no usage.csv", "emotion,pixels\n0,1 2\n", "--test-share"),
        (
            "all broken.csv",
            "emotion,pixels,Usage\n0,1,Training\n",
            "nothing to train on: of 1 faults",
        ),
        ("train alone.csv", "", "nothing to validate on"),
        (
            "text.txt",
            "emotion,pixels,Usage\n",
            "neither a folder nor a file that ends in .csv",
        ),
    ];
    for (name, text, said) in cases {
        let training: Vec<_> = rows()
            .into_iter()
            .filter(|row| row.0 == "Training")
            .collect();
        let text = match name {
            "train alone.csv" => csv_of(&training),
            _ => text.to_string(),
        };
        let source = write(&at(name), text);
        let error = refused(&source, &at("out"), &options());
        assert!(error.contains(said), "{name}: {error}");
    }
    let source = write(&at("good.csv"), csv_of(&rows()));
    fs::create_dir_all(at("taken")).expect("made");
    for name in ["X_train.npy", "classes.json"] {
        write(&at("taken").join(name), "mine");
        let command = fer_gpu()
            .args(["data", "import"])
            .arg(&source)
            .arg("--out")
            .arg(at("taken"))
            .output()
            .expect("it runs");
        assert_eq!(command.status.code(), Some(2));
        assert!(
            stderr(&command).contains("is not overwritten"),
            "{}",
            stderr(&command)
        );
        assert_eq!(
            fs::read_to_string(at("taken").join(name)).expect("mine"),
            "mine"
        );
        fs::remove_file(at("taken").join(name)).expect("removed");
        assert_eq!(fs::read_dir(at("taken")).expect("a folder").count(), 0);
    }
}

#[test]
fn the_command_tells_faults_and_exits_0_or_2() {
    let folder = tempdir().expect("a folder");
    let mut broken = rows();
    broken.iter_mut().take(25).for_each(|row| {
        if row.0 == "Training" && row.1 != 3 {
            row.2 = "1 2".into();
        }
    });
    let source = write(&folder.path().join("fer2013.csv"), csv_of(&broken));
    let run = |out: &str, extra: &[&str]| {
        let mut command = fer_gpu();
        command.args(["data", "import", "--json"]).arg(&source);
        command
            .arg("--out")
            .arg(folder.path().join(out))
            .args(extra);
        command.output().expect("it runs")
    };
    let output = run("out", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(told["faults"], 12);
    assert_eq!(told["test"].as_array().expect("counts").len(), 7);
    assert!(stderr(&output).contains("warning: "), "{}", stderr(&output));
    let output = run("strict", &["--strict"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
    assert_eq!(
        fs::read_dir(folder.path().join("strict")).map_or(0, Iterator::count),
        0
    );
    let output = run("out", &[]);
    assert_eq!(output.status.code(), Some(2), "a set lies there");
}

/// Ended in its midst it leaves nothing half written.
#[cfg(unix)]
#[test]
fn an_import_that_is_interrupted_leaves_nothing() {
    let folder = tempdir().expect("a folder");
    let some = csv_of(&rows());
    let (header, lines) = some.split_once('\n').expect("lines");
    let source = write(
        &folder.path().join("long.csv"),
        format!("{header}\n{}", lines.repeat(200)),
    );
    for attempt in 0.. {
        assert!(attempt < 20, "it was always done first");
        let out = folder.path().join(format!("out-{attempt}"));
        let mut command = fer_gpu();
        command
            .args(["data", "import"])
            .arg(&source)
            .arg("--out")
            .arg(&out);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("it runs");
        let files = || fs::read_dir(&out).map_or(0, Iterator::count);
        while files() == 0 && child.try_wait().expect("a child").is_none() {
            std::thread::yield_now();
        }
        // SAFETY: a signal to a child of ours that was not waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
        let status = child.wait().expect("it ends");
        if status.code() == Some(130) {
            assert_eq!(files(), 0);
            return;
        }
        assert!(status.success(), "{status}");
    }
}
