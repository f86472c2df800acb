//! An image that several convolutions of one pixel read: its gradient by one kernel, or by one of each and a sum.

use crate::common;
use crate::trial::{CLASSES, IMAGES, Trial, assert_close, options};
use fer_gpu::gpu::{Gpu, LimitChoice};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::network::{Builder, Model};
use fer_gpu::ops::conv2d::Padding::Same;

/// What reads the image beside kernels of one pixel.
#[derive(Debug)]
enum Reader {
    Pool,
    /// A kernel of one pixel with no whole vectors of filters.
    Odd,
    /// One that skips pixels.
    Strided,
}

/// A block with branches of so many filters; before it a ReLU, and one behind each branch but the second.
fn network(image: [u32; 3], filters: &[u32], readers: &[Reader]) -> Model {
    let mut b = Builder::new();
    let x = b.input("image", image);
    let trunk = b.conv2d("trunk", x, 7, Window::square(3, 1, Same), true);
    let one = Window::square(1, 1, Same);
    let mut pooled: Vec<TensorId> = Vec::new();
    for (at, &filters) in filters.iter().enumerate() {
        let branch = b.conv2d(&format!("branch_{at}"), trunk, filters, one, at != 1);
        pooled.push(b.global_average_pool(&format!("gap_{at}"), branch));
    }
    for (at, reader) in readers.iter().enumerate() {
        let name = format!("other_{at}");
        let other = match reader {
            Reader::Pool => b.max_pool2d(&name, trunk, Window::square(3, 1, Same)),
            Reader::Odd => b.conv2d(&name, trunk, 5, one, true),
            Reader::Strided => b.conv2d(&name, trunk, 4, Window::square(1, 2, Same), true),
        };
        pooled.push(b.global_average_pool(&format!("gap_other_{at}"), other));
    }
    let features = b.concat("features", &pooled);
    let logits = b.dense("output", features, CLASSES, false);
    b.model("products", logits)
}

fn trial<'g>(gpu: &'g Gpu, model: &Model, join_products: bool) -> Trial<'g> {
    let mut options = options(gpu);
    options.schedule.join_products = join_products;
    options.schedule.join_siblings = false;
    Trial::new(gpu, model, &options)
}

fn count(trial: &Trial, op: &str) -> usize {
    let all = trial.dispatches().iter();
    all.filter(|d| d.op.name() == op).count()
}

#[test]
fn joined_products_give_the_gradients_of_each_and_their_sum() {
    use Reader::{Odd, Pool, Strided};
    // Branches, other readers, and how many sums compute their terms.
    let list: [(&[u32], &[Reader], usize); 8] = [
        (&[4, 8], &[], 1),
        (&[8, 4, 12], &[Pool], 1),
        (&[4, 4, 4, 8], &[], 1),
        (&[4, 4], &[Odd], 1),
        (&[4, 4], &[Strided], 1),
        (&[4, 4], &[Pool, Odd], 0),
        (&[4], &[Pool], 1),
        (&[4], &[], 0),
    ];
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for image in IMAGES {
            for (filters, readers, sums) in list {
                let model = network(image, filters, readers);
                let [mut joined, mut apart] = [true, false].map(|join| trial(&gpu, &model, join));
                // Images of 35 pixels have no whole vectors.
                let whole = (image[0] * image[1]).is_multiple_of(4);
                let expected = if whole { sums } else { 0 };
                let what = format!("{filters:?} {readers:?} {image:?}");
                assert_eq!(count(&joined, "pointwise_backward_sum"), expected, "{what}");
                assert_eq!(count(&apart, "pointwise_backward_sum"), 0, "{what}");
                let [found, wanted] = [joined.checked(), apart.checked()];
                assert_eq!(found, wanted, "{what}: the forward pass is the same");
                for name in apart.names() {
                    let [found, wanted] = [&joined, &apart].map(|t| t.gradient(&name));
                    assert_close(&format!("{what} {name}"), &found, &wanted);
                }
            }
        }
    }
}

/// Frozen kernels lie in another buffer than those that learn.
#[test]
fn kernels_of_two_buffers_stay_apart() {
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        for (frozen, expected) in [("output/*", 1), ("branch_0/*", 0)] {
            let mut model = network(IMAGES[0], &[4, 8], &[Reader::Pool]);
            model.freeze(frozen).expect("a pattern");
            let mut joined = trial(&gpu, &model, true);
            assert_eq!(count(&joined, "pointwise_backward_sum"), expected);
            joined.checked();
        }
    }
}
