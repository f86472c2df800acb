//! Layers that read the same and are alike but for their channels train as one: what they begin with, compute and learn
//! is what they would apart, and files find each of them.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, assert_learn_the_same, options};
use fer_gpu::gpu::{Gpu, LimitChoice, Tensor};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Activation, Add, BatchNormalization, Conv2D, Function};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;

/// What stands behind a convolution that reads the trunk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Behind {
    Nothing,
    Relu,
    Norm,
    NormRelu,
    /// In a concatenation at once.
    Concat,
    /// Normalized, behind a ReLU, in a concatenation.
    NormConcat,
}

/// A branch: filters and size of its first convolution, and what stands behind that.
type Branch = (u32, u32, Behind);

/// A block of such branches, all but those that end in the concatenation with a further convolution.
fn network(image: [u32; 3], branches: &[Branch]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let trunk = b.conv2d("trunk", x, 7, Window::square(3, 1, Same), true);
    let mut made = Vec::new();
    for (at, &(filters, size, behind)) in branches.iter().enumerate() {
        let name = format!("block/{at}");
        let window = Window::square(size, 1, Same);
        let layer = Conv2D {
            use_bias: matches!(behind, Behind::Nothing | Behind::Relu | Behind::Concat),
            ..Conv2D::new(filters, window)
        };
        let y = b.layer(&name, layer, &[trunk]).expect("an image");
        let y = follow(&mut b, &name, behind, y);
        made.push(match behind {
            Behind::Concat | Behind::NormConcat => y,
            _ => b.conv2d(
                &format!("{name}/last"),
                y,
                5,
                Window::square(3, 1, Same),
                true,
            ),
        });
    }
    made.push(b.max_pool2d("pool", trunk, Window::square(3, 1, Same)));
    let joined = b.concat("joined", &made);
    let features = b.global_average_pool("features", joined);
    let logits = b.dense("output", features, CLASSES, false);
    b.model("siblings", logits)
}

fn follow(b: &mut Builder, name: &str, behind: Behind, mut y: TensorId) -> TensorId {
    if matches!(behind, Behind::Norm | Behind::NormRelu | Behind::NormConcat) {
        let layer = BatchNormalization {
            momentum: 0.75,
            ..BatchNormalization::default()
        };
        y = b
            .layer(&format!("{name}/bn"), layer, &[y])
            .expect("an image");
    }
    if matches!(behind, Behind::Relu | Behind::NormRelu | Behind::NormConcat) {
        let layer = Activation(Function::Relu);
        y = b.layer(&format!("{name}/relu"), layer, &[y]).expect("any");
    }
    y
}

fn trial<'g>(gpu: &'g Gpu, model: &Model, join_siblings: bool) -> Trial<'g> {
    let mut options = options(gpu);
    options.schedule.join_siblings = join_siblings;
    Trial::new(gpu, model, &options)
}

/// The convolutions that are several layers'.
fn joins<'t>(trial: &'t Trial) -> Vec<&'t str> {
    let convolutions = trial
        .dispatches()
        .iter()
        .filter(|d| d.op.name() == "conv2d_forward");
    let labels = convolutions.map(|d| d.label.as_str());
    labels.filter(|label| label.contains('{')).collect()
}

/// Joined and apart begin with the same weights, make the same loss and learn the same.
fn assert_same(gpu: &Gpu, model: &Model, what: &str, joined: &[&str]) {
    let [mut one, mut several] = [true, false].map(|join| trial(gpu, model, join));
    assert_eq!(joins(&one), joined, "{what}");
    assert!(joins(&several).is_empty());
    assert_learn_the_same(&mut one, &mut several, what);
}

