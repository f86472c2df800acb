//! The first batch as a picture, by `data preview` and in a run's folder: each image as augmentation makes it, with its
//! label; the same picture by both ways; and none where none is wanted.

#[path = "common/run.rs"]
mod run;

use base64::{Engine, prelude::BASE64_STANDARD};
use fer_gpu::augment::{Augment, Draw, bounds};
use fer_gpu::data::Dataset;
use fer_gpu::drawing::{self, Contact, Tile};
use fer_gpu::feed;
use fer_gpu::ops::augment::Augment as Params;
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::augment::augment;
use run::{bytes, faces, fer_gpu, resume, stderr, succeed, train};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::tempdir;

const TABLE: &str = "\
[augment]
mirror = true
shift = 4
rotation = 10
brightness = 0.2
erasing = 0.5
mixup = 0.4
last_epochs_without = 1
";

/// `fer-gpu data preview` in a folder.
fn preview(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = fer_gpu();
    command.args(["data", "preview"]).args(arguments);
    command
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = preview(folder, arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("utf-8")
}

/// The rows of the first batch of a run of that seed.
fn first_rows(set: &Dataset, batch: usize, seed: u64) -> Vec<u32> {
    let order = feed::order(set.train.rows(), true, seed, 0);
    order[..batch].to_vec()
}

/// What the reference of the kernel makes of a shard, with the shares of each image.
fn tiles(set: &Dataset, draw: &Draw, rows: &[u32]) -> Vec<Tile> {
    let elements: usize = set.image.iter().product();
    let mut x = vec![0.0; rows.len() * elements];
    for (&row, pixels) in rows.iter().zip(x.chunks_mut(elements)) {
        set.train.row_f32(row as usize, set.range.scale(), pixels);
    }
    let count = rows.len() as u32;
    let range = bounds(set.range);
    let params = Params::of(count, set.image.map(|side| side as u32), range);
    let step = Step::new(1, count, [0.0; 4]);
    let records = draw.records(rows);
    let [x, words] = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&records)];
    let images = augment(&params, &step, x, words).values;
    let name = |row: u32| set.class_names[set.train.labels[row as usize] as usize].clone();
    let tile = |(at, pixels): (usize, &[f64])| {
        let (own, other) = (name(rows[at]), name(rows[records[at].partner as usize]));
        let share = records[at].share;
        let labels = match own == other {
            true => vec![(own, 1.0)],
            false => vec![(own, share), (other, 1.0 - share)],
        };
        let pixels: Vec<f32> = pixels.iter().map(|&value| value as f32).collect();
        Tile::new(&pixels, set.image, [range.low, range.high], labels)
    };
    images.chunks(elements).enumerate().map(tile).collect()
}

#[test]
fn the_picture_shows_what_augmentation_makes() {
    let folder = tempdir().expect("a folder");
    let folder = folder.path();
    faces(folder, 30, 11);
    let set = Dataset::sample_faces(7, [30, 11]);
    let recipe = format!("epochs = 9\nbatch = 12\nshards = 2\n{TABLE}");
    fs::write(folder.join("mine.toml"), recipe).expect("a recipe");
    let options = ["faces-30-11", "--recipe", "mine.toml", "--seed", "5"];
    let told = succeeds(
        folder,
        &[&options[..], &["--augment", "-o", "a.png"]].concat(),
    );
    let about = "12 images of faces-30-11, seed 5";
    assert!(told.starts_with(&format!("a.png: {about}, augmented by mirror 0.5, ")));
    assert!(told.contains("shows images of the data set"), "{told}");
    // The same, made of what is known of augmentation.
    let table: toml::Table = TABLE.parse().expect("a table");
    let table: Augment = table["augment"].clone().try_into().expect("one of ours");
    let draw = Draw::new(&table, 5, [0, 9], set.image, bounds(set.range));
    let rows = first_rows(&set, 12, 5);
    let shards = rows.chunks(6).flat_map(|rows| tiles(&set, &draw, rows));
    let expected = Contact {
        title: "The first batch".into(),
        about: format!("{about}\naugmented by {table}"),
        tiles: shards.collect(),
    };
    let expected = drawing::contact(&expected).expect("a picture");
    assert!(bytes(folder, "a.png") == expected);
    // Another seed, another picture.
    let mut other = options;
    other[4] = "6";
    succeeds(
        folder,
        &[&other[..], &["--augment", "-o", "b.png"]].concat(),
    );
    assert!(bytes(folder, "b.png") != expected);
}

