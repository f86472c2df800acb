//! Plans are plain data: what they hold is asserted here, without any GPU.

use fer_gpu::graph::Window;
use fer_gpu::network::{Builder, Model, Network};
use fer_gpu::ops::conv2d::Padding;
use fer_gpu::plan::{self, Error, Options, Plan, Source, Storage, Wanted};
use fer_gpu::profile::{Class, Profile};
use fer_gpu::rules::{self, Choices};

fn options(class: Class) -> Options {
    Options::new(Profile::webgpu(class))
}

fn find(network: &str) -> Model {
    Network::find(network).expect("a network").build(7)
}

fn plan_of(model: &Model, batch: u32, options: &Options) -> Result<Plan, Error> {
    plan::plan(model, &Wanted::training(batch, [Source::Host; 2]), options)
}

fn compile(model: &str, options: &Options) -> Plan {
    plan_of(&find(model), 64, options).expect("a plan")
}

fn kernels(plan: &Plan) -> Vec<String> {
    kernels_of(plan, plan::TRAIN)
}

fn kernels_of(plan: &Plan, program: &str) -> Vec<String> {
    let program = plan.program(program).expect("a program");
    program
        .dispatches
        .iter()
        .map(|d| format!("{} {}", d.label, d.op.name()))
        .collect()
}

#[test]
fn the_seed_network_runs_only_what_a_parameter_needs() {
    let plan = compile("inception-gap", &options(Class::Gpu));
    // No gradient of the image, so no max-pool backward and no backward input of the 1x1
    // layers, of which those that read the same are one; no concat, no ReLU of its own, all gradients
    // of a small dense layer in one dispatch, and one optimiser dispatch for all.
    let expected = [
        "mid_1/{3x3,5x5}_reduce conv2d_forward",
        "mid_1/3x3 conv2d_forward",
        "mid_1/5x5 conv2d_forward",
        "mid_1/pool max_pool2d_forward",
        "mid_1/pool_proj conv2d_forward",
        "gap global_average_pool_forward",
        "dense_1 matmul_forward",
        "output matmul_forward",
        "loss softmax_cross_entropy",
        "output matmul_backward",
        "dense_1 matmul_backward",
        "gap global_average_pool_backward",
        "mid_1/pool_proj conv2d_backward_weight",
        "mid_1/5x5 conv2d_backward_input",
        "mid_1/5x5 conv2d_backward_weight",
        "mid_1/3x3 conv2d_backward_input",
        "mid_1/3x3 conv2d_backward_weight",
        "mid_1/{3x3,5x5}_reduce conv2d_backward_weight",
        "gradients sum_shares",
        "parameters adam",
    ];
    assert_eq!(kernels(&plan), expected);
    assert_eq!(kernels_of(&plan, plan::EVALUATE), expected[..9]);
}

#[test]
fn the_whole_seed_network_needs_no_pool_backward_and_no_image_gradient() {
    for fused in [false, true] {
        let mut options = options(Class::Gpu);
        options.schedule.fuse_update = fused;
        let plan = compile("inception", &options);
        let list = kernels(&plan);
        assert!(!list.iter().any(|k| k.contains("max_pool2d_backward")
            || k.contains("concat")
            || k.contains("relu_")));
        for layer in ["{3x3,5x5}_reduce", "pool_proj"] {
            assert!(
                !list.contains(&format!("mid_1/{layer} conv2d_backward_input")),
                "{layer}"
            );
        }
        let large = list
            .iter()
            .any(|k| k == "dense_1 matmul_backward_weight_adam");
        assert_eq!(large, fused);
        assert_eq!(list.iter().any(|k| k == "dense_1 adam"), !fused);
    }
}

/// A rule that has no kernel inside the weight gradient: a few panels' gradient, then their update, and so on.
#[test]
fn a_rule_without_a_fused_kernel_updates_panels_in_turn() {
    for (momentum, update, slots) in [(None, "sgd", 0), (Some(0.9), "sgd_momentum", 1)] {
        let choices = Choices {
            momentum,
            nesterov: momentum.is_some(),
            ..Choices::default()
        };
        let options = Options {
            rule: rules::find("sgd", &choices).expect("a rule"),
            ..options(Class::Gpu)
        };
        assert!(options.schedule.fuse_update);
        let plan = compile("inception", &options);
        assert!(plan.regions.iter().all(|r| r.slots.len() == slots));
        assert!(!kernels(&plan).iter().any(|kernel| kernel.contains("adam")));
        let step = plan.program(plan::TRAIN).expect("a step");
        let dense = step.dispatches.iter().filter(|d| d.label == "dense_1");
        let turns: Vec<_> = dense
            .skip_while(|d| d.op.name() != "matmul_backward_weight")
            .take_while(|d| d.label == "dense_1")
            .collect();
        assert!(turns.len() >= 2);
        let mut words = 0;
        for turn in turns.chunks(2) {
            let names: Vec<&str> = turn.iter().map(|d| d.op.name()).collect();
            assert_eq!(names, ["matmul_backward_weight", update]);
            let gradient = turn[0].bindings[2];
            assert_eq!(turn[1].bindings[0], gradient);
            words += gradient.bytes / 4;
        }
        // 38 panels of 32 columns and as many rows as the flattened image has numbers.
        let kernel = plan.parameters.iter().find(|p| p.name == "dense_1/kernel");
        let rows = kernel.expect("dense_1").shape.0[0] as u64;
        assert_eq!(words, 38 * 32 * rows);
    }
}

