//! Data sets from raw npy bytes: what `Dataset::load` must read rightly, what it must refuse and
//! in which words, and that no bytes make it panic or allocate far beyond the files' size.

use fer_gpu::data::{Dataset, Error, FER_CLASSES, PixelRange, Pixels, Split};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Images of 2 by 3 pixels keep the files small.
const IMAGE: [usize; 3] = [2, 3, 1];
const LEN: usize = 6;

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

/// An npy file of version 1.0 from a dtype, a shape and the bytes of its data.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    npy_from_dict(1, &dict, data)
}

fn npy_from_dict(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
    let prefix = if version == 1 { 10 } else { 12 };
    let mut text = dict.to_owned();
    while !(prefix + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let length = (text.len() as u32).to_le_bytes();
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    bytes.extend(&length[..prefix - 8]);
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

/// The bytes of numbers: `le!(f32, values)`, `be!(i64, values)`.
macro_rules! le {
    ($type:ty, $values:expr) => {
        $values
            .iter()
            .flat_map(|&v| (v as $type).to_le_bytes())
            .collect::<Vec<u8>>()
    };
}
macro_rules! be {
    ($type:ty, $values:expr) => {
        $values
            .iter()
            .flat_map(|&v| (v as $type).to_be_bytes())
            .collect::<Vec<u8>>()
    };
}

/// Four rows of pixels in 0..255 that start with 0 and end with 255.
fn pixels() -> Vec<f64> {
    let mut all: Vec<f64> = (0..4 * LEN).map(|i| (i * 11 % 256) as f64).collect();
    all[4 * LEN - 1] = 255.0;
    all
}

/// A folder with four good rows to train on and to test on, bytes, labels 0 to 2.
fn good() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        put(
            &dir,
            &format!("X_{part}"),
            &npy("|u1", "(4, 2, 3, 1)", &le!(u8, pixels())),
        );
        put(
            &dir,
            &format!("y_{part}"),
            &npy("|u1", "(4,)", &[0, 1, 2, 1]),
        );
    }
    dir
}

fn put(dir: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(dir.path().join(format!("{name}.npy")), bytes).unwrap();
}

fn load(dir: &TempDir) -> Result<Dataset, Error> {
    Dataset::load(dir.path(), IMAGE)
}

/// Loads the good set with one file changed.
fn load_with(name: &str, bytes: &[u8]) -> Result<Dataset, Error> {
    let dir = good();
    put(&dir, name, bytes);
    load(&dir)
}

/// Asserts that the good set with one file changed is refused in one line with all of `words`.
#[track_caller]
fn refused(name: &str, bytes: &[u8], words: &[&str]) {
    check_refused(load_with(name, bytes), words);
}

#[track_caller]
fn check_refused(result: Result<Dataset, Error>, words: &[&str]) {
    let message = result.expect_err("it should be refused").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert!(!message.contains('\n') && message.len() <= 240, "{message}");
}

/// A split of the good set.
fn good_split() -> Split {
    Split {
        pixels: Pixels::U8(le!(u8, pixels())),
        labels: vec![0, 1, 2, 1],
    }
}

#[test]
fn reads_every_dtype_and_byte_order_to_the_same_set() {
    let expected = load(&good()).unwrap();
    assert_eq!(expected.train, good_split());
    assert_eq!(expected.test, good_split());
    assert_eq!(expected.range, PixelRange::ZeroTo255);
    assert_eq!(expected.class_names, ["class 0", "class 1", "class 2"]);
    let x = pixels();
    let y = [0.0, 1.0, 2.0, 1.0];
    for (descr, x, y) in [
        ("<u2", le!(u16, x), le!(u16, y)),
        (">u2", be!(u16, x), be!(u16, y)),
        ("<i2", le!(i16, x), le!(i16, y)),
        (">i2", be!(i16, x), be!(i16, y)),
        ("<u4", le!(u32, x), le!(u32, y)),
        ("<i4", le!(i32, x), le!(i32, y)),
        (">i4", be!(i32, x), be!(i32, y)),
        ("<i8", le!(i64, x), le!(i64, y)),
        (">i8", be!(i64, x), be!(i64, y)),
        ("<u8", le!(u64, x), le!(u64, y)),
        ("<f4", le!(f32, x), le!(f32, y)),
        (">f4", be!(f32, x), be!(f32, y)),
        ("<f8", le!(f64, x), le!(f64, y)),
        (">f8", be!(f64, x), be!(f64, y)),
    ] {
        for (x_shape, y_shape) in [
            ("(4, 2, 3, 1)", "(4,)"),
            ("(4, 2, 3)", "(4, 1)"),
            ("(4, 6)", "(4,)"),
        ] {
            let dir = good();
            put(&dir, "X_train", &npy(descr, x_shape, &x));
            put(&dir, "y_train", &npy(descr, y_shape, &y));
            let set = load(&dir).unwrap();
            assert_eq!(set.train, expected.train, "{descr} {x_shape}");
            assert_eq!(set.hash, expected.hash, "{descr} {x_shape}");
        }
    }
}

