//! Two heads: the auxiliary one counts three tenths, and predictions know nothing of it.

use crate::common;
use crate::trial::{BATCH, CLASSES, IMAGES, Trial, VALID, assert_close, options, plus};
use fer_gpu::gpu::{LimitChoice, Work};
use fer_gpu::graph::{Mode, Window};
use fer_gpu::network::{Builder, Head, Model};
use fer_gpu::ops::conv2d::Padding::{Same, Valid};
use fer_gpu::plan::{self, Loss, Options, Source, Wanted};
use fer_gpu::profile::{Class, Profile};

const WEIGHT: f32 = 0.3;

/// A trunk of one convolution; the main head behind another, the auxiliary one behind a large dense layer.
fn network(image: [u32; 3], heads: &[&str]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let trunk = b.conv2d("trunk", x, 11, Window::square(3, 1, Same), true);
    let deep = b.conv2d("deep", trunk, 6, Window::square(3, 2, Valid), true);
    let pooled = b.global_average_pool("gap", deep);
    let main = b.dense("main", pooled, CLASSES, false);
    let flat = b.flatten("aux_flat", trunk);
    let wide = b.dense("aux_wide", flat, 1000, true);
    let aux = b.dense("aux", wide, CLASSES, false);
    let all = [Head::main(main), Head::auxiliary("aux", aux, WEIGHT)];
    let all = all.into_iter().filter(|h| heads.contains(&h.name.as_str()));
    // Alone, either is the main one.
    let heads = match heads {
        [_] => all.map(|head| Head::main(head.logits)).collect(),
        _ => all.collect(),
    };
    b.model_with_heads("two-heads", heads)
}

const BOTH: [&str; 2] = ["", "aux"];

#[test]
fn every_dispatch_agrees_with_its_reference_and_losses_add_up() {
    for limits in [LimitChoice::Native, LimitChoice::Webgpu] {
        for gpu in common::devices(limits) {
            println!("{}", gpu.info);
            for image in IMAGES {
                let mut profile = gpu.profile.clone();
                // Grey images by the kernels that a GPU would run.
                profile.class = if image[2] == 1 {
                    Class::Gpu
                } else {
                    profile.class
                };
                let options = Options::new(profile);
                let mut trial = Trial::new(&gpu, &network(image, &BOTH), &options);
                let metrics = trial.checked();
                let port = |name| trial.executor.read_port(Work::TRAIN, name).expect("a port");
                let [main, aux] = ["metrics", "metrics/aux"].map(port);
                assert!(main[0] > 0.0 && aux[0] > 0.0 && main[0] != aux[0]);
                let whole = main[0] + WEIGHT * aux[0];
                assert!((metrics.loss_sum - whole).abs() <= 1e-6 * whole);
                assert_eq!((metrics.rows, metrics.correct), (VALID, main[1] as u32));
                assert!(!metrics.non_finite);
            }
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_weighted_sum() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            let [both, main, aux] = [&BOTH[..], &[""], &["aux"]].map(|heads| {
                let mut trial = Trial::new(&gpu, &network(image, heads), &options(&gpu));
                let metrics = trial.step();
                (trial, metrics.loss_sum)
            });
            let whole = main.1 + WEIGHT * aux.1;
            assert!((both.1 - whole).abs() <= 1e-6 * whole);
            for name in both.0.names() {
                let [found, main, aux] = [&both, &main, &aux].map(|(t, _)| t.gradient(&name));
                assert_close(&name, &found, &plus(&main, WEIGHT, &aux));
            }
        }
    }
}

/// Also of a kernel that is large enough to be updated where its gradient is made.
#[test]
fn an_auxiliary_loss_that_is_not_finite_stops_every_update() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for fuse_update in [true, false] {
            let mut options = options(&gpu);
            options.schedule.fuse_update = fuse_update;
            let model = network(IMAGES[1], &BOTH);
            let mut trial = Trial::new(&gpu, &model, &options);
            let regions = trial.executor.plan.regions.len();
            assert_eq!(regions, 2, "the wide kernel has a region of its own");
            let sound = trial.values("aux/bias");
            trial.write("aux/bias", &[f32::INFINITY, 0.0, 0.0]);
            let before = trial.all_values();
            let metrics = trial.step();
            assert!(metrics.non_finite && !metrics.loss_sum.is_finite());
            let port = |name| trial.executor.read_port(Work::TRAIN, name).expect("a port");
            let [main, aux] = ["metrics", "metrics/aux"].map(port);
            assert!(main[0].is_finite() && main[2] == 0.0 && aux[2] != 0.0);
            assert!(before == trial.all_values(), "fused {fuse_update}");
            // It stays so until somebody lowers the flag.
            trial.write("aux/bias", &sound);
            assert!(trial.step().non_finite);
            trial.executor.lower_flag(Work::TRAIN);
            assert!(!trial.step().non_finite);
            let after = trial.all_values();
            for (name, values) in before.iter().filter(|(name, _)| *name != "aux/bias") {
                assert!(after[name] != *values, "{name} learns again");
            }
        }
    }
}

