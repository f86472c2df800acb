//! local_response_norm and its gradient: y = x s^-beta, s = k + rate (sum of squares around).
//!
//! Bounds follow WGSL's accuracy table: log2 2^-21 absolute near 1 and 3 units elsewhere, exp2(x) 3 + 2|x| units.
//! s is a sum of positive terms: its relative error is at most size + 3 units.

use super::{EPSILON, Expected, FLUSH, View, floats};
use crate::ops::local_response_norm::LocalResponseNorm;

const E: f64 = 1.01 * EPSILON;

/// x as (n, c, pixel) with its sums of squares.
struct Input<'a> {
    p: &'a LocalResponseNorm,
    x: &'a [f32],
}

impl Input<'_> {
    fn at(&self, n: u32, c: u32, pixel: u32) -> f64 {
        let view = View {
            channels: self.p.x_channels,
            first: self.p.x_first,
            pixels: self.p.pixels,
        };
        self.x[view.at(n, c, pixel)] as f64
    }

    /// The channels that channel `c` sees.
    fn seen(&self, c: u32) -> std::ops::Range<u32> {
        let first = c.saturating_sub((self.p.size - 1) / 2);
        first..(c + self.p.size / 2 + 1).min(self.p.c)
    }

    fn scale(&self, n: u32, c: u32, pixel: u32) -> f64 {
        let squares = self.seen(c).map(|j| self.at(n, j, pixel).powi(2));
        self.p.k as f64 + self.p.rate as f64 * squares.sum::<f64>()
    }

    /// s^-exponent, and its relative error.
    fn power(&self, s: f64, exponent: f64) -> (f64, f64) {
        let log = s.log2();
        let near_one = if (0.4..2.5).contains(&s) {
            (0.5f64).powi(21)
        } else {
            0.0
        };
        let of_s = (self.p.size as f64 + 3.0) * E;
        let of_log = of_s / std::f64::consts::LN_2 + near_one + 3.0 * E * log.abs();
        let product = exponent * log.abs();
        let of_product = exponent * of_log + E * product;
        let relative = std::f64::consts::LN_2 * of_product + (3.0 + 2.0 * product) * E;
        ((-exponent * log).exp2(), relative)
    }
}

fn y_view(p: &LocalResponseNorm) -> View {
    View {
        channels: p.y_channels,
        first: p.y_first,
        pixels: p.pixels,
    }
}

/// y = x s^-beta
pub fn local_response_norm_forward(p: &LocalResponseNorm, x: &[u32]) -> Expected {
    let input = Input { p, x: floats(x) };
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            for pixel in 0..p.pixels {
                let s = input.scale(n, c, pixel);
                let (power, error) = input.power(s, p.beta as f64);
                let y = input.at(n, c, pixel) * power;
                values.push((y, y.abs() * (error + E) + FLUSH));
            }
        }
    }
    Expected::absolute(y_view(p).embed(p.n, p.c, values))
}

/// `dx[c]` = `dy[c] s[c]`^-beta - 2 rate beta `x[c]` (sum of `dy[j] x[j] s[j]`^(-beta - 1) over the j that see c). A
/// term of the sum passes size additions and two products, then four more and the difference.
pub fn local_response_norm_backward(p: &LocalResponseNorm, x: &[u32], dy: &[u32]) -> Expected {
    let input = Input { p, x: floats(x) };
    let dy = floats(dy);
    let (rate, beta, size) = (p.rate as f64, p.beta as f64, p.size as f64);
    let mut values = Vec::new();
    for n in 0..p.n {
        for c in 0..p.c {
            for pixel in 0..p.pixels {
                let gradient = |j: u32| dy[y_view(p).at(n, j, pixel)] as f64;
                let power = |j: u32, exponent| input.power(input.scale(n, j, pixel), exponent);
                let (mut sum, mut sum_error) = (0.0, 0.0);
                for j in (0..p.c).filter(|&j| input.seen(j).contains(&c)) {
                    let (power, error) = power(j, beta + 1.0);
                    let term = gradient(j) * input.at(n, j, pixel) * power;
                    sum += term;
                    sum_error += term.abs() * (error + (size + 7.0) * E) + FLUSH * (power + 2.0);
                }
                let (power, error) = power(c, beta);
                let own = gradient(c) * power;
                let factor = 2.0 * rate * beta * input.at(n, c, pixel);
                let bound = own.abs() * (error + 2.0 * E)
                    + factor.abs() * sum_error
                    + FLUSH * (2.0 + sum.abs());
                values.push((own - factor * sum, bound));
            }
        }
    }
    Expected::absolute(values)
}
