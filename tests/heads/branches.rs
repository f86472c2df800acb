//! Batch normalizations that end the branches of a concatenation train as one behind it: what they make and learn is what
//! they would apart.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, assert_learn_the_same, options};
use fer_gpu::gpu::{Gpu, LimitChoice};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Activation, BatchNormalization, Conv2D, Function};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;

/// How a branch ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Convolution,
    Norm,
    NormRelu,
    /// Normalized behind a ReLU, which rides in the convolution.
    ReluNorm,
    /// With another momentum.
    Slow,
    /// A pooled image, normalized.
    Pool,
    /// Normalized, and read by another layer too.
    Read,
    /// What is normalized is read by another layer.
    Shown,
}

/// Layers one behind the other, named after a branch.
struct Chain<'b> {
    b: &'b mut Builder,
    name: String,
    y: TensorId,
}

impl Chain<'_> {
    fn norm(&mut self, momentum: f64) -> &mut Self {
        let layer = BatchNormalization {
            momentum,
            ..BatchNormalization::default()
        };
        let made = self.b.layer(&format!("{}_bn", self.name), layer, &[self.y]);
        self.y = made.expect("an image");
        self
    }

    fn relu(&mut self) -> &mut Self {
        let layer = Activation(Function::Relu);
        let made = self
            .b
            .layer(&format!("{}_relu", self.name), layer, &[self.y]);
        self.y = made.expect("any");
        self
    }

    /// What another reader makes of it.
    fn read(&mut self) -> TensorId {
        let one = Window::square(1, 1, Same);
        self.b
            .conv2d(&format!("{}_reader", self.name), self.y, 2, one, true)
    }
}

/// Branches of 2 and more channels each, in one concatenation.
fn network(image: [u32; 3], ends: &[End]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let trunk = b.conv2d("trunk", x, 6, Window::square(3, 1, Same), true);
    let (mut made, mut beside) = (Vec::new(), Vec::new());
    for (at, &end) in ends.iter().enumerate() {
        let name = format!("block/{at}");
        let size = [3, 1][at % 2];
        let layer = Conv2D {
            use_bias: end == End::Convolution,
            ..Conv2D::new(2 + at as u32, Window::square(size, 1, Same))
        };
        let y = match end {
            End::Pool => b.max_pool2d(&name, trunk, Window::square(3, 1, Same)),
            _ => b.layer(&name, layer, &[trunk]).expect("an image"),
        };
        let mut chain = Chain { b: &mut b, name, y };
        match end {
            End::Convolution => &mut chain,
            End::Norm | End::Pool => chain.norm(0.75),
            End::NormRelu => chain.norm(0.75).relu(),
            End::ReluNorm => chain.relu().norm(0.75),
            End::Slow => chain.norm(0.9).relu(),
            End::Read => {
                let read = chain.norm(0.75).read();
                beside.push(read);
                chain.relu()
            }
            End::Shown => {
                beside.push(chain.read());
                chain.norm(0.75).relu()
            }
        };
        made.push(chain.y);
    }
    let joined = b.concat("joined", &made);
    let mut features = vec![b.global_average_pool("features", joined)];
    for (at, y) in beside.into_iter().enumerate() {
        features.push(b.global_average_pool(&format!("beside_{at}"), y));
    }
    let features = match features[..] {
        [one] => one,
        _ => b.concat("all", &features),
    };
    let logits = b.dense("output", features, CLASSES, false);
    b.model("branches", logits)
}

fn trial<'g>(gpu: &'g Gpu, model: &Model, [branches, siblings]: [bool; 2]) -> Trial<'g> {
    let mut options = options(gpu);
    options.schedule.join_branches = branches;
    options.schedule.join_siblings = siblings;
    Trial::new(gpu, model, &options)
}

/// The layers whose batch norms run in training, in the order of their gradients.
fn norms(trial: &Trial) -> Vec<String> {
    let dispatches = trial.dispatches().iter();
    let backward = ["batch_norm_backward", "batch_norm_backward_sums"];
    let norms = dispatches.filter(|d| backward.contains(&d.op.name()));
    norms.map(|d| d.label.clone()).collect()
}

