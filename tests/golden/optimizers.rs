//! The optimisers' references against five steps of Keras's.

use super::words;
use crate::common::Golden;
use fer_gpu::ops::params::Step;
use fer_gpu::ops::reference::{Expected, adam::adam, decay::decay_weights, rmsprop::rmsprop, sgd};
use fer_gpu::ops::update::Update;
use fer_gpu::ops::{adam, rmsprop, sgd as sgd_op};

/// The weights of optimizers.npz.
const ALL: Update = Update { count: 37 };

/// Follows an optimiser of the file: `step` gets the step's number, from 1, and gradient, metrics, weights and so many
/// slots. State passes through f32 here, as on the GPU.
fn follow(name: &str, slots: usize, step: impl Fn(u64, &[Vec<u32>]) -> Vec<Expected>) {
    let golden = &mut Golden::open("optimizers");
    let (initial, gradients) = (golden.f32("initial"), golden.f32("gradients"));
    let expected = golden.f32(&format!("{name}/w"));
    let count = initial.len();
    assert_eq!(count, ALL.count as usize);
    let mut state = vec![vec![0; count]; 1 + slots];
    state[0] = words(&initial);
    for t in 0..5 {
        let g = words(&gradients[t * count..(t + 1) * count]);
        let bindings = [vec![g, vec![0; 4]], state.clone()].concat();
        let found = step(t as u64 + 1, &bindings);
        for (i, golden) in expected[t * count..(t + 1) * count].iter().enumerate() {
            let value = found[0].values[i];
            let apart = (value - *golden as f64).abs();
            assert!(
                apart <= 2e-7,
                "{name}, step {t}, weight {i}: {value}, Keras {golden}"
            );
        }
        assert_eq!(found.len(), state.len(), "{name}");
        state = found.iter().map(stored).collect();
    }
}

fn stored(found: &Expected) -> Vec<u32> {
    found.values.iter().map(|&x| (x as f32).to_bits()).collect()
}

fn slices(bindings: &[Vec<u32>]) -> Vec<&[u32]> {
    bindings.iter().map(Vec::as_slice).collect()
}

#[test]
fn adam_agrees_with_keras() {
    follow("adam", 2, |t, bindings| {
        let step = Step::new(t as u32, 1, adam::scalars(0.01, t));
        adam(&ALL, &step, &slices(bindings))
    });
}

#[test]
fn adamw_agrees_with_keras() {
    follow("adamw", 2, |t, bindings| {
        let step = Step {
            decay: 0.01 * 0.004,
            ..Step::new(t as u32, 1, adam::scalars(0.01, t))
        };
        let mut bindings = bindings.to_vec();
        bindings[2] = stored(&decay_weights(&ALL, &step, &bindings[1], &bindings[2]));
        adam(&ALL, &step, &slices(&bindings))
    });
}

#[test]
fn sgd_agrees_with_keras() {
    let step = |t: u64, momentum, nesterov| {
        Step::new(t as u32, 1, sgd_op::scalars(0.05, momentum, nesterov))
    };
    follow("sgd", 0, |t, bindings| {
        sgd::sgd(&ALL, &step(t, 0.0, false), &slices(bindings))
    });
    for (name, nesterov) in [("sgd_momentum", false), ("sgd_nesterov", true)] {
        follow(name, 1, |t, bindings| {
            sgd::sgd_momentum(&ALL, &step(t, 0.9, nesterov), &slices(bindings))
        });
    }
}

#[test]
fn rmsprop_agrees_with_keras() {
    follow("rmsprop", 1, |t, bindings| {
        let step = Step::new(t as u32, 1, rmsprop::scalars(0.01, 0.9, 0.0, 1e-7));
        rmsprop(&ALL, &step, &slices(bindings))
    });
}
