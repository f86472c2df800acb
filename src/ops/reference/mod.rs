//! CPU references: plain loops in f64 under the same names as the kernels.
//!
//! A reference takes the words that the GPU had before a dispatch and returns what each
//! written binding must hold, element by element, with the tolerance that follows from the
//! arithmetic. Speed does not matter here, only that a reader can see it is right.

pub mod activation;
pub mod adam;
pub mod augment;
pub mod average_pool2d;
pub mod averages;
pub mod batch_norm;
pub mod conv2d;
pub mod decay;
pub mod depthwise_conv2d;
pub mod dropout;
pub mod elementwise;
pub mod gather;
pub mod global_average_pool;
pub mod global_max_pool;
pub mod local_response_norm;
pub mod matmul;
pub mod max_pool2d;
mod near;
pub mod non_finite;
pub mod norms;
pub mod pack;
pub mod pad2d;
pub mod peak_copy;
pub mod peak_fma;
pub mod pointwise_sum;
pub mod regularize;
pub mod rmsprop;
pub mod sgd;
pub mod softmax;
pub mod standardise;
pub mod sum_shares;

use rayon::prelude::*;

/// Largest relative error of one correctly rounded f32 operation: WGSL lets an
/// implementation round either way, so one unit in the last place, not half.
pub const EPSILON: f64 = 1.0 / (1u64 << 23) as f64;

/// What flushing of denormals can cost one operation.
pub const FLUSH: f64 = f32::MIN_POSITIVE as f64;

/// Marks an element that the kernel must leave as it was.
pub const UNTOUCHED: f64 = f64::from_bits(0x7FF8_0000_0000_0BAD);

/// How far a result may lie from the reference.
#[derive(Clone, Debug)]
pub enum Tolerance {
    /// The very value.
    Exact,
    /// A sum of products: the magnitude sum|a*b| of each element, which the serial chain of
    /// the kernel turns into a bound.
    Sum(Vec<f64>),
    /// A bound of its own for each element.
    Absolute(Vec<f64>),
    /// A polynomial c0 + c1 K + c2 K^2 + c3 K^3 for each element, where K is the kernel's chain and 2: for what is made
    /// of sums of what was made of sums.
    Chain(Vec<[f64; 4]>),
}

/// What one written binding must hold.
#[derive(Clone, Debug)]
pub struct Expected {
    pub values: Vec<f64>,
    pub tolerance: Tolerance,
}

impl Expected {
    pub fn exact(values: Vec<f64>) -> Expected {
        let tolerance = Tolerance::Exact;
        Expected { values, tolerance }
    }

    /// From (value, sum|a*b|) of each element.
    pub fn sum(pairs: Vec<(f64, f64)>) -> Expected {
        let (values, magnitudes) = pairs.into_par_iter().unzip();
        let tolerance = Tolerance::Sum(magnitudes);
        Expected { values, tolerance }
    }

    /// From (value, bound) of each element.
    pub fn absolute(pairs: Vec<(f64, f64)>) -> Expected {
        let (values, bounds) = pairs.into_par_iter().unzip();
        let tolerance = Tolerance::Absolute(bounds);
        Expected { values, tolerance }
    }

    /// From (value, polynomial of its bound) of each element.
    pub fn chain(pairs: Vec<(f64, [f64; 4])>) -> Expected {
        let (values, polynomials) = pairs.into_par_iter().unzip();
        let tolerance = Tolerance::Chain(polynomials);
        Expected { values, tolerance }
    }

    /// Largest difference allowed at element `i`, for a kernel whose longest serial chain of
    /// additions is `chain`: every partial sum passes at most `chain` roundings, the product
    /// one, the epilogue one (Higham, Accuracy and Stability, 2002, section 4.2).
    pub fn bound(&self, i: usize, chain: u64) -> f64 {
        match &self.tolerance {
            Tolerance::Exact => 0.0,
            Tolerance::Sum(magnitudes) => (chain as f64 + 2.0) * (EPSILON * magnitudes[i] + FLUSH),
            Tolerance::Absolute(bounds) => bounds[i] + FLUSH,
            Tolerance::Chain(polynomials) => {
                let k = chain as f64 + 2.0;
                polynomials[i].iter().rev().fold(0.0, |sum, c| sum * k + c) + FLUSH
            }
        }
    }
}

/// The words of a binding as f32.
pub fn floats(words: &[u32]) -> &[f32] {
    bytemuck::cast_slice(words)
}

/// A running sum of products with its magnitude.
#[derive(Clone, Copy, Default)]
pub struct Sum {
    pub value: f64,
    pub magnitude: f64,
}

impl Sum {
    pub fn of(value: f32) -> Sum {
        let value = value as f64;
        let magnitude = value.abs();
        Sum { value, magnitude }
    }

    pub fn add_product(&mut self, a: f32, b: f32) {
        let product = a as f64 * b as f64;
        self.value += product;
        self.magnitude += product.abs();
    }

    pub fn add(&mut self, a: f32) {
        self.value += a as f64;
        self.magnitude += (a as f64).abs();
    }

    /// max(0, sum) where `apply` is set. ReLU never enlarges an error.
    pub fn relu(self, apply: bool) -> (f64, f64) {
        let value = if apply && self.value < 0.0 {
            0.0
        } else {
            self.value
        };
        (value, self.magnitude)
    }

    /// The sum, or exactly zero where a ReLU behind it was closed.
    pub fn masked(self, open: bool) -> (f64, f64) {
        if open {
            (self.value, self.magnitude)
        } else {
            (0.0, 0.0)
        }
    }
}

/// A range of channels of an NCHW buffer.
#[derive(Clone, Copy)]
pub struct View {
    /// Channels of the whole buffer.
    pub channels: u32,
    /// First channel of the range.
    pub first: u32,
    /// Height * width.
    pub pixels: u32,
}

impl View {
    /// Index of pixel `p` of channel `c` of image `n`.
    pub fn at(self, n: u32, c: u32, p: u32) -> usize {
        ((n * self.channels + self.first + c) * self.pixels + p) as usize
    }

    pub fn len(self, n: u32) -> usize {
        n as usize * self.channels as usize * self.pixels as usize
    }

    /// `values` of the range, in (n, c, pixel) order, laid into a buffer that stays as it was elsewhere.
    pub fn embed<Bound: Copy + Default>(
        self,
        n: u32,
        c: u32,
        values: Vec<(f64, Bound)>,
    ) -> Vec<(f64, Bound)> {
        let mut whole = vec![(UNTOUCHED, Bound::default()); self.len(n)];
        let plane = (c * self.pixels) as usize;
        for image in 0..n {
            let start = self.at(image, 0, 0);
            let from = image as usize * plane;
            whole[start..start + plane].copy_from_slice(&values[from..from + plane]);
        }
        whole
    }
}
