//! The `fer-gpu` command.

mod memory;

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let started = Instant::now();
    quiet_wayland();
    outlive_full_disks();
    #[cfg(unix)]
    memory::explain_refusals();
    fer_gpu::cli::main(started)
}

/// Mesa's GL looks for a Wayland display and complains on stderr where the session has no
/// runtime folder; any folder silences it, and nothing is written there.
fn quiet_wayland() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}

/// A file that passes the size limit of the process ends it by a signal, in mid-write; without
/// the signal it is an error like that of a full disk.
fn outlive_full_disks() {
    #[cfg(unix)]
    // SAFETY: no handler of ours runs in signal context.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
