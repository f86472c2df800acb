//! The functions of one element beside ReLU, and their gradients.
//!
//! The bounds follow WGSL's accuracy table: exp(x) 3 + 2|x| units, division 2.5 units, a unit for a sum, a product
//! and what rounding leaves of a constant. A pair is a value and how far a kernel may be from it.

use super::elementwise::{a, b, map};
use super::{EPSILON, Expected, FLUSH, floats};
use crate::ops::activation::{Activation, Curve, NEGATIVE_SLOPE};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

type Pair = (f64, f64);

/// y = f(x)
pub fn activation_forward(p: &Activation, x: &[u32]) -> Expected {
    let (x, planes, curve) = (floats(x), p.planes(), p.curve());
    Expected::absolute(map(&planes, |n, c, i| {
        value(curve, x[a(&planes).at(n, c, i)] as f64)
    }))
}

/// dx = dy f'(x), from y or x
pub fn activation_backward(p: &Activation, dy: &[u32], kept: &[u32]) -> Expected {
    let (dy, kept, planes, curve) = (floats(dy), floats(kept), p.planes(), p.curve());
    Expected::absolute(map(&planes, |n, c, i| {
        let dy = dy[a(&planes).at(n, c, i)] as f64;
        let (slope, error) = slope(curve, kept[b(&planes).at(n, c, i)] as f64);
        let rounded = match curve {
            Curve::Relu6 => 0.0,
            _ => EPSILON * (dy * slope).abs(),
        };
        (dy * slope, dy.abs() * error + rounded)
    }))
}

/// f(x)
pub fn value(curve: Curve, x: f64) -> Pair {
    if x.is_nan() {
        return (x, 0.0);
    }
    match curve {
        Curve::Relu6 => (x.clamp(0.0, 6.0), 0.0),
        Curve::LeakyRelu if x > 0.0 => (x, 0.0),
        Curve::LeakyRelu => {
            let y = NEGATIVE_SLOPE as f64 * x;
            (y, EPSILON * y.abs())
        }
        Curve::Elu if x > 0.0 => (x, 0.0),
        Curve::Elu => exp_m1(x),
        Curve::Sigmoid => sigmoid(x),
        Curve::Tanh => {
            // y = -m / (2 + m), dy / dm = -2 / (2 + m)^2
            let (m, error) = exp_m1(-2.0 * x.abs());
            let y = x.tanh();
            let from_m = error * 2.0 / (2.0 + m).powi(2);
            (y, from_m + 3.5 * EPSILON * y.abs())
        }
        Curve::Silu => times(x, sigmoid(x)),
        Curve::Gelu => times(x, normal(x)),
    }
}

/// f'(x), from y or x
pub fn slope(curve: Curve, v: f64) -> Pair {
    match curve {
        Curve::Relu6 => (f64::from(v > 0.0 && v < 6.0), 0.0),
        Curve::LeakyRelu if v > 0.0 => (1.0, 0.0),
        Curve::LeakyRelu => (NEGATIVE_SLOPE as f64, 0.0),
        Curve::Elu if v > 0.0 => (1.0, 0.0),
        Curve::Elu => (v + 1.0, EPSILON * (v + 1.0).abs()),
        Curve::Sigmoid => {
            let slope = v * (1.0 - v);
            (slope, 2.0 * EPSILON * slope.abs())
        }
        Curve::Tanh => {
            let slope = (1.0 - v) * (1.0 + v);
            (slope, 3.0 * EPSILON * slope.abs())
        }
        Curve::Silu => {
            let ((s, s_error), (far, far_error)) = (sigmoid(v), times(v, sigmoid(-v)));
            let inner = 1.0 + far;
            let inner_error = far_error + EPSILON * inner.abs();
            let slope = s * inner;
            let error = s_error * inner.abs() + s * inner_error + EPSILON * slope.abs();
            // Of huge numbers a factor that was flushed.
            (slope, error + FLUSH * v.abs())
        }
        Curve::Gelu => {
            let (below, below_error) = normal(v);
            // A constant, two products, the square's rounding, and exp's own.
            let square = 0.5 * v * v;
            let density = (-square).exp() / (2.0 * PI).sqrt();
            let density = if density == 0.0 { 0.0 } else { v * density };
            let relative = (3.0 + square + 3.0 + 2.0 * square) * EPSILON;
            let density_error = density.abs() * if density == 0.0 { 0.0 } else { relative };
            let slope = below + density;
            let error = below_error + density_error + EPSILON * slope.abs();
            (slope, error + FLUSH * v.abs())
        }
    }
}

