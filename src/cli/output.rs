//! Standard output and error. Nothing here panics: a closed pipe ends what goes there quietly,
//! and any other failure is kept until the command ends, which it then makes an error of.

use super::Error;
use crate::files::{self, Target};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// One of the two streams.
struct Stream {
    name: &'static str,
    state: Mutex<State>,
}

enum State {
    Open,
    /// Nobody reads it any more.
    Closed,
    /// It takes nothing more: a full disk, say.
    Failed(io::Error),
}

static STDOUT: Stream = Stream {
    name: "standard output",
    state: Mutex::new(State::Open),
};

static STDERR: Stream = Stream {
    name: "standard error",
    state: Mutex::new(State::Open),
};

/// Does a report go to standard output? Then tables go to standard error.
static REPORTING: AtomicBool = AtomicBool::new(false);

impl Stream {
    fn write(&self, out: &mut dyn Write, text: &str) {
        let mut state = self.state.lock().expect("no panic while locked");
        if !matches!(*state, State::Open) {
            return;
        }
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => *state = State::Closed,
            Err(error) => *state = State::Failed(error),
        }
    }

    fn failure(&self) -> Option<Error> {
        let mut state = self.state.lock().expect("no panic while locked");
        match std::mem::replace(&mut *state, State::Closed) {
            State::Failed(source) => Some(files::Error::write(Path::new(self.name), source).into()),
            other => {
                *state = other;
                None
            }
        }
    }
}

/// Writes a line to standard output.
pub fn print(text: impl Display) {
    if REPORTING.load(Ordering::Relaxed) {
        tell(text);
    } else {
        line(&STDOUT, &text.to_string());
    }
}

/// Writes a line, or leaves it to the dashboard while that has the screen.
fn line(stream: &Stream, text: &str) {
    let is_stdout = std::ptr::eq(stream, &STDOUT);
    #[cfg(feature = "dashboard")]
    if super::dashboard::divert::keep(is_stdout, text) {
        return;
    }
    let text = format!("{text}\n");
    match is_stdout {
        true => stream.write(&mut io::stdout(), &text),
        false => stream.write(&mut io::stderr(), &text),
    }
}

/// Writes a line to standard error.
pub fn tell(text: impl Display) {
    line(&STDERR, &text.to_string());
}

/// Does nobody read standard output any more?
pub fn is_closed() -> bool {
    let state = STDOUT.state.lock().expect("no panic while locked");
    matches!(*state, State::Closed)
}

/// Refuses a report that would go where nothing can be written, or over something that the command reads.
pub fn spare<'a>(
    report: &Option<PathBuf>,
    mut read: impl Iterator<Item = &'a PathBuf>,
) -> Result<(), Error> {
    let Some(path) = report.as_deref().filter(|path| *path != Path::new("-")) else {
        return Ok(());
    };
    if path.is_dir() {
        return Err(Error::ReportIsFolder(path.into()));
    }
    match read.any(|other| same_file::is_same_file(path, other).unwrap_or(false)) {
        true => Err(Error::ReportOverInput(path.into())),
        false => Ok(()),
    }
}

/// What a stream did not take, if it was more than nobody reading.
pub fn failure() -> Option<Error> {
    STDOUT.failure().or_else(|| STDERR.failure())
}

/// Makes room on standard output for reports that are to go there: tables go to standard error.
pub fn reserve<'a>(reports: impl IntoIterator<Item = &'a Option<std::path::PathBuf>>) {
    let named = reports.into_iter().flatten();
    let stdout = |path: &std::path::PathBuf| matches!(Target::of(path), Ok(Target::Stdout));
    if named.into_iter().any(stdout) {
        REPORTING.store(true, Ordering::Relaxed);
    }
}

/// Writes a report to wherever its path leads: over a regular file, through anything else, and to
/// standard output by `-`.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    match Target::of(path)? {
        Target::Stdout => STDOUT.write(&mut io::stdout(), text),
        Target::Through(_) | Target::Replace(_) => files::replace_text(path, text)?,
    }
    Ok(())
}