/// Pixels of the picture, where its first row of images lies: each of the set's is a square of four.
#[test]
fn without_augment_the_images_are_as_they_are() {
    let folder = tempdir().expect("a folder");
    let folder = folder.path();
    faces(folder, 30, 11);
    let set = Dataset::sample_faces(7, [30, 11]);
    // The recipe has batches of 128.
    let told = succeeds(folder, &["faces-30-11"]);
    assert!(told.starts_with("preview.png: 30 images of faces-30-11, seed 0, as they are"));
    let picture = image::open(folder.join("preview.png")).expect("a PNG");
    let picture = picture.to_rgb8();
    const LEFT: u32 = 56;
    const TOP: u32 = 214;
    for (column, &row) in first_rows(&set, 8, 0).iter().enumerate() {
        let left = LEFT + column as u32 * 220;
        let pixels = set.bytes(&set.train, row as usize);
        for (x, y) in (0..192).flat_map(|x| (0..192).map(move |y| (x, y))) {
            let value = pixels[(y / 4 * 48 + x / 4) as usize];
            assert_eq!(picture.get_pixel(left + x, TOP + y).0, [value; 3]);
        }
    }
}

#[test]
fn what_cannot_be_previewed_is_refused() {
    let folder = tempdir().expect("a folder");
    let folder = folder.path();
    faces(folder, 30, 11);
    fs::write(folder.join("zoom.toml"), "[augment]\nzoom = 2\n").expect("a recipe");
    fs::write(folder.join("batch.toml"), "batch = 0\n").expect("a recipe");
    for (arguments, told) in [
        (
            &["--augment", "--recipe", "inception"][..],
            "the recipe inception changes no image",
        ),
        (&["--augment", "--recipe", "zoom.toml"], "augment.zoom 2"),
        (&["--recipe", "batch.toml"], "batch 0"),
        (&["--recipe", "nothing"], "no recipe `nothing`"),
    ] {
        let output = preview(folder, &[&["faces-30-11"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    assert!(!folder.join("preview.png").exists());
}

/// A run by the recipe in `mine.toml`.
fn run_of(folder: &Path, data: &Path, name: &str, extra: &[&str]) -> PathBuf {
    let out = folder.join(name);
    let mut command = train(data, &["--epochs", "2", "--seed", "3", "--recipe"]);
    command.arg(folder.join("mine.toml")).args(extra);
    command.arg("--out").arg(&out);
    succeed(command);
    out
}

#[test]
fn a_run_keeps_its_first_batch_where_pictures_are_wanted() {
    let folder = tempdir().expect("a folder");
    let folder = folder.path();
    let data = faces(folder, 30, 11);
    fs::write(
        folder.join("mine.toml"),
        format!("epochs = 2\nbatch = 8\n{TABLE}"),
    )
    .expect("a recipe");
    let out = run_of(folder, &data, "run", &["--steps", "1"]);
    let data_name = data.to_str().expect("text");
    let options = [
        data_name,
        "--augment",
        "--recipe",
        "mine.toml",
        "--seed",
        "3",
    ];
    succeeds(folder, &options);
    let sheet = bytes(&out, "augmented.png");
    assert!(sheet == bytes(folder, "preview.png"));
    // It is drawn when a run begins, and not again.
    fs::remove_file(out.join("augmented.png")).expect("removed");
    resume(&out, &[]);
    assert!(!out.join("augmented.png").exists());
    for (name, option) in [
        ("no-pictures", "--no-pictures"),
        ("no-augment", "--no-augment"),
    ] {
        let out = run_of(folder, &data, name, &["--steps", "1", option]);
        assert!(!out.join("augmented.png").exists(), "{name}");
    }
    // The report shows it, but where pictures are left out.
    fs::write(out.join("augmented.png"), &sheet).expect("written");
    let page = |extra: &[&str]| {
        let mut command = fer_gpu();
        command.arg("report").arg(&out).args(extra);
        let output = command.output().expect("the command runs");
        assert!(output.status.success(), "{}", stderr(&output));
        fs::read_to_string(out.join("report.html")).expect("a page")
    };
    let shown = BASE64_STANDARD.encode(&sheet);
    assert!(page(&[]).contains(&shown));
    let without = page(&["--no-pictures"]);
    assert!(!without.contains(&shown) && !without.contains("<img"));
}
