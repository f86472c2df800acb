//! Requests to stop: Ctrl-C, a polite kill, a closed terminal. One is a wish to save and end, and
//! so are all that follow, for a shell, `timeout` and a terminal each send theirs; only a second
//! Ctrl-C by a person who has read what the first one does ends the process at once.

use super::output::{self, tell};
use crate::files;
use std::io::{IsTerminal, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The exit code of a process that ends at once.
const QUIT: i32 = 4;

/// That of one that was asked to end.
const INTERRUPTED: i32 = 130;

/// Whoever presses Ctrl-C again within it has not read the answer.
const READING: Duration = Duration::from_secs(1);

/// Requests from wherever they come, and the flag that the first one raises.
#[derive(Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    requests: Arc<Mutex<Requests>>,
}

/// For a command that has nothing to save: the first request ends the process, and what it had half written goes.
pub fn end_on_request() {
    let heard = platform::each(|_| {
        let _nothing_new = files::abandon();
        tell("\nstopped; nothing was written");
        platform::quit(INTERRUPTED);
    });
    if let Err(error) = heard {
        output::warn(format_args!(
            "Ctrl-C will leave files half written: {error}"
        ));
    }
}

/// Hears the system's requests from now on.
pub fn listen() -> Stop {
    let stop = Stop {
        flag: Arc::default(),
        requests: Arc::default(),
    };
    let heard = stop.clone();
    if let Err(error) = platform::each(move |is_ctrl_c| heard.request(is_ctrl_c)) {
        output::warn(format_args!("Ctrl-C will not save: {error}"));
    }
    stop
}

impl Stop {
    /// Raised by the first request.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Asks once more.
    pub fn request(&self, is_ctrl_c: bool) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.receive(&self.flag, is_ctrl_c);
    }
}

#[derive(Default)]
struct Requests {
    /// When the first one was answered.
    announced: Option<Instant>,
}

impl Requests {
    fn receive(&mut self, stop: &AtomicBool, is_ctrl_c: bool) {
        let person = stdin().is_terminal();
        match self.announced {
            None => {
                stop.store(true, Ordering::Relaxed);
                let more = if person {
                    "; press Ctrl-C again to quit without saving"
                } else {
                    ""
                };
                tell(format_args!("\nfinishing the step, then saving{more}"));
                self.announced = Some(Instant::now());
            }
            Some(announced) if is_ctrl_c && person && announced.elapsed() >= READING => {
                let _nothing_new = files::abandon();
                #[cfg(feature = "dashboard")]
                super::dashboard::divert::end();
                tell("\nquit without saving");
                platform::quit(QUIT);
            }
            Some(_) => {}
        }
    }
}

#[cfg(unix)]
mod platform {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// Calls `receive` for each request, on a thread of its own; tells it which are Ctrl-C. What
    /// was ignored when the process began, by `nohup` or a parent's choice, stays ignored.
    pub fn each(mut receive: impl FnMut(bool) + Send + 'static) -> std::io::Result<()> {
        let heard = [SIGINT, SIGTERM, SIGHUP].into_iter();
        let mut signals = Signals::new(heard.filter(|&signal| !is_ignored(signal)))?;
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                signals
                    .forever()
                    .for_each(|signal| receive(signal == SIGINT))
            })
            .map(drop)
    }

    fn is_ignored(signal: i32) -> bool {
        // SAFETY: a zeroed sigaction is a valid one, and nothing is changed.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut now) == 0
                && now.sa_sigaction == libc::SIG_IGN
        }
    }

    /// Ends the process without waiting for the driver, which may be in mid-step.
    pub fn quit(code: i32) -> ! {
        // SAFETY: nothing is left to be dropped.
        unsafe { libc::_exit(code) }
    }
}

#[cfg(not(unix))]
mod platform {

    /// Calls `receive` for each request: all of them are Ctrl-C's.
    pub fn each(mut receive: impl FnMut(bool) + Send + 'static) -> Result<(), ctrlc::Error> {
        ctrlc::set_handler(move || receive(true))
    }

    pub fn quit(code: i32) -> ! {
        std::process::exit(code)
    }
}
