//! Whole training runs against Keras in float64: losses, accuracy, the first gradient of every
//! tensor, and its final weights. tests/golden/README.md says how the vectors were made.

mod common;

use common::Golden;
use fer_gpu::gpu::{Batch, Checks, Executor, Gpu, Images, LimitChoice, Metrics, Tensor, Work};
use fer_gpu::network::Network;
use fer_gpu::ops::Step;
use fer_gpu::plan::{self, Options, Source, Wanted};
use fer_gpu::profile::Class;
use fer_gpu::random::unit;
use fer_gpu::rules::{self, Choices};
use xxhash_rust::xxh3::xxh3_64;

const BATCH: u32 = 64;
const PIXELS: usize = 48 * 48;

/// What the vectors allow.
struct Rules {
    steps: u32,
    learning_rate: f64,
    loss: f64,
}

/// The initial value of element `i` of parameter `index`.
fn initial(index: usize, shape: &fer_gpu::tensor::Shape, i: u64) -> f32 {
    let limit = match shape.0.len() {
        1 => 0.05,
        _ => {
            let (fan_in, fan_out) = shape.fans();
            (6.0 / (fan_in + fan_out) as f64).sqrt()
        }
    };
    ((2.0 * unit(index as u64, i) - 1.0) * limit) as f32
}

fn read(executor: &Executor, index: usize, role: Tensor) -> Vec<f32> {
    let mut values = vec![0.0; executor.plan.parameters[index].shape.len()];
    let sink = |range: std::ops::Range<usize>, chunk: &[f32]| {
        values[range].copy_from_slice(chunk);
        Ok::<(), fer_gpu::gpu::Error>(())
    };
    executor
        .read_parameter(index, role, sink)
        .expect("a parameter reads back");
    values
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

/// A network with the golden weights on a device.
fn begin<'g>(network: &str, gpu: &'g Gpu, options: Options) -> Executor<'g> {
    let model = Network::find(network).expect("a network").build(7);
    let wanted = Wanted::training(BATCH, [Source::Host; 2]);
    let plan = plan::plan(&model, &wanted, &options).expect("a plan");
    let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
    for (index, parameter) in executor.plan.parameters.iter().enumerate() {
        let source = |range: std::ops::Range<usize>, values: &mut [f32]| {
            for (value, i) in values.iter_mut().zip(range) {
                *value = initial(index, &parameter.shape, i as u64);
            }
            Ok::<(), fer_gpu::gpu::Error>(())
        };
        executor
            .write_parameter(index, Tensor::Values, source)
            .expect("a parameter is written");
    }
    executor
}

/// The golden step `t` (from 0).
fn train(executor: &mut Executor, t: u32, learning_rate: f64) -> Metrics {
    let images: Vec<f32> = (0..BATCH as usize * PIXELS)
        .map(|i| unit(7000 + t as u64, i as u64) as f32)
        .collect();
    let labels: Vec<u32> = (0..BATCH as u64)
        .map(|n| (7.0 * unit(8000 + t as u64, n)) as u32)
        .collect();
    let scalars = executor.plan.rule.scalars(learning_rate, t as u64 + 1);
    let step = Step::new(t + 1, BATCH, scalars);
    let batch = Batch::new(Images::Host(&images), &labels, step);
    let start = std::time::Instant::now();
    executor.submit(Work::TRAIN, &batch).expect("a step");
    let metrics = executor.finish_oldest().expect("a step");
    eprintln!("step {t}: {:?}", start.elapsed());
    metrics.expect("one is pending")
}

/// Holds the first step's gradient of a parameter against Keras's.
fn gradient_agrees(golden: &mut Golden, name: &str, gradient: impl Fn(usize) -> f64) {
    let at = golden.u32(&format!("at/{name}"));
    let expected = golden.f32(&format!("gradient_step0/{name}"));
    let size = norm(expected.iter().map(|&g| g as f64));
    let pairs = at.iter().zip(&expected);
    let error = norm(pairs.map(|(&i, &g)| gradient(i as usize) - g as f64));
    assert!(
        error <= 2e-4 * size,
        "{name}: the gradient is off by {:.2e} of its norm",
        error / size
    );
}

/// Holds a parameter after the last step against Keras's.
fn weights_agree(golden: &mut Golden, name: &str, values: &[f32], initial: impl Fn(usize) -> f32) {
    let at = golden.u32(&format!("at/{name}"));
    let expected = golden.f32(&format!("final/{name}"));
    let pairs = || at.iter().map(|&i| i as usize).zip(&expected);
    let change = norm(pairs().map(|(i, &w)| w as f64 - initial(i) as f64));
    let error = norm(pairs().map(|(i, &w)| values[i] as f64 - w as f64));
    assert!(
        error <= 2e-3 * change,
        "{name}: the final weights are off by {:.2e} of their change",
        error / change
    );
}

