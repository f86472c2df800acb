//! Augmentation: draws are distributed as a recipe says and depend on nothing but seed, epoch and row; what they say is
//! what becomes of an image; and a run that augments is as its references say, on the host's path as on the
//! device's, whatever it is cut into.

mod common;
#[path = "common/run.rs"]
mod run;

use fer_gpu::augment::{Augment, Draw, bounds};
use fer_gpu::data::{Dataset, PixelRange};
use fer_gpu::feed::Batches;
use fer_gpu::ops::augment::{Augment as Params, Bounds, Record};
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::augment::augment;
use run::{bytes, faces, fer_gpu, resume, same, stderr, succeed, train};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

const SIZE: [usize; 3] = [48, 48, 1];
const RANGE: Bounds = Bounds {
    low: 0.0,
    high: 1.0,
};
const ROWS: u32 = 20_000;

/// The augmentation of `networks/recipes/fer-inception.toml`, with mixup.
fn usual() -> Augment {
    Augment {
        mirror: 0.5,
        shift: 4.0,
        rotation: 10.0,
        zoom: 0.1,
        brightness: 0.2,
        brightness_probability: 0.5,
        contrast: 0.2,
        contrast_probability: 0.5,
        erasing: 0.25,
        mixup: 0.2,
        last_epochs_without: 3,
    }
}

fn draw(augment: &Augment, seed: u64, epoch: u32) -> Draw {
    Draw::new(augment, seed, [epoch, 30], SIZE, RANGE)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    sum / count
}

/// The mean of uniform numbers within `most` of `middle`, and of their squared distance: most^2 / 3.
fn assert_uniform(what: &str, values: &[f64], middle: f64, most: f64) {
    let count = values.len() as f64;
    assert!(count > 1000.0, "{what}: {count} of them");
    let off = mean(values.iter().map(|value| value - middle));
    assert!(
        off.abs() < 4.0 * most / (3.0 * count).sqrt(),
        "{what}: {off}"
    );
    let spread = mean(values.iter().map(|value| (value - middle).powi(2)));
    assert!((3.0 * spread / most.powi(2) - 1.0).abs() < 0.06, "{what}");
    let furthest = values
        .iter()
        .map(|value| (value - middle).abs())
        .fold(0.0, f64::max);
    assert!(furthest <= most * 1.000_001, "{what}: {furthest}");
}

fn assert_share(what: &str, count: usize, expected: f64) {
    let share = count as f64 / ROWS as f64;
    let deviation = (expected * (1.0 - expected) / ROWS as f64).sqrt();
    assert!(
        (share - expected).abs() < 4.0 * deviation,
        "{what}: {share}"
    );
}

#[test]
fn draws_are_distributed_as_the_table_says() {
    let draw = draw(&usual(), 0, 0);
    let records: Vec<Record> = (0..ROWS).map(|row| draw.record(row)).collect();
    // The way back is turned by -angle, divided by the zoom, and mirrored.
    let determinant = |r: &Record| {
        let [[a, b, _], [c, d, _]] = [r.to_x, r.to_y].map(|row| row.map(f64::from));
        a * d - b * c
    };
    let mirrored = records.iter().filter(|r| determinant(r) < 0.0).count();
    assert_share("mirrored", mirrored, 0.5);
    let zooms: Vec<f64> = records
        .iter()
        .map(|r| 1.0 / determinant(r).abs().sqrt())
        .collect();
    assert_uniform("zoom", &zooms, 1.0, 0.1);
    let angle = |r: &Record| f64::from(-r.to_y[0]).atan2(r.to_y[1].into()).to_degrees();
    let angles: Vec<f64> = records.iter().map(angle).collect();
    assert_uniform("rotation", &angles, 0.0, 10.0);
    // Where the centre went: the place whose origin is the centre.
    let shift = |r: &Record| {
        let [[a, b, e], [c, d, f]] = [r.to_x, r.to_y].map(|row| row.map(f64::from));
        let (u, v, det) = (23.5 - e, 23.5 - f, determinant(r));
        [(d * u - b * v) / det - 23.5, (a * v - c * u) / det - 23.5]
    };
    for axis in [0, 1] {
        let shifts: Vec<f64> = records.iter().map(|r| shift(r)[axis]).collect();
        assert_uniform("shift", &shifts, 0.0, 4.0);
    }
    let gains: Vec<f64> = records.iter().map(|r| r.gain.into()).collect();
    let gains: Vec<f64> = gains.into_iter().filter(|gain| *gain != 1.0).collect();
    assert_share("contrast", gains.len(), 0.5);
    assert_uniform("contrast", &gains, 1.0, 0.2);
    let brightness = |r: &Record| f64::from(r.offset) - 0.5 * (1.0 - f64::from(r.gain));
    let brighter: Vec<f64> = records.iter().map(brightness).collect();
    let brighter: Vec<f64> = brighter.into_iter().filter(|b| b.abs() > 1e-6).collect();
    assert_share("brightness", brighter.len(), 0.5);
    assert_uniform("brightness", &brighter, 0.0, 0.2);
    for record in &records {
        let toned = record.gain != 1.0 || record.offset != 0.0;
        assert_eq!(record.toned, f32::from(u8::from(toned)));
        assert_eq!(record.moved, 1.0);
        assert_eq!(record.share, 1.0);
    }
}

