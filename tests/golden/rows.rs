//! Ops behind the images against Keras: global pooling, dense layers, activations and the loss.

use super::{agree, cases, field, image, panels, words};
use crate::common::Golden;
use fer_gpu::ops::global_average_pool::GlobalAveragePool;
use fer_gpu::ops::matmul::{Matmul, MatmulWeight};
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::Expected;
use fer_gpu::ops::reference::elementwise::*;
use fer_gpu::ops::reference::global_average_pool::*;
use fer_gpu::ops::reference::matmul::*;
use fer_gpu::ops::reference::softmax::*;
use fer_gpu::ops::reference::sum_shares::sum_shares;
use fer_gpu::ops::relu::Planes;
use fer_gpu::ops::softmax::Softmax;
use fer_gpu::ops::softmax_cross_entropy::Loss;
use fer_gpu::ops::sum_shares::{Source, Sums};

#[test]
fn dense_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "dense") {
        let mut flat = |name: &str| golden.f32(&format!("{case}/{name}"));
        let [x, kernel, bias, y, dy] = ["x", "kernel", "bias", "y", "dy"].map(&mut flat);
        let [dx, dkernel, dbias] = ["dx", "dkernel", "dbias"].map(&mut flat);
        let name = &case["dense/".len()..];
        let p = Matmul::new(field(name, "n"), field(name, "i"), field(name, "o"));
        let w = words(&panels(&kernel, &p));
        agree(
            &case,
            &y,
            &matmul_forward(&p, &words(&x), &w, &words(&bias)),
        );
        let before = vec![0; dx.len()];
        agree(
            &case,
            &dx,
            &matmul_backward_input(&p, &words(&dy), &w, &[0; 4], &before),
        );
        let weight = MatmulWeight::new(&p);
        agree(
            &case,
            &panels(&dkernel, &p),
            &matmul_backward_weight(&weight, &words(&x), &words(&dy)),
        );
        agree(&case, &dbias, &matmul_backward_bias(&p, &words(&dy)));
        // The rows as shares, of which the first columns and the rest go to places of their own.
        let head = p.n / 3;
        let source = Source {
            shares: p.m,
            words: p.n,
            sums: p.n,
            head,
            head_at: p.n - head,
            tail_at: 0,
            lanes: 1,
        };
        let turned = [&dbias[head as usize..], &dbias[..head as usize]].concat();
        let sums = Sums::new(&[source], p.n);
        let dy = words(&dy);
        agree(&case, &turned, &sum_shares(&sums, &[&dy]));
    }
}

#[test]
fn global_average_pool_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "global_average_pool/n3_h6_w5_c7";
    let p = GlobalAveragePool {
        n: 3,
        c: 7,
        pixels: 30,
        masked: 0,
    };
    let [x, dx] = ["x", "dx"].map(|name| image(golden, &format!("{case}/{name}")));
    let [y, dy] = ["y", "dy"].map(|name| golden.f32(&format!("{case}/{name}")));
    agree(case, &y, &global_average_pool_forward(&p, &words(&x)));
    let found = global_average_pool_backward(&p, &words(&dy), &[0; 4]);
    agree(case, &dx, &found);
}

#[test]
fn relu_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "relu/n4_7";
    let p = Planes::whole(4, 7, 1);
    let [x, y, dx, dy] = ["x", "y", "dx", "dy"].map(|name| golden.f32(&format!("{case}/{name}")));
    agree(case, &y, &relu_forward(&p, &words(&x)));
    agree(case, &dx, &relu_backward(&p, &words(&dy), &words(&y)));
}

#[test]
fn softmax_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    for case in cases(golden, "softmax") {
        let [x, y, dx, dy] =
            ["x", "y", "dx", "dy"].map(|name| golden.f32(&format!("{case}/{name}")));
        let p = Softmax {
            rows: 9,
            classes: 7,
        };
        agree(&case, &y, &softmax_forward(&p, &words(&x)));
        // The reference takes y as the GPU stored it, rounded to f32.
        let found = softmax_backward(&p, &words(&y), &words(&dy));
        for (golden, value) in dx.iter().zip(found.values) {
            assert!(
                (value - *golden as f64).abs() <= 2e-7,
                "{case}: dx {value}, Keras {golden}"
            );
        }
    }
}

#[test]
fn softmax_cross_entropy_agrees_with_keras() {
    let golden = &mut Golden::open("ops");
    let case = "softmax_cross_entropy/n9_7";
    let x = golden.f32(&format!("{case}/x"));
    let labels: Vec<u32> = golden
        .u8(&format!("{case}/labels"))
        .into_iter()
        .map(u32::from)
        .collect();
    let (y, dx, dy) = (
        golden.f32(&format!("{case}/y")),
        golden.f32(&format!("{case}/dx")),
        golden.f32(&format!("{case}/dy")),
    );
    let p = Loss::of(9, 7);
    let step = Step::new(0, 9, [0.0; 4]);
    let x = words(&x);
    let bindings: [&[u32]; 5] = [&x, &labels, &[], &[], &[0; 4]];
    let found = softmax_cross_entropy(&p, &step, &bindings);
    let loss = found[1].values[0] / 9.0;
    assert!(
        (loss - y[0] as f64).abs() <= 1e-7 * loss,
        "loss {loss}, Keras {}",
        y[0]
    );
    // Golden gradients are of y * dy.
    let scaled: Vec<f64> = found[0].values.iter().map(|g| g * dy[0] as f64).collect();
    agree(case, &dx, &Expected::exact(scaled));
}
