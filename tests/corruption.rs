//! Files that were changed since they were written: a flipped bit, an edit by hand, figures that
//! no run can have. Each is refused with its name, or cannot change a result.

#[path = "common/run.rs"]
mod run;

use fer_gpu::files::CACHE;
use fer_gpu::gpu::{Adapter, Selector};
use fer_gpu::plan::{Pins, Schedule};
use fer_gpu::tuned::Tuned;
use run::{bytes, faces, fer_gpu, resume, same, stderr, succeed, train};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::tempdir;

/// Flips in each kind of file, 1,000 in all.
const FLIPS: [(&str, usize); 7] = [
    ("resume.safetensors", 400),
    ("best.safetensors", 200),
    ("config.json", 100),
    ("steps.csv", 100),
    ("X_train.npy", 60),
    ("y_test.npy", 40),
    ("bench.json", 100),
];

fn random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 20
}

/// A run of three steps out of four, so that a resumed one has something to do.
fn unfinished(folder: &Path) -> (PathBuf, PathBuf) {
    let data = faces(folder, 16, 8);
    let run = folder.join("run");
    let mut command = train(
        &data,
        &["--epochs", "2", "--steps", "3", "--log-steps", "--out"],
    );
    command.arg(&run);
    succeed(command);
    (data, run)
}

/// Refused: exit code 2 and a line that names the file. Else whether it went well.
fn refused(mut command: Command, name: &str) -> bool {
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert!(!text.contains("panicked"), "{text}");
    if output.status.code() == Some(2) {
        let last = text.lines().last().expect("a line");
        assert!(
            last.contains(name) || last.contains("data"),
            "{name}: {text}"
        );
        return true;
    }
    assert!(output.status.success(), "{name}: {text}");
    false
}

#[test]
fn a_thousand_flipped_bits_are_refused_or_change_no_result() {
    let folder = tempdir().expect("a folder");
    let (data, run) = unfinished(folder.path());
    let whole = folder.path().join("whole");
    let mut command = train(&data, &["--epochs", "2", "--log-steps", "--out"]);
    command.arg(&whole);
    succeed(command);
    let bench = folder.path().join("bench.json");
    let mut command = fer_gpu();
    command
        .args([
            "bench",
            "--kernels",
            "--model",
            "inception-gap",
            "--batch",
            "1",
        ])
        .args(["--op", "softmax_cross_entropy", "--min-time", "0", "--json"])
        .arg(&bench);
    assert!(command.status().expect("the command runs").success());
    let (mut state, mut accepted) = (9, Vec::new());
    for (name, flips) in FLIPS {
        let path = match name {
            "bench.json" => bench.clone(),
            _ if name.ends_with(".npy") => data.join(name),
            _ => run.join(name),
        };
        let good = fs::read(&path).expect("a file");
        for _ in 0..flips {
            let bit = random(&mut state) as usize % (8 * good.len());
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).expect("written");
            let mut command = fer_gpu();
            match name {
                "bench.json" => command
                    .args([
                        "bench",
                        "--kernels",
                        "--model",
                        "inception-gap",
                        "--op",
                        "softmax_cross_entropy",
                    ])
                    .args(["--min-time", "0", "--batch", "1", "--compare"])
                    .arg(&path),
                "best.safetensors" => command
                    .args([
                        "train",
                        "--model",
                        "inception-gap",
                        "--batch",
                        "8",
                        "--steps",
                        "1",
                    ])
                    .args(["--init-from"])
                    .arg(&path)
                    .arg("--data")
                    .arg(&data)
                    .arg("--out")
                    .arg(folder.path().join("from-flipped")),
                _ => command.args(["train", "--log-steps", "--resume"]).arg(&run),
            };
            // A good file would be compared, trained from, gone on with: that takes its time, so
            // what is refused must be refused before.
            let before = (name != "bench.json").then(|| copy(&run, &folder.path().join("before")));
            if !refused(command, name) {
                accepted.push(format!("{name} bit {bit}"));
                assert!(
                    name != "resume.safetensors" && name != "best.safetensors",
                    "{bit}"
                );
                if name != "bench.json" {
                    same(&whole, &run);
                }
            }
            if let Some(before) = before {
                fs::remove_dir_all(&run).expect("removed");
                fs::rename(&before, &run).expect("renamed");
            }
        }
        fs::write(&path, &good).expect("written");
    }
    println!("accepted without effect: {accepted:?}");
    resume(&run, &[]);
    same(&whole, &run);
}

