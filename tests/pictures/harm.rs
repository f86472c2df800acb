//! Files made to harm: sizes that only a header has, lengths that no file has, random damage.

use crate::files::*;
use fer_gpu::pictures::{Colour, Error, MEMORY, decode, read};
use image::{ImageFormat, RgbImage};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::File;

/// Remembers the largest request of each thread.
struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn remember(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        remember(layout.size());
        unsafe { System.alloc(layout) }
    }

    // Zeroed memory costs nothing until it is used: a bomb that asks for it would go unnoticed.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        remember(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        remember(size);
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Decoders may take some buffers of their own; a row of 60 000 pixels is the most among them.
const MODEST: usize = 1 << 20;

/// The error for a file that must be refused before its size is believed.
fn cheap_refusal(bytes: &[u8]) -> Error {
    LARGEST.set(0);
    let error = refusal(bytes);
    let largest = LARGEST.get();
    assert!(largest < MODEST, "{largest} bytes at once for: {error}");
    error
}

/// A JPEG whose header says another size than it has.
fn jpeg_of_size(width: u16, height: u16) -> Vec<u8> {
    let mut file = jpeg(&texture(8, 8));
    let frame = file.windows(2).position(|pair| pair == [0xFF, 0xC0]);
    let at = frame.expect("a frame header") + 5;
    file[at..at + 2].copy_from_slice(&height.to_be_bytes());
    file[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
    file
}

/// A lossy WebP whose header says a size, of at most 14 bits a side.
fn webp_of_size(width: u16, height: u16) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let data = [&[0x10, 0, 0, 0x9D, 0x01, 0x2A][..], &sides, &[0; 40]].concat();
    webp(&[(b"VP8 ", &data)])
}

#[test]
fn sizes_that_only_a_header_has_cost_nothing() {
    let screen = |width: u16, height: u16| {
        let mut file = gif(&[&RgbImage::new(2, 2)]);
        file[6..8].copy_from_slice(&width.to_le_bytes());
        file[8..10].copy_from_slice(&height.to_le_bytes());
        file
    };
    let canvas = [0, 0, 0, 0, 0x5F, 0xEA, 0, 0x5F, 0xEA, 0];
    let still = encode(texture(2, 2), ImageFormat::WebP);
    let lossless = &still[20..];
    let anymap = |text: &str| text.as_bytes().to_vec();
    let pam = "P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";
    for (words, file) in [
        (
            ["PNG, 60000 wide", "60000 high"],
            png([60_000; 2], 8, 2, &[], &[0]),
        ),
        (
            ["PNG, 16385 wide", "1 high"],
            png([16_385, 1], 8, 0, &[], &[0]),
        ),
        (
            ["PNG, 1 wide", "16385 high"],
            png([1, 16_385], 1, 0, &[], &[0]),
        ),
        // Neither side is too long, but 805 MB are too much.
        (
            ["PNG, 16384 wide", "16384 high"],
            png([16_384; 2], 8, 2, &[], &[0]),
        ),
        (
            ["PNG, 12000 wide", "12000 high"],
            png([12_000; 2], 16, 6, &[], &[0]),
        ),
        (
            ["BMP, 60000 wide", "60000 high"],
            bmp(60_000, 60_000, 24, &[]),
        ),
        (
            ["BMP, 60000 wide", "40000 high"],
            bmp(60_000, -40_000, 32, &[]),
        ),
        (
            ["BMP, 16384 wide", "16384 high"],
            bmp(16_384, 16_384, 24, &[]),
        ),
        (["GIF, 65535 wide", "65535 high"], screen(65_535, 65_535)),
        (["GIF, 16384 wide", "16384 high"], screen(16_384, 16_384)),
        (
            ["JPEG, 65500 wide", "65500 high"],
            jpeg_of_size(65_500, 65_500),
        ),
        (
            ["JPEG, 16384 wide", "16384 high"],
            jpeg_of_size(16_384, 16_384),
        ),
        (
            ["WebP, 16383 wide", "16383 high"],
            webp_of_size(16_383, 16_383),
        ),
        (
            ["WebP, 60000 wide", "60000 high"],
            webp(&[(b"VP8X", &canvas), (b"VP8L", lossless)]),
        ),
        (
            ["PNM, 60000 wide", "60000 high"],
            anymap("P5 60000 60000 255\n"),
        ),
        (
            ["PNM, 60000 wide", "60000 high"],
            anymap("P4 60000 60000\n"),
        ),
        (
            ["PNM, 60000 wide", "60000 high"],
            anymap("P1 60000 60000\n0 1"),
        ),
        (
            ["PNM, 16384 wide", "16384 high"],
            anymap("P6 16384 16384 255\n"),
        ),
        (
            ["PNM, 4294967295 wide", "1 high"],
            anymap("P3 4294967295 1 255\n0 0 0"),
        ),
        (["PNM, 60000 wide", "60000 high"], anymap(pam)),
    ] {
        let error = cheap_refusal(&file);
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        check_words(&error, &words);
    }
}

