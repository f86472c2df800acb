//! Files and folders that are refused, each with its reason.

use crate::files::*;
use fer_gpu::pictures::{Colour, Error, list, read};
use image::{ImageFormat, RgbImage};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn what_is_no_picture() {
    assert!(matches!(refusal(b""), Error::Empty { .. }));
    for bytes in [
        &b"a"[..],
        b"\n",
        b"Dear sir,\nplease find enclosed a picture.\n",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x93NUMPY\x01\x00",
        b"\0\0\0\x18ftypmp42\0\0\0\0",
        &[0; 100],
        &[0xFF; 100],
    ] {
        let error = refusal(bytes);
        assert!(matches!(error, Error::NotAPicture { .. }), "{error}");
        check_words(&error, &["PNG, JPEG"]);
    }
}

#[test]
fn other_kinds_are_named() {
    for (bytes, kind) in [
        (&b"II*\0\x08\0\0\0"[..], "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\x01\0\x01\0", "ICO"),
        (b"qoif\0\0\0\x01\0\0\0\x01\x03\0", "qoi"),
    ] {
        let error = refusal(bytes);
        assert!(matches!(error, Error::OtherKind { .. }), "{error}");
        check_words(&error, &[kind, "save it as PNG or JPEG"]);
    }
}

#[test]
fn files_that_end_too_early() {
    let picture = texture(20, 20);
    let kinds = [
        ("PNG", encode(picture.clone(), ImageFormat::Png)),
        ("BMP", encode(picture.clone(), ImageFormat::Bmp)),
        ("PNM", encode(picture.clone(), ImageFormat::Pnm)),
        ("WebP", encode(picture.clone(), ImageFormat::WebP)),
        ("JPEG", jpeg(&picture)),
        ("GIF", gif(&[&picture])),
    ];
    for (kind, file) in kinds {
        reads(&file, &wanted(20, 20, Colour::Rgb));
        for eighth in 1..8 {
            let error = refusal(&file[..file.len() * eighth / 8]);
            // The GIF decoder does not tell an early end from other damage.
            let expected = match error {
                Error::Truncated { .. } => kind != "GIF",
                Error::Damaged { .. } => kind == "GIF",
                _ => false,
            };
            assert!(expected, "{kind}, {eighth} eighths: {error}");
            check_words(&error, &[kind]);
        }
        // Not much more than the bytes by which it is known.
        check_words(&refusal(&file[..15]), &[kind]);
    }
    // A JPEG decoder would draw the rest of these in grey.
    let file = jpeg(&picture);
    for left in [file.len() - 1, file.len() - 2, file.len() - 30] {
        assert!(matches!(refusal(&file[..left]), Error::Truncated { .. }));
    }
}

#[test]
fn damage_is_told_with_its_reason() {
    let png = encode(texture(20, 20), ImageFormat::Png);
    let mut wrong = png.clone();
    wrong[60] ^= 1;
    assert!(matches!(refusal(&wrong), Error::Damaged { .. }));
    let mut unknown = png;
    unknown[28] ^= 1;
    check_words(
        &refusal(&unknown),
        &["a damaged PNG (", "copy or save it again"],
    );
    for file in [
        &b"P5 hello"[..],
        b"P5 3 2 0\n\0\0\0\0\0\0",
        b"P2 1 1 255\n-3",
        b"P2 1 1 255\n99999999999999",
        b"P7\nENDHDR\n",
    ] {
        let error = refusal(file);
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
    // Flags say there is an EXIF chunk, and there is none.
    let canvas = [0b1000, 0, 0, 0, 3, 0, 0, 3, 0, 0];
    assert!(matches!(
        refusal(&webp(&[(b"VP8X", &canvas)])),
        Error::Damaged { .. }
    ));
    // A header of 13 bytes, known to nobody.
    let mut other = bmp(4, 4, 24, &[]);
    other[14] = 13;
    let error = refusal(&other);
    assert!(matches!(error, Error::OtherForm { .. }), "{error}");
    check_words(&error, &["BMP", "save it as plain PNG"]);
}

#[test]
fn pictures_without_pixels() {
    let mut empty_gif = gif(&[&RgbImage::new(1, 1)]);
    empty_gif[6..10].fill(0);
    for (kind, file) in [("GIF", empty_gif), ("PNM", b"P5 0 5 255\n".to_vec())] {
        let error = refusal(&file);
        assert!(matches!(error, Error::NoPixels { .. }), "{error}");
        check_words(&error, &[kind, "without pixels"]);
    }
    // These decoders see to that themselves.
    let error = refusal(&png([0, 5], 8, 0, &[], &[0; 5]));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let error = refusal(&bmp(0, 5, 24, &[]));
    assert!(matches!(error, Error::OtherForm { .. }), "{error}");
}

#[test]
fn the_name_says_nothing_about_the_kind() {
    let folder = tempdir().expect("a folder");
    let picture = texture(6, 6);
    let wanted = wanted(6, 6, Colour::Rgb);
    for (name, format) in [
        ("png.jpg", ImageFormat::Png),
        ("bmp.gif", ImageFormat::Bmp),
        ("webp.txt", ImageFormat::WebP),
        ("nothing", ImageFormat::Pnm),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, encode(picture.clone(), format)).expect("a file");
        let found = read(&path, &wanted).expect("a picture");
        assert_eq!(found.pixels, *picture.as_raw(), "{name}");
    }
    let path = folder.path().join("letter.png");
    fs::write(&path, "Dear sir").expect("a file");
    let error = read(&path, &wanted).expect_err("refused");
    assert!(matches!(error, Error::NotAPicture { .. }), "{error}");
    check_words(&error, &["letter.png"]);
}

