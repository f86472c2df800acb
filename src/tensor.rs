//! Tensor shapes: the bottom room, known by every other and knowing none.
//!
//! Shapes at every boundary (files, API, printed tables) are Keras's: NHWC activations,
//! HWIO convolution kernels, (in, out) dense kernels.

use std::fmt;

/// The extent of a tensor along each axis, batch first for activations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<u32>);

impl Shape {
    pub fn new(dims: impl Into<Vec<u32>>) -> Shape {
        Shape(dims.into())
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.iter().map(|&d| d as usize).product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Extent of the last axis.
    ///
    /// # Panics
    /// If there is no axis.
    pub fn columns(&self) -> u32 {
        *self.0.last().expect("an axis")
    }

    /// (N, H, W, C) of an activation; a (N, F) activation counts as one pixel of F channels.
    pub fn nhwc(&self) -> [u32; 4] {
        match self.0[..] {
            [n, h, w, c] => [n, h, w, c],
            [n, f] => [n, 1, 1, f],
            _ => panic!("{self} is no activation"),
        }
    }

    /// Inputs and outputs that one unit sees, receptive field included: Keras's `compute_fans`
    /// for (kh, kw, in, out) and (in, out) kernels.
    pub fn fans(&self) -> (u64, u64) {
        let dims: Vec<u64> = self.0.iter().map(|&d| d as u64).collect();
        match dims[..] {
            [kh, kw, i, o] => (kh * kw * i, kh * kw * o),
            [i, o] => (i, o),
            _ => (dims.iter().product(), dims.iter().product()),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.0.iter().map(u32::to_string).collect();
        write!(f, "({})", dims.join(", "))
    }
}
