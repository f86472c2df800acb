//! What must be refused, and in which words.

use crate::files::*;
use fer_gpu::data::{Dataset, FER_CLASSES, Pixels};
use std::fs;

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
        &rows([0., 0.5, 0.25]),
        &["y_test.npy, row 1, column 1: 0.5"],
    );
    refused(
        "y_train",
        &hot([1., 0., 0., 0., 0.75, 0.25, 0.5, 0.25, 0., 0., 0., 1.]),
        &["y_train.npy, row 2", "shares add up to 0.75, not to 1"],
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