#[test]
fn files_that_are_none() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let refused = |name: &str| {
        let error = read(&at(name), &wanted(4, 4, Colour::Grey)).expect_err("refused");
        check_words(&error, &[name]);
        error
    };
    assert!(matches!(refused("missing.png"), Error::NoFile(_)));
    fs::create_dir(at("folder.png")).expect("a folder");
    assert!(matches!(refused("folder.png"), Error::IsAFolder(_)));
    fs::write(at("empty.png"), "").expect("a file");
    assert!(matches!(refused("empty.png"), Error::Empty { .. }));
    // A file in place of a folder.
    let error = read(
        &at("empty.png").join("face.png"),
        &wanted(4, 4, Colour::Grey),
    );
    let error = error.expect_err("refused");
    assert!(
        matches!(error, Error::Read { .. } | Error::NoFile(_)),
        "{error}"
    );
}

#[test]
fn folders_give_their_pictures_by_name() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str| fs::write(at(name), "").expect("a file");
    let names = |of: &Path| -> Vec<String> {
        let file_name = |path: &Path| {
            path.file_name()
                .map(OsStr::to_string_lossy)
                .map(String::from)
        };
        let paths = list(of).expect("pictures");
        paths.iter().filter_map(|path| file_name(path)).collect()
    };
    for name in ["notes.txt", "png", ".hidden.png", "._b.JPG", "c.png.bak"] {
        write(name);
    }
    fs::create_dir(at("folder.png")).expect("a folder");
    let error = list(folder.path()).expect_err("no picture");
    assert!(matches!(error, Error::NoPictures { .. }), "{error}");
    let path = folder.path().display().to_string();
    check_words(&error, &[&path, "png, jpg"]);

    for name in [
        "b.JPG", "a.png", "Z.bmp", "d.WebP", "e.GiF", "f.pgm", "10.jpeg", "9.jpeg",
    ] {
        write(name);
    }
    let expected = [
        "10.jpeg", "9.jpeg", "Z.bmp", "a.png", "b.JPG", "d.WebP", "e.GiF", "f.pgm",
    ];
    assert_eq!(names(folder.path()), expected);

    let error = list(&at("nowhere")).expect_err("no folder");
    assert!(matches!(error, Error::NoFolder(_)), "{error}");
    check_words(&error, &["nowhere"]);
    let error = list(&at("a.png")).expect_err("no folder");
    assert!(matches!(error, Error::NotAFolder(_)), "{error}");
    let error = list(&at("a.png").join("below")).expect_err("no folder");
    assert!(
        matches!(error, Error::NotAFolder(_) | Error::NoFolder(_)),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_told_when_it_is_read() {
    let folder = tempdir().expect("a folder");
    std::os::unix::fs::symlink("gone", folder.path().join("link.png")).expect("a link");
    let found = list(folder.path()).expect("the link");
    let error = read(&found[0], &wanted(4, 4, Colour::Grey)).expect_err("refused");
    assert!(matches!(error, Error::NoFile(_)), "{error}");
}

/// Other systems do not let such a file be made.
#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join(OsStr::from_bytes(b"caf\xE9.png"));
    fs::write(&path, encode(texture(4, 4), ImageFormat::Png)).expect("a file");
    assert_eq!(list(folder.path()).expect("a picture"), [path.as_path()]);
    let wanted = wanted(4, 4, Colour::Rgb);
    let found = read(&path, &wanted).expect("a picture");
    assert_eq!(found.pixels, *texture(4, 4).as_raw());
    fs::write(&path, "no picture").expect("a file");
    check_words(
        &read(&path, &wanted).expect_err("refused"),
        &["caf\u{FFFD}.png"],
    );
    // The ending, too.
    let other = folder.path().join(OsStr::from_bytes(b"face.p\xE9g"));
    fs::write(other, "").expect("a file");
    assert_eq!(list(folder.path()).expect("a picture"), [path]);
}
