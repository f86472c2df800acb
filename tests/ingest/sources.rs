//! What the tests import.

use fer_gpu::data::{Dataset, FER_CLASSES, Pixels, Split};
use fer_gpu::ingest::{Event, Imported, Options, Private, Targets, Wanted, import};
use std::fs;
use std::path::{Path, PathBuf};

pub const IMAGE: [usize; 3] = [48, 48, 1];

pub fn options() -> Options {
    Options {
        wanted: Wanted::image(IMAGE),
        private: Private::LeftOut,
        test_share: None,
        seed: 0,
        votes: None,
        targets: Targets::Majority,
        strict: false,
    }
}

/// Imports; what came of it, and the faults as they were told.
pub fn imported(source: &Path, out: &Path, options: &Options) -> (Imported, Vec<String>) {
    let mut faults = Vec::new();
    let imported = import(source, out, options, &mut |event| {
        if let Event::Fault(fault) = event {
            faults.push(fault.to_string());
        }
    });
    (imported.expect("an import"), faults)
}

pub fn refused(source: &Path, out: &Path, options: &Options) -> String {
    let outcome = import(source, out, options, &mut |_| ());
    let error = outcome.expect_err("a refusal");
    let remedy = miette::Diagnostic::help(&error);
    let remedy = remedy.map_or(String::new(), |remedy| format!("; {remedy}"));
    let error = fer_gpu::train::causes(&error) + &remedy;
    assert!(!out.exists(), "{error}: something was written");
    error
}

/// Faces: 12 to train on and 7 to test with.
pub fn faces() -> Dataset {
    Dataset::sample_faces(3, [14, 7])
}

pub fn row(split: &Split, row: usize) -> &[u8] {
    match &split.pixels {
        Pixels::U8(all) => &all[row * 2304..(row + 1) * 2304],
        Pixels::F32(_) => panic!("faces are bytes"),
    }
}

pub fn numbers(pixels: &[u8]) -> String {
    let words: Vec<String> = pixels.iter().map(u8::to_string).collect();
    words.join(" ")
}

/// Usage, label and pixels of each row, as FER-2013's CSV has them: the last two of the test rows are private.
pub fn rows() -> Vec<(&'static str, u32, String)> {
    let faces = faces();
    let mut rows = Vec::new();
    for at in 0..faces.train.rows() {
        let pixels = numbers(row(&faces.train, at));
        rows.push(("Training", faces.train.labels[at], pixels));
    }
    for at in 0..faces.test.rows() {
        let usage = if at < 5 { "PublicTest" } else { "PrivateTest" };
        rows.push((usage, faces.test.labels[at], numbers(row(&faces.test, at))));
    }
    rows
}

pub fn csv_of(rows: &[(&str, u32, String)]) -> String {
    let mut text = "emotion,pixels,Usage\n".to_string();
    for (usage, label, pixels) in rows {
        text += &format!("{label},{pixels},{usage}\n");
    }
    text
}

pub fn write(path: &Path, text: impl AsRef<[u8]>) -> PathBuf {
    fs::write(path, text).expect("a file");
    path.into()
}

/// Writes a face as a picture.
pub fn picture(path: &Path, pixels: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let image = image::GrayImage::from_raw(48, 48, pixels.to_vec()).expect("a face");
    image.save(path).expect("a picture");
}

/// The faces as pictures in `train/CLASS` and `test/CLASS`.
pub fn folders(root: &Path) {
    let faces = faces();
    for (part, split) in [("train", &faces.train), ("test", &faces.test)] {
        for at in 0..split.rows() {
            let class = FER_CLASSES[split.labels[at] as usize];
            picture(
                &root.join(part).join(class).join(format!("{at:03}.png")),
                row(split, at),
            );
        }
    }
}
