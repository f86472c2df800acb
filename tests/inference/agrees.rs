//! Probabilities and logits of both networks on every adapter, under its own and WebGPU's limits, at batches
//! of 1, 7 and 64, against the plain forward pass; and the same bits at each of them.

use crate::common;
use crate::plain;
use fer_gpu::gpu::{Batch, Checks, Error, Executor, Images, LimitChoice, Part, Tensor, Work};
use fer_gpu::network::{Model, Network};
use fer_gpu::ops::Step;
use fer_gpu::plan::{self, Mode, Options, Source, Wanted};
use fer_gpu::random::{fill_uniform, unit};
use rayon::prelude::*;
use std::collections::HashMap;

const IMAGES: usize = 9;
const PIXELS: usize = 48 * 48;
const BATCHES: [(&str, u32); 3] = [("predict@1", 1), ("predict@7", 7), ("predict@64", 64)];

/// Weights of a network that says different things of different images.
fn weights(executor: &Executor, model: &Model) -> HashMap<String, Vec<f32>> {
    let mut weights = HashMap::new();
    for (index, parameter) in executor.plan.parameters.iter().enumerate() {
        let (fan_in, _) = parameter.shape.fans();
        let limit = match parameter.shape.0.len() {
            1 => 0.1,
            // Variances of 2 / fan_in keep what passes a ReLU as large as it was.
            _ => (6.0 / fan_in as f64).sqrt(),
        };
        let mut all = vec![0.0; parameter.shape.len()];
        fill_uniform(index as u64, 0, limit, &mut all);
        if parameter.name.starts_with("output/kernel") {
            all.iter_mut().for_each(|w| *w *= 4.0);
        }
        weights.insert(parameter.name.clone(), all);
    }
    assert_eq!(weights.len(), model.graph.held().count());
    weights
}

fn fill(executor: &Executor, weights: &HashMap<String, Vec<f32>>) {
    for (index, parameter) in executor.plan.parameters.iter().enumerate() {
        let all = &weights[&parameter.name];
        let source = |range: std::ops::Range<usize>, values: &mut [f32]| {
            values.copy_from_slice(&all[range]);
            Ok::<(), Error>(())
        };
        executor
            .write_parameter(index, Tensor::Values, source)
            .expect("written");
    }
}

fn image(number: usize) -> Vec<f32> {
    (0..PIXELS as u64)
        .map(|i| unit(number as u64, i) as f32)
        .collect()
}

/// The rows of a port for all images, batch by batch.
fn answers(executor: &mut Executor, work: Work, port: &str) -> Vec<Vec<f32>> {
    let batch = executor.program(work).batch as usize;
    let classes = executor.plan.classes as usize;
    let mut rows = Vec::new();
    for first in (0..IMAGES).step_by(batch) {
        let valid = batch.min(IMAGES - first);
        let mut pixels: Vec<f32> = (first..first + valid).flat_map(image).collect();
        // What stands behind the valid rows plays no part.
        pixels.resize(batch * PIXELS, 0.25);
        let labels = vec![0; batch];
        let step = Step::new(0, valid as u32, [0.0; 4]);
        let batch = Batch::new(Images::Host(&pixels), &labels, step);
        let values = executor.compute(work, &batch, port).expect("an answer");
        rows.extend(
            values
                .chunks_exact(classes)
                .take(valid)
                .map(<[f32]>::to_vec),
        );
    }
    rows
}

fn agrees(network: &str) {
    let model = Network::find(network).expect("a network").build(7);
    let mut wanted: Vec<Wanted> = BATCHES
        .iter()
        .map(|&(name, batch)| Wanted {
            name,
            mode: Mode::Predict,
            batch,
            images: Source::Host,
        })
        .collect();
    wanted.extend(Wanted::evaluation(5, Source::Host));
    let (mut drawn, mut expected) = (None, None::<Vec<Vec<f64>>>);
    for limits in [LimitChoice::Native, LimitChoice::Webgpu] {
        for gpu in common::devices(limits) {
            let options = Options::new(gpu.profile.clone());
            let plan = plan::plan(&model, &wanted, &options).expect("a plan");
            assert!(plan.regions.iter().all(|region| region.slots.is_empty()));
            let mut executor =
                Executor::new(&gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
            // Many millions of them: drawn once.
            let weights = drawn.get_or_insert_with(|| weights(&executor, &model));
            fill(&executor, weights);
            let expected = expected.get_or_insert_with(|| {
                let one = |n| plain::probabilities(&model, weights, &image(n));
                (0..IMAGES).into_par_iter().map(one).collect()
            });
            let place = format!("{network} on {} ({limits:?} limits)", gpu.info);
            let mut bits: Option<[Vec<Vec<f32>>; 2]> = None;
            for (program, batch) in BATCHES {
                let work = Work {
                    program,
                    part: Part::Whole,
                };
                let found = answers(&mut executor, work, "probabilities");
                let logits = answers(&mut executor, work, "logits");
                for (n, (found, expected)) in found.iter().zip(expected.iter()).enumerate() {
                    for (class, (&p, q)) in found.iter().zip(expected).enumerate() {
                        let error = (p as f64 - q).abs();
                        assert!(
                            error <= 1e-5,
                            "{place}, batch {batch}, image {n}, class {class}: {p} is {error:e} from {q}"
                        );
                    }
                }
                let first = bits.get_or_insert([found.clone(), logits.clone()]);
                assert_eq!(first, &[found, logits], "{place}: bits at batch {batch}");
            }
            let [_, logits] = bits.expect("three batches");
            let evaluated = answers(&mut executor, Work::EVALUATE, "logits");
            assert_eq!(logits, evaluated, "{place}: predict and evaluate");
        }
    }
    // Nothing is shown by answers that are all the same.
    let expected = expected.expect("an adapter");
    let spread = expected.iter().map(|p| p[0]).fold(0.0, f64::max)
        - expected.iter().map(|p| p[0]).fold(1.0, f64::min);
    assert!(spread > 0.01, "{network}: {expected:?}");
}

#[test]
fn inception_gap_agrees_with_a_plain_forward_pass_at_any_batch() {
    agrees("inception-gap");
}

#[test]
fn inception_agrees_with_a_plain_forward_pass_at_any_batch() {
    agrees("inception");
}