#[test]
fn siblings_learn_what_they_would_apart() {
    use Behind::{Concat, Norm, NormConcat, NormRelu, Nothing, Relu};
    let list: [(&[Branch], &[&str]); 11] = [
        (&[(4, 1, Relu), (8, 1, Relu)], &["block/{0,1}"]),
        (
            &[(4, 1, NormRelu), (3, 1, NormRelu), (8, 1, NormRelu)],
            &["block/{0,1,2}"],
        ),
        (&[(4, 1, Nothing), (5, 1, Nothing)], &["block/{0,1}"]),
        (&[(2, 3, Norm), (6, 3, Norm)], &["block/{0,1}"]),
        // Two kinds of siblings, one within the other.
        (
            &[
                (4, 1, Relu),
                (4, 1, NormRelu),
                (8, 1, Relu),
                (4, 1, NormRelu),
            ],
            &["block/{0,2}", "block/{1,3}"],
        ),
        // Those that lie in the concatenation stay there.
        (
            &[(4, 1, Concat), (4, 1, Relu), (8, 1, Relu), (4, 1, Concat)],
            &["block/{1,2}"],
        ),
        // Those that lie there behind a normalization leave the others only then.
        (
            &[(4, 1, NormConcat), (4, 1, NormRelu), (8, 1, NormRelu)],
            &["block/{0,1,2}"],
        ),
        (
            &[
                (3, 1, NormRelu),
                (4, 1, NormConcat),
                (5, 1, NormRelu),
                (4, 1, NormConcat),
            ],
            &["block/{0,2,1,3}"],
        ),
        (&[(4, 1, NormRelu), (8, 1, Norm)], &["block/{0,1}"]),
        // Not alike: size, and what is behind.
        (&[(4, 1, Relu), (4, 3, Relu)], &[]),
        (&[(4, 1, Relu), (4, 1, Nothing)], &[]),
    ];
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            for (branches, joined) in list {
                let what = format!("{branches:?} {image:?}");
                assert_same(&gpu, &network(image, branches), &what, joined);
            }
        }
    }
}

/// What one layer learns and the other does not, what two places share, and what nobody needs.
#[test]
fn layers_that_others_hold_stay_apart() {
    use Behind::Relu;
    let gpu = &common::devices(LimitChoice::Native)[0];
    let branches = [(4, 1, Relu), (8, 1, Relu), (4, 1, Relu)];
    let mut model = network(IMAGES[0], &branches);
    model.freeze("block/1/*").expect("a pattern");
    assert_joined(gpu, &model, &["block/{0,2}"]);
    model.freeze("block/0/*").expect("a pattern");
    assert_joined(gpu, &model, &["block/{0,1}"]);
    let mut b = Builder::new();
    let x = b.input("image", IMAGES[0]);
    let one = Window::square(1, 1, Same);
    let [p, q] = ["p", "q"].map(|name| b.conv2d(name, x, 4, one, true));
    let again = b.again("again", "p", &[x]).expect("shapes");
    let sum = b.layer("sum", Add, &[p, q, again]);
    let features = b.global_average_pool("features", sum.expect("one shape"));
    let logits = b.dense("output", features, CLASSES, false);
    // Nobody needs what stands beside it.
    b.conv2d("unread", x, 4, one, true);
    assert_joined(gpu, &b.model("shared", logits), &[]);
}

fn assert_joined(gpu: &Gpu, model: &Model, joined: &[&str]) {
    let mut one = trial(gpu, model, true);
    assert_eq!(joins(&one), joined);
    one.checked();
}

/// A tensor that lies beside another is written and read alone, with what the optimiser keeps for it.
#[test]
fn a_part_is_written_alone() {
    use Behind::NormRelu;
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let model = network(IMAGES[1], &[(4, 1, NormRelu), (3, 1, NormRelu)]);
        let mut trial = trial(&gpu, &model, true);
        trial.step();
        let before = trial.all_values();
        let slots = |trial: &Trial| -> Vec<Vec<f32>> {
            let names = ["block/0/kernel", "block/1/kernel", "block/1/bn/gamma"];
            names
                .iter()
                .map(|name| trial.read(name, Tensor::Slot(1)))
                .collect()
        };
        let kept = slots(&trial);
        for name in [
            "block/1/kernel",
            "block/0/bn/beta",
            "block/1/bn/moving_mean",
        ] {
            let values: Vec<f32> = (0..before[name].len()).map(|i| i as f32 - 3.5).collect();
            trial.write(name, &values);
            assert_eq!(trial.values(name), values, "{name}");
            trial.write(name, &before[name]);
        }
        assert_eq!(trial.all_values(), before);
        assert_eq!(slots(&trial), kept);
    }
}
