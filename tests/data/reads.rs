//! What must be read rightly, and what is written must be read again.

use crate::files::*;
use fer_gpu::data::{Dataset, Error, PixelRange, Pixels, Split};
use std::fs;
use std::path::Path;

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

/// Shares of classes, among them one-hot rows before and behind. The other split has all of each class, and a row
/// whose shares are equal the first of them.
#[test]
fn reads_shares_of_classes() {
    let rows = [1., 0., 0., 0.25, 0.5, 0.25, 0.4, 0.2, 0.4, 0., 0., 1.];
    for (descr, bytes) in [("<f4", le!(f32, rows)), ("<f8", le!(f64, rows))] {
        let dir = good();
        put(&dir, "y_train", &npy(descr, "(4, 3)", &bytes));
        let set = load(&dir).unwrap();
        assert!(set.is_soft());
        assert_eq!(set.train.labels, [0, 1, 0, 2]);
        let shares = set.train.shares.as_ref().unwrap();
        let expected = rows.map(|share| share as f32);
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-7;
        assert!(shares.iter().zip(&expected).all(close), "{shares:?}");
        let of_test = [1., 0., 0., 0., 1., 0., 0., 0., 1., 0., 1., 0.];
        assert_eq!(set.test.shares.as_deref(), Some(&of_test[..]));
        // What is written is read again, and the hash knows the shares.
        let again = tempfile::tempdir().unwrap();
        set.write(again.path()).unwrap();
        let read = load(&again).unwrap();
        assert_eq!((&read.train, &read.test), (&set.train, &set.test));
        assert_ne!(set.hash, Dataset::load(good().path(), IMAGE).unwrap().hash);
        let few = set.overfit(&[2, 1]);
        assert_eq!(few.train.labels, [0, 1]);
        assert_eq!(few.train.shares.unwrap()[3..], [0.25, 0.5, 0.25]);
    }
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
fn rows_scale_to_the_bits_of_a_kernel() {
    let set = load(&good()).unwrap();
    let mut out = [0.0; LEN];
    set.train.row_f32(3, set.range.scale(), &mut out);
    for (out, value) in out.iter().zip(&pixels()[18..]) {
        assert_eq!(out.to_bits(), (*value as f32 * (1.0_f32 / 255.0)).to_bits());
    }
    assert_eq!(set.train.rows(), 4);
    let floats = Split::of(Pixels::F32(vec![0.25, 0.5]), vec![0]);
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
        [
            "X_test.npy",
            "X_train.npy",
            "classes.json",
            "y_test.npy",
            "y_train.npy"
        ]
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
    assert_eq!(
        names(&out),
        ["X_test.npy", "classes.json", "y_test.npy", "y_train.npy"]
    );
    assert_eq!(fs::read(out.join("y_test.npy")).unwrap(), before);
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(set.write(&file), Err(Error::File(_))));
    let torn = Dataset {
        image: [5, 5, 1],
        ..set
    };
    let torn_out = home.path().join("torn");
    assert!(matches!(torn.write(&torn_out), Err(Error::File(_))));
    assert!(names(&torn_out).is_empty());
}