#[test]
fn reads_signed_bytes() {
    let x: Vec<i8> = (0..24).map(|i| i * 5).collect();
    let set = load_with("X_train", &npy("|i1", "(4, 6)", &le!(i8, x))).unwrap();
    assert_eq!(set.train.pixels, Pixels::U8(le!(u8, x)));
}

#[test]
fn reads_versions_1_to_3_and_fortran_order() {
    let expected = load(&good()).unwrap();
    let shape = [4, 2, 3];
    let mut scattered = vec![0; 24];
    for (i, &value) in le!(u8, pixels()).iter().enumerate() {
        let (n, h, w) = (i / 6, i / 3 % 2, i % 3);
        scattered[n + shape[0] * (h + shape[1] * w)] = value;
    }
    for version in 1..=3 {
        let dict = "{'descr': '|u1', 'fortran_order': True, 'shape': (4, 2, 3, 1), }";
        let set = load_with("X_train", &npy_from_dict(version, dict, &scattered)).unwrap();
        assert_eq!(set.train, expected.train);
        assert_eq!(set.hash, expected.hash);
    }
    let dict = "{'descr': '|b1', 'fortran_order': True, 'shape': (4, 3), }";
    let hot = [1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0];
    let set = load_with("y_train", &npy_from_dict(2, dict, &hot)).unwrap();
    assert_eq!(set.train.labels, [0, 1, 2, 1]);
}

#[test]
fn reads_one_hot_labels_of_any_type() {
    let hot = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0];
    for (descr, bytes) in [
        ("|b1", le!(u8, hot)),
        ("|i1", le!(i8, hot)),
        ("<i8", le!(i64, hot)),
        ("<f4", le!(f32, hot)),
        (">f8", be!(f64, hot)),
    ] {
        let set = load_with("y_train", &npy(descr, "(4, 3)", &bytes)).unwrap();
        assert_eq!(set.train.labels, [0, 1, 2, 1], "{descr}");
        let set = load_with("y_test", &npy(descr, "(4, 3)", &bytes)).unwrap();
        assert_eq!(set.test.labels, [0, 1, 2, 1], "{descr}");
    }
    let set = load_with("y_train", &npy("|b1", "(4,)", &[0, 1, 1, 0]));
    check_refused(set, &["y_test.npy, row 2: label 2", "2 classes"]);
}

#[test]
fn decides_the_range_from_the_training_images() {
    let part = |low: f64, high: f64| -> Vec<f64> {
        (0..24)
            .map(|i| low + (high - low) * i as f64 / 23.0)
            .collect()
    };
    let both = |train: &[f64], test: &[f64]| {
        let dir = good();
        put(&dir, "X_train", &npy("<f8", "(4, 6)", &le!(f64, train)));
        put(&dir, "X_test", &npy("<f4", "(4, 6)", &le!(f32, test)));
        load(&dir)
    };
    let (byte, unit, signed) = (part(0.0, 254.5), part(0.0, 1.0), part(-1.0, 1.0));
    for (values, range) in [
        (&byte, PixelRange::ZeroTo255),
        (&unit, PixelRange::ZeroToOne),
        (&signed, PixelRange::MinusOneToOne),
    ] {
        let set = both(values, values).unwrap();
        assert_eq!(set.range, range);
        assert_eq!(set.range.to_string().parse::<PixelRange>().unwrap(), range);
        let floats = values.iter().map(|&v| v as f32).collect();
        assert_eq!(set.train.pixels, Pixels::F32(floats));
        let blank = both(values, &[0.0; 24]).unwrap();
        assert_eq!(blank.range, range, "a blank test set fits any range");
        assert_eq!(
            blank.test.pixels,
            Pixels::F32(vec![0.0; 24]),
            "both splits of one kind"
        );
    }
    for (train, test, words) in [
        (
            &byte,
            &unit,
            "X_test.npy holds pixels in 0..1, but X_train.npy in 0..255",
        ),
        (&unit, &byte, "in 0..255, but X_train.npy in 0..1"),
        (&unit, &signed, "in -1..1, but X_train.npy in 0..1"),
        (&signed, &unit, "in 0..1, but X_train.npy in -1..1"),
    ] {
        check_refused(both(train, test), &[words]);
    }
    assert!("0..2".parse::<PixelRange>().is_err());
}

