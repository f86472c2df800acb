//! Averages over steps: state = momentum * state + gain * shard_share * statistic; average += averaging * (w - average).

use super::near::{given, product, sum};
use super::{Expected, floats};
use crate::ops::moving_statistic::Moving;
use crate::ops::params::Step;
use crate::ops::update::Update;

pub fn moving_statistic(p: &Moving, step: &Step, bindings: &[&[u32]]) -> Expected {
    let [statistic, metrics, state] = bindings else {
        panic!("three bindings")
    };
    let frozen = floats(metrics)[2] != 0.0;
    let [momentum, gain] = [p.momentum, p.gain].map(f64::from);
    let one = |(&state, &new)| match frozen {
        true => given(state),
        false => {
            let mean = product(step.shard_share as f64, given(new));
            sum([product(momentum, given(state)), product(gain, mean)])
        }
    };
    let pairs = floats(state).iter().zip(floats(statistic));
    Expected::absolute(pairs.map(one).collect())
}

pub fn weight_average(_: &Update, step: &Step, bindings: &[&[u32]]) -> Expected {
    let [w, metrics, average] = bindings else {
        panic!("three bindings")
    };
    let frozen = floats(metrics)[2] != 0.0;
    let one = |(&average, &w): (&f32, &f32)| {
        let average = given(average);
        if frozen {
            return average;
        }
        let way = sum([given(w), product(-1.0, average)]);
        sum([average, product(step.averaging as f64, way)])
    };
    let pairs = floats(average).iter().zip(floats(w));
    Expected::absolute(pairs.map(one).collect())
}
