//! The references against finite differences of each other.

use super::{panels, stored, words};
use fer_gpu::ops::conv2d::{Conv2d, Padding};
use fer_gpu::ops::global_average_pool::GlobalAveragePool;
use fer_gpu::ops::global_max_pool::GlobalMaxPool;
use fer_gpu::ops::matmul::{Matmul, MatmulWeight};
use fer_gpu::ops::max_pool2d::MaxPool2d;
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::Expected;
use fer_gpu::ops::reference::average_pool2d::*;
use fer_gpu::ops::reference::conv2d::*;
use fer_gpu::ops::reference::global_average_pool::*;
use fer_gpu::ops::reference::global_max_pool::*;
use fer_gpu::ops::reference::matmul::*;
use fer_gpu::ops::reference::max_pool2d::*;
use fer_gpu::ops::reference::softmax::*;
use fer_gpu::ops::softmax::Softmax;
use fer_gpu::ops::softmax_cross_entropy::Loss;

/// d/dx sum(f(x) * dy), by central differences; linear functions give it exactly.
pub fn differences(x: &[f32], dy: &[f32], f: impl Fn(&[u32]) -> Expected) -> Vec<f64> {
    const H: f32 = 1.0 / 1024.0;
    let loss = |x: &[f32]| {
        f(&words(x))
            .values
            .iter()
            .zip(dy)
            .map(|(y, &d)| y * d as f64)
            .sum::<f64>()
    };
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let own = x[i];
            x[i] = own + H;
            let (above, up) = (loss(&x), x[i]);
            x[i] = own - H;
            let (below, down) = (loss(&x), x[i]);
            x[i] = own;
            (above - below) / (up as f64 - down as f64)
        })
        .collect()
}

pub fn random(stream: u64, len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (2.0 * fer_gpu::random::unit(stream, i as u64) - 1.0) as f32)
        .collect()
}

pub fn close(what: &str, gradient: &Expected, numeric: &[f64], tolerance: f64) {
    assert_eq!(gradient.values.len(), numeric.len(), "{what}: length");
    for (i, (a, b)) in gradient.values.iter().zip(numeric).enumerate() {
        assert!(
            (a - b).abs() <= tolerance,
            "{what}[{i}]: {a}, by differences {b}"
        );
    }
}

#[test]
fn the_gradients_of_conv2d_agree() {
    let none = [0; 4];
    for (size, stride, pad) in [
        ([3, 3], [1, 1], Padding::Same),
        ([2, 3], [2, 1], Padding::Same),
        ([3, 2], [2, 2], Padding::Valid),
    ] {
        let p = Conv2d::new([2, 5, 6, 2], 3, size, stride, pad);
        let outputs = (p.n * p.c_out * p.h_out * p.w_out) as usize;
        let (x, w, b, dy) = (
            random(1, 120),
            random(2, p.kernel_len()),
            random(3, 3),
            random(4, outputs),
        );
        let (xs, ws, bs, dys) = (words(&x), words(&w), words(&b), words(&dy));
        let dx = differences(&x, &dy, |x| conv2d_forward(&p, x, &ws, &bs));
        let found = conv2d_backward_input(&p, &dys, &ws, &none);
        close("conv2d dx", &found, &dx, 1e-9);
        let dw = differences(&w, &dy, |w| conv2d_forward(&p, &xs, w, &bs));
        let db = differences(&b, &dy, |b| conv2d_forward(&p, &xs, &ws, b));
        let found = Expected::exact(conv2d_backward_weight(&p, &xs, &dys).values);
        close("conv2d dw, db", &found, &[dw, db].concat(), 1e-9);
    }
}

