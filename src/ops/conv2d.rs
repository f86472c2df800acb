//! conv2d: any kernel size and stride, 'same' and 'valid' padding, as Keras's `Conv2D`.
//!
//! Activations are channel ranges of NCHW buffers, kernels HWIO. Forward adds the bias and may
//! apply ReLU; backward input may stop the gradient where the ReLU before it was closed; the
//! weight gradient is summed in shares of the batch, then reduced in a fixed order.

mod cases;
mod pointwise;
mod subgroup;
mod variants;
mod weight_subgroup;

pub(super) use variants::PARAMS;

use super::params::params;
use super::{Binding, Case, Cost, Op, Phase, Step, UNUSED, Variant, out, read};
use crate::ops::reference::{Expected, conv2d as reference};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Keras's padding modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Output size ceil(input / stride); an odd element of padding goes to the end.
    Same,
    /// No padding.
    Valid,
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Padding::Same => "same",
            Padding::Valid => "valid",
        })
    }
}

/// (output size, padding before the first element) along one axis.
pub fn output_size(input: u32, kernel: u32, stride: u32, padding: Padding) -> (u32, u32) {
    match padding {
        Padding::Valid => ((input + 1).saturating_sub(kernel).div_ceil(stride), 0),
        Padding::Same => {
            let output = input.div_ceil(stride);
            let total = ((output - 1) * stride + kernel).saturating_sub(input);
            (output, total / 2)
        }
    }
}

params! {
    Conv2d {
        n: u32 as batch,
        h_in: u32,
        w_in: u32,
        c_in: u32,
        h_out: u32,
        w_out: u32,
        c_out: u32,
        kh: u32,
        kw: u32,
        stride_h: u32,
        stride_w: u32,
        pad_top: u32 as detail,
        pad_left: u32 as detail,
        /// Channels of the buffer of x or dx, and the first that this layer reads.
        x_channels: u32 as detail,
        x_first: u32 as place,
        /// The same of y or dy.
        y_channels: u32 as detail,
        y_first: u32 as place,
        /// The same of the ReLU mask.
        mask_channels: u32 as detail,
        mask_first: u32 as place,
        /// Forward: apply ReLU. Backward input: apply the mask.
        relu: u32,
        /// Weight gradient: shares of the batch.
        splits: u32,
        /// Weight gradient: rows of the output, those of all images one below the other, that a share adds up.
        share_rows: u32 as detail,
    }
}

impl Conv2d {
    /// A convolution of whole buffers.
    pub fn new(
        [n, h_in, w_in, c_in]: [u32; 4],
        c_out: u32,
        [kh, kw]: [u32; 2],
        [stride_h, stride_w]: [u32; 2],
        padding: Padding,
    ) -> Conv2d {
        let (h_out, pad_top) = output_size(h_in, kh, stride_h, padding);
        let (w_out, pad_left) = output_size(w_in, kw, stride_w, padding);
        Conv2d {
            n,
            h_in,
            w_in,
            c_in,
            h_out,
            w_out,
            c_out,
            kh,
            kw,
            stride_h,
            stride_w,
            pad_top,
            pad_left,
            x_channels: c_in,
            x_first: 0,
            y_channels: c_out,
            y_first: 0,
            mask_channels: c_in,
            mask_first: 0,
            relu: 0,
            splits: 1,
            share_rows: n * h_out,
        }
    }

    /// On ranges of channels of wider buffers, for cases.
    pub(super) fn in_wider_buffers(self) -> Conv2d {
        Conv2d {
            x_channels: self.c_in + 5,
            x_first: 3,
            y_channels: self.c_out + 7,
            y_first: 4,
            mask_channels: self.c_in + 2,
            mask_first: 1,
            ..self
        }
    }

    /// The weight gradient in shares of `images` images, or of fewer where that makes as many shares.
    pub fn shares_of_images(self, images: u32) -> Conv2d {
        let splits = self.n.div_ceil(images);
        Conv2d {
            splits,
            share_rows: self.n.div_ceil(splits) * self.h_out,
            ..self
        }
    }

    /// Images that have as many pixels as two of 12 by 12, at the least: shares of fewer are sums of few products, and
    /// to store and add up those costs more than to compute them.
    pub fn images_to_fill(&self) -> u32 {
        (2 * 12 * 12u32).div_ceil(self.h_out * self.w_out)
    }

    /// The weight gradient in shares of `rows` rows of the output, across images.
    pub fn shares_of_rows(self, rows: u32) -> Conv2d {
        Conv2d {
            splits: (self.n * self.h_out).div_ceil(rows),
            share_rows: rows,
            ..self
        }
    }