#[test]
fn judges_whole_numbers_by_their_values() {
    for (descr, values, range) in [
        ("|u1", [0, 1], PixelRange::ZeroToOne),
        ("|u1", [0, 0], PixelRange::ZeroTo255),
        ("|u1", [0, 2], PixelRange::ZeroTo255),
        ("|i1", [-1, 1], PixelRange::MinusOneToOne),
    ] {
        let x: Vec<i32> = values.repeat(12);
        let dir = good();
        for part in ["X_train", "X_test"] {
            put(&dir, part, &npy(descr, "(4, 6)", &le!(i8, x)));
        }
        let set = load(&dir).unwrap();
        assert_eq!(set.range, range, "{values:?}");
        assert_eq!(set.train.pixels.is_u8(), range != PixelRange::MinusOneToOne);
    }
}

#[test]
fn refuses_bad_pixels_by_file_row_and_value() {
    let with = |at: usize, value: f64, scale: f64| {
        let mut x: Vec<f64> = pixels().iter().map(|v| v * scale).collect();
        x[at] = value;
        npy("<f8", "(4, 6)", &le!(f64, x))
    };
    for (value, word) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (-0.5, "-0.5"),
        (256.0, "256;"),
        (1e300, "1e300"),
    ] {
        refused(
            "X_train",
            &with(13, value, 1.0),
            &["X_train.npy, row 2", word],
        );
        refused(
            "X_test",
            &with(18, value, 1.0),
            &["X_test.npy, row 3", word],
        );
    }
    // Overshoots of a set in 0..1, and a single outlier in it.
    for value in [1.0625, 200.0] {
        refused(
            "X_train",
            &with(13, value, 1.0 / 255.0),
            &["X_train.npy, row 2", "0..1"],
        );
    }
    refused(
        "X_train",
        &npy("|b1", "(4, 6)", &[1; 24]),
        &["X_train.npy holds booleans"],
    );
    // Halfway through, bytes turn into floats: nothing before may change.
    let set = load_with("X_train", &with(13, 20.5, 1.0)).unwrap();
    let mut expected: Vec<f32> = pixels().iter().map(|&v| v as f32).collect();
    expected[13] = 20.5;
    assert_eq!(set.train.pixels, Pixels::F32(expected));
    assert!(!set.test.pixels.is_u8());
}