fn copy(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
    to.into()
}

/// Tuned kernels of a damaged file are not used, which is told.
#[test]
fn a_flipped_bit_in_what_was_tuned_is_told() {
    let folder = tempdir().expect("a folder");
    let adapter = Adapter::select(&Selector::Default).unwrap_or_else(|e| panic!("{e}"));
    let path = folder.path().join(Tuned::file_name(&adapter.info));
    let mut tuned = Tuned::default();
    let schedule = Schedule {
        fuse_update: false,
        join_products: false,
        join_siblings: false,
        join_branches: false,
        whole_dense: false,
        images_per_split: 2,
        workgroups: None,
        split_k: 5_760,
    };
    tuned.learn("inception-gap", 2, schedule, Pins::default());
    let good = fer_gpu::files::sealed_json(&tuned).into_bytes();
    let plan = || {
        let mut command = fer_gpu();
        command.args(["plan", "--model", "inception-gap", "--batch", "2"]);
        let output = command.env(CACHE, folder.path()).output().expect("a plan");
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    fs::write(&path, &good).expect("written");
    assert!(plan().contains("kernels as tuned in"));
    let mut state = 3;
    for _ in 0..30 {
        let bit = random(&mut state) as usize % (8 * good.len());
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bad).expect("written");
        let text = plan();
        assert!(text.contains("is not used"), "bit {bit}: {text}");
    }
}

/// Rewrites the state in a resume point, and seals it again as only fer-gpu does.
fn with_state(good: &[u8], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let end = 8 + u64::from_le_bytes(good[..8].try_into().expect("eight")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&good[8..end]).expect("JSON");
    let text = header["__metadata__"]["fer-gpu resume point"]
        .as_str()
        .expect("a state");
    let mut saved: serde_json::Value = serde_json::from_str(text).expect("JSON");
    change(&mut saved);
    header["__metadata__"]["fer-gpu resume point"] = saved.to_string().into();
    // Without both marks it is a file of before there were hashes.
    let metadata = header["__metadata__"].as_object_mut().expect("metadata");
    metadata.remove("fer-gpu");
    metadata.remove("xxh3-128");
    let header = header.to_string();
    let padded = header.len().next_multiple_of(8);
    let mut file = (padded as u64).to_le_bytes().to_vec();
    file.extend(format!("{header:padded$}").bytes());
    file.extend(&good[end..]);
    file
}

