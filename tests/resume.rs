//! A run that was stopped, killed or cut at any write goes on to the very bits of one that
//! was not.

mod common;
#[path = "common/run.rs"]
mod run;

use run::{bytes, faces, fer_gpu, resume, same, stderr, succeed, train};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

#[test]
fn stopped_and_resumed_runs_give_the_bits_of_an_uninterrupted_one() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let run = |name: &str, extra: &[&str]| {
        let out = folder.path().join(name);
        let mut command = train(&data, extra);
        command.arg("--log-steps").arg("--out").arg(&out);
        (succeed(command), out)
    };
    let (events, whole) = run("whole", &["--epochs", "3"]);
    let epochs: Vec<u64> = events
        .iter()
        .filter(|e| e["event"] == "epoch")
        .map(|e| e["epoch"].as_u64().expect("a number"))
        .collect();
    assert_eq!(epochs, [1, 2, 3]);
    let done = events.last().expect("a last event");
    assert_eq!(done["event"], "done");
    assert_eq!(done["steps"], 12);
    for key in ["first_step_ms", "step_ms_median", "planned_device_bytes"] {
        assert!(done[key].as_f64().expect(key) > 0.0, "{key}");
    }

    let (_, again) = run("again", &["--epochs", "3"]);
    same(&whole, &again);
    let (_, host) = run("host", &["--epochs", "3", "--host-data"]);
    same(&whole, &host);

    let (_, early) = run("early", &["--epochs", "1"]);
    resume(&early, &["--epochs", "3"]);
    same(&whole, &early);

    // In mid-epoch, twice.
    let (events, cut) = run("cut", &["--epochs", "3", "--steps", "5"]);
    assert_eq!(events.last().expect("a last event")["steps"], 5);
    resume(&cut, &["--steps", "1"]);
    resume(&cut, &[]);
    same(&whole, &cut);

    // Another seed gives other bits.
    let (_, other) = run("other", &["--epochs", "3", "--seed", "1"]);
    assert!(bytes(&whole, "last.safetensors") != bytes(&other, "last.safetensors"));
}

/// What the optimiser keeps is saved by the names of its slots.
#[test]
fn a_run_with_momentum_goes_on_with_it() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let run = |name: &str, extra: &[&str]| {
        let out = folder.path().join(name);
        let mut command = train(
            &data,
            &["--optimizer", "sgd", "--lr", "0.05", "--epochs", "2"],
        );
        command
            .args(extra)
            .arg("--log-steps")
            .arg("--out")
            .arg(&out);
        succeed(command);
        out
    };
    let nesterov = ["--momentum", "0.9", "--nesterov"];
    let whole = run("whole", &nesterov);
    let cut = run("cut", &[&nesterov[..], &["--steps", "3"]].concat());
    let kept = |folder: &Path| -> Vec<String> {
        let file = bytes(folder, "resume.safetensors");
        let end = 8 + u64::from_le_bytes(file[..8].try_into().expect("eight")) as usize;
        let header: serde_json::Value = serde_json::from_slice(&file[8..end]).expect("JSON");
        let names = header.as_object().expect("a header").keys();
        names.filter(|n| *n != "__metadata__").cloned().collect()
    };
    let (momenta, weights): (Vec<String>, Vec<String>) = kept(&cut)
        .into_iter()
        .partition(|name| name.starts_with("momentum/"));
    assert!(
        weights.contains(&"output/kernel".to_string()),
        "{weights:?}"
    );
    let expected: Vec<String> = weights.iter().map(|w| format!("momentum/{w}")).collect();
    assert_eq!(momenta, expected);
    // What the run has already may be said again.
    resume(&cut, &[&["--optimizer", "sgd"], &nesterov[..]].concat());
    same(&whole, &cut);

    // Each of the three is another run, and without momentum there is nothing to keep.
    let heavy = run("heavy", &["--momentum", "0.9"]);
    let plain = run("plain", &[]);
    assert_eq!(kept(&plain), weights);
    let last = [&whole, &heavy, &plain].map(|run| bytes(run, "last.safetensors"));
    assert!(last[0] != last[1] && last[1] != last[2] && last[0] != last[2]);
}

#[test]
fn a_run_killed_at_any_write_resumes_with_nothing_corrupt() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let whole = folder.path().join("whole");
    let mut command = train(&data, &["--epochs", "2", "--log-steps"]);
    command.arg("--out").arg(&whole);
    succeed(command);
    for kill_at in 1.. {
        let out = folder.path().join(format!("killed-{kill_at}"));
        let mut command = train(&data, &["--epochs", "2", "--log-steps"]);
        command
            .arg("--out")
            .arg(&out)
            .env("FER_GPU_KILL_AT", kill_at.to_string());
        let output = command.output().expect("the command runs");
        if output.status.success() {
            assert!(kill_at > 30, "only {kill_at} failpoints");
            break;
        }
        assert!(
            output.status.signal().is_some(),
            "failpoint {kill_at}: {}",
            stderr(&output)
        );
        if out.join("resume.safetensors").exists() {
            resume(&out, &[]);
        } else {
            // Nothing was begun, so the folder is free.
            let mut again = train(&data, &["--epochs", "2", "--log-steps"]);
            again.arg("--out").arg(&out);
            succeed(again);
        }
        same(&whole, &out);
        let leftovers = fs::read_dir(&out)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter(|e| e.path().to_string_lossy().ends_with(".partial"))
            .count();
        assert!(leftovers <= 1, "failpoint {kill_at}");
    }
}

#[test]
fn a_run_killed_at_random_resumes() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let whole = folder.path().join("whole");
    let options = [
        "--epochs",
        "6",
        "--log-steps",
        "--checkpoint-minutes",
        "0.001",
    ];
    let mut command = train(&data, &options);
    command.arg("--out").arg(&whole);
    succeed(command);
    let out = folder.path().join("killed");
    let mut command = train(&data, &options);
    command.arg("--out").arg(&out);
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the command runs");
    for kill in 0..4 {
        while !out.join("resume.safetensors").exists()
            && child.try_wait().expect("a child").is_none()
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(1100 + 170 * kill));
        child.kill().expect("a child");
        child.wait().expect("a child");
        let mut command = fer_gpu();
        command
            .args([
                "train",
                "--json",
                "--no-report",
                "--log-steps",
                "--checkpoint-minutes",
                "0.001",
                "--resume",
            ])
            .arg(&out);
        child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the command runs");
    }
    assert!(child.wait().expect("a child").success());
    same(&whole, &out);
}

#[test]
fn ctrl_c_finishes_the_step_saves_and_says_how_to_resume() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let out = folder.path().join("run");
    let mut command = train(&data, &["--epochs", "1000"]);
    command
        .arg("--out")
        .arg(&out)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the command runs");
    while !out.join("history.csv").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success());
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
    let done: serde_json::Value = serde_json::from_slice(
        output
            .stdout
            .split(|&b| b == b'\n')
            .rfind(|l| !l.is_empty())
            .expect("a line"),
    )
    .expect("JSON");
    assert_eq!(done["event"], "done");
    let mut command = fer_gpu();
    command
        .args(["train", "--json", "--steps", "1", "--resume"])
        .arg(&out);
    let after = succeed(command);
    assert_eq!(
        after.last().expect("a line")["steps"].as_u64(),
        done["steps"].as_u64().map(|n| n + 1)
    );
}
