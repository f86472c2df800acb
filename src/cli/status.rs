//! Where no terminal shows a bar: a line now and then that says how far a run is, also while a
//! single step or a compiler takes minutes.

use super::output::tell;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

struct Shared {
    /// What there is to say; none once the run has ended.
    text: Mutex<Option<String>>,
    changed: Condvar,
}

/// Speaks while it lives.
pub struct Status {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Status {
    /// A line every so often.
    pub fn every(period: Duration) -> Status {
        let shared = Arc::new(Shared {
            text: Mutex::new(Some("opening the device".into())),
            changed: Condvar::new(),
        });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || shared.speak(period)
        });
        let thread = Some(thread);
        Status { shared, thread }
    }

    /// What the next line will say.
    pub fn set(&self, text: String) {
        *self.shared.text.lock().expect("no panic while locked") = Some(text);
    }
}

impl Shared {
    fn speak(&self, period: Duration) {
        let mut text = self.text.lock().expect("no panic while locked");
        while text.is_some() {
            let goes_on = |text: &mut Option<String>| text.is_some();
            let waited = self.changed.wait_timeout_while(text, period, goes_on);
            text = waited.expect("no panic while locked").0;
            text.iter().for_each(tell);
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        // A panic elsewhere is told already; one more here would hide it.
        if let Ok(mut text) = self.shared.text.lock() {
            *text = None;
        }
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