#[test]
fn what_is_erased_has_the_size_of_the_paper() {
    let draw = draw(&usual(), 0, 0);
    let erased: Vec<[f64; 4]> = (0..ROWS)
        .map(|row| draw.record(row).erased.map(f64::from))
        .filter(|erased| *erased != [0.0; 4])
        .collect();
    assert_share("erased", erased.len(), 0.25);
    let sides = |[left, top, right, bottom]: [f64; 4]| (right - left, bottom - top);
    for &rectangle in &erased {
        let (w, h) = sides(rectangle);
        assert!(rectangle.iter().all(|edge| edge.fract() == 0.0));
        assert!(rectangle[..2].iter().all(|edge| *edge >= 0.0));
        assert!(rectangle[2..].iter().all(|edge| *edge <= 48.0));
        // Sides are rounded to whole pixels.
        assert!((w + 0.5) * (h + 0.5) >= 0.02 * 2304.0, "{w} x {h}");
        assert!((w - 0.5) * (h - 0.5) <= 0.2 * 2304.0, "{w} x {h}");
        assert!((h + 0.5) / (w - 0.5) >= 0.3 && (h - 0.5) / (w + 0.5) <= 3.3);
    }
    let area = mean(erased.iter().map(|&r| sides(r).0 * sides(r).1 / 2304.0));
    assert!((area - 0.11).abs() < 0.004, "{area}");
    // Every place is as likely: the space on either side is the same, and both edges are met.
    let aside = mean(
        erased
            .iter()
            .map(|[left, _, right, _]| left - (48.0 - right)),
    );
    assert!(aside.abs() < 1.0, "{aside}");
    assert!(erased.iter().any(|r| r[0] == 0.0) && erased.iter().any(|r| r[2] == 48.0));
    // Of an image of one pixel nothing can be left, so nothing is taken.
    let tiny = Draw::new(&usual(), 0, [0, 30], [1, 1, 1], RANGE);
    assert!((0..1000).all(|row| tiny.record(row).erased == [0.0; 4]));
}

/// Shares are the larger half of Beta(0.2, 0.2), partners any other place.
#[test]
fn images_are_mixed_with_any_other_of_their_shard() {
    let draw = draw(&usual(), 0, 0);
    let rows: Vec<u32> = (0..ROWS).collect();
    let mut met = [0usize; 7];
    let mut shares = Vec::new();
    for shard in rows.as_chunks::<8>().0 {
        for (at, record) in draw.records(shard).iter().enumerate() {
            let partner = record.partner as usize;
            assert!(partner != at && partner < 8);
            met[(partner + 8 - at) % 8 - 1] += 1;
            shares.push(f64::from(record.share));
        }
    }
    met.iter()
        .for_each(|&count| assert_share("partner", count, 1.0 / 7.0));
    assert!(shares.iter().all(|share| (0.5..=1.0).contains(share)));
    let second = mean(shares.iter().map(|share| (share - 0.5).powi(2)));
    assert!((second * 4.0 * 1.4 - 1.0).abs() < 0.02, "{second}");
    // Where there is no other, nothing is mixed.
    let alone = draw.records(&[5])[0];
    assert_eq!((alone.partner, alone.share), (0.0, 1.0));
}

