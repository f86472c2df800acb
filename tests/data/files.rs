//! Raw npy files, good ones and such as a test wants them.

use fer_gpu::data::{Dataset, Error, Pixels, Split};
use std::fs;
use tempfile::TempDir;

/// Images of 2 by 3 pixels keep the files small.
pub const IMAGE: [usize; 3] = [2, 3, 1];
pub const LEN: usize = 6;

/// An npy file of version 1.0 from a dtype, a shape and the bytes of its data.
pub fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    npy_from_dict(1, &dict, data)
}

pub fn npy_from_dict(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
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
pub fn pixels() -> Vec<f64> {
    let mut all: Vec<f64> = (0..4 * LEN).map(|i| (i * 11 % 256) as f64).collect();
    all[4 * LEN - 1] = 255.0;
    all
}

/// A folder with four good rows to train on and to test on, bytes, labels 0 to 2.
pub fn good() -> TempDir {
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

pub fn put(dir: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(dir.path().join(format!("{name}.npy")), bytes).unwrap();
}

pub fn load(dir: &TempDir) -> Result<Dataset, Error> {
    Dataset::load(dir.path(), IMAGE)
}

/// Loads the good set with one file changed.
pub fn load_with(name: &str, bytes: &[u8]) -> Result<Dataset, Error> {
    let dir = good();
    put(&dir, name, bytes);
    load(&dir)
}

/// Asserts that the good set with one file changed is refused in one line with all of `words`.
#[track_caller]
pub fn refused(name: &str, bytes: &[u8], words: &[&str]) {
    check_refused(load_with(name, bytes), words);
}

#[track_caller]
pub fn check_refused(result: Result<Dataset, Error>, words: &[&str]) {
    let error = result.expect_err("it should be refused");
    let remedy = miette::Diagnostic::help(&error);
    let message = error.to_string() + &remedy.map_or(String::new(), |remedy| format!("; {remedy}"));
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert!(!message.contains('\n') && message.len() <= 240, "{message}");
}

/// A split of the good set.
pub fn good_split() -> Split {
    Split::of(Pixels::U8(le!(u8, pixels())), vec![0, 1, 2, 1])
}
