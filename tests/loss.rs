//! The loss against its definition, written apart: -sum(t log softmax(x)) by the textbook, in f64, with label
//! smoothing, class weights and soft targets; and its gradient against finite differences.

use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::softmax::softmax_cross_entropy;
use fer_gpu::ops::softmax_cross_entropy::Loss;
use fer_gpu::random::unit;

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
fn ways() -> Vec<(&'static str, f32, bool, bool)> {
    vec![
        ("plain", 0.0, false, false),
        ("smoothed", 0.1, false, false),
        ("soft", 0.0, true, false),
        ("weighted", 0.0, false, true),
        ("all", 0.25, true, true),
    ]
}

fn params(smoothing: f32, soft: bool, weighted: bool) -> Loss {
    let p = Loss {
        soft: soft.into(),
        weighted: weighted.into(),
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
    let (x, targets, weights) = (bits(logits), bits(&targets()), bits(&WEIGHTS));
    let bindings: [&[u32]; 5] = [&x, &LABELS, &targets, &weights, &[0; 4]];
    let [gradient, metrics] = &softmax_cross_entropy(p, &step, &bindings)[..] else {
        panic!("gradient and metrics")
    };
    (gradient.values.clone(), metrics.values[0])
}

/// The loss of the valid rows as Keras defines it: targets smoothed, each row times the weight of the class of its
/// largest target.
fn textbook(logits: &[f32], smoothing: f64, soft: bool, weighted: bool) -> f64 {
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
        match weighted {
            true => WEIGHTS[LABELS[n] as usize] as f64 * loss,
            false => loss,
        }
    };
    (0..VALID).map(row).sum()
}

#[test]
fn the_loss_is_that_of_the_textbook() {
    for (name, smoothing, soft, weighted) in ways() {
        let (_, loss) = reference(&params(smoothing, soft, weighted), &logits());
        let expected = textbook(&logits(), smoothing as f64, soft, weighted);
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
    for (name, smoothing, soft, weighted) in ways() {
        let (gradient, _) = reference(&params(smoothing, soft, weighted), &logits());
        for (i, found) in gradient.iter().enumerate() {
            let [up, down] = [H, -H].map(|h| {
                let mut moved = logits();
                moved[i] += h;
                let loss = textbook(&moved, smoothing as f64, soft, weighted);
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
