//! The CSV in all its forms.

use super::sources::*;
use fer_gpu::data::{Dataset, FER_CLASSES};
use fer_gpu::ingest::{Options, Private, Targets, Wanted};
use fer_gpu::pictures::Colour;
use std::fs;
use tempfile::tempdir;

#[test]
fn both_forms_of_the_csv_give_the_faces_back() {
    let folder = tempdir().expect("a folder");
    let faces = faces();
    let plain = csv_of(&rows());
    let mut icml = "emotion, Usage, pixels\n".to_string();
    for (usage, label, pixels) in rows() {
        icml += &format!("{label},{usage},{pixels}\n");
    }
    let quoted: String = plain
        .lines()
        .map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            [a, b, c] => format!("{a},\"{b}\",\"{c}\"\r\n"),
            _ => panic!("three fields"),
        })
        .collect();
    let forms = [
        ("fer2013.csv", plain.clone()),
        ("icml_face_data.csv", icml),
        (
            "windows.csv",
            format!("\u{feff}{}", plain.replace('\n', "\r\n")),
        ),
        ("quoted.CSV", quoted),
        ("blank lines.csv", plain.replace('\n', "\n\n")),
        ("no last newline.csv", plain.trim_end().to_string()),
    ];
    for (name, text) in forms {
        let source = write(&folder.path().join(name), text);
        let out = folder.path().join(format!("{name} out"));
        let (told, faults) = imported(&source, &out, &options());
        assert!(faults.is_empty(), "{name}: {faults:?}");
        assert_eq!(
            [told.private, told.faults, told.resized],
            [2, 0, 0],
            "{name}"
        );
        let set = Dataset::load(&out, IMAGE).expect("a set");
        assert_eq!(set.train, faces.train, "{name}");
        assert_eq!(set.class_names, FER_CLASSES);
        assert_eq!(set.test.labels, faces.test.labels[..5]);
        assert_eq!(row(&set.test, 4), row(&faces.test, 4));
        let text = fs::read_to_string(out.join("classes.json")).expect("names");
        assert_eq!(
            serde_json::from_str::<Vec<String>>(&text).expect("a list"),
            FER_CLASSES
        );
    }
}

#[test]
fn private_rows_go_where_they_are_wanted() {
    let folder = tempdir().expect("a folder");
    let source = write(&folder.path().join("fer2013.csv"), csv_of(&rows()));
    let of = |private, name: &str| {
        let options = Options {
            private,
            ..options()
        };
        let out = folder.path().join(name);
        let (told, _) = imported(&source, &out, &options);
        let sums = told.counts.map(|counts| counts.iter().sum::<u64>());
        (sums, told.private)
    };
    assert_eq!(of(Private::LeftOut, "a"), ([14, 5], 2));
    assert_eq!(of(Private::Train, "b"), ([16, 5], 0));
    assert_eq!(of(Private::Test, "c"), ([14, 7], 0));
}

#[test]
fn sizes_and_colours_other_than_the_files_are_made() {
    let folder = tempdir().expect("a folder");
    let source = write(&folder.path().join("fer2013.csv"), csv_of(&rows()));
    let wanted = Wanted {
        size: [24, 32],
        colour: Colour::Rgb,
    };
    let options = Options {
        wanted,
        ..options()
    };
    let out = folder.path().join("out");
    let (told, _) = imported(&source, &out, &options);
    assert_eq!((told.image, told.resized), ([24, 32, 3], 19));
    let set = Dataset::load(&out, [24, 32, 3]).expect("a set");
    assert_eq!([set.train.rows(), set.test.rows()], [14, 5]);
}

/// Ten votes a row, for the class that the CSV has too where that is possible.
fn votes(of: impl Fn(usize) -> [u32; 10]) -> String {
    let mut text = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n".to_string();
    for (at, (usage, ..)) in rows().iter().enumerate() {
        let votes: Vec<String> = of(at).iter().map(u32::to_string).collect();
        text += &format!("{usage},fer{at:07}.png,{}\n", votes.join(","));
    }
    text
}

