//! Convolutions for adapters with subgroups of 8 where loads are dear: kernels of one pixel, rows in vectors, and small
//! images as a whole, every product of a tile written out. Where nobody has tuned, the tile that wastes the fewest
//! channels and columns. Multiples of ten channels have tiles of their own, which drivers compile faster.

use super::Conv2d;
use super::variants::{PARAMS, unit_stride, whole_rows};
use crate::ops::{Family, LANE_QUADS, ROW_TAPS, Shader, Variant, always, shader, written_out};
use crate::profile::Profile;

static WALK: Shader = shader!("conv2d_walk.wgsl");
static BLOCK: Shader = shader!("conv2d_subgroup_block.wgsl");
static ROWS: Shader = shader!("conv2d_subgroup_rows.wgsl", WALK, ROW_TAPS, PARAMS);
static POINTWISE: Shader = written_out!(
    "conv2d_subgroup_pointwise.wgsl",
    LANE_QUADS,
    BLOCK,
    WALK,
    PARAMS
);
static TILES: Shader = written_out!("conv2d_subgroup_tiles.wgsl", BLOCK, WALK, PARAMS);
static IMAGES: Shader = written_out!("conv2d_subgroup_images.wgsl", BLOCK, WALK, PARAMS);

/// Lanes of a workgroup, each with a tile of its own.
const LANES: u64 = 8;

fn terms_forward(p: &Conv2d) -> u64 {
    p.taps() + 1
}

fn terms_backward(p: &Conv2d) -> u64 {
    (p.kh * p.kw * p.c_out) as u64
}

/// Is it a kernel of TAPS by TAPS at stride 1, whose output has the size of its input?
fn is_same<const TAPS: u32>(p: &Conv2d) -> bool {
    let square = p.kh == TAPS && p.kw == TAPS;
    let same = p.w_out == p.w_in && p.pad_left == TAPS / 2;
    square && same && unit_stride(p)
}

/// Do blocks of ten waste fewer channels than those of eight?
fn in_tens(channels: u32) -> bool {
    channels.next_multiple_of(10) < channels.next_multiple_of(8)
}

/// Can rows be loaded in tiles of 16 pixels, which waste no more of them than narrower ones?
fn are_rows<const TAPS: u32>(p: &Conv2d, profile: &Profile) -> bool {
    whole_rows::<TAPS>(p, profile) && 2 * p.w_in.div_ceil(16) == p.w_in.div_ceil(8)
}

/// Tiles of 2 rows by 16 pixels and ten channels whose rows are loaded in vectors: the forward pass.
pub(super) const fn forward_rows<const TAPS: u32>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Subgroup,
        suits: |p| in_tens(p.c_out),
        twin: None,
        shader: &ROWS,
        entry: "conv2d_forward_subgroup_rows",
        constants: const { &[("TAPS", TAPS as f64)] },
        workgroups: |p| tiles::<2, 16>(p.n, p.h_out, p.w_out) * p.c_out.div_ceil(10) as u64,
        chain: terms_forward,
        supports: are_rows::<TAPS>,
    }
}

/// The gradient of the input likewise.
pub(super) const fn backward_input_rows<const TAPS: u32>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        suits: |p| in_tens(p.c_in),
        entry: "conv2d_backward_input_subgroup_rows",
        workgroups: |p| tiles::<2, 16>(p.n, p.h_in, p.w_in) * p.c_in.div_ceil(10) as u64,
        chain: terms_backward,
        ..forward_rows::<TAPS>(name)
    }
}

/// Channels of a tile of a kernel of one pixel, for that many in the output.
fn pointwise_channels(channels: u32, depth: u32) -> u32 {
    if !depth.is_multiple_of(4) {
        return 16;
    }
    let blocks = channels.div_ceil(32);
    channels.div_ceil(blocks).next_multiple_of(8)
}

/// The forward pass of kernels of one pixel, CHANNELS channels in a tile, DEPTH of the input's at a time.
pub(super) const fn forward_pointwise<const CHANNELS: u32, const DEPTH: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Subgroup,
        suits: |p| pointwise_channels(p.c_out, p.c_in) == CHANNELS,
        twin: None,
        shader: &POINTWISE,
        entry: "conv2d_forward_subgroup_pointwise",
        constants: const {
            &[
                ("TAPS", 1.0),
                ("CHANNELS", CHANNELS as f64),
                ("DEPTH", DEPTH as f64),
            ]
        },
        workgroups: |p| pointwise_tiles(p) * p.c_out.div_ceil(CHANNELS) as u64,
        chain: terms_forward,
        supports: |p, profile| is_pointwise(p, profile) && p.c_in.is_multiple_of(DEPTH),
    }
}

/// The gradient of their input.
pub(super) const fn backward_input_pointwise<const CHANNELS: u32, const DEPTH: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        suits: |p| pointwise_channels(p.c_in, p.c_out) == CHANNELS,
        entry: "conv2d_backward_input_subgroup_pointwise",
        workgroups: |p| pointwise_tiles(p) * p.c_in.div_ceil(CHANNELS) as u64,
        chain: terms_backward,
        supports: |p, profile| is_pointwise(p, profile) && p.c_out.is_multiple_of(DEPTH),
        ..forward_pointwise::<CHANNELS, DEPTH>(name)
    }
}

fn is_pointwise(p: &Conv2d, profile: &Profile) -> bool {
    let whole = (p.h_in * p.w_in).is_multiple_of(4) && p.h_out == p.h_in;
    whole && is_same::<1>(p) && profile.has_subgroup(8)
}

/// Workgroups of eight times four quads of pixels.
fn pointwise_tiles(p: &Conv2d) -> u64 {
    (p.n as u64 * (p.h_in * p.w_in / 4) as u64).div_ceil(4 * LANES)
}

