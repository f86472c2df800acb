//! Every layer that a network can name: its arguments survive being written and read, wrong ones are refused,
//! and a small network with it trains, each dispatch held against its reference.

mod common;

use fer_gpu::gpu::{Batch, Checks, Executor, Gpu, Images, LimitChoice, Tensor, Work};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Add, Concatenate, Flatten, Function, LAYERS, parse};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::Step;
use fer_gpu::ops::conv2d::Padding;
use fer_gpu::plan::{self, Options, Source, Wanted};
use fer_gpu::profile::{Class, Profile};
use fer_gpu::random::unit;
use fer_gpu::tensor::Shape;
use fer_gpu::verify::check_step;
use serde_json::{Value, json};

/// A layer with more arguments.
fn with((kind, mut config): (&'static str, Value), more: Value) -> (&'static str, Value) {
    for (name, value) in more.as_object().expect("arguments") {
        config[name] = value.clone();
    }
    (kind, config)
}

/// Arguments of each layer, all that it has.
fn examples() -> Vec<(&'static str, Value)> {
    let pool = |size: [u32; 2], strides: [u32; 2], padding: &str| {
        let config = json!({ "pool_size": size, "strides": strides, "padding": padding });
        ["AveragePooling2D", "MaxPooling2D"].map(|kind| (kind, config.clone()))
    };
    let conv = |size: [u32; 2], strides: [u32; 2], padding: &str| {
        let config = json!({
            "filters": 5, "kernel_size": size, "strides": strides, "padding": padding,
        });
        ("Conv2D", config)
    };
    let depthwise = |size: [u32; 2], strides: [u32; 2], padding: &str, multiplier: u32| {
        let config = json!({
            "kernel_size": size, "strides": strides, "padding": padding, "depth_multiplier": multiplier,
        });
        ("DepthwiseConv2D", config)
    };
    let separable = |size: [u32; 2], strides: [u32; 2], padding: &str, multiplier: u32| {
        let (_, config) = depthwise(size, strides, padding, multiplier);
        with(("SeparableConv2D", config), json!({ "filters": 5 }))
    };
    let pools = [
        pool([3, 3], [1, 1], "same"),
        pool([2, 3], [2, 1], "valid"),
        pool([2, 2], [3, 3], "same"),
    ];
    let functions = Function::names().filter(|name| *name != "swish");
    let functions = functions.map(|name| ("Activation", json!({ "activation": name })));
    let others = [
        ("Add", json!({})),
        (
            "BatchNormalization",
            json!({
                "axis": -1, "momentum": 0.75, "epsilon": 0.01, "center": true, "scale": true,
            }),
        ),
        (
            "BatchNormalization",
            json!({
                "axis": -1, "momentum": 0.99, "epsilon": 0.001, "center": false, "scale": false,
            }),
        ),
        ("Concatenate", json!({ "axis": -1 })),
        conv([3, 3], [1, 1], "same"),
        conv([2, 3], [2, 1], "valid"),
        with(
            conv([3, 2], [1, 1], "same"),
            json!({ "use_bias": false, "kernel_initializer": "he_normal", "kernel_regularizer": 0.5 }),
        ),
        ("Dense", json!({ "units": 5 })),
        (
            "Dense",
            json!({
                "units": 5, "use_bias": false, "kernel_initializer": "glorot_normal", "kernel_regularizer": 5e-4,
            }),
        ),
        depthwise([3, 3], [1, 1], "same", 1),
        depthwise([2, 3], [2, 1], "valid", 3),
        with(
            depthwise([3, 3], [2, 2], "same", 2),
            json!({
                "use_bias": false, "depthwise_initializer": "he_uniform", "depthwise_regularizer": 0.01,
            }),
        ),
        separable([3, 3], [1, 1], "same", 1),
        with(
            separable([2, 3], [2, 1], "valid", 2),
            json!({
                "use_bias": false, "depthwise_initializer": "he_normal", "depthwise_regularizer": 0.125,
                "pointwise_initializer": "he_uniform", "pointwise_regularizer": 0.25,
            }),
        ),
        ("Flatten", json!({})),
        ("GlobalAveragePooling2D", json!({})),
        ("GlobalMaxPooling2D", json!({})),
        (
            "LocalResponseNormalization",
            json!({ "size": 3, "alpha": 0.5, "beta": 0.75, "k": 2.0 }),
        ),
        ("ZeroPadding2D", json!({ "padding": [[1, 2], [3, 0]] })),
        ("Dropout", json!({ "rate": 0.5 })),
        ("SpatialDropout2D", json!({ "rate": 0.25 })),
    ];
    let pools = pools.into_iter().flatten();
    pools.chain(functions).chain(others).collect()
}

#[test]
fn every_layer_has_an_example() {
    let examples = examples();
    for (kind, _) in LAYERS {
        let has = examples.iter().any(|(of, _)| of == kind);
        assert!(has, "{kind}: no arguments in tests/layers.rs");
    }
}

#[test]
fn arguments_survive_being_written_and_read() {
    for (kind, config) in examples() {
        let layer = parse(kind, &config).expect("it can be read");
        assert_eq!(layer.kind(), kind);
        assert_eq!(layer.config(), config, "{kind}");
        let again = parse(kind, &layer.config()).expect("it can be read again");
        assert_eq!(again.config(), config, "{kind}");
    }
}

#[test]
fn an_argument_that_a_layer_does_not_have_is_refused_by_name() {
    for (kind, mut config) in examples() {
        config["no_such"] = json!(1);
        let refusal = parse(kind, &config).expect_err("it has no such argument");
        assert_eq!(refusal.layer, kind);
        assert!(refusal.what.contains("no_such"), "{refusal}");
    }
}

#[test]
fn a_function_has_the_names_of_keras() {
    let of = |name: &str| parse("Activation", &json!({ "activation": name }));
    let swish = of("swish").expect("another name of silu");
    assert_eq!(swish.config(), json!({ "activation": "silu" }));
    let softmax = of("softmax").expect_err("the heads have it");
    assert!(softmax.what.contains("only the last layer"), "{softmax}");
    let unknown = of("relu7").expect_err("there is none");
    assert!(unknown.what.contains("relu6, leaky_relu"), "{unknown}");
}

#[test]
fn a_rate_is_a_share_of_less_than_all() {
    for kind in ["Dropout", "SpatialDropout2D"] {
        for rate in [json!(1.0), json!(-0.1), json!("half"), json!(null)] {
            let refusal = parse(kind, &json!({ "rate": rate })).expect_err("no rate");
            assert!(refusal.what.contains("from 0 to below 1"), "{refusal}");
        }
        let refusal = parse(kind, &json!({})).expect_err("no rate");
        assert!(refusal.what.contains("`rate` is missing"), "{refusal}");
    }
}

#[test]
fn a_pool_without_arguments_is_as_in_keras() {
    for kind in ["AveragePooling2D", "MaxPooling2D"] {
        let of = |config| parse(kind, &config).map(|layer| layer.config());
        let whole = |size: [u32; 2], strides: [u32; 2], padding: &str| {
            Ok(json!({ "pool_size": size, "strides": strides, "padding": padding }))
        };
        assert_eq!(of(json!({})), whole([2, 2], [2, 2], "valid"));
        // Strides are the window's where they are not given.
        let wide = json!({ "pool_size": [3, 2], "padding": "same" });
        assert_eq!(of(wide), whole([3, 2], [3, 2], "same"));
        let layer = parse(kind, &json!({ "pool_size": 4 })).expect("a layer");
        let refusal = layer.outline(&[&Shape::new([1, 3, 9, 2])]);
        let refusal = refusal.expect_err("three rows hold no window of four");
        assert!(refusal.expected.contains("4 x 4"), "{refusal}");
    }
}

/// Keras's defaults are read and not written: what files say of a layer does not grow.
#[test]
fn what_keras_has_as_a_default_is_not_written() {
    let window = json!({ "kernel_size": 3 });
    let defaults = json!({
        "strides": 1, "padding": "valid", "dilation_rate": [1, 1], "use_bias": true,
    });
    for (kind, own, prefixes) in [
        ("Conv2D", json!({ "filters": 2 }), &["kernel"][..]),
        ("DepthwiseConv2D", json!({}), &["depthwise"]),
        (
            "SeparableConv2D",
            json!({ "filters": 2 }),
            &["depthwise", "pointwise"],
        ),
    ] {
        let (_, bare) = with((kind, window.clone()), own);
        let (_, mut full) = with((kind, bare.clone()), defaults.clone());
        for prefix in prefixes {
            full[format!("{prefix}_initializer")] = json!("glorot_uniform");
            full[format!("{prefix}_regularizer")] = json!(null);
        }
        let [bare, full] = [bare, full].map(|config| parse(kind, &config).expect("a layer"));
        assert_eq!(bare.config(), full.config(), "{kind}");
        assert!(!bare.config().to_string().contains("zer"), "{kind}");
    }
}

#[test]
fn arguments_that_are_not_there_are_refused_in_words() {
    let conv = |more: Value| with(("Conv2D", json!({ "filters": 2, "kernel_size": 3 })), more);
    let pad = |padding: Value| ("ZeroPadding2D", json!({ "padding": padding }));
    for ((kind, config), expected) in [
        (
            conv(json!({ "dilation_rate": 2 })),
            "`dilation_rate` is 2, only 1 is there",
        ),
        (
            conv(json!({ "use_bias": 1 })),
            "`use_bias` is 1, true or false is needed",
        ),
        (
            conv(json!({ "kernel_initializer": "lecun" })),
            "`kernel_initializer` is \"lecun\"; there are glorot_uniform, glorot_normal, he_uniform, he_normal, zeros",
        ),
        (
            conv(json!({ "kernel_regularizer": { "class_name": "L2" } })),
            "`kernel_regularizer` is {\"class_name\":\"L2\"}, a number is needed: the factor of L2",
        ),
        (
            conv(json!({ "kernel_regularizer": -0.5 })),
            "a number is needed",
        ),
        (
            pad(json!([1, 2, 3])),
            "`padding` is [1,2,3]; a number is needed",
        ),
        (pad(json!(-1)), "`padding` is -1"),
        (pad(json!([[1, 2], 70_000])), "`padding` is [[1,2],70000]"),
    ] {
        let refusal = parse(kind, &config)
            .expect_err("no such argument")
            .to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
    let wide = json!({ "kernel_size": 1, "depth_multiplier": 1 << 20 });
    let wide = parse("DepthwiseConv2D", &wide).expect("a layer");
    let refusal = wide.outline(&[&Shape::new([1, 3, 9, 1 << 13])]);
    let refusal = refusal.expect_err("more channels than there are numbers");
    assert!(refusal.expected.contains("fewer channels"), "{refusal}");
}

#[test]
fn a_border_is_one_number_two_or_four() {
    let of = |config| parse("ZeroPadding2D", &config).map(|layer| layer.config());
    let all = |padding: [[u32; 2]; 2]| Ok(json!({ "padding": padding }));
    assert_eq!(of(json!({})), all([[1, 1], [1, 1]]));
    assert_eq!(of(json!({ "padding": 0 })), all([[0, 0], [0, 0]]));
    assert_eq!(of(json!({ "padding": [2, 3] })), all([[2, 2], [3, 3]]));
    assert_eq!(
        of(json!({ "padding": [[1, 2], [3, 4]] })),
        all([[1, 2], [3, 4]])
    );
}

/// (kernels and biases) and multiply-adds of layers on an image of 7 x 6 x 2, counted by hand.
#[test]
fn parameters_and_multiply_adds_are_counted() {
    let image = Shape::new([1, 7, 6, 2]);
    let window = json!({ "kernel_size": 3, "padding": "same" });
    for (kind, more, parameters, products) in [
        ("Conv2D", json!({ "filters": 5 }), 95, 42 * 90),
        (
            "Conv2D",
            json!({ "filters": 5, "use_bias": false }),
            90,
            42 * 90,
        ),
        (
            "DepthwiseConv2D",
            json!({ "depth_multiplier": 3 }),
            60,
            42 * 54,
        ),
        (
            "DepthwiseConv2D",
            json!({ "strides": 2, "use_bias": false }),
            18,
            12 * 18,
        ),
        (
            "SeparableConv2D",
            json!({ "filters": 5 }),
            18 + 10 + 5,
            42 * 28,
        ),
    ] {
        let (_, config) = with((kind, window.clone()), more);
        let layer = parse(kind, &config).expect("a layer");
        let own = layer.outline(&[&image]).expect("it fits").own;
        let count: usize = own.iter().map(|declared| declared.shape.len()).sum();
        assert_eq!(count, parameters, "{config}");
        assert_eq!(layer.multiply_adds(&[&image]), products, "{config}");
    }
}

const IMAGE: [u32; 3] = [7, 6, 2];
const CLASSES: u32 = 3;
const BATCH: u32 = 3;
const LABELS: [u32; 3] = [2, 0, 1];

/// A network with the layer in it twice, between concatenations: it reads ranges of channels, writes them
/// where it can, and its gradient is one.
fn network(kind: &str, config: &Value) -> Model {
    let layer = parse(kind, config).expect("a layer");
    let mut b = Builder::new();
    let image = b.input("image", IMAGE);
    let stem = Window::square(3, 1, Padding::Same);
    let left = b.conv2d("left", image, 4, stem, true);
    let right = b.conv2d("right", image, 4, stem, true);
    let both = b.concat("both", &[left, right]);
    let put = |b: &mut Builder, name: &str, x: TensorId, beside: TensorId| {
        let flat = format!("{name}/flat");
        // Of two inputs where it takes them, else of one image, else of a row.
        b.add(name, layer.clone(), &[x, beside])
            .or_else(|_| b.add(name, layer.clone(), &[x]))
            .or_else(|_| {
                let x = b.layer(&flat, Flatten, &[x])?;
                b.add(name, layer.clone(), &[x])
            })
            .unwrap_or_else(|refusal| panic!("{kind}: {refusal}"))
    };
    let first = put(&mut b, "first", left, right);
    let second = put(&mut b, "second", right, left);
    // Rows that keep their image's order are added, for nothing may mix them.
    let joined = b
        .layer("joined", Concatenate, &[first, second])
        .or_else(|_| b.layer("joined", Add, &[first, second]));
    let joined = joined.expect("they are of one shape");
    // An image becomes a row; a row refuses.
    let row = b.layer("row", Flatten, &[joined]).unwrap_or(joined);
    let from_layer = b.dense("from_layer", row, CLASSES, false);
    let mean = b.global_average_pool("mean", both);
    let from_stem = b.dense("from_stem", mean, CLASSES, false);
    let logits = b.layer("logits", Add, &[from_layer, from_stem]);
    let logits = logits.expect("both are rows of classes");
    b.model(kind, logits)
}

/// The network on a device, with drawn weights, and images to learn from.
struct Trial<'g> {
    executor: Executor<'g>,
    images: Vec<f32>,
}

impl<'g> Trial<'g> {
    fn new(gpu: &'g Gpu, model: &Model, options: &Options) -> Trial<'g> {
        let wanted = Wanted::training(BATCH, [Source::Host; 2]);
        let plan = plan::plan(model, &wanted, options).expect("a plan");
        let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ());
        let executor = executor.expect("an executor");
        executor.draw_parameters(0).expect("weights");
        let pixels: u32 = BATCH * IMAGE.iter().product::<u32>();
        let image = |i| 2.0 * unit(1, i as u64) as f32 - 1.0;
        let images = (0..pixels).map(image).collect();
        Trial { executor, images }
    }

    fn names(&self) -> Vec<String> {
        let parameters = self.executor.plan.parameters.iter();
        parameters.map(|p| p.name.clone()).collect()
    }

    /// The weights, or what the optimiser keeps for them, tensor by tensor.
    fn read(&self, role: Tensor) -> Vec<Vec<f32>> {
        let parameters = self.executor.plan.parameters.iter().enumerate();
        let read = |(index, parameter): (usize, &plan::Parameter)| {
            let mut values = vec![0.0; parameter.shape.len()];
            if role != Tensor::Values && !parameter.is_trained() {
                return values;
            }
            let sink = |range: std::ops::Range<usize>, chunk: &[f32]| {
                values[range].copy_from_slice(chunk);
                Ok::<(), fer_gpu::gpu::Error>(())
            };
            let read = self.executor.read_parameter(index, role, sink);
            read.expect("a parameter reads back");
            values
        };
        parameters.map(read).collect()
    }

    fn write(&self, index: usize, values: &[f32]) {
        let source = |range: std::ops::Range<usize>, chunk: &mut [f32]| {
            chunk.copy_from_slice(&values[range]);
            Ok::<(), fer_gpu::gpu::Error>(())
        };
        let written = self.executor.write_parameter(index, Tensor::Values, source);
        written.expect("a parameter is written");
    }

    /// A step whose dispatches are held against their references; how many there were.
    fn step(&mut self, t: u64) -> usize {
        let place = format!("{} on {}", self.executor.plan.model, self.executor.gpu.info);
        let rule = self.executor.plan.rule.scalars(0.01, t);
        let step = Step::new(t as u32, BATCH, rule);
        let batch = Batch::new(Images::Host(&self.images), &LABELS, step);
        let (mut compared, mut wrong) = (0, Vec::new());
        let metrics = check_step(&mut self.executor, &batch, &mut |dispatch, outcome| {
            compared += 1;
            if !outcome.passed() {
                let (label, op) = (&dispatch.label, dispatch.op.name());
                wrong.push(format!("step {t}, {label} {op}: {outcome}"));
            }
        });
        assert!(wrong.is_empty(), "{place}:\n{}", wrong.join("\n"));
        assert!(metrics.expect("a step").loss_sum.is_finite(), "{place}");
        compared
    }

    /// The mean loss of the first step with today's weights, in training: what is dropped is dropped here too.
    fn loss(&mut self) -> f64 {
        let step = Step::new(1, BATCH, [0.0; 4]);
        let batch = Batch::new(Images::Host(&self.images), &LABELS, step);
        let submitted = self.executor.submit(Work::LOSS, &batch);
        submitted.expect("a forward pass");
        let metrics = self.executor.finish_oldest().expect("a forward pass");
        metrics.expect("one is pending").loss()
    }
}

/// Two steps. Where a layer reads, writes and differentiates ranges of channels, it must do as with whole
/// tensors, to the bit.
#[test]
fn a_network_with_each_layer_trains_as_its_references_do() {
    for gpu in common::devices(LimitChoice::Native) {
        for (kind, config) in examples() {
            let model = network(kind, &config);
            let [in_place, copied] = [true, false].map(|concat_in_place| {
                let options = Options {
                    concat_in_place,
                    ..Options::new(gpu.profile.clone())
                };
                let mut trial = Trial::new(&gpu, &model, &options);
                let drawn = trial.read(Tensor::Values);
                for t in 1..=2 {
                    assert!(trial.step(t) > 20, "{kind}");
                }
                let trained = trial.read(Tensor::Values);
                for (name, (before, after)) in trial.names().iter().zip(drawn.iter().zip(&trained))
                {
                    assert!(before != after, "{kind}: {name} is as it was");
                }
                trained
            });
            assert!(in_place == copied, "{kind} on {}", gpu.info);
        }
    }
}

/// What a layer declares of its gradients: the loss falls along each tensor's gradient as fast as that is long.
#[test]
fn each_layers_gradients_are_those_of_the_loss() {
    const H: f32 = 1.0 / 256.0;
    let gpu = common::devices(LimitChoice::Native).swap_remove(0);
    for (kind, config) in examples() {
        let model = network(kind, &config);
        let mut trial = Trial::new(&gpu, &model, &Options::new(gpu.profile.clone()));
        let weights = trial.read(Tensor::Values);
        trial.step(1);
        // Adam's first moment is then a tenth of the gradient.
        let moments = trial.read(Tensor::Slot(0));
        for (index, own) in weights.iter().enumerate() {
            trial.write(index, own);
        }
        for (index, name) in trial.names().iter().enumerate() {
            if !trial.executor.plan.parameters[index].is_trained() {
                continue;
            }
            let (own, moments) = (&weights[index], &moments[index]);
            let norm = moments.iter().map(|m| m * m).sum::<f32>().sqrt();
            let [above, below] = [H, -H].map(|h| {
                let moved = own.iter().zip(moments).map(|(w, m)| w + h * m / norm);
                trial.write(index, &moved.collect::<Vec<f32>>());
                trial.loss()
            });
            trial.write(index, own);
            let (slope, length) = ((above - below) / (2.0 * H as f64), 10.0 * norm as f64);
            assert!(
                (slope - length).abs() <= 0.02 * length + 1e-4,
                "{kind}, {name}: the loss changes by {slope}, the gradient is {length} long"
            );
        }
    }
}

/// The second pool of that network lies behind the first in every concatenation, so it works at channel 4 of 8
/// of its image, of its output and of its output's gradient.
#[test]
fn an_average_pool_works_on_ranges_of_channels() {
    let (kind, config) = examples().swap_remove(0);
    assert_eq!(kind, "AveragePooling2D");
    let options = Options::new(Profile::webgpu(Class::Gpu));
    let wanted = Wanted::training(BATCH, [Source::Host; 2]);
    let plan = plan::plan(&network(kind, &config), &wanted, &options).expect("a plan");
    let step = plan.program(plan::TRAIN).expect("a step");
    let second = step.dispatches.iter().filter(|d| d.label == "second");
    let found = second.map(|d| {
        let word = |name| {
            let field = d.op.fields().iter().find(|field| field.name == name);
            field.expect("a field").word(&d.params)
        };
        let places = ["x_first", "x_channels", "y_first", "y_channels"].map(word);
        (d.op.name(), places)
    });
    let expected = [
        ("average_pool2d_forward", [4, 8, 4, 8]),
        ("average_pool2d_backward", [0, 4, 4, 8]),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}