#[test]
fn votes_are_joined_row_by_row() {
    let folder = tempdir().expect("a folder");
    // Row 4 cannot be read; its votes are not those of row 5.
    let mut broken = rows();
    broken[4].2 = "1 2 3".into();
    let source = write(&folder.path().join("fer2013.csv"), csv_of(&broken));
    let of = |at: usize| {
        let mut votes = [0; 10];
        match at {
            2 => votes[9] = 10,
            3 => votes[..2].fill(5),
            _ => {
                votes[at % 8] = 7;
                votes[(at + 1) % 8] = 3;
            }
        }
        votes
    };
    let votes = write(&folder.path().join("fer2013new.csv"), votes(of));
    let majority = Options {
        votes: Some(votes.clone()),
        ..options()
    };
    let out = folder.path().join("majority");
    let (told, faults) = imported(&source, &out, &majority);
    assert_eq!(
        [told.faults, told.undecided, faults.len() as u64],
        [1, 2, 1]
    );
    assert_eq!(told.class_names[1], "happiness");
    let set = Dataset::load(&out, IMAGE).expect("a set");
    let expected: Vec<u32> = (0..14)
        .filter(|at| ![2, 3, 4].contains(at))
        .map(|at| at % 8)
        .collect();
    assert_eq!(set.train.labels, expected);

    let out = folder.path().join("distribution");
    let distribution = Options {
        targets: Targets::Distribution,
        ..majority
    };
    let (told, _) = imported(&source, &out, &distribution);
    // Five votes against five are a distribution, though no majority.
    assert_eq!(told.undecided, 1);
    let file = fs::File::open(out.join("y_train.npy")).expect("a file");
    let shares: ndarray::Array2<f32> = ndarray_npy::ReadNpyExt::read_npy(file).expect("an array");
    assert_eq!(shares.shape(), [12, 8]);
    assert_eq!(
        shares.row(0).to_vec(),
        [0.7, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    );
    assert_eq!(shares.row(2).to_vec()[..3], [0.5, 0.5, 0.0]);
    let set = Dataset::load(&out, IMAGE).expect("a set");
    assert!(set.is_soft());
    assert_eq!(set.train.shares.as_ref().map(Vec::len), Some(12 * 8));
    // Of equal shares the first counts.
    assert_eq!(set.train.labels[2], 0);
}

#[test]
fn shares_of_classes_are_not_parted_by_class() {
    let folder = tempdir().expect("a folder");
    let source = write(&folder.path().join("fer2013.csv"), csv_of(&rows()));
    let votes = votes(|_| [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let parted = Options {
        votes: Some(write(&folder.path().join("votes.csv"), votes)),
        targets: Targets::Distribution,
        test_share: Some(0.2),
        ..options()
    };
    let error = refused(&source, &folder.path().join("out"), &parted);
    assert!(error.contains("--test-share"), "{error}");
    // Classes are, in place of the file's own parts.
    let majority = Options {
        targets: Targets::Majority,
        ..parted
    };
    let (told, _) = imported(&source, &folder.path().join("out"), &majority);
    assert_eq!(
        told.counts.map(|counts| counts.iter().sum::<u64>()),
        [15, 4]
    );
}

#[test]
fn votes_of_other_rows_are_refused() {
    let folder = tempdir().expect("a folder");
    let source = write(&folder.path().join("fer2013.csv"), csv_of(&rows()));
    let whole = votes(|_| [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let cases = [
        (
            "too few",
            whole.lines().take(10).collect::<Vec<_>>().join("\n"),
            "the votes end",
        ),
        (
            "too many",
            format!("{whole}PrivateTest,,10,0,0,0,0,0,0,0,0,0\n"),
            "the images end",
        ),
        (
            "shifted",
            whole.replacen("PublicTest", "Training", 1),
            "line 16",
        ),
        (
            "no votes",
            whole.replace("neutral", "neutrl"),
            "no column `neutral`",
        ),
        ("no number", whole.replacen(",10,0", ",ten,0", 1), "`ten`"),
    ];
    for (name, text, said) in cases {
        let votes = write(&folder.path().join(format!("{name}.csv")), text);
        let options = Options {
            votes: Some(votes),
            ..options()
        };
        let error = refused(&source, &folder.path().join("out"), &options);
        assert!(error.contains(said), "{name}: {error}");
    }
}