#[test]
fn figures_that_no_run_can_have_are_refused() {
    let folder = tempdir().expect("a folder");
    let (_, run) = unfinished(folder.path());
    let good = bytes(&run, "resume.safetensors");
    let resumed = |accept: bool| {
        let mut command = fer_gpu();
        command
            .args(["train", "--json", "--no-report", "--log-steps", "--resume"])
            .arg(&run);
        if accept {
            command.arg("--accept-unhashed");
        }
        command
    };
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 16] = [
        ("step 0", |s| s["state"]["step"] = 0.into()),
        ("step 2^64-1", |s| s["state"]["step"] = u64::MAX.into()),
        ("batch beyond the epoch", |s| {
            s["state"]["batch_in_epoch"] = 9.into()
        }),
        ("another batch", |s| s["config"]["batch"] = 4.into()),
        ("batch 0", |s| s["config"]["batch"] = 0.into()),
        ("no class names", |s| {
            s["config"]["class_names"] = serde_json::json!([])
        }),
        ("an optimizer", |s| s["config"]["optimizer"] = "none".into()),
        ("a momentum that adam has not", |s| {
            s["config"]["momentum"] = 0.5.into()
        }),
        ("a momentum of 2", |s| {
            s["config"]["optimizer"] = "sgd".into();
            s["config"]["momentum"] = 2.0.into();
        }),
        ("a schedule of 0", |s| s["schedule"]["split_k"] = 0.into()),
        ("no images a split", |s| {
            s["schedule"]["images_per_split"] = 0.into()
        }),
        ("a sum", |s| {
            s["state"]["loss_sum"] = serde_json::Value::Null
        }),
        ("more right than seen", |s| {
            s["state"]["correct"] = 99.into()
        }),
        ("an epoch more", |s| s["state"]["epoch"] = 2.into()),
        ("another best", |s| {
            s["state"]["best"] = serde_json::json!([0.5, 1])
        }),
        ("a shuffle", |s| s["config"]["shuffle"] = false.into()),
    ];
    for (name, change) in changes {
        fs::write(run.join("resume.safetensors"), with_state(&good, change)).expect("written");
        println!("{name}");
        // config.json still says what the run was.
        fs::remove_file(run.join("config.json")).ok();
        assert!(refused(resumed(false), "--accept-unhashed"), "{name}");
        if name != "a shuffle" {
            assert!(refused(resumed(true), "resume"), "{name}");
        }
    }
    // A kernel that nobody knows: the pins are not what ran, which is told.
    let unpinned = with_state(&good, |s| {
        let pins = s["variants"].as_object_mut().expect("pins");
        let name = pins.keys().next().expect("a pin").clone();
        let variant = pins.remove(&name).expect("a pin");
        pins.insert(format!("{name}1"), variant);
    });
    fs::write(run.join("resume.safetensors"), unpinned).expect("written");
    let output = resumed(true).output().expect("the command runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains("last bits will differ"), "{text}");

    // As it was, without a hash: only on demand.
    let old = with_state(&good, |_| ());
    fs::write(run.join("resume.safetensors"), &old).expect("written");
    assert!(refused(resumed(false), "--accept-unhashed"));
    succeed(resumed(true));
}

#[test]
fn an_edit_of_config_json_is_refused_with_the_difference_and_kept() {
    let folder = tempdir().expect("a folder");
    let (_, run) = unfinished(folder.path());
    let path = run.join("config.json");
    let good = fs::read_to_string(&path).expect("a file");
    let edited = good.replace("\"epochs\": 2", "\"epochs\": 20");
    assert!(edited != good);
    fs::write(&path, &edited).expect("written");
    let mut command = fer_gpu();
    command.args(["train", "--resume"]).arg(&run);
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("epochs is 20 instead of 2"), "{text}");
    assert_eq!(fs::read_to_string(&path).expect("a file"), edited);
    fs::remove_file(&path).expect("removed");
    resume(&run, &["--epochs", "3"]);
    let now = fs::read_to_string(&path).expect("a file");
    assert!(now.contains("\"epochs\": 3"), "{now}");
}

/// Versions that knew Adam alone wrote no momentum; one that a run has cannot be dropped.
#[test]
fn files_of_before_there_was_momentum_are_read() {
    let folder = tempdir().expect("a folder");
    let (data, run) = unfinished(folder.path());
    let whole = folder.path().join("whole");
    let mut command = train(&data, &["--epochs", "2", "--log-steps", "--out"]);
    command.arg(&whole);
    succeed(command);
    fn forget(config: &mut serde_json::Value) {
        let config = config.as_object_mut().expect("an object");
        for name in ["momentum", "nesterov"] {
            config.remove(name).expect(name);
        }
    }
    let edit = |run: &Path| {
        let mut config = serde_json::from_slice(&bytes(run, "config.json")).expect("JSON");
        forget(&mut config);
        fs::write(run.join("config.json"), config.to_string()).expect("written");
    };
    edit(&run);
    let good = bytes(&run, "resume.safetensors");
    let old = with_state(&good, |s| forget(&mut s["config"]));
    fs::write(run.join("resume.safetensors"), old).expect("written");
    resume(&run, &["--accept-unhashed"]);
    same(&whole, &run);

    let sgd = folder.path().join("sgd");
    let mut command = train(&data, &["--epochs", "2", "--steps", "3", "--out"]);
    command.arg(&sgd);
    command.args(["--optimizer", "sgd", "--momentum", "0.9"]);
    succeed(command);
    edit(&sgd);
    let mut command = fer_gpu();
    command.args(["train", "--resume"]).arg(&sgd);
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("edited: momentum is missing;"), "{text}");
}

