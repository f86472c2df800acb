//! Folders of pictures, in the layouts that people have.

use super::sources::*;
use fer_gpu::data::{Dataset, FER_CLASSES, duplicates};
use fer_gpu::ingest::{Options, Private, Wanted};
use fer_gpu::pictures::Colour;
use std::fs;
use tempfile::tempdir;

/// The classes in the order of their names: neutral is 4.
fn sorted() -> Vec<String> {
    let mut names = FER_CLASSES.map(String::from).to_vec();
    names.sort();
    names
}

#[test]
fn pictures_by_class_become_a_set_whose_classes_are_sorted_by_name() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("pictures");
    folders(&root);
    // What is no picture, and what hides, is none.
    write(&root.join("train/happy/Thumbs.db"), "x");
    write(&root.join("train/happy/.hidden.png"), "x");
    let out = folder.path().join("out");
    // What a phone makes is told, for it is missed.
    write(&root.join("train/happy/me.heic"), "x");
    let (told, faults) = imported(&root, &out, &options());
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(told.skipped, [root.join("train/happy/me.heic")]);
    assert_eq!(told.class_names, sorted());
    assert_eq!(told.class_names[4], "neutral");
    let (set, faces) = (Dataset::load(&out, IMAGE).expect("a set"), faces());
    assert_eq!(set.class_names, sorted());
    assert_eq!([set.train.rows(), set.test.rows()], [14, 7]);
    for at in 0..set.train.rows() {
        let class = &set.class_names[set.train.labels[at] as usize];
        let same = |of: &usize| row(&faces.train, *of) == row(&set.train, at);
        let of = (0..14).find(same).expect("one of the faces");
        assert_eq!(*class, FER_CLASSES[faces.train.labels[of] as usize]);
    }
}

#[test]
fn val_goes_before_test_which_is_then_the_third_part() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("pictures");
    folders(&root);
    picture(&root.join("Valid/happy/one.png"), &[9; 2304]);
    let of = |private, name: &str| {
        let options = Options {
            private,
            ..options()
        };
        let (told, _) = imported(&root, &folder.path().join(name), &options);
        (
            told.counts.map(|counts| counts.iter().sum::<u64>()),
            told.private,
        )
    };
    assert_eq!(of(Private::LeftOut, "a"), ([14, 1], 7));
    assert_eq!(of(Private::Test, "b"), ([14, 8], 0));
    assert_eq!(of(Private::Train, "c"), ([21, 1], 0));
}

#[test]
fn one_folder_is_parted_by_class_and_by_images() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("pictures");
    let faces = Dataset::sample_faces(5, [60, 1]);
    for at in 0..60 {
        // Each face twice.
        for copy in 0..2 {
            let class = ["a", "b", "c"][at % 3];
            picture(
                &root.join(format!("{class}/deeper/{at}-{copy}.png")),
                row(&faces.train, at),
            );
        }
    }
    let parted = |seed, name: &str| {
        let options = Options {
            test_share: Some(0.2),
            seed,
            ..options()
        };
        let out = folder.path().join(name);
        let (told, _) = imported(&root, &out, &options);
        assert_eq!(told.counts, [vec![32; 3], vec![8; 3]]);
        let set = Dataset::load(&out, IMAGE).expect("a set");
        assert!(
            duplicates(&set.train, &set.test)
                .iter()
                .all(|&shared| !shared)
        );
        set.hash
    };
    let (first, again, other) = (parted(1, "a"), parted(1, "b"), parted(2, "c"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let error = refused(&root, &folder.path().join("d"), &options());
    assert!(error.contains("--test-share"), "{error}");
}

#[test]
fn colour_and_size_are_as_wanted() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("pictures");
    let colour = image::RgbImage::from_fn(60, 40, |x, _| image::Rgb([x as u8, 100, 200]));
    for (part, class) in [("train", "a"), ("train", "b"), ("test", "a")] {
        let path = root.join(part).join(class).join("one.bmp");
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        colour.save(path).expect("a picture");
    }
    let wanted = Wanted {
        size: [20, 20],
        colour: Colour::Rgb,
    };
    let options = Options {
        wanted,
        ..options()
    };
    let out = folder.path().join("out");
    let (told, _) = imported(&root, &out, &options);
    assert_eq!((told.resized, told.image), (3, [20, 20, 3]));
    let set = Dataset::load(&out, [20, 20, 3]).expect("a set");
    let mut pixels = vec![0.0; 1200];
    set.test.row_f32(0, 1.0, &mut pixels);
    assert_eq!(pixels[1..3], [100.0, 200.0]);
}

#[test]
fn folders_that_are_no_source_are_told_apart() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let out = at("out");
    fs::create_dir(at("empty")).expect("made");
    picture(&at("flat/one.png"), &[1; 2304]);
    picture(&at("single/only/one.png"), &[1; 2304]);
    folders(&at("other"));
    picture(&at("other/test/bored/one.png"), &[1; 2304]);
    folders(&at("share"));
    fs::create_dir_all(at("hollow/train/a")).expect("made");
    fs::create_dir_all(at("hollow/train/b")).expect("made");
    fs::create_dir_all(at("hollow/test/b")).expect("made");
    let shared = Options {
        test_share: Some(0.5),
        ..options()
    };
    let cases = [
        ("nothing", options(), "there is no"),
        ("empty", options(), "holds no folders of classes"),
        ("flat", options(), "holds no folders of classes"),
        ("single", options(), "single class `only`"),
        ("other", options(), "the class `bored`"),
        ("share", shared, "leave out --test-share"),
        ("hollow", options(), "nothing to train on"),
    ];
    for (name, options, said) in cases {
        let error = refused(&at(name), &out, &options);
        assert!(error.contains(said), "{name}: {error}");
    }
}