    /// The weight gradient in shares that make some `workgroups` tiles of 64 lines (ky, ci) by 16 channels.
    pub fn shares_for(self, workgroups: u32) -> Conv2d {
        let tiles = u64::from((self.kh * self.c_in).div_ceil(64) * self.c_out.div_ceil(16));
        let rows = u64::from(self.n * self.h_out);
        let shares = (u64::from(workgroups) / tiles).clamp(1, rows);
        let share = rows.div_ceil(shares) as u32;
        // Kernels of one pixel load whole vectors where shares and images hold them.
        let vectors = self.kh * self.kw == 1 && (self.h_out * self.w_out).is_multiple_of(4);
        let rows_of_vectors = if vectors {
            [1, 4, 2, 4][self.w_out as usize % 4]
        } else {
            1
        };
        self.shares_of_rows(share.next_multiple_of(rows_of_vectors))
    }

    /// Images of one share of the weight gradient, where shares are whole images.
    pub fn images_per_split(&self) -> u32 {
        self.n.div_ceil(self.splits)
    }

    /// Is each share of the weight gradient made of whole images?
    pub(super) fn shares_whole_images(&self) -> bool {
        self.share_rows == self.images_per_split() * self.h_out
    }

    /// Weights of the kernel.
    pub fn kernel_len(&self) -> usize {
        (self.kh * self.kw * self.c_in * self.c_out) as usize
    }

    /// Words of the partial gradients: kernel and bias for each share.
    pub fn partial_len(&self) -> usize {
        self.splits as usize * (self.kernel_len() + self.c_out as usize)
    }

    fn taps(&self) -> u64 {
        (self.kh * self.kw * self.c_in) as u64
    }
    pub(super) fn inputs(&self) -> u64 {
        self.n as u64 * self.c_in as u64 * (self.h_in * self.w_in) as u64
    }
    pub(super) fn outputs(&self) -> u64 {
        self.n as u64 * self.c_out as u64 * (self.h_out * self.w_out) as u64
    }
    pub(super) fn x_len(&self) -> usize {
        self.n as usize * self.x_channels as usize * (self.h_in * self.w_in) as usize
    }
    pub(super) fn y_len(&self) -> usize {
        self.n as usize * self.y_channels as usize * (self.h_out * self.w_out) as usize
    }
    pub(super) fn mask_len(&self) -> usize {
        let whole =
            self.n as usize * self.mask_channels as usize * (self.h_in * self.w_in) as usize;
        if self.relu != 0 { whole } else { UNUSED }
    }

    /// Multiplications and additions, and bytes of the given element counts.
    fn cost(&self, elements: u64) -> Cost {
        let flops = 2 * self.outputs() * self.taps();
        Cost {
            flops,
            bytes: 4 * (elements + self.kernel_len() as u64),
        }
    }
}

/// y = relu(conv(x, w) + b)
pub struct Forward;

impl Op for Forward {
    type Params = Conv2d;
    const NAME: &'static str = "conv2d_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), read("w"), read("bias"), out("y")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::FORWARD;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.x_len(), p.kernel_len(), p.c_out as usize, p.y_len()]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::conv2d_forward(
            p,
            bindings[0],
            bindings[1],
            bindings[2],
        )]
    }
    fn cost(p: &Conv2d) -> Cost {
        p.cost(p.inputs() + p.outputs())
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::forward()
    }
}

/// dx = the transposed convolution of dy with w, stopped by the ReLU before
pub struct BackwardInput;

impl Op for BackwardInput {
    type Params = Conv2d;
    const NAME: &'static str = "conv2d_backward_input";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), read("w"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::BACKWARD_INPUT;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.y_len(), p.kernel_len(), p.mask_len(), p.x_len()]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::conv2d_backward_input(
            p,
            bindings[0],
            bindings[1],
            bindings[2],
        )]
    }
    fn cost(p: &Conv2d) -> Cost {
        let mask = if p.relu != 0 { p.inputs() } else { 0 };
        p.cost(p.inputs() + p.outputs() + mask)
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::backward_input()
    }
}

/// Partial (dw, db) of each share of the batch
pub struct BackwardWeight;

impl Op for BackwardWeight {
    type Params = Conv2d;
    const NAME: &'static str = "conv2d_backward_weight";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("x"), read("dy"), out("partial")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::BACKWARD_WEIGHT;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.x_len(), p.y_len(), p.partial_len()]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::conv2d_backward_weight(
            p,
            bindings[0],
            bindings[1],
        )]
    }
    fn cost(p: &Conv2d) -> Cost {
        p.cost(p.inputs() + p.outputs() + p.partial_len() as u64)
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::backward_weight()
    }
}

/// (dw, db) = the sum of the shares, in order
pub struct ReduceWeight;

impl Op for ReduceWeight {
    type Params = Conv2d;
    const NAME: &'static str = "conv2d_reduce_weight";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("partial"), out("dw"), out("db")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::REDUCE_WEIGHT;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.partial_len(), p.kernel_len(), p.c_out as usize]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        reference::conv2d_reduce_weight(p, bindings[0])
    }
    fn cost(p: &Conv2d) -> Cost {
        let partial = p.partial_len() as u64;
        Cost {
            flops: partial,
            bytes: 4 * (partial + partial / p.splits as u64),
        }
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::reduce_weight()
    }
}
