//! Files made to harm: no bytes make loading panic or allocate far beyond their size.

use crate::files::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Remembers the largest request of each thread.
struct Watching;

thread_local! {
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

#[test]
fn refuses_header_bombs_without_allocating() {
    let huge = u64::MAX.to_string();
    let digits = "9".repeat(5000);
    let deep = "[".repeat(9000);
    let dict =
        |shape: &str| format!("{{'descr': '<f8', 'fortran_order': True, 'shape': {shape}, }}");
    let mut length = npy("|u1", "(4, 6)", &[0; 24]);
    length[6] = 2;
    length[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut files = vec![
        length,
        npy_from_dict(2, &deep, &[]),
        npy_from_dict(3, &"{".repeat(9000), &[]),
    ];
    for shape in [
        "(1000000000000, 2, 3, 1)".to_owned(),
        format!("({huge}, 6)"),
        format!("({huge}, {huge}, {huge}, 1)"),
        format!("(0, {huge}, {huge}, 1)"),
        format!("({digits}, 6)"),
        format!("({}6)", "1, ".repeat(1500)),
        format!("(4, {}6)", "1+".repeat(2000)),
    ] {
        files.push(npy_from_dict(1, &dict(&shape), &[0; 24]));
    }
    for bytes in files {
        for name in ["X_train", "y_test"] {
            let dir = good();
            put(&dir, name, &bytes);
            LARGEST.set(0);
            check_refused(load(&dir), &[&format!("{name}.npy")]);
            // The parser's own working memory is a small multiple of a header of at most 10 kB.
            assert!(LARGEST.get() < 1 << 21, "{} bytes at once", LARGEST.get());
        }
    }
}

/// A small generator of numbers, so that a failure can be repeated (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// Changes a few bytes, cuts, or splices in a piece of header syntax.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const PIECES: [&str; 16] = [
        "(",
        ")",
        "{",
        "}",
        "[",
        "'",
        "-",
        "999999999999",
        "L",
        "\\x",
        "1e99",
        "'<f8'",
        "'|O'",
        "True",
        "j",
        ", ",
    ];
    for _ in 0..=random.below(3) {
        let header = bytes.len().min(80);
        let at = random
            .below(header.max(1))
            .min(bytes.len().saturating_sub(1));
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + random.below(4)).min(bytes.len()))),
            2 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            _ => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                // Mostly over what is there, so that the lengths stay right and the parser is reached.
                let end = if random.below(4) == 0 {
                    at
                } else {
                    (at + piece.len()).min(bytes.len())
                };
                bytes.splice(at..end, piece);
            }
        }
    }
}

#[test]
fn no_mutated_file_panics_or_allocates_beyond_its_size() {
    let dir = good();
    let x = npy("|u1", "(4, 2, 3, 1)", &le!(u8, pixels()));
    let dict = "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3), }";
    let y = npy_from_dict(3, dict, &le!(f32, [1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]));
    let mut accepted = 0;
    for seed in 0..1500 {
        let random = &mut Random(seed);
        let (name, original) = if seed % 2 == 0 {
            ("X_train", &x)
        } else {
            ("y_train", &y)
        };
        let mut bytes = original.clone();
        mutate(&mut bytes, random);
        put(&dir, name, &bytes);
        LARGEST.set(0);
        let result = load(&dir);
        let largest = LARGEST.get();
        assert!(
            largest <= bytes.len() + (1 << 16),
            "seed {seed}: {largest} bytes at once"
        );
        match result {
            Ok(_) => accepted += 1,
            Err(error) => assert!(!error.to_string().contains('\n'), "seed {seed}: {error}"),
        }
        put(&dir, name, original);
    }
    assert!(
        (1..1000).contains(&accepted),
        "{accepted} of 1500 accepted: the mutations test nothing"
    );
}
