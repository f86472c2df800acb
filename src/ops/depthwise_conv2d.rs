//! depthwise_conv2d: a convolution of each channel with kernels of its own, any kernel size and stride, 'same'
//! and 'valid' padding, as Keras's `DepthwiseConv2D`.
//!
//! It shares conv2d's parameter block: c_out / c_in is Keras's depth multiplier, and a kernel (kh, kw, c_in,
//! multiplier) lies as one of (kh, kw, c_out). Forward adds the bias and may apply ReLU; backward input
//! may stop the gradient where the ReLU before it was closed; the weight gradient is summed in shares of
//! the batch, which conv2d's reduce adds up ([`reduce_block`]).

mod cases;
mod variants;

use super::conv2d::Conv2d;
use super::{Binding, Case, Cost, MAX_ITERATIONS, Op, Phase, Step, Variant, out, read};
use crate::ops::reference::{Expected, depthwise_conv2d as reference};

/// Outputs that a share of the weight gradient adds up at the least: fewer leave the lanes of a workgroup idle.
const SHARE: u32 = 1024;

/// Shares of the batch, of `images` images each or of what keeps a workgroup busy, and no invocation too long.
pub fn in_shares(p: Conv2d, images: u32) -> Conv2d {
    let pixels = p.h_out * p.w_out;
    let most = (MAX_ITERATIONS as u32 - 1) / pixels;
    let images = images.max(SHARE.div_ceil(pixels)).min(most).max(1);
    p.shares_of_images(images)
}

/// Weights of the kernel.
pub fn kernel_len(p: &Conv2d) -> usize {
    (p.kh * p.kw * p.c_out) as usize
}

/// Words of the partial gradients: kernel and bias for each share.
pub fn partial_len(p: &Conv2d) -> usize {
    p.splits as usize * (kernel_len(p) + p.c_out as usize)
}

/// The block by which [`super::conv2d::ReduceWeight`] adds up the shares: their kernels read one channel each.
pub fn reduce_block(p: &Conv2d) -> Conv2d {
    Conv2d { c_in: 1, ..*p }
}

/// Multiplications and additions, and bytes of the given element counts.
fn cost(p: &Conv2d, elements: u64) -> Cost {
    Cost {
        flops: 2 * p.outputs() * (p.kh * p.kw) as u64,
        bytes: 4 * (elements + kernel_len(p) as u64),
    }
}

/// y = relu(conv(x, w) + b), channel by channel
pub struct Forward;

impl Op for Forward {
    type Params = Conv2d;
    const NAME: &'static str = "depthwise_conv2d_forward";
    const BINDINGS: &'static [Binding] = &[read("x"), read("w"), read("bias"), out("y")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::FORWARD;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.x_len(), kernel_len(p), p.c_out as usize, p.y_len()]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [x, w, bias, ..] = bindings[..] else {
            unreachable!("four bindings");
        };
        vec![reference::depthwise_conv2d_forward(p, x, w, bias)]
    }
    fn cost(p: &Conv2d) -> Cost {
        cost(p, p.inputs() + p.outputs())
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::forward()
    }
}

/// dx = the transposed convolution of dy with w, channel by channel, stopped by the ReLU before
pub struct BackwardInput;

impl Op for BackwardInput {
    type Params = Conv2d;
    const NAME: &'static str = "depthwise_conv2d_backward_input";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("dy"), read("w"), read("relu_mask"), out("grad_x")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::BACKWARD_INPUT;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.y_len(), kernel_len(p), p.mask_len(), p.x_len()]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [dy, w, mask, ..] = bindings[..] else {
            unreachable!("four bindings");
        };
        vec![reference::depthwise_conv2d_backward_input(p, dy, w, mask)]
    }
    fn cost(p: &Conv2d) -> Cost {
        let mask = if p.relu != 0 { p.inputs() } else { 0 };
        cost(p, p.inputs() + p.outputs() + mask)
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::backward_input()
    }
}

/// Partial (dw, db) of each share of the batch
pub struct BackwardWeight;

impl Op for BackwardWeight {
    type Params = Conv2d;
    const NAME: &'static str = "depthwise_conv2d_backward_weight";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[read("x"), read("dy"), out("partial")];
    const VARIANTS: &'static [Variant<Conv2d>] = variants::BACKWARD_WEIGHT;

    fn lengths(p: &Conv2d) -> Vec<usize> {
        vec![p.x_len(), p.y_len(), partial_len(p)]
    }
    fn reference(p: &Conv2d, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let [x, dy] = [bindings[0], bindings[1]];
        vec![reference::depthwise_conv2d_backward_weight(p, x, dy)]
    }
    fn cost(p: &Conv2d) -> Cost {
        cost(p, p.inputs() + p.outputs() + partial_len(p) as u64)
    }
    fn cases() -> Vec<Case<Conv2d>> {
        cases::backward_weight()
    }
}
