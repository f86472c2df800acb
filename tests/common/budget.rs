//! Bytes that threads share: who needs more than are left waits.

use std::sync::{Condvar, Mutex};

pub struct Budget {
    total: u64,
    left: Mutex<u64>,
    returned: Condvar,
}

impl Budget {
    pub fn new(total: u64) -> Budget {
        let left = Mutex::new(total);
        let returned = Condvar::new();
        Budget {
            total,
            left,
            returned,
        }
    }

    /// Runs `work` once `bytes` are left for it; more than all of them means all of them.
    pub fn spend<T>(&self, bytes: u64, work: impl FnOnce() -> T) -> T {
        let bytes = bytes.min(self.total);
        let left = self.left.lock().expect("no panic while locked");
        let enough = |left: &mut u64| *left < bytes;
        *self
            .returned
            .wait_while(left, enough)
            .expect("no panic while locked") -= bytes;
        // A trial that panics gives its bytes back.
        let _spent = Spent(self, bytes);
        work()
    }
}

/// Bytes that return to their budget.
struct Spent<'a>(&'a Budget, u64);

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        *self.0.left.lock().expect("no panic while locked") += self.1;
        self.0.returned.notify_all();
    }
}