#[test]
fn the_gradients_of_pools_agree() {
    let p = MaxPool2d::new([1, 6, 5, 2], [3, 3], [1, 1], Padding::Same);
    let (x, dy) = (random(5, 60), random(6, 60));
    let found = max_pool2d_backward(&p, &words(&x), &words(&dy), &[]);
    let dx = differences(&x, &dy, |x| max_pool2d_forward(&p, x));
    close("max_pool2d dx", &found, &dx, 1e-9);

    for (size, stride, pad) in [
        ([3, 3], [1, 1], Padding::Same),
        ([2, 3], [2, 1], Padding::Same),
        ([3, 2], [2, 3], Padding::Valid),
    ] {
        let p = MaxPool2d::new([2, 5, 6, 2], size, stride, pad);
        let outputs = (p.n * p.c * p.h_out * p.w_out) as usize;
        let (x, dy) = (random(15, 120), random(16, outputs));
        let found = average_pool2d_backward(&p, &words(&dy), &[]);
        let dx = differences(&x, &dy, |x| average_pool2d_forward(&p, x));
        close("average_pool2d dx", &found, &dx, 1e-9);
    }

    let p = GlobalAveragePool {
        n: 2,
        c: 3,
        pixels: 12,
        masked: 0,
    };
    let (x, dy) = (random(11, 72), random(12, 6));
    let found = global_average_pool_backward(&p, &words(&dy), &[0; 4]);
    let dx = differences(&x, &dy, |x| global_average_pool_forward(&p, x));
    close("global_average_pool dx", &found, &dx, 1e-9);
}

#[test]
fn the_gradients_of_dense_layers_agree() {
    let p = Matmul::new(3, 5, 7);
    let (x, w, b, dy) = (
        random(7, 15),
        panels(&random(8, 35), &p),
        random(9, 7),
        random(10, 21),
    );
    let (xs, ws, bs, dys) = (words(&x), words(&w), words(&b), words(&dy));
    let found = matmul_backward_input(&p, &dys, &ws, &[0; 4], &[0; 15]);
    let dx = differences(&x, &dy, |x| matmul_forward(&p, x, &ws, &bs));
    close("dense dx", &found, &dx, 1e-9);
    let found = matmul_backward_weight(&MatmulWeight::new(&p), &xs, &dys);
    let dw = differences(&w, &dy, |w| matmul_forward(&p, &xs, w, &bs));
    close("dense dw", &found, &dw, 1e-9);
}

#[test]
fn the_gradients_of_softmax_and_the_loss_agree() {
    let p = Softmax {
        rows: 3,
        classes: 5,
    };
    let head = Loss {
        weight: 0.3,
        ..Loss::of(3, 5)
    };
    let (x, dy) = (random(13, 15), random(14, 15));
    let y = stored(&softmax_forward(&p, &words(&x)));
    let found = softmax_backward(&p, &y, &words(&dy));
    let dx = differences(&x, &dy, |x| softmax_forward(&p, x));
    close("softmax dx", &found, &dx, 1e-6);
    let (labels, step) = ([4, 0, 2], Step::new(0, 2, [0.0; 4]));
    let both = |x: &[u32]| {
        let bindings: [&[u32]; 5] = [x, &labels, &[], &[], &[0; 4]];
        softmax_cross_entropy(&head, &step, &bindings)
    };
    let loss = |x: &[u32]| {
        let metrics = both(x).remove(1);
        // The gradient is that of the head's share in the whole loss.
        Expected::exact(vec![head.weight as f64 * metrics.values[0] / 2.0])
    };
    let found = both(&words(&x)).remove(0);
    let dx = differences(&x, &[1.0], loss);
    close("cross-entropy dx", &found, &dx, 1e-6);
}

/// A plane's largest element moves y as far as it moves, and no other does.
#[test]
fn global_max_pool_differentiates() {
    let p = GlobalMaxPool::new([2, 3, 7]);
    let x: Vec<f32> = (0..42).map(|i| (i * 17 % 29) as f32).collect();
    let forward = |x: &[f32]| global_max_pool_forward(&p, &words(x));
    let winners = stored(&forward(&x)[1]);
    let dy: Vec<f32> = (1..=6).map(|i| i as f32).collect();
    let dx = global_max_pool_backward(&p, &[&words(&dy), &winners, &[0; 4]]);
    let dot = |x: &[f32]| -> f64 {
        let y = &forward(x)[0].values;
        y.iter().zip(&dy).map(|(y, &dy)| y * dy as f64).sum()
    };
    for i in 0..x.len() {
        let moved = |h: f32| {
            let mut x = x.clone();
            x[i] += h;
            dot(&x)
        };
        assert_eq!(moved(0.25) - moved(-0.25), 0.5 * dx.values[i], "{i}");
    }
}
