//! The generated faces: the same everywhere, balanced, and neither given away
//! by brightness nor solved by a linear model.

use fer_gpu::data::Dataset;
use fer_gpu::data::faces::{CLASS_NAMES, SIZE, Stream, draw};

const CLASSES: usize = CLASS_NAMES.len();
const PIXELS: usize = SIZE * SIZE;

#[test]
fn faces_never_change() {
    let (pixels, _) = draw(Stream::Train, 1, 3 * CLASSES);
    // FNV-1a; a new value means that everybody's sample faces have changed.
    let checksum = pixels
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &pixel| {
            (hash ^ u64::from(pixel)).wrapping_mul(0x0100_0000_01b3)
        });
    assert_eq!(format!("{checksum:016x}"), "1a4f049ffca997cc");
}

#[test]
fn a_face_does_not_depend_on_how_many_are_drawn() {
    let (few, few_labels) = draw(Stream::Train, 5, 10);
    let (many, many_labels) = draw(Stream::Train, 5, 100);
    assert!(few == many[..few.len()]);
    assert_eq!(few_labels, many_labels[..few_labels.len()]);
}

#[test]
fn streams_and_seeds_share_no_face() {
    let draws = [
        (Stream::Train, 1),
        (Stream::Validation, 1),
        (Stream::Train, 2),
    ]
    .map(|(stream, seed)| draw(stream, seed, 200).0);
    let mut faces: Vec<&[u8]> = draws.iter().flat_map(|draw| draw.chunks(PIXELS)).collect();
    faces.sort_unstable();
    faces.dedup();
    assert_eq!(faces.len(), 600);
}

#[test]
fn classes_are_balanced() {
    let (_, labels) = draw(Stream::Validation, 1, 100 * CLASSES);
    for class in 0..CLASSES as u32 {
        assert_eq!(labels.iter().filter(|&&label| label == class).count(), 100);
    }
}

#[test]
fn brightness_and_contrast_tell_nothing() {
    let of = |stream, count| {
        let (pixels, labels) = draw(stream, 1, count);
        (
            pixels
                .chunks(PIXELS)
                .flat_map(brightness_and_contrast)
                .collect(),
            labels,
        )
    };
    let accuracy = linear_accuracy(
        &of(Stream::Train, 4000),
        &of(Stream::Validation, 2000),
        2,
        30,
    );
    println!("brightness and contrast alone: {:.1} %", 100.0 * accuracy);
    assert!(accuracy < 0.20, "{accuracy}, chance is 0.143");
}

#[test]
fn pixels_alone_do_not_give_the_class_to_a_linear_model() {
    let of = |stream, count| {
        let (pixels, labels) = draw(stream, 1, count);
        (
            pixels
                .iter()
                .map(|&pixel| f32::from(pixel) / 64.0 - 2.0)
                .collect(),
            labels,
        )
    };
    let accuracy = linear_accuracy(
        &of(Stream::Train, 4000),
        &of(Stream::Validation, 1000),
        PIXELS,
        40,
    );
    println!("linear on pixels: {:.1} %", 100.0 * accuracy);
    assert!((0.20..0.70).contains(&accuracy), "{accuracy}");
}

fn brightness_and_contrast(face: &[u8]) -> [f32; 2] {
    let mean = face.iter().map(|&pixel| f32::from(pixel)).sum::<f32>() / PIXELS as f32;
    let variance = face
        .iter()
        .map(|&pixel| (f32::from(pixel) - mean).powi(2))
        .sum::<f32>()
        / PIXELS as f32;
    [(mean - 125.0) / 20.0, (variance.sqrt() - 50.0) / 7.0]
}

/// Validation accuracy of multinomial logistic regression on rows of `width`
/// features, by stochastic gradient descent for `epochs`. More of them would
/// get every training face right and, on pixels, fewer validation faces.
fn linear_accuracy(
    (train, labels): &(Vec<f32>, Vec<u32>),
    (validation, truth): &(Vec<f32>, Vec<u32>),
    width: usize,
    epochs: usize,
) -> f64 {
    let mut weights = vec![0.0; CLASSES * (width + 1)];
    for epoch in 0..epochs {
        // Steps shrink with the features' number (their squares add up) and in time.
        let rate = 1.0 / (width as f32 + 10.0) / (1.0 + epoch as f32 / 20.0);
        for (row, &label) in train.chunks_exact(width).zip(labels) {
            let mut error = softmax(scores(&weights, row));
            error[label as usize] -= 1.0;
            for (weights, error) in weights.chunks_exact_mut(width + 1).zip(error) {
                let (bias, weights) = weights.split_last_mut().unwrap();
                *bias -= rate * error;
                weights
                    .iter_mut()
                    .zip(row)
                    .for_each(|(w, x)| *w -= rate * error * x);
            }
        }
    }
    let accuracy = |rows: &[f32], labels: &[u32]| {
        let right = rows.chunks_exact(width).zip(labels).filter(|(row, label)| {
            let scores = scores(&weights, row);
            (0..CLASSES).max_by(|&a, &b| scores[a].total_cmp(&scores[b])) == Some(**label as usize)
        });
        right.count() as f64 / labels.len() as f64
    };
    println!(
        "training faces right: {:.1} %",
        100.0 * accuracy(train, labels)
    );
    accuracy(validation, truth)
}

fn scores(weights: &[f32], row: &[f32]) -> [f32; CLASSES] {
    std::array::from_fn(|class| {
        let weights = &weights[class * (row.len() + 1)..][..=row.len()];
        // Eight partial sums, so that the compiler may use vector instructions.
        let mut sums = [0.0; 8];
        for (weights, row) in weights.chunks(8).zip(row.chunks(8)) {
            sums.iter_mut()
                .zip(weights)
                .zip(row)
                .for_each(|((sum, w), x)| *sum += w * x);
        }
        sums.iter().sum::<f32>() + weights[row.len()]
    })
}

fn softmax(scores: [f32; CLASSES]) -> [f32; CLASSES] {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let powers = scores.map(|score| (score - highest).exp());
    let total: f32 = powers.iter().sum();
    powers.map(|power| power / total)
}

/// What networks are tried with where no face has their shape: as many images and labels as were asked for,
/// the same each time, of all values.
#[test]
fn images_of_any_shape_can_be_drawn() {
    let drawn = || Dataset::trial([5, 7, 3], [90, 14]);
    let set = drawn();
    assert_eq!((set.image, set.class_names.len()), ([5, 7, 3], 7));
    assert_eq!((set.train.rows(), set.test.rows()), (90, 14));
    let mut row = vec![0.0; 5 * 7 * 3];
    let mut seen = [false; 256];
    for number in 0..90 {
        set.train.row_f32(number, 1.0, &mut row);
        row.iter().for_each(|&value| seen[value as usize] = true);
    }
    assert!(seen.iter().all(|&value| value));
    assert_eq!(set.hash, drawn().hash);
    assert_eq!(
        Dataset::trial([48, 48, 1], [7, 7]).name,
        "generated sample faces"
    );
}
