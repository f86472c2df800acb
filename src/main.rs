//! The `fer-gpu` command: parse, run, one error line with its causes, exit code.

use clap::Parser;
use fer_gpu::cli::Cli;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let started = Instant::now();
    quiet_wayland();
    match Cli::parse().run(started) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error.causes());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Mesa's GL looks for a Wayland display and complains on stderr where the session has no
/// runtime folder; any folder silences it, and nothing is written there.
fn quiet_wayland() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