#[test]
fn concat_by_copies_is_there_on_request() {
    let options = Options {
        concat_in_place: false,
        ..options(Class::Gpu)
    };
    let list = kernels(&compile("inception-gap", &options));
    assert_eq!(
        list.iter().filter(|k| *k == "mid_1 concat_forward").count(),
        3
    );
    assert_eq!(
        list.iter()
            .filter(|k| *k == "mid_1 concat_backward")
            .count(),
        3
    );
}

#[test]
fn parameters_bear_kerass_names_and_numbers() {
    let model = find("inception");
    assert_eq!(model.parameters(), 83_760_487);
    assert_eq!(find("inception-gap").parameters(), 9_187);
    let plan = compile("inception", &options(Class::Gpu));
    let names: Vec<&str> = plan.parameters.iter().map(|p| p.name.as_str()).collect();
    let layers = [
        "mid_1/3x3_reduce",
        "mid_1/5x5_reduce",
        "mid_1/3x3",
        "mid_1/5x5",
        "mid_1/pool_proj",
        "dense_1",
        "dense_2",
        "dense_3",
        "output",
    ];
    let expected: Vec<String> = layers
        .iter()
        .flat_map(|l| [format!("{l}/kernel"), format!("{l}/bias")])
        .collect();
    assert_eq!(names, expected);
}

/// Everything stays inside WebGPU's limits, and the windows cover each panel once.
#[test]
fn large_parameters_are_cut_to_the_limits() {
    let options = options(Class::Software);
    let limits = &options.profile.limits;
    let plan = compile("inception", &options);
    for buffer in &plan.buffers {
        assert!(
            buffer.bytes <= limits.max_buffer_size,
            "{}: {}",
            buffer.name,
            buffer.bytes
        );
    }
    for dispatch in plan.programs.iter().flat_map(|p| &p.dispatches) {
        for range in &dispatch.bindings {
            assert!(range.bytes <= limits.max_storage_binding);
            assert_eq!(range.offset % limits.storage_offset_alignment, 0);
            assert!(
                range.offset + range.bytes <= plan.buffers[range.buffer].bytes,
                "{} {}",
                dispatch.label,
                dispatch.op.name()
            );
        }
    }
    let dense = plan
        .parameters
        .iter()
        .find(|p| p.name == "dense_1/kernel")
        .expect("dense_1");
    let Storage::Panels { windows, .. } = &dense.storage else {
        panic!("dense kernels lie in panels")
    };
    let mut next = 0;
    for window in windows {
        assert_eq!(window.first_panel, next);
        next += window.panels;
    }
    assert_eq!(next, 38);
    assert!(
        windows
            .iter()
            .map(|w| w.region)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            >= 2
    );
}

/// Two tensors share a buffer only where their lifetimes do not meet: a buffer that a dispatch
/// writes is never one that it reads.
#[test]
fn no_dispatch_reads_what_it_writes() {
    use fer_gpu::ops::Access;
    for model in ["inception", "inception-gap"] {
        let plan = compile(model, &options(Class::Gpu));
        for dispatch in plan.programs.iter().flat_map(|p| &p.dispatches) {
            let ranges = || dispatch.op.bindings().iter().zip(&dispatch.bindings);
            for (written, range) in ranges().filter(|(b, _)| b.access != Access::Read) {
                for (read, other) in ranges().filter(|(b, _)| b.access == Access::Read) {
                    assert_ne!(
                        range.buffer,
                        other.buffer,
                        "{} {}: {} and {}",
                        dispatch.label,
                        dispatch.op.name(),
                        written.name,
                        read.name
                    );
                }
            }
        }
    }
}

#[test]
fn device_memory_stays_where_it_was_measured() {
    // Weights and two moments are 1,008 MB of each figure.
    let bytes = |model, class| compile(model, &options(class)).device_bytes() as f64 / 1e6;
    assert!(bytes("inception", Class::Gpu) < 1_100.0);
    assert!(bytes("inception", Class::Software) < 1_150.0);
    assert!(bytes("inception-gap", Class::Software) < 50.0);
}

#[test]
fn a_network_that_cannot_fit_says_what_would() {
    let mut small = options(Class::Gpu);
    small.profile.limits.max_storage_binding = 8 << 20;
    let error = plan_of(&find("inception"), 64, &small)
        .err()
        .expect("too small");
    assert!(
        matches!(&error, Error::TooLarge { tensor, .. } if tensor == "dense_1/kernel"),
        "{error}"
    );
    let large = plan_of(&find("inception-gap"), 4096, &options(Class::Gpu))
        .err()
        .expect("too large");
    let remedy = miette::Diagnostic::help(&large)
        .expect("a remedy")
        .to_string();
    assert!(remedy.contains("--batch"), "{large}; {remedy}");
}