#[test]
fn a_draw_depends_on_seed_epoch_and_row_alone() {
    let own = draw(&usual(), 0, 0);
    let rows = [7, 1, 4, 7, 19_000];
    let alone = |record: Record| Record {
        partner: 0.0,
        share: 1.0,
        ..record
    };
    for (row, record) in rows.iter().zip(own.records(&rows)) {
        assert_eq!(alone(record), own.record(*row));
        // How much of itself it keeps does not depend on the others either.
        assert_eq!(record.share, own.records(&[0, *row])[1].share);
    }
    for other in [draw(&usual(), 1, 0), draw(&usual(), 0, 1)] {
        assert!((0..100).all(|row| own.record(row) != other.record(row)));
    }
    // What one of them does leaves the others as they were.
    let only = Augment {
        rotation: 10.0,
        ..Augment::default()
    };
    let turned = draw(&only, 0, 0).record(3);
    let angle = |r: &Record| r.to_y[0] / r.to_y[1];
    assert!((angle(&turned) - angle(&own.record(3))).abs() < 1e-6);
    // In the last epochs nothing is drawn.
    let (last, first) = (draw(&usual(), 0, 26), draw(&usual(), 0, 27));
    assert!((0..100).any(|row| last.record(row) != Record::PLAIN));
    for record in first.records(&rows) {
        let plain = Record {
            partner: record.partner,
            ..Record::PLAIN
        };
        assert_eq!(record, plain);
    }
    assert!(first.mixes());
}

/// What the reference makes of one image.
fn image(x: &[f32], [h, w]: [usize; 2], record: Record) -> Vec<f64> {
    let p = Params {
        rows: 1,
        channels: 1,
        height: h as u32,
        width: w as u32,
        low: RANGE.low,
        high: RANGE.high,
        fill: RANGE.middle(),
    };
    let words = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let step = Step::new(1, 1, [0.0; 4]);
    let records = bytemuck::cast_slice(std::slice::from_ref(&record));
    augment(&p, &step, &words(x), records).values
}

fn pixels(count: usize) -> Vec<f32> {
    let one = |i: usize| fer_gpu::random::unit(5, i as u64) as f32;
    (0..count).map(one).collect()
}

#[test]
fn mirrors_and_whole_shifts_are_exact_and_edges_repeated() {
    let (h, w) = (5, 8);
    let x = pixels(h * w);
    let of = |augment: &Augment, row| Draw::new(augment, 0, [0, 9], [h, w, 1], RANGE).record(row);
    let always = Augment {
        mirror: 1.0,
        ..Augment::default()
    };
    let mirror = of(&always, 0);
    let once = image(&x, [h, w], mirror);
    let expected = (0..h * w).map(|i| f64::from(x[i / w * w + w - 1 - i % w]));
    assert!(expected.eq(once.iter().copied()));
    let once: Vec<f32> = once.into_iter().map(|v| v as f32).collect();
    let twice = image(&once, [h, w], mirror);
    assert!(x.iter().map(|v| f64::from(*v)).eq(twice));
    // Two pixels to the right and one up.
    let shifted = Record {
        to_x: [1.0, 0.0, -2.0],
        to_y: [0.0, 1.0, 1.0],
        moved: 1.0,
        ..Record::PLAIN
    };
    let found = image(&x, [h, w], shifted);
    for (i, value) in found.iter().enumerate() {
        let (row, column) = ((i / w + 1).min(h - 1), (i % w).saturating_sub(2));
        assert_eq!(*value, f64::from(x[row * w + column]));
    }
}