#[test]
fn predictions_know_one_head_and_no_loss() {
    let model = network(IMAGES[0], &BOTH);
    let graph = model.graph_for(Mode::Predict, &Loss::default());
    let aux = |name: &str| name.starts_with("aux") || name.starts_with("loss");
    assert!(!graph.nodes.iter().any(|node| aux(&node.name)));
    let options = Options::new(Profile::webgpu(Class::Software));
    let plan = plan::plan(&model, &crate::trial::wanted(), &options).expect("a plan");
    let ports = |program| -> Vec<&str> {
        let program = plan.program(program).expect("a program");
        program
            .ports
            .iter()
            .map(|port| port.name.as_str())
            .collect()
    };
    assert_eq!(ports(plan::PREDICT), ["images", "logits", "probabilities"]);
    let both = [
        "labels",
        "images",
        "metrics",
        "logits",
        "metrics/aux",
        "logits/aux",
    ];
    assert_eq!(ports(plan::TRAIN), both);
    assert_eq!(ports(plan::EVALUATE), both);
    let predict = plan.program(plan::PREDICT).expect("a program");
    for dispatch in &predict.dispatches {
        assert!(!aux(&dispatch.label), "{}", dispatch.label);
    }
}

#[test]
fn all_programs_see_the_same_network() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            let mut trial = Trial::new(&gpu, &network(image, &BOTH), &options(&gpu));
            let evaluated = trial.submit(Work::EVALUATE);
            let logits =
                |trial: &Trial, work| trial.executor.read_port(work, "logits").expect("it");
            let expected = logits(&trial, Work::EVALUATE);
            let probabilities = trial.predict("probabilities");
            assert_eq!(logits(&trial, Work::PREDICT), expected, "the same kernels");
            let classes = CLASSES as usize;
            for (row, logits) in probabilities.chunks(classes).zip(expected.chunks(classes)) {
                let exp = |z: &f32| (*z as f64).exp();
                let sum: f64 = logits.iter().map(exp).sum();
                let softmax: Vec<f32> = logits.iter().map(|z| (exp(z) / sum) as f32).collect();
                assert_close("probabilities", row, &softmax);
            }
            let trained = trial.step();
            assert!((trained.loss_sum - evaluated.loss_sum).abs() <= 1e-5 * trained.loss_sum);
            assert_eq!(probabilities.len(), (BATCH * CLASSES) as usize);
        }
    }
}

/// Layers that no head reads cost nothing, and keep their tensors.
#[test]
fn what_no_head_needs_is_not_run() {
    let options = Options::new(Profile::webgpu(Class::Software));
    let model = network(IMAGES[0], &[""]);
    let plan = plan::plan(&model, &crate::trial::wanted(), &options).expect("a plan");
    for dispatch in plan.programs.iter().flat_map(|p| &p.dispatches) {
        assert!(!dispatch.label.starts_with("aux"), "{}", dispatch.label);
    }
    let both = network(IMAGES[0], &BOTH);
    assert_eq!(plan.parameters.len(), 10);
    assert_eq!(model.parameters(), both.parameters());
}

/// A plan without training has no gradients and no optimiser.
#[test]
fn predictions_alone_need_weights_alone() {
    let model = network(IMAGES[0], &BOTH);
    let options = Options::new(Profile::webgpu(Class::Software));
    let sizes = [
        Wanted::prediction(1)[0],
        Wanted::evaluation(4, Source::Host)[0],
    ];
    let plan = plan::plan(&model, &sizes, &options).expect("a plan");
    assert!(plan.regions.iter().all(|region| region.slots.is_empty()));
    assert!(
        !plan
            .buffers
            .iter()
            .any(|b| b.name.contains("gradient") || b.name.contains("moment"))
    );
    assert_eq!(
        plan.programs.iter().map(|p| p.batch).collect::<Vec<_>>(),
        [1, 4]
    );
}
