//! The loss against its definition, written apart: -sum(t log softmax(x)) by the textbook, in f64, with label
//! smoothing, class weights and soft targets; and its gradient against finite differences. Then the same on devices:
//! what a plan makes of it, and what a data set feeds it.

mod common;

use fer_gpu::data::Dataset;
use fer_gpu::feed::Batches;
use fer_gpu::gpu::{Augmented, Batch, Checks, Executor, Images, LimitChoice, Work};
use fer_gpu::network::{Builder, Head, Model};
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::softmax::softmax_cross_entropy;
use fer_gpu::ops::softmax_cross_entropy::{BY_ROW, Loss};
use fer_gpu::plan::{self, Options, Source, Wanted};
use fer_gpu::profile::{Class, Profile};
use fer_gpu::random::unit;
use fer_gpu::verify::check_step;

const ROWS: usize = 5;
const VALID: usize = 4;
const CLASSES: usize = 3;
const LABELS: [u32; ROWS] = [2, 0, 1, 1, 0];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn logits() -> Vec<f32> {
    let one = |i: usize| (6.0 * unit(3, i as u64) - 3.0) as f32;
    (0..ROWS * CLASSES).map(one).collect()
}

/// Rows whose largest share is the label's, and that add up to 1.
fn targets() -> Vec<f32> {
    let row = |&label: &u32| (0..CLASSES as u32).map(move |i| if i == label { 0.5 } else { 0.25 });
    LABELS.iter().flat_map(row).collect()
}

const WEIGHTS: [f32; CLASSES] = [0.5, 2.0, 0.75];

/// All ways to say what is wanted.
fn ways() -> Vec<(&'static str, f32, bool, Counts)> {
    vec![
        ("plain", 0.0, false, Counts::Equal),
        ("smoothed", 0.1, false, Counts::Equal),
        ("soft", 0.0, true, Counts::Equal),
        ("weighted", 0.0, false, Counts::ByClass),
        ("all", 0.25, true, Counts::ByClass),
        ("mixed", 0.25, true, Counts::ByRow),
    ]
}

/// How often a row counts.
#[derive(Clone, Copy, Debug)]
enum Counts {
    Equal,
    ByClass,
    ByRow,
}

fn params(smoothing: f32, soft: bool, counts: Counts) -> Loss {
    let p = Loss {
        soft: soft.into(),
        weighted: counts as u32,
        weight: 0.3,
        ..Loss::of(ROWS as u32, CLASSES as u32)
    };
    match smoothing {
        0.0 => p,
        _ => p.smoothed(smoothing),
    }
}

/// (gradient, loss sum) by the reference, of a shard of a step of six rows.
fn reference(p: &Loss, logits: &[f32]) -> (Vec<f64>, f64) {
    let step = Step {
        all_rows: 6,
        ..Step::new(1, VALID as u32, [0.0; 4])
    };
    let weights: &[f32] = match p.weighted {
        BY_ROW => &ROW_WEIGHTS,
        _ => &WEIGHTS,
    };
    let (x, targets, weights) = (bits(logits), bits(&targets()), bits(weights));
    let bindings: [&[u32]; 5] = [&x, &LABELS, &targets, &weights, &[0; 4]];
    let [gradient, metrics] = &softmax_cross_entropy(p, &step, &bindings)[..] else {
        panic!("gradient and metrics")
    };
    (gradient.values.clone(), metrics.values[0])
}

/// The loss of the valid rows as Keras defines it: targets smoothed, each row times the weight of the class of its
/// largest target.
fn textbook(logits: &[f32], smoothing: f64, soft: bool, counts: Counts) -> f64 {
    let row = |n: usize| {
        let x: Vec<f64> = logits[n * CLASSES..][..CLASSES]
            .iter()
            .map(|&v| v.into())
            .collect();
        let sum: f64 = x.iter().map(|x| x.exp()).sum();
        let loss = |i: usize| {
            let target = match soft {
                true => targets()[n * CLASSES + i] as f64,
                false => f64::from(i == LABELS[n] as usize),
            };
            let target = target * (1.0 - smoothing) + smoothing / CLASSES as f64;
            -target * (x[i].exp() / sum).ln()
        };
        let loss: f64 = (0..CLASSES).map(loss).sum();
        match counts {
            Counts::Equal => loss,
            Counts::ByClass => WEIGHTS[LABELS[n] as usize] as f64 * loss,
            Counts::ByRow => ROW_WEIGHTS[n] as f64 * loss,
        }
    };
    (0..VALID).map(row).sum()
}

#[test]
fn the_loss_is_that_of_the_textbook() {
    for (name, smoothing, soft, counts) in ways() {
        let (_, loss) = reference(&params(smoothing, soft, counts), &logits());
        let expected = textbook(&logits(), smoothing as f64, soft, counts);
        assert!(
            (loss - expected).abs() <= 2e-7 * expected,
            "{name}: {loss}, by the textbook {expected}"
        );
    }
}

/// The gradient is that of the head's share in the mean over the rows of all shards, and zero for padding.
#[test]
fn the_gradient_is_that_of_the_textbooks_loss() {
    const H: f32 = 1.0 / 1024.0;
    for (name, smoothing, soft, counts) in ways() {
        let (gradient, _) = reference(&params(smoothing, soft, counts), &logits());
        for (i, found) in gradient.iter().enumerate() {
            let [up, down] = [H, -H].map(|h| {
                let mut moved = logits();
                moved[i] += h;
                let loss = textbook(&moved, smoothing as f64, soft, counts);
                (loss, moved[i] as f64)
            });
            let expected = 0.3 / 6.0 * (up.0 - down.0) / (up.1 - down.1);
            assert!(
                (found - expected).abs() <= 1e-6,
                "{name}[{i}]: {found}, by differences {expected}"
            );
        }
        assert_eq!(gradient[VALID * CLASSES..], [0.0; CLASSES]);
    }
}

