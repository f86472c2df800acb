//! What the judges have in common: folders, starting a tool, verdicts and their count.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// Checks on or off, in the names of files.
pub fn mode(checks: fer_gpu::gpu::Checks) -> &'static str {
    match checks {
        fer_gpu::gpu::Checks::On => "checked",
        fer_gpu::gpu::Checks::Off => "release",
    }
}

/// What a judge said of one shader: nothing, or why it refuses it.
#[derive(Debug)]
pub struct Verdict {
    pub shader: String,
    pub refusal: Option<String>,
}

/// An empty folder for the files of a judge.
pub fn folder(judge: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("compilers")
        .join(judge);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old folder goes");
    }
    std::fs::create_dir_all(&folder).expect("a folder for the judge");
    folder
}

/// What `.ci/compilers` installed beside the build: target/compilers.
pub fn installed(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../compilers");
    let target = target.canonicalize().unwrap_or(target);
    let found = target.join(path);
    assert!(
        found.exists(),
        "{} is missing: run .ci/compilers",
        found.display()
    );
    found
}

/// A file of this room.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/compilers")
        .join(name)
}

pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::write(path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Starts a tool and waits; one that is missing is named, with the remedy.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| {
        let tool = command.get_program().display();
        panic!("{tool} cannot be started ({e}): run .ci/compilers")
    })
}

/// Both streams of a tool, for a message.
pub fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|s| String::from_utf8_lossy(s).into_owned());
    text.concat().trim().to_string()
}

/// Accepted where the tool left with success.
pub fn verdict(shader: String, output: &Output) -> Verdict {
    let refusal =
        (!output.status.success()).then(|| format!("{}: {}", output.status, said(output)));
    Verdict { shader, refusal }
}

/// Every shader was judged, and none refused.
pub fn all_accepted(judge: &str, start: Instant, verdicts: &[Verdict], expected: usize) {
    let refused: Vec<String> = verdicts
        .iter()
        .filter_map(|v| Some(format!("{}: {}", v.shader, v.refusal.as_ref()?)))
        .collect();
    assert!(
        refused.is_empty(),
        "{judge} refuses {} of {expected}:\n{}",
        refused.len(),
        refused.join("\n")
    );
    assert_eq!(verdicts.len(), expected, "{judge}: shaders judged");
    println!(
        "{judge}: {expected} accepted in {:.1} s",
        start.elapsed().as_secs_f64()
    );
}

/// The control: a broken shader is refused, for the reason that it was broken for.
pub fn refused(judge: &str, control: &Verdict, reason: &str) {
    let message = control
        .refusal
        .as_ref()
        .unwrap_or_else(|| panic!("{judge} accepts a broken shader, {}", control.shader));
    assert!(
        message.contains(reason),
        "{judge} refuses {}, but not for {reason:?}: {message}",
        control.shader
    );
}