#[test]
fn nothing_that_was_begun_is_a_dead_end() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let whole = folder.path().join("whole");
    let mut command = train(&data, &["--epochs", "2", "--log-steps", "--out"]);
    command.arg(&whole);
    succeed(command);
    // Step 0 of drawn weights, and of a file's.
    let first = folder.path().join("first");
    let stop = |mut command: Command, out: &Path| {
        // A file size that step 0 passes and no tensor does.
        command
            .arg("--out")
            .arg(out)
            .env("FER_GPU_DISK_FULL", "3-99");
        let output = command.output().expect("the command runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
    };
    stop(train(&data, &["--epochs", "2"]), &first);
    // The resume point itself will do.
    resume(&first.join("resume.safetensors"), &[]);
    same(&whole, &first);

    let weights = whole.join("last.safetensors");
    let from = |epochs| {
        let mut command = train(&data, &["--epochs", epochs, "--log-steps", "--init-from"]);
        command.arg(&weights);
        command
    };
    let second = folder.path().join("second");
    stop(from("2"), &second);
    let (undisturbed, mut command) = (folder.path().join("undisturbed"), from("2"));
    command.arg("--out").arg(&undisturbed);
    succeed(command);
    let moved = folder.path().join("moved.safetensors");
    fs::rename(&weights, &moved).expect("renamed");
    let mut command = fer_gpu();
    command.args(["train", "--resume"]).arg(&second);
    assert!(refused(command, "last.safetensors"));
    fs::rename(&moved, &weights).expect("renamed");
    resume(&second, &[]);
    same(&undisturbed, &second);
}

#[test]
fn a_run_finds_its_data_from_another_folder() {
    let folder = tempdir().expect("a folder");
    faces(folder.path(), 16, 8);
    let run = folder.path().join("run");
    let mut command = train(Path::new("faces-16-8"), &["--steps", "1", "--out"]);
    command.arg(&run).current_dir(folder.path());
    succeed(command);
    let elsewhere = tempdir().expect("a folder");
    let resumed = || {
        let mut command = fer_gpu();
        command
            .args(["train", "--json", "--steps", "1", "--resume"])
            .arg(&run);
        command.current_dir(elsewhere.path());
        command
    };
    succeed(resumed());
    fs::rename(folder.path().join("faces-16-8"), folder.path().join("gone")).expect("renamed");
    let output = resumed().output().expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for needle in ["neither in faces-16-8 nor in /", "--data"] {
        assert!(text.contains(needle), "{text}");
    }
}

#[test]
fn classes_without_images_are_told() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("faces");
    let mut set = fer_gpu::data::Dataset::sample_faces(7, [16, 8]);
    for split in [&mut set.train, &mut set.test] {
        split
            .labels
            .iter_mut()
            .for_each(|label| *label = *label / 2 * 2);
    }
    set.write(&data).expect("written");
    let mut command = train(&data, &["--steps", "1", "--out"]);
    command.arg(folder.path().join("run"));
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("3 of 7 classes have no training image: 1 (disgust)"),
        "{text}"
    );
}

