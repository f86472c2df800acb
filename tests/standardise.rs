//! Standardised pixels: the reference gives known moments, the device makes of pixels what a plain loop makes, and
//! whatever feeds a network, a run, one that goes on, host or device data, `evaluate` or `predict`, sees the same.

mod common;
#[path = "inference/plain.rs"]
mod plain;
#[path = "common/run.rs"]
mod run;

use fer_gpu::data::{Dataset, PixelRange};
use fer_gpu::gpu::{Batch, Checks, Executor, Images, LimitChoice, Tensor, Work};
use fer_gpu::network::Network;
use fer_gpu::ops::Step;
use fer_gpu::ops::reference::standardise;
use fer_gpu::ops::standardise::{Channels, Pictures};
use fer_gpu::pictures::{Preprocessing, Standardise};
use fer_gpu::plan::{self, Options, Wanted};
use fer_gpu::random::unit;
use run::{bytes, faces, fer_gpu, resume, same, stderr, succeed, train};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

/// (h, w, c) to (c, h, w).
fn planes(image: &[f32], channels: usize) -> Vec<f32> {
    let mut planes = vec![0.0; image.len()];
    fer_gpu::feed::planes(image, channels, &mut planes);
    planes
}

#[test]
fn a_network_sees_what_a_plain_loop_makes_of_pixels() {
    const EXTENTS: [usize; 3] = [9, 8, 3];
    const ROWS: usize = 3;
    let network = Network::find("inception-gap").expect("a network");
    let model = network.build_for(EXTENTS.map(|extent| extent as u32), 4);
    let mut record = Preprocessing::usual(EXTENTS, PixelRange::ZeroTo255);
    let count: usize = EXTENTS.iter().product();
    let byte = |n: usize, i: usize| (unit(n as u64, i as u64) * 256.0) as u8;
    let image = |n| (0..count).map(|i| byte(n, i)).collect::<Vec<u8>>();
    let images: Vec<Vec<u8>> = (0..ROWS).map(image).collect();
    let by_channel = Standardise::Channel {
        mean: vec![0.5, 0.25, 0.75],
        deviation: vec![0.25, 0.5, 0.3],
    };
    for standardise in [by_channel, Standardise::Picture { epsilon: 1e-3 }] {
        record.standardise = Some(standardise.clone());
        for gpu in common::devices(LimitChoice::Native) {
            let options = Options {
                standard: Some((&standardise).into()),
                ..Options::new(gpu.profile.clone())
            };
            let wanted = Wanted::prediction(5);
            let plan = plan::plan(&model, &wanted, &options).expect("a plan");
            let mut executor =
                Executor::new(&gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
            executor.draw_parameters(3).expect("weights");
            let mut weights = HashMap::new();
            for (index, parameter) in executor.plan.parameters.iter().enumerate() {
                let mut all = vec![0.0; parameter.shape.len()];
                let sink = |range: std::ops::Range<usize>, values: &[f32]| {
                    all[range].copy_from_slice(values);
                    Ok::<(), fer_gpu::gpu::Error>(())
                };
                executor
                    .read_parameter(index, Tensor::Values, sink)
                    .expect("read");
                weights.insert(parameter.name.clone(), all);
            }
            let scaled = |image: &Vec<u8>| planes(&record.inputs(image), EXTENTS[2]);
            let mut pixels: Vec<f32> = images.iter().flat_map(scaled).collect();
            pixels.resize(5 * count, 0.25);
            let step = Step::new(0, ROWS as u32, [0.0; 4]);
            let batch = Batch::new(Images::Host(&pixels), &[], step);
            let found = executor.compute(Work::PREDICT, &batch, "probabilities");
            let found = found.expect("an answer");
            for (found, image) in found.chunks(4).zip(&images) {
                let seen = plain::prepared(&record, image);
                let expected = plain::probabilities(&model, &weights, &seen);
                for (p, q) in found.iter().zip(&expected) {
                    let error = (f64::from(*p) - q).abs();
                    assert!(error <= 1e-5, "{}: {p}, not {q}", gpu.info);
                }
            }
        }
    }
}

fn words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// 1 to n have the mean (n + 1) / 2 and the variance (n^2 - 1) / 12, whatever their order.
#[test]
fn standardised_pictures_agree_with_known_moments() {
    let step = Step::new(1, 2, [0.0; 4]);
    for n in [2u32, 7, 64, 2304] {
        let image: Vec<f32> = (0..n).map(|i| 1.0 + ((i * 5 + 1) % n) as f32).collect();
        let count = f64::from(n);
        let distinct = image.iter().map(|v| *v as u32).collect::<BTreeSet<_>>();
        assert_eq!(distinct.len() as u32, n);
        let [mean, deviation] = [(count + 1.0) / 2.0, ((count * count - 1.0) / 12.0).sqrt()];
        // The second image is a multiple of the first, the third is padding.
        let scaled: Vec<f32> = image.iter().map(|v| v / 1024.0).collect();
        let all = words(&[&image[..], &scaled, &image].concat());
        for (epsilon, least) in [(1e-3f32, deviation / 1024.0), (0.5, 0.5)] {
            let p = Pictures {
                n: 3,
                values: n,
                epsilon,
            };
            let found = standardise::pictures(&p, &step, &all);
            for (i, value) in image.iter().enumerate() {
                let d = f64::from(*value) - mean;
                let near = |found: f64, expected: f64| {
                    assert!(
                        (found - expected).abs() <= 1e-12,
                        "{n}: {found}, not {expected}"
                    );
                };
                near(found.values[i], d / deviation.max(epsilon.into()));
                let least = least.max(f64::from(epsilon)).max(deviation / 1024.0);
                near(found.values[i + n as usize], d / 1024.0 / least);
                assert_eq!(found.values[i + 2 * n as usize], 0.0);
            }
        }
        let p = Channels {
            n: 3,
            c: 1,
            pixels: n,
        };
        let statistics = words(&[mean as f32, 2.0]);
        let found = standardise::channels(&p, &step, &all, &statistics);
        assert_eq!(found.values[0], 2.0 * (f64::from(image[0]) - mean));
        assert_eq!(found.values[2 * n as usize], 0.0);
    }
}

fn recipe(folder: &Path, table: &str) -> String {
    let path = folder.join("recipe.toml");
    let text = format!("epochs = 3\n[standardise]\n{table}\n[ema]\ndecay = 0.9\n");
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn whatever_feeds_the_network_obeys_the_record() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    let set = Dataset::load(&data, [48, 48, 1]).expect("a data set");
    for (at, table) in [
        "by = \"set\"",
        "by = \"picture\"",
        "mean = [0.5]\ndeviation = [0.2]",
    ]
    .into_iter()
    .enumerate()
    {
        let recipe = recipe(folder.path(), table);
        let run = |name: &str, extra: &[&str]| {
            let out = folder.path().join(format!("{name}-{at}"));
            let mut command = train(&data, &["--recipe", &recipe, "--log-steps"]);
            command.args(extra).arg("--out").arg(&out);
            (succeed(command), out)
        };
        let (events, whole) = run("whole", &["--check"]);
        let (_, host) = run("host", &["--host-data"]);
        same(&whole, &host);
        let (_, parts) = run("parts", &["--steps", "5"]);
        resume(&parts, &["--steps", "4", "--host-data"]);
        resume(&parts, &[]);
        same(&whole, &parts);
        // Its own recipe makes it again.
        let again = folder.path().join(format!("again-{at}"));
        let mut command = train(&data, &["--log-steps", "--recipe"]);
        command
            .arg(whole.join("recipe.toml"))
            .arg("--out")
            .arg(&again);
        succeed(command);
        same(&whole, &again);
        let config: Value = serde_json::from_slice(&bytes(&whole, "config.json")).expect("JSON");
        let said: Standardise =
            serde_json::from_value(config["standardised"].clone()).expect("what was found");
        if at == 0 {
            let mut pixels = Vec::new();
            let mut row = vec![0.0; 48 * 48];
            for at in 0..set.train.rows() {
                set.train.row_f32(at, set.range.scale(), &mut row);
                pixels.extend(row.iter().map(|&v| f64::from(v)));
            }
            let mean = pixels.iter().sum::<f64>() / pixels.len() as f64;
            let squares = pixels.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            let deviation = (squares / pixels.len() as f64).sqrt();
            let Standardise::Channel {
                mean: m,
                deviation: d,
            } = said
            else {
                panic!("{said:?}")
            };
            assert!((m[0] - mean).abs() < 1e-7 && (d[0] - deviation).abs() < 1e-7);
        }
        let mut epochs = events.iter().filter(|event| event["event"] == "epoch");
        let last = epochs.next_back().expect("three epochs");
        let mut command = fer_gpu();
        command
            .arg("evaluate")
            .args(["--json", "--data"])
            .arg(&data);
        command.arg(whole.join("average.safetensors"));
        command.args(["--batch", "8"]);
        let found = succeed(command).remove(0);
        assert_eq!(found["loss"], last["val_loss"], "{table}");
        assert_eq!(found["accuracy"], last["val_accuracy"]);
        // Predictions are those that were counted.
        let mut command = fer_gpu();
        command
            .arg("predict")
            .arg(whole.join("average.safetensors"));
        command.arg(data.join("X_test.npy")).arg("--json");
        let right = succeed(command)
            .iter()
            .zip(&set.test.labels)
            .filter(|(answer, label)| answer["class"] == set.class_names[**label as usize].as_str())
            .count();
        let accuracy = found["accuracy"].as_f64().expect("a number");
        assert_eq!(right, (accuracy * 11.0).round() as usize);
    }
    // A run that standardises nothing writes what it wrote before.
    let out = folder.path().join("usual");
    let mut command = train(&data, &["--epochs", "1", "--out"]);
    command.arg(&out);
    succeed(command);
    for name in ["config.json", "recipe.toml", "best.safetensors"] {
        let text = String::from_utf8_lossy(&bytes(&out, name)).into_owned();
        assert!(!text.contains("standardise"), "{name}");
    }
}

#[test]
fn tables_that_fit_no_run_are_refused_before_it_begins() {
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 30, 11);
    for (table, why) in [
        ("by = \"batch\"", "unknown variant `batch`"),
        ("by = \"set\"\nmean = [0.5]", "or mean and deviation"),
        ("by = \"set\"\nstd = [0.5]", "unknown field `std`"),
        (
            "mean = [0.5, 0.5]\ndeviation = [0.5, 0.5]",
            "2 numbers for 1 channels",
        ),
        (
            "mean = [0.5]\ndeviation = [0.0]",
            "the deviation to standardise by is 0",
        ),
        (
            "by = \"picture\"\nepsilon = -1.0",
            "the epsilon to standardise by is -1",
        ),
    ] {
        let out = folder.path().join("refused");
        let recipe = recipe(folder.path(), table);
        let mut command = train(&data, &["--recipe", &recipe, "--out"]);
        let output = command.arg(&out).output().expect("the command runs");
        assert_eq!(output.status.code(), Some(2), "{table}");
        let told = stderr(&output);
        assert!(told.contains(why), "{table}: {told}");
        assert!(!out.exists(), "{table}");
    }
}
