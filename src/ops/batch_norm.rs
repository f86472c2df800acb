//! batch_norm: each channel brought to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and
//! Szegedy 2015; Keras `BatchNormalization`).
//!
//! Forward, in training: statistics of shares of each channel, their merge where there are several, and what is
//! done to each element. Backward: two sums of shares, their merge into the gradients of gamma and beta and four
//! coefficients a channel, and from those the gradient of each element. Where a channel is one share, one kernel does
//! all of a pass. With moving statistics, which are constants, the statistics fall away.

mod apply;
mod backward;
mod cases;
mod statistics;
mod whole;

pub use apply::Apply;
pub use backward::{BackwardInput, BackwardMerge, BackwardSums};
pub use statistics::{Merge, Statistics};
pub use whole::{Backward, Forward};

use super::params::params;
use super::{
    FEW, Family, SCALARS, STEP, Shader, VECTORS, Variant, anywhere, per_element, shader,
    takes_planes,
};

params! {
    /// Channels of images (n, c, pixels), or features of rows where pixels is 1.
    BatchNorm {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
        /// Pixels of the image that the features of a row were flattened from, whose order they keep in memory; the
        /// vectors of one number a feature have Keras's. 1 where they were not.
        flattened: u32,
        /// Elements of a channel that one share adds up: a multiple of 4 where pixels is.
        share: u32,
        /// How many shares; none where the statistics are constants and no sum is needed.
        shares: u32,
        /// Is there a gamma? Without one it is 1.
        scale: u32,
        /// Is there a beta? Without one it is 0.
        center: u32,
        /// Is ReLU applied to y?
        relu: u32,
        /// Backward: are the statistics constants, not the batch's?
        constant: u32,
        /// Backward: is the gradient stopped where `relu_mask` is not positive?
        masked: u32,
        x_channels: u32 as detail,
        x_first: u32 as place,
        /// Of y, and of dy.
        y_channels: u32 as detail,
        y_first: u32 as place,
        mask_channels: u32 as detail,
        mask_first: u32 as place,
        /// Of the gradient of x.
        grad_channels: u32 as detail,
        grad_first: u32 as place,
        /// What is added to the variance.
        epsilon: f32,
    }
}

/// What one invocation may add up: two passes over so many, and a third that uses the sums, stay below [`super::MAX_ITERATIONS`].
const LONGEST_SHARE: u32 = 16_384;
/// Shares below this size cost more in their merge than they gain.
const SHORTEST_SHARE: u32 = 1_024;
/// A channel of no more elements is one share: one kernel for all of a pass is worth more than shares.
const UNSHARED: u32 = 4_096;

impl BatchNorm {
    /// Whole buffers of `c` channels, in one share, with gamma and beta.
    pub fn new([n, c, pixels]: [u32; 3], epsilon: f32) -> BatchNorm {
        BatchNorm {
            n,
            c,
            pixels,
            flattened: 1,
            share: n * pixels,
            shares: 1,
            scale: 1,
            center: 1,
            x_channels: c,
            y_channels: c,
            grad_channels: c,
            epsilon,
            ..BatchNorm::default()
        }
    }

    /// The same in shares of about `elements` of a channel.
    pub fn split(self, elements: u32) -> BatchNorm {
        let all = self.n * self.pixels;
        let share = elements.clamp(SHORTEST_SHARE, LONGEST_SHARE) / 4 * 4;
        self.in_shares_of(if all <= UNSHARED { all } else { share.min(all) })
    }

    /// The same for GPUs: a channel that a wide workgroup is through with at once is one share, which needs no merge;
    /// others are cut as by [`BatchNorm::split`].
    pub fn split_wide(self, elements: u32) -> BatchNorm {
        match self.n * self.pixels {
            all if all <= LONGEST_SHARE => self.in_shares_of(all),
            _ => self.split(elements),
        }
    }

    fn in_shares_of(self, share: u32) -> BatchNorm {
        let shares = (self.n * self.pixels).div_ceil(share);
        BatchNorm {
            share,
            shares,
            ..self
        }
    }

    /// Does one kernel do all of a pass? Where a channel is one share, but for rows of features: their neighbours are
    /// channels, an invocation would walk down each alone, and elements have enough of their own.
    pub fn is_whole(&self) -> bool {
        self.shares == 1 && self.pixels > 1
    }

    fn elements(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.pixels as u64
    }
    /// Elements of all channels that it works on.
    pub(super) fn len_of_channels(&self) -> usize {
        self.len(self.c)
    }
    /// Elements of a buffer of that many channels.
    fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }
    fn parts(&self) -> usize {
        self.shares as usize * self.c as usize
    }
}

/// The parameter block of all of its kernels.
static PARAMS: Shader = shader!("batch_norm_params.wgsl");
static ORDER: Shader = shader!("batch_norm_order.wgsl");
static WALK: Shader = shader!("batch_norm_walk.wgsl");
static TREE: Shader = shader!("pair_tree.wgsl");
static SETTLED: Shader = shader!("batch_norm_settled.wgsl");
static MOMENTS: Shader = shader!("batch_norm_moments.wgsl");
static LINE: Shader = shader!("batch_norm_line.wgsl");
static GRADIENT_SUMS: Shader = shader!("batch_norm_gradient_sums.wgsl");
static RESULT: Shader = shader!("batch_norm_backward_result.wgsl");
static GRADIENT: Shader = shader!("batch_norm_backward_gradient.wgsl");