/// Good for a while, then resumed with a rate that ends it: what is saved stays the last point
/// whose weights gave a finite loss, also where a save comes before the loss that tells.
#[test]
fn a_diverged_run_goes_on_from_its_last_good_point() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 24, 8);
    let whole = folder.path().join("whole");
    let mut command = train(&data, &["--epochs", "3", "--log-steps", "--out"]);
    command.arg(&whole);
    succeed(command);
    let run = folder.path().join("run");
    let mut command = train(
        &data,
        &["--epochs", "3", "--steps", "4", "--log-steps", "--out"],
    );
    command.arg(&run);
    succeed(command);
    let before = ["resume", "best", "last"].map(|n| bytes(&run, &format!("{n}.safetensors")));
    for extra in [
        &["--steps", "1"] as &[&str],
        &["--checkpoint-minutes", "0.00001"],
        &["--steps", "2"],
        &[],
    ] {
        let mut command = fer_gpu();
        command
            .args(["train", "--log-steps", "--lr", "1e36"])
            .args(extra);
        command.arg("--resume").arg(&run);
        let output = command.output().expect("the command runs");
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{extra:?}: {text}");
        for needle in ["step 4 is saved", "--lr 0.001", "too high", "not finite"] {
            assert!(text.contains(needle), "{extra:?}: `{needle}`: {text}");
        }
        let after = ["resume", "best", "last"].map(|n| bytes(&run, &format!("{n}.safetensors")));
        assert!(before == after, "{extra:?}");
    }
    resume(&run, &[]);
    same(&whole, &run);
}

/// A bias of minus infinity before a ReLU: no loss ever tells of it.
#[test]
fn weights_that_are_not_finite_are_not_saved_whatever_the_loss() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let run = folder.path().join("run");
    let mut command = train(&data, &["--steps", "1", "--out"]);
    command.arg(&run);
    succeed(command);
    let good = bytes(&run, "last.safetensors");
    let end = 8 + u64::from_le_bytes(good[..8].try_into().expect("eight")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&good[8..end]).expect("JSON");
    let at = header["mid_1/5x5/bias"]["data_offsets"][0]
        .as_u64()
        .expect("an offset") as usize;
    header
        .as_object_mut()
        .expect("an object")
        .remove("__metadata__");
    let header = header.to_string();
    let mut poisoned = (header.len() as u64).to_le_bytes().to_vec();
    poisoned.extend(header.bytes());
    let tensors = poisoned.len();
    poisoned.extend(&good[end..]);
    poisoned[tensors + at..tensors + at + 4].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    let weights = folder.path().join("poisoned.safetensors");
    fs::write(&weights, poisoned).expect("written");
    let out = folder.path().join("poisoned");
    let mut command = train(&data, &["--epochs", "1", "--init-from"]);
    command.arg(&weights).arg("--out").arg(&out);
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for needle in ["step 2: its weights are not finite", "`mid_1/5x5/bias`"] {
        assert!(text.contains(needle), "{text}");
    }
    assert!(!out.join("last.safetensors").exists());
}

#[test]
fn a_save_that_fails_is_tried_again_before_the_run_gives_up() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let whole = folder.path().join("whole");
    let mut command = train(&data, &["--epochs", "4", "--log-steps", "--out"]);
    command.arg(&whole);
    succeed(command);
    let run = |name: &str, full: &str| {
        let out = folder.path().join(name);
        let mut command = train(&data, &["--epochs", "4", "--log-steps", "--out"]);
        command.arg(&out).env("FER_GPU_DISK_FULL", full);
        (command.output().expect("the command runs"), out)
    };
    // Files: the first point, config, steps.csv; then best, last, resume, history, config an epoch.
    let (output, out) = run("once", "5-5");
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("step 2 could not be saved"), "{text}");
    for name in ["last.safetensors", "steps.csv"] {
        assert!(bytes(&whole, name) == bytes(&out, name), "{name}");
    }
    let (output, out) = run("always", "5-99");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for needle in ["could not be saved", "no step was saved yet", "--resume"] {
        assert!(text.contains(needle), "{text}");
    }
    resume(&out, &[]);
    same(&whole, &out);
}
