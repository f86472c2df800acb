//! `train --dashboard`: the run as one screen of the terminal. Events go into the `state`, a thread draws it
//! (`view`) and reads the keys; the `screen` is given back however the run ends, and what was told meanwhile
//! (`divert`) is written then.

pub mod divert;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use super::output::{self, tell};
use super::show::{Show, verdict};
use super::stop::Stop;
use crate::train::Event;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use screen::Screen;
use state::State;
use std::io::{self, IsTerminal, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is drawn, at most; keys are answered as fast.
const FRAME: Duration = Duration::from_millis(100);

/// More lines than any terminal has room for.
const LINES: usize = 10;

/// Shows a run until it is closed or dropped.
pub struct Dashboard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    stop: Stop,
    has_ended: AtomicBool,
}

impl Dashboard {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where there is none, or it cannot be taken.
    pub fn open(stop: Stop) -> io::Result<Dashboard> {
        if !stdout().is_terminal() || !stderr().is_terminal() {
            let why = "standard output and error are not both a terminal";
            return Err(io::Error::other(why));
        }
        screen::leave_on_panic();
        let screen = screen::enter()?;
        divert::begin(screen::leave);
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            stop,
            has_ended: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new().name("dashboard".into()).spawn({
            let shared = shared.clone();
            move || shared.show(screen)
        });
        match thread {
            Ok(thread) => Ok(Dashboard {
                shared,
                thread: Some(thread),
            }),
            Err(error) => {
                divert::end();
                Err(error)
            }
        }
    }
}

impl Show for Dashboard {
    fn event(&mut self, event: Event) {
        self.shared.state().event(&event, Instant::now());
        match event {
            Event::Notice(text) => output::note(text),
            Event::Checked { label, op, outcome } => tell(verdict(label, op, outcome)),
            _ => {}
        }
    }

    fn close(&mut self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of its own is told already.
            drop(thread.join());
        }
        divert::end();
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws and listens until the run has ended.
    fn show(&self, mut screen: Screen) {
        let mut has_keys = true;
        while !self.has_ended.load(Ordering::Relaxed) && screen::is_taken() {
            let told = divert::last(LINES);
            let state = self.state();
            let drawn = screen.draw(|frame| {
                view::draw(
                    frame,
                    &state,
                    &told,
                    self.stop.flag().load(Ordering::Relaxed),
                )
            });
            drop(state);
            // A terminal that has gone sends a signal that stops the run.
            if drawn.is_err() {
                std::thread::sleep(FRAME);
            }
            match has_keys {
                true => has_keys = self.listen().is_ok(),
                false => std::thread::sleep(FRAME),
            }
        }
    }

    /// Answers the keys of the next moment.
    fn listen(&self) -> io::Result<()> {
        let until = Instant::now() + FRAME;
        while event::poll(until.saturating_duration_since(Instant::now()))? {
            if let event::Event::Key(key) = event::read()? {
                self.key(key);
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    fn key(&self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            // Raw mode makes a key of what was a signal.
            KeyCode::Char('c') if with_control => self.stop.request(true),
            KeyCode::Char('q' | 'Q') if !with_control => self.stop.request(false),
            _ => {}
        }
    }
}