#[test]
fn sizes_beyond_any_number_are_refused() {
    for file in [
        bmp(i32::MAX, i32::MAX, 24, &[]),
        bmp(i32::MIN, i32::MIN, 24, &[]),
        bmp(4, i32::MIN, 24, &[]),
        png([u32::MAX; 2], 8, 6, &[], &[0]),
        b"P5 99999999999 99999999999 255\n".to_vec(),
    ] {
        cheap_refusal(&file);
    }
}

#[test]
fn a_frame_larger_than_its_gif_takes_no_more_than_is_allowed() {
    let mut file = gif(&[&RgbImage::new(2, 2)]);
    // Behind the separator: left, top, width, height.
    let at = file
        .windows(9)
        .position(|part| part == [0x2C, 0, 0, 0, 0, 2, 0, 2, 0]);
    let at = at.expect("a frame");
    file[at + 5..at + 9].fill(0xFF);
    cheap_refusal(&file);
}

#[test]
fn lengths_that_only_a_chunk_has_cost_nothing() {
    let still = encode(texture(4, 4), ImageFormat::WebP);
    let canvas = [0b1000, 0, 0, 0, 3, 0, 0, 3, 0, 0];
    let mut file = webp(&[
        (b"VP8X", &canvas),
        (b"VP8L", &still[20..]),
        (b"EXIF", &exif(1, true)),
    ]);
    reads(&file, &wanted(4, 4, Colour::Grey));
    let at = file.len() - exif(1, true).len() - 4;
    for length in [27u32, 1 << 20, 1 << 30, u32::MAX] {
        file[at..at + 4].copy_from_slice(&length.to_le_bytes());
        let error = cheap_refusal(&file);
        assert!(
            matches!(error, Error::Truncated { .. }),
            "{length}: {error}"
        );
    }
    // The same chunk within a frame, where nobody asks for it.
    let mut frame = [&[0; 6][..], &[3, 0, 0, 3, 0, 0], &[100, 0, 0, 0]].concat();
    frame.extend(&still[12..]);
    frame.extend(b"EXIF\xFF\xFF\xFF\xFF");
    let file = webp(&[
        (b"VP8X", &[0b10, 0, 0, 0, 3, 0, 0, 3, 0, 0]),
        (b"ANIM", &[0; 6]),
        (b"ANMF", &frame),
    ]);
    LARGEST.set(0);
    reads(&file, &wanted(4, 4, Colour::Grey));
    assert!(LARGEST.get() < MODEST);
    for length in [0, 1, u16::MAX] {
        let mut file = jpeg(&texture(8, 8));
        file[4..6].copy_from_slice(&length.to_be_bytes());
        cheap_refusal(&file);
    }
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.png");
    // A file with a hole takes no room.
    let long = File::create(&path).expect("a file");
    long.set_len(MEMORY + 1).expect("a length");
    LARGEST.set(0);
    let error = read(&path, &wanted(4, 4, Colour::Grey)).expect_err("refused");
    assert!(matches!(error, Error::LongFile { .. }), "{error}");
    check_words(&error, &["long.png", "512 MiB"]);
    assert!(LARGEST.get() < MODEST);
}

/// Flips bits, changes bytes, cuts and drops; half of it in the first hundred bytes.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let part = if random.below(2) == 0 {
            100
        } else {
            usize::MAX
        };
        let at = random.below(bytes.len().min(part));
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + random.below(8)).min(bytes.len()))),
            2 => bytes[at] = 0xFF,
            3 => bytes[at] = 0,
            4 | 5 => bytes[at] ^= 1 << random.below(8),
            _ => bytes[at] = random.below(256) as u8,
        }
    }
}

#[test]
fn no_mutant_panics() {
    let picture = texture(17, 20);
    let mut originals = LOSSLESS
        .map(|format| encode(picture.clone(), format))
        .to_vec();
    originals.push(jpeg(&picture));
    originals.push(gif(&[&picture, &picture]));
    originals.push(with_exif(&picture, ImageFormat::WebP, exif(6, true)));
    originals.push(with_exif(&picture, ImageFormat::Jpeg, exif(8, false)));
    originals.push(png([3, 2], 2, 3, &[(b"PLTE", &[9; 12])], &[0, 27, 0, 27]));
    originals.push(b"P3 2 2 255\n0 1 2 3 4 5 6 7 8 9 10 11\n".to_vec());
    let mut accepted = 0;
    for seed in 0..2_000 {
        let random = &mut Random(seed);
        let mut bytes = originals[seed as usize % originals.len()].clone();
        mutate(&mut bytes, random);
        match decode(&bytes, "mutant", &wanted(8, 8, Colour::Rgb)) {
            Ok(found) => {
                assert_eq!(found.pixels.len(), 8 * 8 * 3, "seed {seed}");
                accepted += 1;
            }
            Err(error) => check_words(&error, &["mutant"]),
        }
    }
    assert!(
        (200..1_500).contains(&accepted),
        "{accepted} of 2000 accepted: the mutations test nothing"
    );
}