/// A plane that rises evenly is the same plane moved: what is between pixels is on it. The map is that of the way
/// forth, written apart: mirrored, zoomed and turned about the centre, then shifted.
#[test]
fn an_image_goes_where_its_draw_says() {
    let (h, w) = (41usize, 37usize);
    let (centre_x, centre_y) = (18.0, 20.0);
    let plane = |x: f64, y: f64| 0.5 + 0.004 * (x - centre_x) + 0.007 * (y - centre_y);
    let x: Vec<f32> = (0..h * w)
        .map(|i| plane((i % w) as f64, (i / w) as f64) as f32)
        .collect();
    let augment = Augment {
        mirror: 0.5,
        shift: 3.0,
        rotation: 25.0,
        zoom: 0.2,
        ..Augment::default()
    };
    let draw = Draw::new(&augment, 3, [0, 9], [h, w, 1], RANGE);
    let mut inside = 0;
    for row in 0..20 {
        let record = draw.record(row);
        let found = image(&x, [h, w], record);
        let [a, b, _] = record.to_x.map(f64::from);
        let [c, d, _] = record.to_y.map(f64::from);
        let side = (a * d - b * c).signum();
        let zoom = 1.0 / (a * d - b * c).abs().sqrt();
        let (sine, cosine) = (-c * zoom, d * zoom);
        assert!((sine * sine + cosine * cosine - 1.0).abs() < 1e-5);
        // Where the centre went, and from there any other point.
        let forth = |x: f64, y: f64| {
            let (u, v) = (side * (x - centre_x), y - centre_y);
            [
                zoom * (cosine * u - sine * v),
                zoom * (sine * u + cosine * v),
            ]
        };
        let at_centre = [record.to_x, record.to_y].map(|r| r.map(f64::from));
        let [u, v] = forth(
            2.0 * centre_x
                - (at_centre[0][0] * centre_x + at_centre[0][1] * centre_y + at_centre[0][2]),
            2.0 * centre_y
                - (at_centre[1][0] * centre_x + at_centre[1][1] * centre_y + at_centre[1][2]),
        );
        assert!(u.abs() <= 3.0 + 1e-4 && v.abs() <= 3.0 + 1e-4, "{u} {v}");
        for (x, y) in [(18.0, 20.0), (12.0, 25.0), (24.0, 14.0), (15.0, 12.0)] {
            let [dx, dy] = forth(x, y);
            let (px, py) = (centre_x + u + dx, centre_y + v + dy);
            // The plane is even between the four pixels about the place, too.
            let value = |px: f64, py: f64| found[py as usize * w + px as usize];
            let (fx, fy) = (px.fract(), py.fract());
            let (px, py) = (px.floor(), py.floor());
            let between = (1.0 - fy) * ((1.0 - fx) * value(px, py) + fx * value(px + 1.0, py))
                + fy * ((1.0 - fx) * value(px, py + 1.0) + fx * value(px + 1.0, py + 1.0));
            assert!((between - plane(x, y)).abs() < 1e-5, "row {row}: {between}");
            inside += 1;
        }
    }
    assert_eq!(inside, 80);
}

/// Batches have the records of their rows, whatever shard they are in, and targets that are as mixed as their images.
#[test]
fn batches_bring_records_and_mixed_targets() {
    let set = Dataset::trial([2, 2, 1], [11, 8]);
    let classes = set.class_names.len();
    let weights: Vec<f32> = (0..classes).map(|class| 1.0 + class as f32).collect();
    let draw = draw(&usual(), 0, 0);
    let order = vec![6, 1, 4, 10, 0];
    for cut in [[4, 1], [4, 2]] {
        let mut batches = Batches::new(&set, &set.train, order.clone(), cut, false)
            .augmented(Some(draw.clone()), Some(weights.clone()));
        for index in 0..2 {
            for shard in 0..batches.shards_of(index) {
                let batch = batches.shard(index, shard, Step::new(1, 0, [0.0; 4]));
                let augmented = batch.augmented.expect("records");
                let targets = batch.targets.expect("targets");
                let first = (4 * index + batch.step.first_row) as usize;
                let valid = batch.step.valid_rows as usize;
                assert_eq!(
                    augmented.records[..valid],
                    draw.records(&order[first..][..valid])
                );
                assert!(
                    augmented.records[valid..]
                        .iter()
                        .all(|r| *r == Record::PLAIN)
                );
                assert_eq!(augmented.records.len(), batch.labels.len());
                for (at, record) in augmented.records[..valid].iter().enumerate() {
                    let label = |at: usize| set.train.labels[order[first + at] as usize] as usize;
                    let (own, other) = (label(at), label(record.partner as usize));
                    let share = record.share;
                    let (a, b) = (share * weights[own], (1.0 - share) * weights[other]);
                    assert!((augmented.weights[at] - (a + b)).abs() <= 1e-5);
                    let mut expected = vec![0.0; classes];
                    expected[own] += a / (a + b);
                    expected[other] += b / (a + b);
                    let target = &targets[at * classes..][..classes];
                    for (found, expected) in target.iter().zip(&expected) {
                        assert!((found - expected).abs() <= 1e-6);
                    }
                }
            }
        }
    }
    // Pixels lie where they are said to.
    assert_eq!(bounds(PixelRange::MinusOneToOne).low, -1.0);
    assert_eq!(bounds(PixelRange::ZeroTo255).middle(), 0.5);
}

const TABLE: &str = "\
[augment]
mirror = true
shift = 4
rotation = 10
zoom = 0.1
brightness = 0.2
brightness_probability = 0.5
contrast = 0.2
erasing = 0.5
";

const LOSS: &str = "\
[loss]
label_smoothing = 0.1
class_weights = \"balanced\"
";

