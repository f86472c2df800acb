//! Standard output and error. Nothing here panics: a closed pipe ends what goes there quietly,
//! and any other failure is kept until the command ends, which it then makes an error of.
//!
//! Results go to standard output, all else to standard error; the word that a line begins with says what it is,
//! in colour where a terminal shows it.

use super::{Error, place};
use crate::files::{self, Target};
/// A path as a word of a command.
pub use crate::report::path as told;
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
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

/// Are only results and errors wanted?
static QUIET: AtomicBool = AtomicBool::new(false);

/// Keeps notes, progress and what to type next to itself from now on.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

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

/// Writes a line to standard error that begins with a word in bold colour.
fn tell_of(word: &str, colour: AnsiColor, text: impl Display) {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    match anstream::AutoStream::choice(&io::stderr()) {
        anstream::ColorChoice::Never => tell(format_args!("{word} {text}")),
        _ => tell(format_args!("{style}{word}{style:#} {text}")),
    }
}

/// Tells why a command failed.
pub fn error(text: impl Display) {
    tell_of("error:", AnsiColor::Red, text);
}

/// Tells what went wrong though the command goes on.
pub fn warn(text: impl Display) {
    tell_of("warning:", AnsiColor::Yellow, text);
}

/// Tells how an error can be mended.
pub fn help(text: impl Display) {
    tell_of("help:", AnsiColor::Cyan, text);
}

/// Tells how far a command is.
pub fn status(text: impl Display) {
    if !is_quiet() {
        tell(text);
    }
}

/// Tells what the user should know.
pub fn note(text: impl Display) {
    if !is_quiet() {
        tell_of("note:", AnsiColor::Cyan, text);
    }
}

/// The last lines of a command: what to type next.
pub fn next<S: AsRef<str>>(commands: &[S]) {
    if is_quiet() {
        return;
    }
    for (i, command) in commands.iter().enumerate() {
        match i {
            0 => tell_of("next:", AnsiColor::Green, command.as_ref()),
            _ => tell(format_args!("      {}", command.as_ref())),
        }
    }
}

/// `1 image`, `2 images`
pub fn plural(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

/// A text without what a terminal would obey: control characters and changes of direction.
pub fn plain(text: &str) -> String {
    let obeyed =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = |c: char| match obeyed(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// Does nobody read standard output any more?
pub fn is_closed() -> bool {
    let state = STDOUT.state.lock().expect("no panic while locked");
    matches!(*state, State::Closed)
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

/// Writes bytes over a regular file, or a new one.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    place::must_not_belong(path)?;
    let failed = |source| files::Error::write(path, source);
    Ok(files::replace(path, |out| {
        out.write_all(bytes).map_err(failed)
    })?)
}

/// Writes a report to wherever its path leads: over a regular file, through anything else, and to
/// standard output by `-`.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    match Target::of(path)? {
        Target::Stdout => STDOUT.write(&mut io::stdout(), text),
        Target::Through(_) | Target::Replace(_) => {
            place::must_not_belong(path)?;
            files::replace_text(path, text)?;
        }
    }
    Ok(())
}