/// A kernel that sums up channels, by so many neighbours, with what it shares beside the walk.
macro_rules! walking {
    ($file:literal, $lanes:path $(, $shared:path)*) => {
        $crate::ops::shader!(
            $file $(, $shared)*, $lanes, $crate::ops::batch_norm::WALK, $crate::ops::batch_norm::ORDER,
            $crate::ops::batch_norm::TREE, $crate::ops::batch_norm::PARAMS, $crate::ops::STEP
        )
    };
}
use walking;

const WORKGROUP: u64 = super::ELEMENTWISE;
/// Lanes of a workgroup that has a long share.
const WIDE: u64 = 256;

/// An invocation for each share of each channel, or a workgroup; its elements one by one, or four by four.
const fn sums(
    [scalars, vectors]: [&'static Shader; 2],
    [entry, tree]: [&'static str; 2],
) -> [Variant<BatchNorm>; 6] {
    let naive = Variant {
        name: "naive",
        family: Family::Naive,
        suits: super::always,
        twin: None,
        shader: scalars,
        entry,
        constants: &[("WORKGROUP", WORKGROUP as f64)],
        workgroups: |p: &BatchNorm| per_element(p.parts() as u64),
        chain: |p: &BatchNorm| p.share as u64,
        supports: anywhere,
    };
    let four = Variant {
        name: "vectors",
        family: Family::Vectors,
        shader: vectors,
        constants: &[("WORKGROUP", FEW as f64)],
        workgroups: |p: &BatchNorm| (p.parts() as u64).div_ceil(FEW),
        chain: |p: &BatchNorm| p.share as u64 / 4 + 2,
        supports: |p: &BatchNorm, _| p.pixels.is_multiple_of(4),
        ..naive
    };
    let tree4 = Variant {
        name: "tree4",
        family: Family::Tree,
        entry: tree,
        constants: naive.constants,
        workgroups: |p: &BatchNorm| p.parts() as u64,
        chain: |p: &BatchNorm| (p.share as u64 / 4).div_ceil(WORKGROUP) + 2 + 6,
        ..four
    };
    let tree1 = Variant {
        name: "tree",
        // Neighbours of a row of features are channels, which neighbouring invocations take.
        suits: |p: &BatchNorm| p.pixels > 1,
        shader: scalars,
        chain: |p: &BatchNorm| (p.share as u64).div_ceil(WORKGROUP) + 6,
        supports: anywhere,
        ..tree4
    };
    let wide4 = Variant {
        name: "wide4",
        suits: |p: &BatchNorm| p.share > SHORTEST_SHARE,
        constants: &[("WORKGROUP", WIDE as f64)],
        chain: |p: &BatchNorm| (p.share as u64 / 4).div_ceil(WIDE) + 2 + 8,
        ..tree4
    };
    let wide1 = Variant {
        name: "wide",
        suits: |p: &BatchNorm| p.pixels > 1 && p.share > SHORTEST_SHARE,
        constants: &[("WORKGROUP", WIDE as f64)],
        chain: |p: &BatchNorm| (p.share as u64).div_ceil(WIDE) + 8,
        ..tree1
    };
    [naive, four, wide4, tree4, wide1, tree1]
}

/// An invocation for each channel, or a workgroup.
const fn merges(
    shader: &'static Shader,
    [entry, tree]: [&'static str; 2],
) -> [Variant<BatchNorm>; 2] {
    let naive = Variant {
        name: "naive",
        family: Family::Naive,
        suits: super::always,
        twin: None,
        shader,
        entry,
        constants: &[("WORKGROUP", WORKGROUP as f64)],
        workgroups: |p: &BatchNorm| per_element(p.c as u64),
        chain: |p: &BatchNorm| p.shares as u64,
        supports: anywhere,
    };
    let tree = Variant {
        name: "tree",
        family: Family::Tree,
        suits: |p: &BatchNorm| p.shares > 4,
        entry: tree,
        workgroups: |p: &BatchNorm| p.c as u64,
        chain: |p: &BatchNorm| (p.shares as u64).div_ceil(WORKGROUP) + 6,
        ..naive
    };
    [naive, tree]
}

/// An invocation for each element, or for four, or for a plane of a channel.
const fn elementwise(
    [scalars, vectors]: [&'static Shader; 2],
    [entry, planes]: [&'static str; 2],
) -> [Variant<BatchNorm>; 4] {
    let naive = Variant {
        name: "naive",
        family: Family::Naive,
        suits: super::always,
        twin: None,
        shader: scalars,
        entry,
        constants: &[("WORKGROUP", WORKGROUP as f64)],
        workgroups: |p: &BatchNorm| per_element(p.elements()),
        chain: super::no_chain,
        supports: anywhere,
    };
    let four = Variant {
        name: "vectors",
        family: Family::Vectors,
        shader: vectors,
        workgroups: |p: &BatchNorm| per_element(p.elements() / 4),
        supports: |p: &BatchNorm, _| p.pixels.is_multiple_of(4),
        ..naive
    };
    let planes1 = Variant {
        name: "planes",
        family: Family::Rows,
        // The features of a row are planes of one pixel.
        suits: |p: &BatchNorm| p.pixels > 1,
        entry: planes,
        constants: &[("WORKGROUP", FEW as f64)],
        workgroups: |p: &BatchNorm| (p.n as u64 * p.c as u64).div_ceil(FEW),
        supports: |p: &BatchNorm, profile| takes_planes(p.pixels, profile),
        ..naive
    };
    let planes4 = Variant {
        name: "planes4",
        shader: vectors,
        supports: |p: &BatchNorm, profile| {
            p.pixels.is_multiple_of(4) && takes_planes(p.pixels / 4, profile)
        },
        ..planes1
    };
    [naive, four, planes4, planes1]
}