/// A run by a recipe of that text.
fn run_of(folder: &Path, name: &str, recipe: &str, extra: &[&str]) -> PathBuf {
    let data = folder.join("faces-30-11");
    if !data.exists() {
        faces(folder, 30, 11);
    }
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, recipe).expect("a recipe");
    let out = folder.join(name);
    let mut command = train(&data, &["--epochs", "3", "--log-steps", "--recipe"]);
    command.arg(&file).args(extra).arg("--out").arg(&out);
    succeed(command);
    out
}

#[test]
fn augmented_runs_go_on_to_the_same_bits_on_either_path() {
    let folder = tempdir().expect("a folder");
    let mixed = format!("{TABLE}mixup = 0.4\nlast_epochs_without = 1\n{LOSS}");
    for (name, recipe, shards) in [
        ("plain", TABLE, "1"),
        ("mixed", mixed.as_str(), "1"),
        ("shards", mixed.as_str(), "2"),
    ] {
        let run = |part: &str, extra: &[&str]| {
            let all = [&["--shards", shards], extra].concat();
            run_of(folder.path(), &format!("{name}-{part}"), recipe, &all)
        };
        let whole = run("whole", &[]);
        let parts = run("parts", &["--steps", "5"]);
        if name == "mixed" {
            resume(&parts, &["--steps", "1"]);
        }
        resume(&parts, &[]);
        same(&whole, &parts);
        let host = run("host", &["--host-data", "--steps", "6"]);
        resume(&host, &["--host-data"]);
        same(&whole, &host);
        assert!(bytes(&whole, "recipe.toml") == bytes(&parts, "recipe.toml"));
    }
    let whole = folder.path().join("mixed-whole");
    let without = run_of(folder.path(), "without", &mixed, &["--no-augment"]);
    assert!(bytes(&whole, "last.safetensors") != bytes(&without, "last.safetensors"));
    let recipe = fs::read_to_string(without.join("recipe.toml")).expect("a recipe");
    assert!(!recipe.contains("augment"), "{recipe}");
}

/// A run whose every epoch is one of the last has the bits of one that never heard of augmentation: images, targets
/// and weights come through unchanged.
#[test]
fn epochs_without_are_as_if_there_were_none() {
    let folder = tempdir().expect("a folder");
    let without = format!("{TABLE}mixup = 0.4\nlast_epochs_without = 3\n{LOSS}");
    let augmented = run_of(folder.path(), "augmented", &without, &[]);
    let plain = run_of(folder.path(), "plain", LOSS, &[]);
    same(&plain, &augmented);
}

#[test]
fn every_dispatch_of_an_augmented_step_is_held_against_its_reference() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let file = folder.path().join("recipe.toml");
    fs::write(&file, format!("{TABLE}mixup = 0.4\n{LOSS}")).expect("a recipe");
    for (shards, place) in [("1", None), ("2", Some("--host-data"))] {
        let mut command = train(&data, &["--check", "--steps", "1", "--shards", shards]);
        command.arg("--recipe").arg(&file).args(place);
        command.arg("--out").arg(folder.path().join(shards));
        let output = command.output().expect("the command runs");
        let told = stderr(&output);
        assert!(output.status.success(), "{told}");
        assert!(told.contains("augment"), "{told}");
        assert!(told.matches("ok, worst error").count() > 25, "{told}");
    }
}

#[test]
fn what_a_table_cannot_say_is_refused_and_a_run_keeps_its_own() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let file = folder.path().join("recipe.toml");
    for (table, told) in [
        ("zoom = 2", "augment.zoom 2: a number from 0 to 0.9"),
        ("flip = true", "unknown field `flip`"),
        ("mirror = \"yes\"", "a probability, or true or false"),
    ] {
        fs::write(&file, format!("[augment]\n{table}\n")).expect("a recipe");
        let mut command = train(&data, &["--recipe"]);
        let output = command.arg(&file).output().expect("the command runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    let run = run_of(folder.path(), "run", TABLE, &["--steps", "1"]);
    for option in [&["--no-augment"][..], &["--recipe", "fer-inception"]] {
        let mut command = fer_gpu();
        command.args(["train", "--resume"]).arg(&run).args(option);
        let output = command.output().expect("the command runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
    // Nor may its file be another.
    let config = run.join("config.json");
    let text = fs::read_to_string(&config).expect("a configuration");
    let edited = text.replace("\"shift\": 4.0", "\"shift\": 2.0");
    assert!(edited != text, "{text}");
    fs::write(&config, edited).expect("a configuration");
    let mut command = fer_gpu();
    let output = command.args(["train", "--resume"]).arg(&run).output();
    let told = stderr(&output.expect("the command runs"));
    assert!(told.contains("augment is"), "{told}");
}
