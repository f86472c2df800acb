//! The weight gradient for subgroups of 8. Every product of a step is written out for kernels of one pixel, tiles of
//! rows, whole small images and few input channels; pairs (ky, ci) are for what fills none of those. Shares are whole
//! images.

use super::Conv2d;
use super::variants::{
    PARAMS, WEIGHT_TILE, is_square, share, unit_stride, weight_registers, weight_tiles, whole_rows,
};
use crate::ops::{Family, MAX_ITERATIONS, ROW_TAPS, SPREAD, Shader, Variant, shader, written_out};
use crate::profile::Profile;

static BLOCK: Shader = shader!("conv2d_weight_subgroup_block.wgsl");
static POINTWISE: Shader = written_out!(
    "conv2d_weight_subgroup_pointwise.wgsl",
    BLOCK,
    SPREAD,
    PARAMS
);
static TILES: Shader = written_out!("conv2d_weight_subgroup_tiles.wgsl", BLOCK, SPREAD, PARAMS);
static IMAGES: Shader = written_out!("conv2d_weight_subgroup_images.wgsl", BLOCK, SPREAD, PARAMS);
static SINGLE: Shader = written_out!("conv2d_weight_subgroup_single.wgsl", BLOCK, SPREAD, PARAMS);
static ROWS: Shader = shader!("conv2d_weight_rows.wgsl", ROW_TAPS, PARAMS);
static PIXELS: Shader = shader!("conv2d_weight_subgroup.wgsl", WEIGHT_TILE, PARAMS);

/// Can a subgroup add up a share in so many iterations for an image?
fn runs(p: &Conv2d, profile: &Profile, iterations: u64) -> bool {
    let fits = p.images_per_split() as u64 * (1 + iterations) <= MAX_ITERATIONS;
    profile.has_subgroup(8) && p.shares_whole_images() && fits
}

/// Workgroups of INPUTS input channels by CHANNELS output channels.
fn blocks(p: &Conv2d, inputs: u32, channels: u32) -> u64 {
    p.splits as u64 * (p.c_in.div_ceil(inputs) * p.c_out.div_ceil(channels)) as u64
}

/// Input channels of a lane and output channels of a workgroup that kernels of one pixel come in.
const PRODUCTS: [[u32; 2]; 7] = [[8, 32], [8, 24], [7, 24], [8, 16], [4, 32], [4, 16], [4, 8]];

/// What a product costs in such tiles, about, in instructions for four pixels: of loads, broadcasts, and sums.
fn product_cost(p: &Conv2d, [inputs, channels]: [u32; 2]) -> u64 {
    let tile = 80 * (inputs + channels / 8) + 4 * channels + 6 * inputs * channels;
    blocks(p, 8 * inputs, channels) * tile as u64
}

/// Kernels of one pixel.
pub(super) const fn pointwise<const INPUTS: u32, const CHANNELS: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Subgroup,
        suits: |p| {
            let own = product_cost(p, [INPUTS, CHANNELS]);
            let best = PRODUCTS.iter().all(|&tile| own <= product_cost(p, tile));
            p.c_in > FEW && best
        },
        twin: None,
        shader: &POINTWISE,
        entry: "conv2d_backward_weight_subgroup_pointwise",
        constants: const { &[("INPUTS", INPUTS as f64), ("CHANNELS", CHANNELS as f64)] },
        workgroups: |p| blocks(p, 8 * INPUTS, CHANNELS),
        chain: share,
        supports: |p, profile| {
            let plane = p.h_in * p.w_in;
            let product = is_square::<1>(p) && unit_stride(p) && plane.is_multiple_of(4);
            product && runs(p, profile, plane as u64 / 4)
        },
    }
}

/// Columns of a strip of the tiles.
const STRIP: u32 = 12;

