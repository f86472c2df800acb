//! Signals: one request to stop, however often it is made, ends a run that goes on later; only a
//! person who presses Ctrl-C again ends it at once.
#![cfg(unix)]

#[path = "common/run.rs"]
mod run;

use run::{faces, fer_gpu, resume, same, stderr, succeed, train};
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

const EPOCHS: &str = "40";

/// A long run that has begun to train, and its folder.
fn begin(
    folder: &TempDir,
    name: &str,
    how: impl FnOnce(&mut Command),
) -> (Child, std::path::PathBuf) {
    let data = folder.path().join("faces-64-8");
    let data = if data.exists() {
        data
    } else {
        faces(folder.path(), 64, 8)
    };
    let out = folder.path().join(name);
    let mut command = train(&data, &["--epochs", EPOCHS, "--log-steps", "--out"]);
    command
        .arg(&out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    how(&mut command);
    let mut child = command.spawn().expect("the command runs");
    let begun = Instant::now();
    while !out.join("history.csv").exists() {
        assert!(begun.elapsed().as_secs() < 100, "it hangs");
        assert!(child.try_wait().expect("a child").is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    (child, out)
}

fn send(child: &Child, signal: i32) {
    // SAFETY: a signal to a child that was not waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("the command ends")
}

fn drafts(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension() == Some("partial".as_ref()))
        .count()
}

/// `timeout` signals the child and then its group, so the second comes 90 microseconds later; a
/// closing terminal sends HUP with TERM.
#[test]
fn signals_that_come_together_are_one_request() {
    let folder = tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    let data = faces(folder.path(), 64, 8);
    let mut command = train(&data, &["--epochs", EPOCHS, "--log-steps", "--out"]);
    command.arg(&whole);
    succeed(command);
    for (i, [first, second]) in [
        [libc::SIGTERM, libc::SIGTERM],
        [libc::SIGHUP, libc::SIGTERM],
        [libc::SIGINT, libc::SIGINT],
    ]
    .into_iter()
    .enumerate()
    {
        let (child, out) = begin(&folder, &format!("run-{i}"), |_| ());
        send(&child, first);
        std::thread::sleep(Duration::from_micros(90));
        send(&child, second);
        let output = end(child);
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
        assert_eq!(drafts(&out), 0);
        resume(&out, &[]);
        same(&whole, &out);
    }
}

#[test]
fn timeout_into_a_pipe_saves() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let out = folder.path().join("run");
    let command = train(&data, &["--epochs", "1000", "--out"]);
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "timeout 5 \"$0\" \"$@\" | cat; test -s \"$OUT/resume.safetensors\"",
        ])
        .arg(command.get_program())
        .args(command.get_args())
        .arg(&out)
        .env("OUT", &out);
    let output = shell.output().expect("a shell runs");
    assert!(
        stderr(&output).contains("stopped and saved"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let folder = tempdir().expect("a folder");
    let (child, _) = begin(&folder, "run", |command| {
        // As nohup does. SAFETY: allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                Ok(())
            });
        }
    });
    send(&child, libc::SIGHUP);
    std::thread::sleep(Duration::from_millis(500));
    send(&child, libc::SIGTERM);
    let output = end(child);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    // HUP alone would have ended it as well, but half a second earlier and unasked.
    let (mut child, _) = begin(&folder, "again", |command| {
        // SAFETY: as above.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                Ok(())
            });
        }
    });
    send(&child, libc::SIGHUP);
    std::thread::sleep(Duration::from_millis(700));
    assert!(
        child.try_wait().expect("a child").is_none(),
        "HUP was heard"
    );
    child.kill().expect("a child");
    child.wait().expect("a child");
}

/// Both ends of a terminal.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: both descriptors are new and ours; no name, no settings, no size are asked for.
    unsafe {
        let null = std::ptr::null_mut();
        let opened = libc::openpty(&mut ours, &mut theirs, null, null.cast(), null.cast());
        assert_eq!(opened, 0, "a terminal");
        (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}

/// In mid-save: the draft goes, what was saved stays and goes on to the same bits.
#[test]
fn a_second_ctrl_c_by_a_person_quits_at_once_and_leaves_nothing_half_written() {
    let folder = tempdir().expect("a folder");
    let (_ours, theirs) = terminal();
    let (mut child, out) = begin(&folder, "run", |command| {
        command.stdin(File::from(theirs));
        // Saves all the time and so seldom looks up.
        command.args(["--checkpoint-minutes", "0.0001"]);
    });
    // SAFETY: as in `send`; a stopped process hears nothing until it goes on.
    send(&child, libc::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    if child.try_wait().expect("a child").is_none() {
        send(&child, libc::SIGINT);
    }
    let output = end(child);
    // Too early for a person to have read anything: still a request to save.
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("press Ctrl-C again"),
        "{}",
        stderr(&output)
    );

    // The large network takes seconds to save.
    let (_ours, theirs) = terminal();
    let large = folder.path().join("large");
    let mut command = fer_gpu();
    command
        .args(["train", "--batch", "4", "--epochs", "1", "--out"])
        .arg(&large)
        .stdin(File::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let begun = Instant::now();
    while !large.join("resume.safetensors").exists() {
        assert!(begun.elapsed().as_secs() < 200, "it hangs");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    send(&child, libc::SIGINT);
    std::thread::sleep(Duration::from_millis(1300));
    assert!(
        child.try_wait().expect("a child").is_none(),
        "it saved a gigabyte in a second"
    );
    send(&child, libc::SIGINT);
    let output = end(child);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("quit without saving"));
    assert_eq!(drafts(&large), 0);
    drop(out);
}