#[test]
fn refuses_bad_labels_by_file_row_and_value() {
    let y = |values: [f64; 4]| npy("<f8", "(4,)", &le!(f64, values));
    refused(
        "y_train",
        &y([0.0, 1.5, 2.0, 1.0]),
        &["y_train.npy, row 1: label 1.5"],
    );
    refused(
        "y_train",
        &y([0.0, 1.0, -1.0, 1.0]),
        &["y_train.npy, row 2: label -1;"],
    );
    refused(
        "y_train",
        &y([0.0, 1.0, 2.0, 1000.0]),
        &["y_train.npy, row 3: label 1000;"],
    );
    refused(
        "y_train",
        &y([f64::NAN, 1.0, 2.0, 0.0]),
        &["y_train.npy, row 0: label NaN"],
    );
    refused(
        "y_train",
        &y([0.0; 4]),
        &["y_train.npy labels every image 0"],
    );
    refused(
        "y_test",
        &y([0.0, 1.0, 3.0, 0.0]),
        &["y_test.npy, row 2: label 3", "3 classes"],
    );
    let hot = |values: [f64; 12]| npy("<f8", "(4, 3)", &le!(f64, values));
    let rows = |row: [f64; 3]| hot([1., 0., 0., row[0], row[1], row[2], 0., 1., 0., 0., 0., 1.]);
    refused(
        "y_train",
        &rows([0., 0., 0.]),
        &["y_train.npy, row 1: 0 ones"],
    );
    refused(
        "y_train",
        &rows([1., 0., 1.]),
        &["y_train.npy, row 1: 2 ones"],
    );
    refused(
        "y_test",
        &rows([0., 0.5, 0.5]),
        &["y_test.npy, row 1, column 1: 0.5"],
    );
    let wide = npy("|u1", "(4, 5)", &[1, 0, 0, 0, 0].repeat(4));
    refused(
        "y_test",
        &wide,
        &["y_test.npy is one-hot with 5 classes", "has 3"],
    );
    refused(
        "y_train",
        &npy("|u1", "(2, 1001)", &[0; 2002]),
        &["y_train.npy has shape (2, 1001)"],
    );
    refused(
        "y_train",
        &npy("|u1", "(2, 2, 2)", &[0; 8]),
        &["y_train.npy has shape (2, 2, 2)"],
    );
    refused(
        "y_train",
        &npy("|u1", "()", &[0]),
        &["y_train.npy has shape ()"],
    );
    let missing = load_with("y_train", &npy("|u1", "(4,)", &[0, 6, 2, 1])).unwrap();
    assert_eq!(missing.class_names, FER_CLASSES);
}

#[test]
fn refuses_wrong_files_and_folders() {
    let dir = good();
    let absent = dir.path().join("absent");
    check_refused(Dataset::load(&absent, IMAGE), &["no folder", "absent"]);
    let file = dir.path().join("X_train.npy");
    check_refused(
        Dataset::load(&file, IMAGE),
        &["X_train.npy is not a folder"],
    );
    fs::remove_file(dir.path().join("y_test.npy")).unwrap();
    check_refused(load(&dir), &["no file", "y_test.npy"]);
    fs::create_dir(dir.path().join("y_test.npy")).unwrap();
    check_refused(load(&dir), &["y_test.npy is not a regular file"]);
    refused("X_test", b"", &["X_test.npy is not an npy file"]);
    refused(
        "X_test",
        b"\x89HDF\r\n\x1a\n",
        &["X_test.npy is not an npy file"],
    );
    refused("X_test", b"\x93NUMPY\x01", &["X_test.npy is truncated"]);
    refused(
        "X_test",
        b"\x93NUMPY\x04\x00..",
        &["X_test.npy is of npy version 4.0"],
    );
}

#[test]
fn refuses_wrong_shapes_and_lengths() {
    let x = le!(u8, pixels());
    let shape = |shape: &str| npy("|u1", shape, &x);
    refused(
        "X_train",
        &shape("(4, 3, 2, 1)"),
        &["X_train.npy has shape (4, 3, 2, 1)", "(N, 2, 3, 1)"],
    );
    refused(
        "X_train",
        &shape("(24,)"),
        &["X_train.npy has shape (24,)", "(N, 6)"],
    );
    refused(
        "X_train",
        &shape("(4, 2, 3, 1, 1)"),
        &["X_train.npy has shape"],
    );
    refused(
        "X_train",
        &shape("(-4, 2, 3, 1)"),
        &["X_train.npy has a bad header, the shape"],
    );
    refused(
        "X_train",
        &shape("(4.0, 6)"),
        &["X_train.npy has a bad header, the shape"],
    );
    refused(
        "X_train",
        &shape("[4, 6]"),
        &["X_train.npy has a bad header, the shape"],
    );
    refused(
        "X_train",
        &npy("|u1", "(0, 6)", &[]),
        &["X_train.npy has no rows"],
    );
    refused(
        "y_test",
        &npy("|u1", "(0,)", &[]),
        &["y_test.npy has no rows"],
    );
    refused(
        "X_test",
        &npy("|u1", "(3, 6)", &x[..18]),
        &["X_test.npy has 3 rows, but y_test.npy has 4"],
    );
    refused(
        "X_train",
        &npy("|u1", "(4, 6)", &x[..23]),
        &["X_train.npy is truncated", "152", "151"],
    );
    refused(
        "X_train",
        &npy("|u1", "(3, 6)", &x),
        &["X_train.npy has 6 bytes too many"],
    );
    let full = npy("|u1", "(4, 6)", &x);
    for length in 0..full.len() {
        assert!(
            load_with("X_train", &full[..length]).is_err(),
            "cut to {length} bytes"
        );
    }
}

