//! Numbers with the distance that f32 arithmetic may keep from them: a formula written in these gives its own
//! bound.

use super::{EPSILON, FLUSH};

/// A number and how far an f32 kernel may be from it.
pub(super) type Near = (f64, f64);

pub(super) fn given(x: f32) -> Near {
    (x as f64, 0.0)
}

/// A product, rounded once.
pub(super) fn product(scalar: f64, (x, error): Near) -> Near {
    let (value, error) = (scalar * x, scalar.abs() * error);
    (value, error + EPSILON * (value.abs() + error) + FLUSH)
}

/// A sum, added up in any order: WGSL lets compilers choose, and Mesa's does. No partial sum is larger than the
/// terms' magnitudes together, grown by the roundings before it.
pub(super) fn sum<const N: usize>(terms: [Near; N]) -> Near {
    let additions = N as i32 - 1;
    let value = terms.iter().map(|(x, _)| x).sum();
    let errors: f64 = terms.iter().map(|(_, error)| error).sum();
    let magnitude: f64 = terms.iter().map(|(x, error)| x.abs() + error).sum();
    let grown = (1.0 + EPSILON).powi(additions) - 1.0;
    (value, errors + grown * magnitude + additions as f64 * FLUSH)
}

/// A product of two such numbers, rounded once.
pub(super) fn times((a, a_error): Near, (b, b_error): Near) -> Near {
    let value = a * b;
    let error = a.abs() * b_error + b.abs() * a_error + a_error * b_error;
    (value, error + EPSILON * (value.abs() + error) + FLUSH)
}