#[test]
fn branches_learn_what_they_would_apart() {
    use End::{Convolution, Norm, NormRelu, Pool, Read, ReluNorm, Shown, Slow};
    let list: [(&[End], &[&str]); 10] = [
        (&[NormRelu, NormRelu], &["block/{0,1}_bn"]),
        (&[Norm, Norm, Norm], &["block/{0,1,2}_bn"]),
        (&[ReluNorm, ReluNorm], &["block/{0,1}_bn"]),
        // Some of the concatenation, at its begin and its end, and two groups in one.
        (&[NormRelu, NormRelu, Convolution], &["block/{0,1}_bn"]),
        (&[Convolution, NormRelu, NormRelu], &["block/{1,2}_bn"]),
        (
            &[NormRelu, NormRelu, Slow, Slow, Slow],
            &["block/{2,3,4}_bn", "block/{0,1}_bn"],
        ),
        // Not side by side, not alike.
        (
            &[NormRelu, Convolution, NormRelu],
            &["block/2_bn", "block/0_bn"],
        ),
        (&[NormRelu, Norm], &["block/1_bn", "block/0_bn"]),
        (&[Norm, Pool], &["block/{0,1}_bn"]),
        // What others look at stays where it is.
        (
            &[NormRelu, NormRelu, Read, Shown],
            &["block/{0,1}_bn", "block/3_bn", "block/2_bn"],
        ),
    ];
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            for (ends, joined) in list {
                let what = format!("{ends:?} {image:?}");
                let model = network(image, ends);
                let [mut one, mut several] =
                    [true, false].map(|join| trial(&gpu, &model, [join, false]));
                assert_eq!(norms(&one), joined, "{what}");
                let all = ends.iter().filter(|&&end| end != Convolution).count();
                assert_eq!(norms(&several).len(), all, "{what}");
                assert_learn_the_same(&mut one, &mut several, &what);
            }
        }
    }
}

/// A branch whose convolution is one with others', as an Inception block has it, stays beside those that are not.
#[test]
fn branches_and_siblings_are_joined_side_by_side() {
    use End::{Norm, NormRelu};
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let model = network(IMAGES[0], &[NormRelu, NormRelu, Norm, NormRelu, Norm]);
        let [mut one, mut several] = [true, false].map(|join| trial(&gpu, &model, [join; 2]));
        assert_eq!(norms(&several).len(), 5);
        assert_learn_the_same(&mut one, &mut several, "both");
    }
}

/// One that keeps what it has stands beside those that learn.
#[test]
fn frozen_branches_stay_apart() {
    let gpu = &common::devices(LimitChoice::Native)[0];
    let mut model = network(IMAGES[0], &[End::NormRelu; 3]);
    assert_eq!(model.freeze("block/0_bn/*").expect("a pattern"), 4);
    let mut trial = trial(gpu, &model, [true, false]);
    assert_eq!(norms(&trial), ["block/{1,2}_bn"]);
    trial.checked();
}

/// What a concatenation reads twice is no branch of one's own.
#[test]
fn a_branch_that_is_read_twice_stays_apart() {
    let gpu = &common::devices(LimitChoice::Native)[0];
    let mut b = Builder::new();
    let x = b.input("image", IMAGES[0]);
    let made = ["a", "b", "c"].map(|name| {
        let y = b.conv2d(name, x, 3, Window::square(3, 1, Same), false);
        let name = name.into();
        Chain { b: &mut b, name, y }.norm(0.75).relu().y
    });
    let [first, second, third] = made;
    let joined = b.concat("joined", &[first, first, second, third]);
    let features = b.global_average_pool("features", joined);
    let logits = b.dense("output", features, CLASSES, false);
    let model = b.model("twice", logits);
    let [mut one, mut several] = [true, false].map(|join| trial(gpu, &model, [join, false]));
    assert_eq!(norms(&one), ["{b,c}_bn", "a_bn"]);
    assert_learn_the_same(&mut one, &mut several, "twice");
}
