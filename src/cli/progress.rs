//! The one-line progress bar of the commands that measure.

use super::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub fn bar() -> ProgressBar {
    let target = match output::is_quiet() {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{pos:>3}/{len} {bar:30} {msg}");
    bar.with_style(style.expect("a template of ours").progress_chars("━━─"))
}

pub fn set(bar: &ProgressBar, done: usize, of: usize, what: &'static str) {
    bar.set_length(of as u64);
    bar.set_position(done.min(of) as u64);
    bar.set_message(what);
}

/// Of much that is read, the part that is done.
pub fn part(bar: &ProgressBar, done: u64, total: u64, what: &'static str) {
    let style = ProgressStyle::with_template("{percent:>3} % {bar:30} {msg}");
    bar.set_style(style.expect("a template of ours").progress_chars("━━─"));
    bar.set_length(total);
    bar.set_position(done.min(total));
    bar.set_message(what);
}