/// Larger kernels in tiles of 8 by 8 channels. They suit layers that fill most of them.
pub(super) const fn tiles<const TAPS: u32>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        suits: |p| {
            let padded = |channels: u32| channels.next_multiple_of(8);
            let whole = padded(p.c_in) * padded(p.c_out) * p.w_in.next_multiple_of(STRIP);
            5 * p.c_in * p.c_out * p.w_in >= 3 * whole
        },
        shader: &TILES,
        entry: "conv2d_backward_weight_subgroup_tiles",
        constants: const { &[("TAPS", TAPS as f64)] },
        workgroups: |p| blocks(p, 8, 8),
        supports: |p, profile| {
            let strips = p.w_out.div_ceil(STRIP) as u64;
            let fits = runs(p, profile, strips * (1 + TAPS + p.h_out) as u64);
            is_square::<TAPS>(p) && whole_rows::<TAPS>(p, profile) && fits
        },
        ..pointwise::<1, 8>(name)
    }
}

/// Images of SIDE by SIDE.
pub(super) const fn images<const TAPS: u32, const SIDE: u32, const CHANNELS: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        suits: crate::ops::always,
        shader: &IMAGES,
        entry: "conv2d_backward_weight_subgroup_images",
        constants: const {
            &[
                ("TAPS", TAPS as f64),
                ("SIDE", SIDE as f64),
                ("INPUTS", planes(SIDE) as f64),
                ("CHANNELS", CHANNELS as f64),
            ]
        },
        workgroups: |p| blocks(p, 8 * planes(SIDE), CHANNELS),
        supports: |p, profile| {
            let sides = [p.h_in, p.w_in, p.h_out, p.w_out] == [SIDE; 4];
            let middle = [p.pad_top, p.pad_left] == [TAPS / 2; 2];
            let ranges = [p.c_in, p.x_channels, p.x_first, p.y_channels, p.y_first];
            let vectors = ranges
                .iter()
                .all(|range| range.is_multiple_of(planes(SIDE)));
            let fits = is_square::<TAPS>(p) && unit_stride(p) && sides && middle;
            fits && vectors && runs(p, profile, 0)
        },
        ..pointwise::<1, 8>(name)
    }
}

/// Planes that make whole vectors.
const fn planes(side: u32) -> u32 {
    if side.is_multiple_of(2) { 1 } else { 4 }
}

/// The most input channels that are few.
const FEW: u32 = 3;

/// Few input channels.
pub(super) const fn few<const TAPS: u32, const STRIDE: u32>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        suits: |p| p.c_in <= FEW && 3 * p.w_out >= 2 * p.w_out.next_multiple_of(24),
        shader: &SINGLE,
        entry: "conv2d_backward_weight_subgroup_single",
        constants: const { &[("TAPS", TAPS as f64), ("STRIDE", STRIDE as f64)] },
        workgroups: |p| blocks(p, 1, 16),
        supports: |p, profile| {
            let strides = [p.stride_h, p.stride_w] == [STRIDE; 2] && p.pad_top < TAPS;
            let left = p.pad_left == (TAPS - STRIDE) / 2;
            let vectors = p.w_in.is_multiple_of(4) && p.w_out.is_multiple_of(4);
            let steps = 1 + p.w_out.div_ceil(24);
            let fits = runs(p, profile, p.h_out as u64 * steps as u64);
            is_square::<TAPS>(p) && strides && left && vectors && fits
        },
        ..pointwise::<1, 8>(name)
    }
}

/// Pairs (ky, ci) in rows that are loaded in vectors.
pub(super) const fn rows<const TAPS: u32>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        suits: crate::ops::always,
        shader: &ROWS,
        entry: "conv2d_backward_weight_rows",
        constants: const { &[("TAPS", TAPS as f64)] },
        workgroups: |p| {
            let blocks = p.c_out.div_ceil(10) * (p.kh * p.c_in).div_ceil(16);
            p.splits as u64 * blocks as u64
        },
        supports: |p, profile| {
            let iterations = p.h_out as u64 * (1 + p.w_out.div_ceil(8) as u64);
            whole_rows::<TAPS>(p, profile) && runs(p, profile, iterations)
        },
        ..pointwise::<1, 8>(name)
    }
}

/// Pairs (ky, ci) in a window that slides by pixels.
pub(super) const fn pixels<const TAPS: u32>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        family: Family::Subgroup,
        shader: &PIXELS,
        entry: "conv2d_backward_weight_subgroup",
        supports: |p, profile| weight_tiles::<TAPS>(p) && profile.has_subgroup(8),
        ..weight_registers::<TAPS>(name, const { &[("TAPS", TAPS as f64)] })
    }
}
