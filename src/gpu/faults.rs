//! What a driver reports late and aside: errors, lack of memory, the loss of the device.
//!
//! What several threads make has error scopes of its own ([`Gpu::checked`]). For all else wgpu calls back, the first
//! report is kept, and whoever used the device meets it as an [`Error`] at the next [`Gpu::check`]. A lost device
//! refuses all work silently, so nothing that came after a report may be believed: every download and every step checks.

use super::Error;
use super::adapter::Info;
use super::device::Gpu;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

/// A device that does not answer for so long is given up. Half a second of work is submitted
/// at once, and the operating systems themselves reset a GPU that hangs, after a few seconds.
const PATIENCE: Duration = Duration::from_secs(600);

/// The message with which wgpu loses a device for lack of memory.
const OUT_OF_MEMORY: &str = "Out of memory";

/// With what wgpu and Vulkan refuse a device for lack of memory: there is no error of its own.
const NO_MEMORY: [&str; 2] = ["Not enough memory", "OUT_OF_HOST_MEMORY"];

/// What a device is refused for: wgpu 30 says so, or panics.
pub(super) fn refusal(adapter: &Info, cause: &str) -> Error {
    let cause = one_line(cause);
    if NO_MEMORY.iter().any(|told| cause.contains(told)) {
        return Error::OutOfMemory {
            adapter: adapter.name.clone(),
            what: "opening the device".into(),
        };
    }
    Error::Request {
        adapter: adapter.to_string(),
        cause,
    }
}

/// What the driver reported since the last look.
#[derive(Default)]
pub(super) struct Faults {
    first: Option<wgpu::Error>,
    lost: Option<String>,
    /// It did not answer within [`PATIENCE`].
    hangs: bool,
}

/// Has every fault of a device noted.
pub(super) fn listen(device: &wgpu::Device) -> Arc<Mutex<Faults>> {
    hush_expected_panics();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let sink = faults.clone();
    device.on_uncaptured_error(Arc::new(move |error| {
        let mut faults = sink.lock().expect("no panic while locked");
        faults.first.get_or_insert(error);
    }));
    let sink = faults.clone();
    device.set_device_lost_callback(move |reason, message| {
        let text = if message.is_empty() {
            format!("{reason:?}").to_lowercase()
        } else {
            message
        };
        let mut faults = sink.lock().expect("no panic while locked");
        faults.lost.get_or_insert(text);
    });
    faults
}

impl Gpu {
    /// Gives the device up, as a driver does that was reset or unplugged: work in flight ends,
    /// later work fails with [`Error::Lost`].
    pub fn destroy(&self) {
        self.device.destroy();
        // wgpu tells of it only once the queue is empty.
        let mut faults = self.faults.lock().expect("no panic while locked");
        faults.lost.get_or_insert("destroyed".into());
    }