/// Columns of the tiles that suit kernels of TAPS by TAPS over that many columns, and whether they are all.
fn columns<const TAPS: u32>(width: u32) -> (u32, bool) {
    match width {
        ..=12 => (12, true),
        13..=24 if TAPS == 3 => (24, true),
        _ => (12, false),
    }
}

/// Channels of a tile from rows.
const TILE_CHANNELS: u32 = 8;

/// Tiles of ROWS by COLUMNS pixels, eight to a workgroup.
fn tiles<const ROWS: u32, const COLUMNS: u32>(n: u32, height: u32, width: u32) -> u64 {
    let tiles = n as u64 * height.div_ceil(ROWS) as u64 * width.div_ceil(COLUMNS) as u64;
    tiles.div_ceil(LANES)
}

/// The forward pass in tiles of two rows of COLUMNS pixels, WHOLE rows or parts of them.
pub(super) const fn forward_tiles<const TAPS: u32, const COLUMNS: u32, const WHOLE: bool>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Subgroup,
        suits: |p| columns::<TAPS>(p.w_out) == (COLUMNS, WHOLE),
        twin: None,
        shader: &TILES,
        entry: "conv2d_forward_subgroup_tiles",
        constants: const {
            &[
                ("TAPS", TAPS as f64),
                ("CHANNELS", TILE_CHANNELS as f64),
                ("STRIDE", 1.0),
                ("LEFT", (TAPS / 2) as f64),
                ("ROWS", 2.0),
                ("QUADS", (COLUMNS / 4) as f64),
                ("WHOLE", if WHOLE { 1.0 } else { 0.0 }),
            ]
        },
        workgroups: |p| {
            tiles::<2, COLUMNS>(p.n, p.h_out, p.w_out) * p.c_out.div_ceil(TILE_CHANNELS) as u64
        },
        chain: terms_forward,
        supports: |p, profile| {
            let fits = !WHOLE || p.w_in <= COLUMNS;
            fits && is_same::<TAPS>(p) && p.w_in.is_multiple_of(4) && profile.has_subgroup(8)
        },
    }
}

/// The gradient of the input likewise.
pub(super) const fn backward_input_tiles<const TAPS: u32, const COLUMNS: u32, const WHOLE: bool>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        suits: |p| columns::<TAPS>(p.w_in) == (COLUMNS, WHOLE),
        entry: "conv2d_backward_input_subgroup_tiles",
        workgroups: |p| {
            tiles::<2, COLUMNS>(p.n, p.h_in, p.w_in) * p.c_in.div_ceil(TILE_CHANNELS) as u64
        },
        chain: terms_backward,
        ..forward_tiles::<TAPS, COLUMNS, WHOLE>(name)
    }
}

/// The forward pass of kernels of 7 by 7 that take every other pixel of an even number of columns, as the first layer of
/// GoogLeNet does: a tile is 12 pixels of a row.
pub(super) const FORWARD_7X7_STRIDE_2: Variant<Conv2d> = Variant {
    name: "subgroup8_tiles7_stride2",
    family: Family::Subgroup,
    suits: always,
    twin: None,
    shader: &TILES,
    entry: "conv2d_forward_subgroup_tiles",
    constants: &[
        ("TAPS", 7.0),
        ("CHANNELS", TILE_CHANNELS as f64),
        ("STRIDE", 2.0),
        ("LEFT", 2.0),
        ("ROWS", 1.0),
        ("QUADS", 3.0),
        ("WHOLE", 0.0),
    ],
    workgroups: |p| tiles::<1, 12>(p.n, p.h_out, p.w_out) * p.c_out.div_ceil(TILE_CHANNELS) as u64,
    chain: terms_forward,
    supports: |p, profile| {
        let of_7 = [p.kh, p.kw] == [7, 7] && [p.stride_h, p.stride_w] == [2, 2];
        let columns = p.w_out.is_multiple_of(4) && p.w_in == 2 * p.w_out && p.pad_left == 2;
        of_7 && columns && profile.has_subgroup(8)
    },
};

/// Are these images of SIDE by SIDE pixels, before and behind a kernel of TAPS by TAPS?
fn are_images<const TAPS: u32, const SIDE: u32>(p: &Conv2d) -> bool {
    let same = is_same::<TAPS>(p) && p.pad_top == TAPS / 2;
    same && [p.h_in, p.w_in, p.h_out] == [SIDE; 3]
}

/// The forward pass over whole images of SIDE by SIDE pixels.
pub(super) const fn forward_images<const TAPS: u32, const SIDE: u32, const CHANNELS: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Subgroup,
        suits: always,
        twin: None,
        shader: &IMAGES,
        entry: "conv2d_forward_subgroup_images",
        constants: const {
            &[
                ("TAPS", TAPS as f64),
                ("CHANNELS", CHANNELS as f64),
                ("SIDE", SIDE as f64),
            ]
        },
        workgroups: |p| (p.n as u64).div_ceil(LANES) * p.c_out.div_ceil(CHANNELS) as u64,
        chain: terms_forward,
        supports: |p, profile| are_images::<TAPS, SIDE>(p) && profile.has_subgroup(8),
    }
}

/// The gradient of the input likewise.
pub(super) const fn backward_input_images<const TAPS: u32, const SIDE: u32, const CHANNELS: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        entry: "conv2d_backward_input_subgroup_images",
        workgroups: |p| (p.n as u64).div_ceil(LANES) * p.c_in.div_ceil(CHANNELS) as u64,
        chain: terms_backward,
        ..forward_images::<TAPS, SIDE, CHANNELS>(name)
    }
}
