//! Between Keras's (in, out) rows and the panels that the matmul kernels read.

use super::{Expected, UNTOUCHED, floats};
use crate::ops::pack::PackParams;

/// The window's panels after the rows of `source` are laid in; all else stays.
pub fn pack(p: &PackParams, source: &[u32]) -> Expected {
    let source = floats(source);
    let mut values = vec![UNTOUCHED; p.window_len()];
    for row in 0..p.chunk_rows {
        for column in p.columns() {
            let value = source[(row * p.n + column) as usize];
            values[p.packed(p.first_row + row, column)] = value as f64;
        }
    }
    Expected::exact(values)
}

/// The rows of a chunk after the window's columns are written; all else stays.
pub fn unpack(p: &PackParams, window: &[u32]) -> Expected {
    let window = floats(window);
    let mut values = vec![UNTOUCHED; (p.chunk_rows * p.n) as usize];
    for row in 0..p.chunk_rows {
        for column in p.columns() {
            let value = window[p.packed(p.first_row + row, column)];
            values[(row * p.n + column) as usize] = value as f64;
        }
    }
    Expected::exact(values)
}
