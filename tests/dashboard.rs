//! `train --dashboard` in a terminal: keys stop it, what is told stands on the screen of before, and that screen
//! and its mode come back however the run ends.
#![cfg(all(unix, feature = "dashboard"))]

#[path = "common/run.rs"]
mod run;

use run::{faces, fer_gpu, stderr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// Enters and leaves the screen of its own.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";

/// A run in a terminal of 80 x 24.
struct Watched {
    child: Child,
    ours: File,
    theirs: OwnedFd,
    /// All that it wrote.
    written: Arc<Mutex<Vec<u8>>>,
    before: [u32; 2],
}

/// The terminal's modes of input and output.
fn modes(terminal: &OwnedFd) -> [u32; 2] {
    // SAFETY: a zeroed termios is filled.
    unsafe {
        let mut mode: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &mut mode), 0);
        [mode.c_lflag, mode.c_oflag]
    }
}

fn watch(arguments: &[&str], data: &Path, out: &Path) -> Watched {
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: both descriptors are new and ours.
    let (ours, theirs) = unsafe {
        let null = std::ptr::null_mut();
        let opened = libc::openpty(&mut ours, &mut theirs, null, null.cast(), &size);
        assert_eq!(opened, 0, "a terminal");
        (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    };
    let before = modes(&theirs);
    let end = || theirs.try_clone().expect("a descriptor");
    let mut command: Command = fer_gpu();
    command.args([
        "train",
        "--dashboard",
        "--model",
        "inception-gap",
        "--batch",
        "8",
    ]);
    command
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(out)
        .args(arguments);
    command.stdin(end()).stdout(end()).stderr(end());
    let child = command.spawn().expect("the command runs");
    let written = Arc::new(Mutex::new(Vec::new()));
    let mut read = ours.try_clone().expect("a descriptor");
    let sink = written.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = read.read(&mut bytes) {
            sink.lock().expect("no panic").extend(&bytes[..count]);
        }
    });
    Watched {
        child,
        ours,
        theirs,
        written,
        before,
    }
}

impl Watched {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().expect("no panic")).into()
    }

    /// Waits until it shows that.
    fn until(&mut self, shown: &str) {
        let begun = Instant::now();
        while !self.text().contains(shown) {
            assert!(begun.elapsed().as_secs() < 100, "{shown}: {}", self.text());
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("{status}: {}", self.text());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn press(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).expect("a key");
    }

    /// Waits for the end; the terminal must be as before. What stands on it then.
    fn end(mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None if begun.elapsed().as_secs() > 60 => {
                    self.child.kill().expect("a child");
                    panic!("it does not end: {}", self.text());
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        std::thread::sleep(Duration::from_millis(200));
        let text = self.text();
        assert_eq!(modes(&self.theirs), self.before, "the terminal's mode");
        assert_eq!(text.matches(ENTER).count(), 1, "{text}");
        assert_eq!(text.matches(LEAVE).count(), 1, "{text}");
        let shown = text.rfind("\u{1b}[?25h").expect("a cursor");
        assert!(
            shown > text.rfind("\u{1b}[?25l").expect("no cursor"),
            "the cursor is back"
        );
        let (_, after) = text.rsplit_once(LEAVE).expect("it leaves");
        (status, after.replace('\r', ""))
    }
}

#[test]
fn keys_and_signals_stop_and_save_and_the_screen_comes_back() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let send = |run: &mut Watched, how: &str| match how {
        "term" => {
            // SAFETY: a signal to a child that was not waited for.
            let sent = unsafe { libc::kill(run.child.id() as i32, libc::SIGTERM) };
            assert_eq!(sent, 0);
        }
        keys => run.press(keys),
    };
    for (i, how) in ["q", "\u{3}", "term"].into_iter().enumerate() {
        let out = folder.path().join(format!("run-{i}"));
        let mut run = watch(&["--epochs", "1000"], &data, &out);
        run.until("images/s");
        assert!(!run.text().contains("finishing the step, then saving\r\n"));
        send(&mut run, how);
        let (status, after) = run.end();
        assert_eq!(status.code(), Some(130), "{after}");
        let resume = format!(
            "stopped and saved; go on with: fer-gpu train --resume {}",
            out.display()
        );
        assert!(after.contains(&resume), "{after}");
        assert!(after.contains("done     "), "{after}");
        assert!(
            after.contains("finishing the step, then saving"),
            "it is told again: {after}"
        );
        assert!(out.join("resume.safetensors").exists());
    }
    let mut again = fer_gpu();
    again
        .args(["train", "--steps", "1", "--resume"])
        .arg(folder.path().join("run-0"));
    let output = again.output().expect("the command runs");
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_run_that_ends_by_itself_says_so_on_the_screen_of_before() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let run = watch(
        &["--epochs", "1", "--check"],
        &data,
        &folder.path().join("run"),
    );
    let (status, after) = run.end();
    assert!(status.success(), "{after}");
    assert!(
        after.contains("done     8 steps") && after.contains("fer-gpu evaluate "),
        "{after}"
    );
    assert!(
        after.contains("check    ") && after.contains("of its bound"),
        "{after}"
    );
}

#[test]
fn an_error_is_told_on_the_screen_of_before() {
    let folder = tempdir().expect("a folder");
    let run = watch(
        &[],
        &folder.path().join("nowhere"),
        &folder.path().join("run"),
    );
    let (status, after) = run.end();
    assert_eq!(status.code(), Some(2), "{after}");
    assert!(after.contains("error:"), "{after}");
}

/// As a driver's fault would.
#[test]
fn a_deadly_signal_gives_the_screen_back() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    for signal in [libc::SIGSEGV, libc::SIGABRT, libc::SIGQUIT] {
        let out = folder.path().join(format!("run-{signal}"));
        let mut run = watch(&["--epochs", "1000"], &data, &out);
        run.until("images/s");
        // SAFETY: a signal to a child that was not waited for.
        assert_eq!(unsafe { libc::kill(run.child.id() as i32, signal) }, 0);
        let (status, after) = run.end();
        let died = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(died, Some(signal), "{status}: {after}");
    }
}

#[test]
fn without_a_terminal_lines_are_written() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let mut command = fer_gpu();
    command
        .args([
            "train",
            "--dashboard",
            "--model",
            "inception-gap",
            "--batch",
            "8",
            "--epochs",
            "1",
            "--data",
        ])
        .arg(&data)
        .arg("--out")
        .arg(folder.path().join("run"));
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("note: no dashboard here"),
        "{}",
        stderr(&output)
    );
    let lines = String::from_utf8_lossy(&output.stdout);
    assert!(
        lines.starts_with("epoch 1  loss ") && !lines.contains(ENTER),
        "{lines}"
    );
    let mut both = fer_gpu();
    both.args(["train", "--dashboard", "--json"]);
    let output = both.output().expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
}
