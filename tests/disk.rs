//! A disk that is really full: a small file system of its own, which only root can mount.
#![cfg(target_os = "linux")]

#[path = "common/run.rs"]
mod run;

use run::{faces, resume, same, stderr, succeed, train};
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

/// Mounted until it is dropped.
struct Disk<'a>(&'a Path);

fn mount(options: &str, at: &Path) -> bool {
    let mut command = Command::new("mount");
    command
        .args(["-t", "tmpfs", "-o", options, "fer-gpu-test"])
        .arg(at);
    command.output().is_ok_and(|output| output.status.success())
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0).status());
    }
}

#[test]
fn a_full_disk_is_foretold_leaves_nothing_partial_and_loses_nothing() {
    let folder = tempdir().expect("a folder");
    let at = folder.path().join("disk");
    std::fs::create_dir(&at).expect("a folder");
    // Step 0 and the weights of an epoch fit; the resume point of 119 kB beside them does not.
    if !mount("size=128k", &at) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let disk = Disk(&at);
    let data = faces(folder.path(), 16, 8);
    let whole = folder.path().join("whole");
    let options = ["--epochs", "3", "--log-steps", "--out"];
    let mut command = train(&data, &options);
    command.arg(&whole);
    succeed(command);
    let out = at.join("run");
    let mut command = train(&data, &options);
    command.arg(&out);
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for needle in [
        "note: saving takes ",
        "the disk has ",
        "step 2 could not be saved",
        "No space left",
        "no step was saved yet, begin again with: fer-gpu train --resume",
    ] {
        assert!(text.contains(needle), "`{needle}`: {text}");
    }
    for entry in std::fs::read_dir(&out).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert!(path.extension() != Some("partial".as_ref()), "{path:?}");
    }
    assert!(mount("remount,size=4m", &at), "more room");
    resume(&out, &[]);
    same(&whole, &out);
    drop(disk);
}