#[test]
fn a_plan_prints_every_dispatch_and_the_total() {
    let of = |set, rows| Source::Device {
        set,
        rows,
        scale: 1.0,
    };
    let wanted = Wanted::training(64, [of("training", 100), of("validation", 50)]);
    let options = options(Class::Gpu);
    let plan = plan::plan(&find("inception-gap"), &wanted, &options).expect("a plan");
    let text = plan.to_string();
    let step = plan.program(plan::TRAIN).expect("a step");
    for dispatch in &step.dispatches {
        assert!(text.contains(dispatch.op.name()), "{}", dispatch.op.name());
    }
    assert!(text.contains(&plan.device_bytes().to_string()));
    assert_eq!(step.dispatches[0].op.name(), "gather");
}

/// Where a tensor feeds two layers, its gradient is the sum of theirs, which stops it at the tensor's ReLU; a pool
/// behind weights is differentiated.
#[test]
fn fan_out_adds_and_pools_are_differentiated() {
    let mut b = Builder::new();
    let image = b.input("image", [8, 8, 1]);
    let same = |size| Window::square(size, 1, Padding::Same);
    let stem = b.conv2d("stem", image, 4, same(3), true);
    let left = b.conv2d("left", stem, 4, same(1), true);
    let pooled = b.max_pool2d("pool", stem, same(3));
    let right = b.conv2d("right", pooled, 4, same(1), false);
    let joined = b.concat("join", &[left, right]);
    let flat = b.flatten("flat", joined);
    let logits = b.dense("output", flat, 3, false);
    let model = b.model("fan-out", logits);
    let plan = plan_of(&model, 2, &options(Class::Gpu)).expect("a plan");
    let list = kernels(&plan);
    for kernel in ["pool max_pool2d_backward", "left relu_backward"] {
        assert!(list.contains(&kernel.to_string()), "{kernel} in {list:#?}");
    }
    assert_eq!(list.iter().filter(|k| k.ends_with(" add")).count(), 1);
    assert!(!list.contains(&"stem relu_backward".to_string()));
    assert!(!list.contains(&"stem conv2d_backward_input".to_string()));
}

/// Layers that become one make one tensor, which may not fit where those of each do.
#[test]
fn siblings_that_would_be_too_large_stay_apart() {
    let mut b = Builder::new();
    let image = b.input("image", [64, 64, 1]);
    let window = |size| Window::square(size, 1, Padding::Same);
    let wide = ["left", "right"].map(|name| b.conv2d(name, image, 4, window(1), true));
    let narrow = [("left_end", wide[0]), ("right_end", wide[1])];
    let narrow = narrow.map(|(name, x)| b.conv2d(name, x, 1, window(3), true));
    let joined = b.concat("join", &narrow);
    let features = b.global_average_pool("features", joined);
    let logits = b.dense("output", features, 3, false);
    let model = b.model("wide", logits);
    let one = 64 * 64 * 4 * 64 * 4;
    for (limit, expected) in [(2 * one, "{left,right}"), (2 * one - 4, "left")] {
        let mut options = options(Class::Gpu);
        options.profile.limits.max_storage_binding = limit;
        let list = kernels(&plan_of(&model, 64, &options).expect("a plan"));
        assert_eq!(list[0], format!("{expected} conv2d_forward"));
    }
}

/// Where a layer stands in two places each makes a gradient, and the sum of both waits for them: they are summed over
/// their shares at once. The others' come at the end, five at a time, and nothing is forgotten.
#[test]
fn only_complete_gradients_are_summed_at_the_end() {
    let mut b = Builder::new();
    let image = b.input("image", [8, 8, 1]);
    let window = Window::square(3, 1, Padding::Same);
    let before = ["a", "b", "c", "d"].map(|name| b.conv2d(name, image, 4, window, true));
    let left = b.conv2d("shared", before[0], 4, window, true);
    let right = b.again("right", "shared", &before[1..2]).expect("shapes");
    let joined = b.concat("join", &[left, right, before[2], before[3]]);
    let flat = b.flatten("flat", joined);
    let logits = b.dense("output", flat, 3, false);
    let model = b.model("shared", logits);
    for (class, at_the_end) in [(Class::Gpu, 1), (Class::Software, 0)] {
        let mut options = options(class);
        options.schedule.join_siblings = false;
        let list = kernels(&plan_of(&model, 2, &options).expect("a plan"));
        let of = |name: &str| list.iter().filter(|k| k.ends_with(name)).count();
        let at_once = if at_the_end == 0 { 6 } else { 2 };
        assert_eq!(of(" conv2d_reduce_weight"), at_once, "{list:#?}");
        assert_eq!(of(" matmul_backward_bias"), 1 - at_the_end);
        assert_eq!(of(" sum_shares"), at_the_end, "five of them");
    }
}