/// A network whose logits can be read, with a second head that counts a quarter.
fn network() -> Model {
    let mut b = Builder::new();
    let image = b.input("image", [4, 4, 1]);
    let flat = b.flatten("flat", image);
    let hidden = b.dense("hidden", flat, 6, true);
    let logits = b.dense("logits", hidden, CLASSES as u32, false);
    let aux = b.dense("aux", hidden, CLASSES as u32, false);
    let heads = vec![Head::main(logits), Head::auxiliary("aux", aux, 0.25)];
    b.model_with_heads("a network", heads)
}

/// How often each row counts, where it is a mixture.
const ROW_WEIGHTS: [f32; ROWS] = [0.25, 1.5, 2.0, 0.75, 1.0];

fn wants(soft: bool, mixed: bool) -> plan::Loss {
    plan::Loss {
        label_smoothing: 0.2,
        class_weights: Some(WEIGHTS.to_vec()),
        soft,
        mixed,
    }
}

/// On every device a step is as its references say; the loss is the textbook's of the logits, weighted in training
/// alone.
#[test]
fn a_network_trains_with_what_the_loss_wants() {
    for gpu in common::devices(LimitChoice::Native) {
        for (soft, mixed) in [(false, false), (true, false), (false, true), (true, true)] {
            let options = Options {
                loss: wants(soft, mixed),
                ..Options::new(gpu.profile.clone())
            };
            let wanted = Wanted::training(ROWS as u32, [Source::Host; 2]);
            let plan = plan::plan(&network(), &wanted, &options).expect("a plan");
            let rule = plan.rule.scalars(0.01, 1);
            let mut executor =
                Executor::new(&gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
            executor.draw_parameters(0).expect("weights");
            let images: Vec<f32> = (0..ROWS as u64 * 16).map(|i| unit(5, i) as f32).collect();
            let targets = targets();
            let batch = Batch {
                images: Images::Host(&images),
                labels: &LABELS,
                targets: (soft || mixed).then_some(&targets[..]),
                augmented: mixed.then_some(Augmented {
                    records: &[],
                    weights: &ROW_WEIGHTS,
                }),
                step: Step::new(1, VALID as u32, rule),
            };
            // Mixtures have shares, and weights of their own, in training alone.
            let counts = match mixed {
                true => Counts::ByRow,
                false => Counts::ByClass,
            };
            for (work, soft, counts) in [
                (Work::EVALUATE, soft, Counts::Equal),
                (Work::LOSS, soft || mixed, counts),
            ] {
                executor.submit(work, &batch).expect("a step");
                let metrics = executor.finish_oldest().expect("a step").expect("metrics");
                let loss = |port| {
                    let logits = executor.read_port(work, port).expect("logits");
                    textbook(&logits, 0.2f32 as f64, soft, counts)
                };
                let expected = loss("logits") + 0.25 * loss("logits/aux");
                let found = metrics.loss_sum as f64;
                assert!(
                    (found - expected).abs() <= 1e-5 * expected,
                    "{}, soft {soft}, mixed {mixed}, {counts:?}: {found}, not {expected}",
                    gpu.info
                );
            }
            let checked = check_step(&mut executor, &batch, &mut |dispatch, outcome| {
                let op = dispatch.op.name();
                assert!(outcome.passed(), "{}: {op} {outcome}", gpu.info);
            });
            checked.expect("a step");
        }
    }
}

#[test]
fn a_loss_that_cannot_be_is_refused() {
    let refused = |loss: plan::Loss| {
        let options = Options {
            loss,
            ..Options::new(Profile::webgpu(Class::Gpu))
        };
        let wanted = Wanted::training(4, [Source::Host; 2]);
        let planned = plan::plan(&network(), &wanted, &options);
        planned.err().expect("a refusal").to_string()
    };
    for (loss, words) in [
        (
            plan::Loss {
                label_smoothing: 1.5,
                ..plan::Loss::default()
            },
            "label smoothing is 1.5",
        ),
        (
            plan::Loss {
                class_weights: Some(vec![1.0; 4]),
                ..plan::Loss::default()
            },
            "4 class weights for 3 classes",
        ),
        (
            plan::Loss {
                class_weights: Some(vec![1.0, f32::NAN, 1.0]),
                ..plan::Loss::default()
            },
            "class 1 is NaN",
        ),
    ] {
        let refusal = refused(loss);
        assert!(refusal.contains(words), "{refusal}");
    }
}

/// A batch has the shares of its rows; places behind them repeat the first.
#[test]
fn a_soft_set_feeds_the_shares_of_each_row() {
    let mut set = Dataset::trial([2, 2, 1], [8, 8]);
    let classes = set.class_names.len();
    let shares: Vec<f32> = (0..8 * classes).map(|i| i as f32).collect();
    set.train.shares = Some(shares.clone());
    let mut batches = Batches::new(&set, &set.train, vec![6, 1, 4], [2, 1], false);
    let row = |row: usize| &shares[row * classes..][..classes];
    for (index, rows) in [(0, [6, 1]), (1, [4, 4])] {
        let batch = batches.get(index, Step::new(1, 0, [0.0; 4]));
        let expected = [row(rows[0]), row(rows[1])].concat();
        assert_eq!(batch.targets, Some(&expected[..]));
    }
}