/// Runs the golden steps; a hash of each parameter's weights behind the last.
fn follow(network: &str, file: &str, rules: &Rules, gpu: &Gpu, options: Options) -> Vec<u64> {
    let mut golden = Golden::open(file);
    let mut executor = begin(network, gpu, options);
    let parameters = executor.plan.parameters.clone();
    let (losses, correct) = (golden.f64("losses"), golden.u32("correct"));
    for t in 0..rules.steps {
        let metrics = train(&mut executor, t, rules.learning_rate);
        let loss = metrics.loss_sum as f64 / BATCH as f64;
        let expected = losses[t as usize];
        let error = (loss - expected).abs() / expected;
        assert!(
            error <= rules.loss,
            "step {t}: loss {loss}, Keras {expected}"
        );
        assert!(
            metrics.correct.abs_diff(correct[t as usize]) <= 1,
            "step {t}: {} correct, Keras {}",
            metrics.correct,
            correct[t as usize]
        );
        if t == 0 {
            for (index, parameter) in parameters.iter().enumerate() {
                // After the first step the first moment is (1 - beta1) times the gradient.
                let moments = read(&executor, index, Tensor::Slot(0));
                gradient_agrees(&mut golden, &parameter.name, |i| moments[i] as f64 / 0.1);
            }
        }
    }
    let mut hashes = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let values = read(&executor, index, Tensor::Values);
        // Keras's weights are those after all of its steps.
        if rules.steps as usize == losses.len() {
            let before = |i: usize| initial(index, &parameter.shape, i as u64);
            weights_agree(&mut golden, &parameter.name, &values, before);
        }
        hashes.push(xxh3_64(bytemuck::cast_slice(&values)));
    }
    hashes
}

#[test]
fn inception_gap_follows_keras_on_every_adapter() {
    let rules = Rules {
        steps: 20,
        learning_rate: 1e-3,
        loss: 1e-5,
    };
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let follow = |rules: &Rules, concat_in_place| {
            let options = Options {
                concat_in_place,
                ..Options::new(gpu.profile.clone())
            };
            follow("inception-gap", "inception_gap", rules, &gpu, options)
        };
        follow(&rules, true);
        let few = Rules { steps: 3, ..rules };
        assert!(
            follow(&few, true) == follow(&few, false),
            "a concat in place and one by copies give the same bits"
        );
    }
}

/// The whole network. Cut to WebGPU's limits, its first dense kernel lies in more windows and
/// buffers, and the same kernels give the same bits.
#[test]
fn inception_follows_keras_under_both_limits() {
    let rules = Rules {
        steps: 4,
        learning_rate: 1e-4,
        loss: 1e-4,
    };
    let native = common::devices(LimitChoice::Native).swap_remove(0);
    println!("{}", native.info);
    let own = Options::new(native.profile.clone());
    follow("inception", "inception_full", &rules, &native, own);

    // Subgroups are optional, so the kernels without them run on both sides.
    let webgpu = common::devices(LimitChoice::Webgpu).swap_remove(0);
    let rules = Rules { steps: 1, ..rules };
    let mut profile = webgpu.profile.clone();
    profile.limits.max_storage_binding = 48 << 20;
    let limited = Options::new(profile);
    let limited = follow("inception", "inception_full", &rules, &webgpu, limited);
    let mut profile = native.profile.clone();
    profile.subgroup = None;
    let unlimited = follow(
        "inception",
        "inception_full",
        &rules,
        &native,
        Options::new(profile),
    );
    assert!(limited == unlimited, "limits change no bit");
}

/// A rule without a kernel inside the weight gradient: panels' gradients and their updates take turns.
#[test]
fn inception_takes_a_step_of_nesterovs_momentum() {
    const RATE: f64 = 0.5;
    let choices = Choices {
        momentum: Some(0.9),
        nesterov: true,
        ..Choices::default()
    };
    let gpu = common::devices(LimitChoice::Native).swap_remove(0);
    println!("{}", gpu.info);
    let mut options = Options::new(gpu.profile.clone());
    options.rule = rules::find("sgd", &choices).expect("a rule");
    options.schedule.fuse_update = true;
    let mut golden = Golden::open("inception_full");
    let mut executor = begin("inception", &gpu, options);
    let metrics = train(&mut executor, 0, RATE);
    let expected = golden.f64("losses")[0];
    let loss = metrics.loss_sum as f64 / BATCH as f64;
    assert!((loss - expected).abs() <= 1e-4 * expected, "loss {loss}");
    let parameters = executor.plan.parameters.clone();
    for (index, parameter) in parameters.iter().enumerate() {
        let momentum = read(&executor, index, Tensor::Slot(0));
        // The first momentum is the gradient times the rate, the other way.
        gradient_agrees(&mut golden, &parameter.name, |i| -momentum[i] as f64 / RATE);
        let weights = read(&executor, index, Tensor::Values);
        for (i, (&w, &m)) in weights.iter().zip(&momentum).enumerate() {
            // 0.9 of it is the look ahead.
            let before = initial(index, &parameter.shape, i as u64) as f64;
            let expected = before + 1.9 * m as f64;
            let error = (w as f64 - expected).abs();
            assert!(
                error <= 1e-6 * (before.abs() + m.abs() as f64) + 1e-30,
                "{}[{i}]: {w}, {expected} was expected",
                parameter.name
            );
        }
    }
}

/// The kernels that a GPU would run, in whole plans on the adapters of this machine.
fn as_on_a_gpu(gpu: &Gpu) -> Options {
    let mut profile = gpu.profile.clone();
    profile.class = Class::Gpu;
    Options::new(profile)
}

#[test]
fn kernels_for_gpus_follow_keras() {
    let rules = Rules {
        steps: 3,
        learning_rate: 1e-3,
        loss: 1e-5,
    };
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let options = as_on_a_gpu(&gpu);
        follow("inception-gap", "inception_gap", &rules, &gpu, options);
    }
}

/// The seed network, whose large dense layer is updated inside its weight gradient.
#[test]
fn kernels_for_gpus_follow_keras_on_the_seed_network() {
    let rules = Rules {
        steps: 2,
        learning_rate: 1e-4,
        loss: 1e-5,
    };
    let gpu = common::devices(LimitChoice::Native).swap_remove(0);
    println!("{}", gpu.info);
    let options = as_on_a_gpu(&gpu);
    follow("inception", "inception_full", &rules, &gpu, options);
}
