//! While the dashboard has the screen, lines for the terminal are kept here; when it gives the screen back they
//! are written, in their order. Whoever ends the process first calls [`end`].

use std::sync::{Mutex, MutexGuard, PoisonError};

struct Kept {
    /// Standard output or error, and the text.
    lines: Vec<(bool, String)>,
    /// Gives the screen back.
    restore: fn(),
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

fn kept() -> MutexGuard<'static, Option<Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps lines from now on.
pub fn begin(restore: fn()) {
    *kept() = Some(Kept {
        lines: Vec::new(),
        restore,
    });
}

/// Takes a line, if lines are kept.
pub fn keep(is_stdout: bool, text: &str) -> bool {
    match &mut *kept() {
        Some(kept) => {
            kept.lines.push((is_stdout, text.into()));
            true
        }
        None => false,
    }
}

/// The last lines, at most so many, without their colours.
pub fn last(count: usize) -> Vec<String> {
    let kept = kept();
    let lines = kept.as_ref().map_or(&[][..], |kept| &kept.lines);
    let last = lines[lines.len().saturating_sub(count)..].iter();
    let plain = |line: &str| anstream::adapter::strip_str(line).to_string();
    last.map(|(_, line)| plain(line).trim().to_string())
        .collect()
}

/// Gives the screen back and writes what was kept. A second call does nothing.
pub fn end() {
    let Some(kept) = kept().take() else { return };
    (kept.restore)();
    for (is_stdout, line) in kept.lines {
        match is_stdout {
            true => super::super::print(line),
            false => super::super::output::tell(line),
        }
    }
}
