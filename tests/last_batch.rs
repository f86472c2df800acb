//! The last, smaller batch of an epoch is trained on as in Keras: means over its real rows, and
//! nothing of the places behind them.

mod common;
#[path = "common/run.rs"]
mod run;

use fer_gpu::gpu::{Batch, Checks, Executor, Gpu, Images, LimitChoice, Tensor, Work};
use fer_gpu::network::Network;
use fer_gpu::ops::Step;
use fer_gpu::ops::adam;
use fer_gpu::plan::{self, Options, Source, Wanted};
use fer_gpu::random::{fill_uniform, unit};
use tempfile::tempdir;

const PIXELS: usize = 48 * 48;

/// One step on `valid` images by a plan for batches of `batch`, the rest being `filler`. Returns
/// the loss sum, the correct rows, and the first moments, which are a tenth of the gradients.
fn step(gpu: &Gpu, batch: u32, valid: u32, filler: f32) -> (f32, u32, Vec<Vec<f32>>) {
    let model = Network::find("inception-gap").expect("a network").build(7);
    let wanted = Wanted::training(batch, [Source::Host; 2]);
    let options = Options::new(gpu.profile.clone());
    let plan = plan::plan(&model, &wanted, &options).expect("a plan");
    let mut executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
    let count = executor.plan.parameters.len();
    for index in 0..count {
        let source = |range: std::ops::Range<usize>, values: &mut [f32]| {
            fill_uniform(index as u64, range.start as u64, 0.3, values);
            Ok::<(), fer_gpu::gpu::Error>(())
        };
        executor
            .write_parameter(index, Tensor::Values, source)
            .expect("weights");
    }
    let mut images = vec![filler; batch as usize * PIXELS];
    for (i, pixel) in images.iter_mut().take(valid as usize * PIXELS).enumerate() {
        *pixel = unit(99, i as u64) as f32;
    }
    let labels: Vec<u32> = (0..batch as u64)
        .map(|n| (7.0 * unit(98, n)) as u32)
        .collect();
    let step = Step::new(1, valid, adam::scalars(1e-3, 1));
    executor
        .submit(
            Work::TRAIN,
            &Batch::new(Images::Host(&images), &labels, step),
        )
        .expect("a step");
    let metrics = executor
        .finish_oldest()
        .expect("a step")
        .expect("one is pending");
    let moments = (0..count).map(|index| {
        let mut values = vec![0.0; executor.plan.parameters[index].shape.len()];
        let sink = |range: std::ops::Range<usize>, chunk: &[f32]| {
            values[range].copy_from_slice(chunk);
            Ok::<(), fer_gpu::gpu::Error>(())
        };
        executor
            .read_parameter(index, Tensor::Slot(0), sink)
            .expect("moments");
        values
    });
    let moments = moments.collect();
    (metrics.loss_sum, metrics.correct, moments)
}

#[test]
fn places_behind_the_last_row_count_for_nothing() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for valid in [1, 63] {
            let (loss, correct, gradients) = step(&gpu, 64, valid, 1e3);
            let (alone_loss, alone_correct, alone) = step(&gpu, valid, valid, 0.0);
            assert!(
                (loss - alone_loss).abs() <= 1e-6 * alone_loss,
                "{valid} rows: loss {loss}, alone {alone_loss}"
            );
            assert_eq!(correct, alone_correct);
            for (a, b) in gradients.iter().flatten().zip(alone.iter().flatten()) {
                assert!(
                    (a - b).abs() <= 1e-6 + 1e-4 * b.abs(),
                    "{valid} rows: gradient {a}, alone {b}"
                );
            }
        }
    }
}

#[test]
fn epoch_figures_are_means_over_samples() {
    let folder = tempdir().expect("a folder");
    for rows in [65usize, 127] {
        let data = run::faces(folder.path(), rows, 9);
        let out = folder.path().join(format!("run-{rows}"));
        let mut command = run::fer_gpu();
        command
            .args([
                "train",
                "--json",
                "--log-steps",
                "--model",
                "inception-gap",
                "--epochs",
                "1",
                "--data",
            ])
            .arg(&data)
            .arg("--out")
            .arg(&out);
        let events = run::succeed(command);
        let text = std::fs::read_to_string(out.join("steps.csv")).expect("steps.csv");
        let steps: Vec<Vec<f64>> = text
            .lines()
            .skip(1)
            .map(|l| l.split(',').map(|n| n.parse().expect("a number")).collect())
            .collect();
        assert_eq!(steps.len(), 2);
        let last = (rows - 64) as f64;
        for (column, key) in [(1, "loss"), (2, "accuracy")] {
            let mean = (64.0 * steps[0][column] + last * steps[1][column]) / rows as f64;
            let epoch = events[0][key].as_f64().expect("a number");
            assert!(
                (mean - epoch).abs() < 1e-7,
                "{rows} rows: {key} {epoch}, steps give {mean}"
            );
        }
    }
}