#[test]
fn refuses_types_that_are_no_numbers() {
    for (descr, word) in [
        ("|O", "Python objects (|O)"),
        ("<U5", "strings (<U5)"),
        ("|S8", "strings (|S8)"),
        ("<c8", "complex numbers (<c8)"),
        ("<M8[s]", "dates or times"),
        ("|V4", "raw bytes"),
        ("<f2", "an unknown dtype (<f2)"),
        ("<f16", "an unknown dtype (<f16)"),
        ("", "an unknown dtype"),
        ("é8", "bad header"),
    ] {
        refused(
            "X_train",
            &npy(descr, "(4, 6)", &[0; 24]),
            &["X_train.npy", word],
        );
    }
    let one = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }";
    refused(
        "y_train",
        &npy_from_dict(1, one, &[0; 16]),
        &["y_train.npy holds a structured dtype"],
    );
    let two = "{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (4,), }";
    refused(
        "y_train",
        &npy_from_dict(1, two, &[0; 32]),
        &["y_train.npy", "structured dtype"],
    );
    let result = load_with("y_train", &npy("|b1", "(4,)", &[0, 1, 7, 0]));
    check_refused(result, &["cannot read", "y_train.npy"]);
}

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

#[test]
fn rows_scale_to_the_bits_of_a_kernel() {
    let set = load(&good()).unwrap();
    let mut out = [0.0; LEN];
    set.train.row_f32(3, set.range.scale(), &mut out);
    for (out, value) in out.iter().zip(&pixels()[18..]) {
        assert_eq!(out.to_bits(), (*value as f32 * (1.0_f32 / 255.0)).to_bits());
    }
    assert_eq!(set.train.rows(), 4);
    let floats = Split {
        pixels: Pixels::F32(vec![0.25, 0.5]),
        labels: vec![0],
    };
    let mut out = [0.0; 2];
    floats.row_f32(0, PixelRange::ZeroToOne.scale(), &mut out);
    assert_eq!(out, [0.25, 0.5]);
}

#[test]
fn hash_sees_every_array() {
    let hash = load(&good()).unwrap().hash;
    let mut x = le!(u8, pixels());
    x[5] ^= 1;
    let x = npy("|u1", "(4, 6)", &x);
    let y = npy("|u1", "(4,)", &[0, 1, 2, 2]);
    let hashes = [
        ("X_train", &x),
        ("y_train", &y),
        ("X_test", &x),
        ("y_test", &y),
    ]
    .map(|(name, bytes)| load_with(name, bytes).unwrap().hash);
    for (i, other) in hashes.iter().enumerate() {
        assert_ne!(*other, hash);
        assert!(!hashes[..i].contains(other));
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn writes_what_it_reads_and_overwrites_nothing() {
    let set = load(&good()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("deep/out");
    set.write(&out).unwrap();
    assert_eq!(
        names(&out),
        ["X_test.npy", "X_train.npy", "y_test.npy", "y_train.npy"]
    );
    let again = Dataset::load(&out, IMAGE).unwrap();
    assert_eq!(
        (again.train, again.test, again.hash),
        (set.train.clone(), set.test.clone(), set.hash)
    );
    let before = fs::read(out.join("y_test.npy")).unwrap();
    fs::remove_file(out.join("X_train.npy")).unwrap();
    let error = set.write(&out).unwrap_err().to_string();
    assert!(error.contains("y_train.npy exists"), "{error}");
    assert_eq!(names(&out), ["X_test.npy", "y_test.npy", "y_train.npy"]);
    assert_eq!(fs::read(out.join("y_test.npy")).unwrap(), before);
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(set.write(&file), Err(Error::Write { .. })));
    let torn = Dataset {
        image: [5, 5, 1],
        ..set
    };
    let torn_out = home.path().join("torn");
    assert!(matches!(torn.write(&torn_out), Err(Error::Write { .. })));
    assert!(names(&torn_out).is_empty());
}
