//! What goes to files that are none, to disks that are full and to pipes that nobody reads; and
//! what is said where no terminal is.
#![cfg(unix)]

#[path = "common/run.rs"]
mod run;

use run::{faces, fer_gpu, stderr, train};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::tempdir;

/// A quick verification whose JSON goes to `path`.
fn verify(path: &Path) -> Command {
    let mut command = fer_gpu();
    command
        .args(["verify", "--op", "add/naive", "--device", "0", "--limits"])
        .args(["native", "--json"])
        .arg(path);
    command
}

fn run(mut command: Command) -> Output {
    command.output().expect("the command runs")
}

fn is_report(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(text).is_ok_and(|json| json.is_object())
}

#[test]
fn a_report_is_written_through_what_is_no_regular_file() {
    let folder = tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            let mut text = Vec::new();
            let mut file = File::open(fifo).expect("a reader");
            file.read_to_end(&mut text).expect("a report");
            text
        }
    });
    let output = run(verify(&fifo));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(is_report(&reader.join().expect("a reader")));
    let kind = fs::metadata(&fifo).expect("still there").file_type();
    assert!(kind.is_fifo());

    // As root a rename would take the device's place.
    assert!(run(verify(Path::new("/dev/null"))).status.success());
    let null = fs::metadata("/dev/null").expect("still there");
    assert!(null.file_type().is_char_device());
}

#[test]
fn a_report_follows_links_and_keeps_permissions() {
    let folder = tempdir().expect("a folder");
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("permissions");
    symlink("file", &link).expect("a link");
    assert!(run(verify(&link)).status.success());
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert!(is_report(&fs::read(&file).expect("a report")));
    assert_eq!(fs::metadata(&file).expect("a file").mode() & 0o777, 0o640);
    let dangling = folder.path().join("dangling");
    symlink("new", &dangling).expect("a link");
    assert!(run(verify(&dangling)).status.success());
    assert!(is_report(
        &fs::read(folder.path().join("new")).expect("a report")
    ));
}

/// The report alone is on standard output, the table beside it: what reads the pipe gets JSON.
#[test]
fn a_report_goes_to_standard_output() {
    let folder = tempdir().expect("a folder");
    for name in ["-", "/dev/stdout"] {
        let output = run(verify(Path::new(name)));
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(is_report(&output.stdout), "{name}");
        assert!(stderr(&output).contains("computes what it should"));
        // Redirected to a file, which must not be replaced under the shell.
        let path = folder.path().join("out");
        let mut command = verify(Path::new(name));
        command.stdout(File::create(&path).expect("a file"));
        let before = fs::metadata(&path).expect("a file").ino();
        assert!(run(command).status.success());
        assert!(is_report(&fs::read(&path).expect("a report")), "{name}");
        assert_eq!(fs::metadata(&path).expect("a file").ino(), before);
    }
}

/// The command with its output going nowhere: `1>/dev/full`, `2>/dev/full`, `1>&-` and so on.
fn shell(redirection: &str, command: &Command) -> Output {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("\"$0\" \"$@\" {redirection}")])
        .arg(command.get_program())
        .args(command.get_args());
    shell.output().expect("a shell runs")
}

#[test]
fn a_full_disk_under_the_output_is_an_error_and_a_closed_pipe_is_none() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let command = |arguments: &[&str]| {
        let mut command = fer_gpu();
        command.args(arguments);
        command
    };
    for arguments in [
        &["summary"] as &[&str],
        &["plan", "--model", "inception-gap"],
        &["devices"],
        &["--help"],
        &["train", "--help"],
        &["--version"],
    ] {
        let command = command(arguments);
        let full = shell(">/dev/full", &command);
        assert_eq!(full.status.code(), Some(2), "{arguments:?}");
        assert!(!stderr(&full).contains("panicked"), "{}", stderr(&full));
        for closed in [">&-", "| head -1", "2>&-"] {
            let output = shell(closed, &command);
            assert!(output.status.success(), "{arguments:?} {closed}");
            // But for what to type next.
            let told = stderr(&output);
            let told = told.lines().filter(|line| {
                !line.starts_with("next: fer-gpu ") && !line.starts_with("      fer-gpu ")
            });
            assert_eq!(told.collect::<Vec<_>>(), [""; 0], "{arguments:?} {closed}");
        }
    }
    // Nothing can be said, but the code tells.
    let wrong = shell("2>/dev/full", &command(&["summary", "--model", "vgg"]));
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_run_goes_on_and_saves_whatever_becomes_of_its_output() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    for (i, (redirection, code)) in [
        (">/dev/full", 2),
        ("2>/dev/full", 2),
        (">&-", 0),
        (">&- 2>&-", 0),
        ("2>&1 | head -1", 0),
    ]
    .iter()
    .enumerate()
    {
        let out = folder.path().join(format!("run-{i}"));
        let mut command = train(&data, &["--epochs", "3", "--out"]);
        command.arg(&out);
        let output = shell(redirection, &command);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(*code), "{redirection}: {text}");
        assert!(!text.contains("panicked"), "{redirection}: {text}");
        // A pipe's status is its reader's: wait for the run itself.
        let begun = std::time::Instant::now();
        let history = || fs::read_to_string(out.join("history.csv")).unwrap_or_default();
        while history().lines().count() < 4 {
            assert!(
                begun.elapsed().as_secs() < 60,
                "{redirection}: {}",
                history()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

#[test]
fn a_run_without_a_terminal_says_where_it_is() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 64, 8);
    let out = folder.path().join("run");
    let mut command = train(
        &data,
        &["--epochs", "4", "--status-seconds", "0.1", "--out"],
    );
    command.arg(&out);
    let output = run(command);
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(text.contains("training inception-gap on "), "{text}");
    let status = |line: &&&str| line.starts_with("epoch ") && line.contains(" of 8  loss ");
    assert!(lines.iter().filter(status).count() >= 2, "{text}");
    let end = lines
        .iter()
        .position(|line| line.starts_with("done     32 steps"));
    let end = end.expect("a last step");
    let needles = ["best val_loss", "run is in"];
    assert!(needles.iter().all(|n| lines[end].contains(n)), "{text}");
    // What it reached, and what can be done with it.
    let heads = ["best     epoch ", "weights  ", "next: fer-gpu evaluate "];
    for (head, line) in heads.iter().zip(&lines[end + 1..]) {
        assert!(line.starts_with(head), "{text}");
    }
    assert!(
        lines.last().expect("a line").contains("fer-gpu export "),
        "{text}"
    );
    let mut again = fer_gpu();
    again.args(["train", "--resume"]).arg(&out);
    let output = run(again);
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("nothing to do"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn memory_that_the_system_refuses_is_an_error_with_a_remedy() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let folder = tempdir().expect("a folder");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 150000 && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_fer-gpu"))
        .args(["data", "sample", "--train", "900000", "--out"])
        .arg(folder.path().join("faces"))
        .stdin(Stdio::null());
    let output = run(command);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let last = text.lines().last().expect("a line");
    assert!(
        last.starts_with("error: ") && last.contains("ulimit -v"),
        "{text}"
    );
}
