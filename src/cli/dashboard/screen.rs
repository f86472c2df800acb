//! The terminal as one screen: raw keys, the alternate screen, no cursor; and all of that undone, however the
//! process ends. A stop, an error and a panic come through [`leave`]; a signal that kills through a handler of
//! its own, which uses nothing but what signal context allows.

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{self, Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

pub type Screen = Terminal<CrosstermBackend<Stdout>>;

/// Is there anything to undo?
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal.
///
/// # Errors
/// If it cannot be taken; it is as before then.
pub fn enter() -> io::Result<Screen> {
    #[cfg(unix)]
    signals::remember();
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let entered = execute!(stdout(), EnterAlternateScreen, Hide);
    let screen = entered.and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
    if screen.is_err() {
        leave();
    }
    screen
}

/// Gives it back. A second call does nothing.
pub fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nobody is left to tell, if the terminal has gone.
        let _gone = execute!(stdout(), Show, LeaveAlternateScreen);
        let _gone = disable_raw_mode();
    }
}

/// May still be drawn on.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Has a panic give the terminal back before it is told.
pub fn leave_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            super::divert::end();
            told(panic);
        }));
    });
}

#[cfg(unix)]
mod signals {
    use super::TAKEN;
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    /// Those that end a process by a fault of its own, a driver's say, or by a key that asks for it.
    const DEADLY: [i32; 6] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGABRT,
        libc::SIGQUIT,
    ];

    struct Before {
        terminal: Option<libc::termios>,
        actions: Vec<(i32, libc::sigaction)>,
    }

    static BEFORE: OnceLock<Before> = OnceLock::new();

    /// Keeps the terminal's mode, and stands before the handlers of deadly signals.
    pub fn remember() {
        BEFORE.get_or_init(|| Before {
            terminal: mode(),
            actions: DEADLY
                .iter()
                .map(|&signal| (signal, current(signal)))
                .collect(),
        });
        for signal in DEADLY {
            // SAFETY: the handler keeps to what signal context allows; a zeroed sigaction is a valid one.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = deadly;
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigaction(signal, &action, std::ptr::null_mut());
            }
        }
    }

    fn mode() -> Option<libc::termios> {
        // SAFETY: a zeroed termios is filled, or not used.
        unsafe {
            let mut mode: libc::termios = std::mem::zeroed();
            (libc::tcgetattr(libc::STDOUT_FILENO, &mut mode) == 0).then_some(mode)
        }
    }

    fn current(signal: i32) -> libc::sigaction {
        // SAFETY: a zeroed sigaction is a valid one, and nothing is changed.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut now);
            now
        }
    }

    /// Gives the terminal back, lets the handler of before do its work, and dies of the signal.
    extern "C" fn deadly(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
        let before = BEFORE.get();
        // SAFETY: write, tcsetattr, sigaction and raise are allowed in signal context; the handler of before is
        // called as the system would have called it.
        unsafe {
            if TAKEN.swap(false, Ordering::SeqCst) {
                libc::write(libc::STDOUT_FILENO, LEAVE.as_ptr().cast(), LEAVE.len());
                if let Some(mode) = before.and_then(|before| before.terminal.as_ref()) {
                    libc::tcsetattr(libc::STDOUT_FILENO, libc::TCSANOW, mode);
                }
            }
            let actions = before.map_or(&[][..], |before| &before.actions);
            let old = actions.iter().find(|(of, _)| *of == signal);
            match old.map(|(_, old)| (old.sa_sigaction, old.sa_flags)) {
                None | Some((libc::SIG_DFL | libc::SIG_IGN, _)) => {}
                Some((handler, flags)) if flags & libc::SA_SIGINFO != 0 => {
                    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                        std::mem::transmute(handler);
                    handler(signal, info, context);
                }
                Some((handler, _)) => {
                    let handler: extern "C" fn(i32) = std::mem::transmute(handler);
                    handler(signal);
                }
            }
            let mut default: libc::sigaction = std::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &default, std::ptr::null_mut());
            libc::raise(signal);
        }
    }
}
