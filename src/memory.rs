//! Memory that the system refuses: Rust ends the process by an abort, which tells nobody what to
//! do. Here the refusal is remembered, and the abort that follows becomes an error of one line.
//! (Where a refusal can be borne, `try_reserve` bears it, and drivers have memory of their own.)

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

/// The system's allocator, listened to.
struct Listening;

#[global_allocator]
static MEMORY: Listening = Listening;

static REFUSED: AtomicBool = AtomicBool::new(false);

fn noted(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        REFUSED.store(true, Ordering::Relaxed);
    }
    block
}

// SAFETY: all work is the system allocator's.
unsafe impl GlobalAlloc for Listening {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        noted(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        noted(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        noted(unsafe { System.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

/// Has an abort for want of memory end with exit code 2 and a remedy.
#[cfg(unix)]
pub fn explain_refusals() {
    const LINE: &[u8] = b"error: the system refuses more memory (the line before says how much); \
        free some, raise the limit (ulimit -v), or use a smaller --batch or data set\n";

    extern "C" fn aborted(_: libc::c_int) {
        if REFUSED.load(Ordering::Relaxed) {
            // SAFETY: both are allowed in signal context.
            unsafe {
                libc::write(2, LINE.as_ptr().cast(), LINE.len());
                libc::_exit(2);
            }
        }
        // Any other abort goes on as one: the handler is gone after its first call.
    }

    // SAFETY: the handler calls nothing but what signal context allows, and is the only one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = aborted as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESETHAND;
        libc::sigaction(libc::SIGABRT, &action, std::ptr::null_mut());
    }
}
