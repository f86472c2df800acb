//! What other programs read and write: the files that `export` makes, read back without those programs, and
//! files of theirs that `import` takes. `.ci/consumers` asks the programs themselves.

#[path = "../common/run.rs"]
mod run;
// A forward pass in f64 that knows nothing of files.
#[path = "../inference/plain.rs"]
mod plain;

#[cfg(feature = "keras")]
mod import;
mod interpreter;
mod onnx;
mod trained;
mod weights;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Remembers the largest request of each thread.
struct Watching;

thread_local! {
    #[cfg_attr(not(feature = "keras"), allow(dead_code))]
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;