/// x times what a kernel computed, which may have been flushed.
fn times(x: f64, (factor, error): Pair) -> Pair {
    let y = x * factor;
    (y, x.abs() * (error + FLUSH) + EPSILON * y.abs())
}

/// exp(x) - 1 for x <= 0. Where the kernel sums the series, sum k = 1 + x / k (sum k + 1) is off by
/// e_k = |x| / k (e_k+1 + 3 units) + 1 unit: 2.2 of sum 2, which is 0.78 at the least. With the last product that is
/// 3.8 units of the whole; the rest of the series, less than x^8 / 8!, is 2.1 at -1/2.
fn exp_m1(x: f64) -> Pair {
    let y = x.exp_m1();
    let error = match x < -0.5 {
        true => exp_error(x) * x.exp() + EPSILON * y.abs(),
        false => 6.0 * EPSILON * y.abs(),
    };
    (y, error)
}

/// Relative error of exp(x).
fn exp_error(x: f64) -> f64 {
    (3.0 + 2.0 * x.abs()) * EPSILON
}

/// With e = exp(-|x|), 1 / (1 + e) or e / (1 + e): both change by s (1 - s) of e's relative error.
fn sigmoid(x: f64) -> Pair {
    let e = (-x.abs()).exp();
    let s = if x < 0.0 { e } else { 1.0 } / (1.0 + e);
    let from_e = e / (1.0 + e).powi(2) * if e == 0.0 { 0.0 } else { exp_error(x) };
    (s, from_e + 3.5 * EPSILON * s)
}

/// erfc's coefficients in the kernel, from the constant on, by their size.
const COEFFICIENTS: [f64; 10] = [
    1.26551223, 1.00002368, 0.37409196, 0.09678418, 0.18628806, 0.27886807, 1.13520398, 1.48851587,
    0.82215223, 0.17087277,
];

/// erfc(z), z = |x| / sqrt 2, with its relative error: t exp(p(t) - z z), t = 1 / (1 + z / 2), which is off by less
/// than 1.2e-7 (Press et al., Numerical Recipes, section 6.2).
fn erfc(z: f64) -> Pair {
    let y = libm::erfc(z);
    if z >= 20.0 {
        return (y, 0.0);
    }
    let t = 1.0 / (1.0 + 0.5 * z);
    // Coefficient k passes k products and k + 1 sums, and is rounded itself; t is off by 3.5 units.
    let of = |(k, size): (usize, &f64)| {
        (2.0 * k as f64 + 2.0 + 3.5 * k as f64) * size * t.powi(k as i32)
    };
    let polynomial: f64 = COEFFICIENTS.iter().enumerate().map(of).sum();
    let exponent = (y / t).ln().abs();
    let arguments = polynomial + z * z + exponent;
    // z itself is off by 1.5 units of its size.
    let steep = 2.0 / PI.sqrt() * (-z * z).exp() / y;
    let units = arguments + 3.0 + 2.0 * exponent + 4.5 + 1.5 * z * steep;
    (y, 1.2e-7 + units * EPSILON)
}

/// The share of a normal distribution below x.
fn normal(x: f64) -> Pair {
    let (y, relative) = erfc(x.abs() * FRAC_1_SQRT_2);
    let (behind, error) = (0.5 * y, 0.5 * y * relative);
    match x < 0.0 {
        true => (behind, error),
        false => (1.0 - behind, error + EPSILON),
    }
}