    /// Makes something, and says what the driver reports of it, whatever other threads meet meanwhile.
    pub(super) fn checked<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T, Error> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let memory = self.device.push_error_scope(OutOfMemory);
        let internal = self.device.push_error_scope(Internal);
        let validation = self.device.push_error_scope(Validation);
        let made = make();
        let errors = [
            pollster::block_on(validation.pop()),
            pollster::block_on(internal.pop()),
            pollster::block_on(memory.pop()),
        ];
        match errors.into_iter().flatten().next() {
            Some(error) => Err(self.refused(what, error)),
            None => self.check(what).map(|()| made),
        }
    }

    /// The first error that the driver reported since the last call, if any; `what` was being done.
    pub fn check(&self, what: &str) -> Result<(), Error> {
        let mut faults = self.faults.lock().expect("no panic while locked");
        // Lack of memory can be why the device was lost; it says more.
        let refused = matches!(faults.first, Some(wgpu::Error::OutOfMemory { .. }));
        if !refused && let Some(cause) = &faults.lost {
            return Err(match cause.as_str() {
                OUT_OF_MEMORY => self.out_of_memory(what),
                _ => self.lost(what, cause.clone()),
            });
        }
        match faults.first.take() {
            None => Ok(()),
            Some(error) => Err(self.refused(what, error)),
        }
    }

    fn refused(&self, what: &str, error: wgpu::Error) -> Error {
        if let wgpu::Error::OutOfMemory { .. } = error {
            return self.out_of_memory(what);
        }
        Error::Rejected {
            adapter: self.info.to_string(),
            what: what.into(),
            cause: one_line(&error.to_string()),
        }
    }

    fn out_of_memory(&self, what: &str) -> Error {
        Error::OutOfMemory {
            adapter: self.info.name.clone(),
            what: what.into(),
        }
    }

    pub(super) fn lost(&self, what: &str, cause: impl ToString) -> Error {
        Error::Lost {
            adapter: self.info.name.clone(),
            what: what.into(),
            cause: cause.to_string(),
        }
    }

    /// Hands commands to the device.
    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        let index = self.queue.submit([encoder.finish()]);
        self.failpoint();
        index
    }

    /// Waits until the queue is empty, or until one submission is done.
    pub(super) fn wait(
        &self,
        what: &str,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<(), Error> {
        let waited = self.poll(wgpu::PollType::Wait {
            submission_index: submission,
            timeout: Some(PATIENCE),
        });
        self.check(what)?;
        waited.map_err(|cause| self.lost(what, cause))
    }

    /// wgpu 30 has no error for a device that is lost while somebody waits: it panics.
    fn poll(&self, how: wgpu::PollType) -> Result<(), String> {
        match silently(|| self.device.poll(how)) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => {
                self.faults.lock().expect("no panic while locked").hangs = true;
                Err(format!("no answer for {} s", PATIENCE.as_secs()))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(panic) => Err(one_line(&panic)),
        }
    }

    /// Loses the device after the n-th submission where FER_GPU_LOSE_DEVICE_AT is n: the tests
    /// of faults count them up. Builds without debug assertions have no failpoints.
    fn failpoint(&self) {
        #[cfg(debug_assertions)]
        {
            use std::sync::OnceLock;
            use std::sync::atomic::{AtomicU64, Ordering};
            static PASSED: AtomicU64 = AtomicU64::new(0);
            static LOSE_AT: OnceLock<Option<u64>> = OnceLock::new();
            let of_user = || std::env::var("FER_GPU_LOSE_DEVICE_AT").ok()?.parse().ok();
            let lose_at = *LOSE_AT.get_or_init(of_user);
            if lose_at == Some(PASSED.fetch_add(1, Ordering::Relaxed) + 1) {
                self.destroy();
            }
        }
    }
}

impl Drop for Gpu {
    /// Dropping its queue waits for the device: wgpu panics where that fails, and a device that
    /// hangs is not waited for again.
    fn drop(&mut self) {
        let hangs = self.faults.lock().is_ok_and(|faults| faults.hangs);
        if !hangs {
            // SAFETY: nobody uses the queue after this.
            let queue = unsafe { ManuallyDrop::take(&mut self.queue) };
            drop(silently(|| drop(queue)));
        }
    }
}

thread_local! {
    /// Does this thread expect a panic?
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Makes panics that a thread expects print nothing.
pub(super) fn hush_expected_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                usual(info);
            }
        }));
    });
}

/// Makes the call; a panic in it is returned.
pub(super) fn silently<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    EXPECTED.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(call));
    EXPECTED.set(false);
    outcome.map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => "wgpu panicked".into(),
    })
}

/// wgpu and naga explain over several lines, with source text framed by bars; one line will do.
pub(super) fn one_line(text: &str) -> String {
    let frame = |word: &&str| !word.chars().all(|c| "│┌└─^═╭╰".contains(c));
    let words: Vec<&str> = text.split_whitespace().filter(frame).collect();
    words.join(" ").trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::{hush_expected_panics, one_line, silently};

    #[test]
    fn a_panic_of_wgpu_becomes_a_line() {
        hush_expected_panics();
        let code = 7;
        let panicked = silently(|| {
            if code == 7 {
                panic!("Error in Device::poll:\n  code {code}");
            }
        });
        assert_eq!(
            panicked.map_err(|text| one_line(&text)),
            Err("Error in Device::poll: code 7".into())
        );
        assert_eq!(silently(|| 8), Ok(8));
    }

    #[test]
    fn frames_around_source_text_vanish() {
        let text = "Shader error:\n  ┌─ a.wgsl:2:1\n  │\n2 │ oops\n  │ ^^^^ expected";
        assert_eq!(one_line(text), "Shader error: a.wgsl:2:1 2 oops expected");
    }
}
