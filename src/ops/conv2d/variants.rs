//! The implementations of the convolution kernels, the readable one first.

use super::{Conv2d, pointwise, subgroup, weight_subgroup};
use crate::ops::{
    ELEMENTWISE, Family, MAX_ITERATIONS, SCALARS, Shader, VECTORS, Variant, anywhere, per_element,
    shader,
};
use crate::profile::{Class, Profile};

/// The parameter block of every convolution.
pub static PARAMS: Shader = shader!("conv2d_params.wgsl");
static NAIVE: Shader = shader!("conv2d.wgsl", PARAMS);
static TILE: Shader = shader!("conv2d_tile.wgsl");
static REGISTERS: Shader = shader!("conv2d_registers.wgsl", TILE, PARAMS);
static SUBGROUP: Shader = shader!("conv2d_subgroup.wgsl", TILE, PARAMS);
static NAIVE_WEIGHT: Shader = shader!("conv2d_weight.wgsl", PARAMS);
pub(super) static WEIGHT_TILE: Shader = shader!("conv2d_weight_tile.wgsl");
static WEIGHT_REGISTERS: Shader = shader!("conv2d_weight_registers.wgsl", WEIGHT_TILE, PARAMS);
static SHARED: Shader = shader!("conv2d_shared.wgsl", PARAMS);
static SHARED_ROWS_WEIGHT: Shader = shader!("conv2d_weight_shared_rows.wgsl", PARAMS);
static ROWS_SCALARS: Shader = shader!("conv2d_shared_rows_scalars.wgsl");
static ROWS_VECTORS: Shader = shader!("conv2d_shared_rows_vectors.wgsl");
static SHARED_ROWS: Shader = shader!("conv2d_shared_rows.wgsl", ROWS_SCALARS, PARAMS);
static SHARED_ROWS4: Shader = shader!("conv2d_shared_rows.wgsl", ROWS_VECTORS, PARAMS);
static SHARED_WEIGHT: Shader = shader!("conv2d_weight_shared.wgsl", PARAMS);
static REDUCE: Shader = shader!("conv2d_reduce.wgsl", SCALARS, PARAMS);
static REDUCE4: Shader = shader!("conv2d_reduce.wgsl", VECTORS, PARAMS);

const WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", ELEMENTWISE as f64)];

/// The register tiles slide over the input a pixel at a time, and turn the kernel around.
pub(super) fn unit_stride(p: &Conv2d) -> bool {
    p.stride_h == 1 && p.stride_w == 1 && p.pad_top < p.kh && p.pad_left < p.kw
}

/// Tiles of 8 pixels by 2 rows.
fn tiles(n: u32, height: u32, width: u32) -> u64 {
    n as u64 * height.div_ceil(2) as u64 * width.div_ceil(8) as u64
}

/// Can rows be loaded in vectors for a kernel of TAPS columns? Its middle column must lie over the output's.
pub(super) fn whole_rows<const TAPS: u32>(p: &Conv2d, profile: &Profile) -> bool {
    let same =
        p.kw == TAPS && p.pad_left == TAPS / 2 && p.w_out == p.w_in && p.w_in.is_multiple_of(4);
    same && unit_stride(p) && profile.has_subgroup(8)
}

/// Workgroups of convolutions from rows that are some waves of a large card.
const WAVES: u64 = 400;

/// Channels of a workgroup that suit a layer best: as few as possible are wasted; and of kernels of 3 by 3, where there
/// is work for many workgroups, a workgroup has more of it.
fn width<const TAPS: u32>(p: &Conv2d, size: [u32; 2], channels: u32) -> u32 {
    let [of_8, of_10, of_16] = [8, 10, 16].map(|width| channels.next_multiple_of(width));
    if of_10 < of_8 {
        10
    } else if TAPS == 3 && of_16 == of_8 && row_blocks::<3, 16>(p, size, channels) >= WAVES {
        16
    } else {
        8
    }
}

/// Is it a kernel of TAPS by TAPS?
pub(super) fn is_square<const TAPS: u32>(p: &Conv2d) -> bool {
    p.kh == TAPS && p.kw == TAPS
}

/// Can kernels from rows in workgroup memory sum that many terms? Staging included they count at most four iterations
/// for a term; GPUs have no limit.
fn staged_terms(terms: u64, profile: &Profile) -> bool {
    profile.class == Class::Gpu || 4 * terms <= MAX_ITERATIONS
}

/// Workgroups of convolutions from rows in workgroup memory, for images of (rows, columns): `block_of` of the shader.
fn row_blocks<const TAPS: u32, const CHANNELS: u32>(
    p: &Conv2d,
    [rows, columns]: [u32; 2],
    channels: u32,
) -> u64 {
    let all_quads = columns.div_ceil(4);
    let quads = all_quads.min(16);
    let spread = |count: u32| count - 1 + (TAPS - 1) * ((count + rows - 2) / rows) + TAPS;
    let mut count = 64 / quads;
    while count > 1 && spread(count) * (quads + 1) > 32 + 32 * TAPS {
        count -= 1;
    }
    let blocks = (p.n * rows).div_ceil(count) * all_quads.div_ceil(quads);
    blocks as u64 * channels.div_ceil(CHANNELS) as u64
}

/// The `override` constants of kernels from rows in workgroup memory: two teams have half the channels each.
const fn rows_constants(taps: u32, channels: u32) -> &'static [(&'static str, f64)] {
    match (taps, channels) {
        (3, 8) => &[("TAPS", 3.0), ("OWN", 4.0)],
        (3, 10) => &[("TAPS", 3.0), ("OWN", 5.0)],
        (3, 16) => &[("TAPS", 3.0), ("OWN", 8.0)],
        (5, 8) => &[("TAPS", 5.0), ("OWN", 4.0)],
        (5, 10) => &[("TAPS", 5.0), ("OWN", 5.0)],
        (5, 16) => &[("TAPS", 5.0), ("OWN", 8.0)],
        _ => panic!("no kernel of that shape"),
    }
}

/// The forward pass from rows in workgroup memory, CHANNELS channels in a workgroup. Rows of whole VECTORS are stored
/// as such; for others, small images' as a rule, there is one width of channels.
const fn forward_shared_rows<const TAPS: u32, const CHANNELS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Shared,
        suits: |p| !VECTORS || width::<TAPS>(p, [p.h_out, p.w_out], p.c_out) == CHANNELS,
        twin: None,
        shader: if VECTORS { &SHARED_ROWS4 } else { &SHARED_ROWS },
        entry: "conv2d_forward_shared_rows",
        constants: rows_constants(TAPS, CHANNELS),
        workgroups: |p| row_blocks::<TAPS, CHANNELS>(p, [p.h_out, p.w_out], p.c_out),
        chain: |p| p.taps() + 1,
        supports: |p, profile| {
            let stores = !VECTORS || p.w_out.is_multiple_of(4);
            let suits = is_square::<TAPS>(p) && unit_stride(p) && stores;
            suits && staged_terms(p.taps(), profile)
        },
    }
}

/// The gradient of the input likewise.
const fn backward_input_shared_rows<const TAPS: u32, const CHANNELS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        entry: "conv2d_backward_input_shared_rows",
        suits: |p| !VECTORS || width::<TAPS>(p, [p.h_in, p.w_in], p.c_in) == CHANNELS,
        workgroups: |p| row_blocks::<TAPS, CHANNELS>(p, [p.h_in, p.w_in], p.c_in),
        chain: |p| (p.kh * p.kw * p.c_out) as u64,
        supports: |p, profile| {
            let stores = !VECTORS || p.w_in.is_multiple_of(4);
            let suits = is_square::<TAPS>(p) && unit_stride(p) && stores;
            suits && staged_terms((p.kh * p.kw * p.c_out) as u64, profile)
        },
        ..forward_shared_rows::<TAPS, CHANNELS, VECTORS>(name)
    }
}

/// Channels of half a workgroup of the shared tiles.
const HALF_OF_10: &[(&str, f64)] = &[("HALF", 5.0)];
const HALF_OF_16: &[(&str, f64)] = &[("HALF", 8.0)];

/// Shared tiles of 128 pixels by `channels` channels.
fn shared_tiles(pixels: u64, channels: u32, of: u32) -> u64 {
    pixels.div_ceil(128) * of.div_ceil(channels) as u64
}

/// Is a tile of 10 channels the better one? It wastes fewer channels where there are 10 or 20, but
/// reads workgroup memory 6 times for 10 channels, where that of 16 reads it 8 times.
fn narrow(channels: u32) -> bool {
    6 * channels.div_ceil(10) < 8 * channels.div_ceil(16)
}

/// Can the shared tiles sum that many terms in steps of `depth`? GPUs have no limit.
fn shared_terms(terms: u64, depth: u64, profile: &Profile) -> bool {
    profile.class == Class::Gpu || terms.div_ceil(depth) * (depth + 1) <= MAX_ITERATIONS
}

fn forward_terms(p: &Conv2d, profile: &Profile) -> bool {
    shared_terms(p.taps(), 8, profile)
}

fn backward_terms(p: &Conv2d, profile: &Profile) -> bool {
    shared_terms((p.kh * p.kw * p.c_out) as u64, 8, profile)
}

/// Pixels of the output, and of the input.
fn output_pixels(p: &Conv2d) -> u64 {
    p.n as u64 * (p.h_out * p.w_out) as u64
}
fn input_pixels(p: &Conv2d) -> u64 {
    p.n as u64 * (p.h_in * p.w_in) as u64
}

pub const FORWARD: &[Variant<Conv2d>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE,
        entry: "conv2d_forward",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.outputs()),
        chain: |p| p.taps() + 1,
        supports: anywhere,
    },
    Variant {
        name: "registers",
        family: Family::Registers,
        suits: crate::ops::always,
        twin: None,
        shader: &REGISTERS,
        entry: "conv2d_forward_registers",
        constants: &[],
        workgroups: |p| tiles(p.n, p.h_out, p.w_out).div_ceil(32) * (p.c_out as u64).div_ceil(10),
        chain: |p| p.taps() + 1,
        supports: |p, _| unit_stride(p),
    },
    subgroup::forward_rows::<1>("subgroup8_rows1"),
    subgroup::forward_rows::<3>("subgroup8_rows3"),
    subgroup::forward_rows::<5>("subgroup8_rows5"),
    subgroup::forward_pointwise::<32, 4>("subgroup8_pointwise32"),
    subgroup::forward_pointwise::<24, 4>("subgroup8_pointwise24"),
    subgroup::forward_pointwise::<16, 4>("subgroup8_pointwise16"),
    subgroup::forward_pointwise::<8, 4>("subgroup8_pointwise8"),
    subgroup::forward_pointwise::<16, 1>("subgroup8_pointwise16_1"),
    subgroup::forward_images::<1, 3, 16>("subgroup8_images1_3"),
    subgroup::forward_images::<3, 3, 16>("subgroup8_images3_3"),
    subgroup::forward_images::<3, 6, 8>("subgroup8_images3_6"),
    subgroup::forward_images::<5, 3, 16>("subgroup8_images5_3"),
    subgroup::forward_images::<5, 6, 8>("subgroup8_images5_6"),
    subgroup::forward_tiles::<3, 12, true>("subgroup8_tiles3_12"),
    subgroup::forward_tiles::<3, 24, true>("subgroup8_tiles3_24"),
    subgroup::forward_tiles::<3, 12, false>("subgroup8_tiles3"),
    subgroup::forward_tiles::<5, 12, true>("subgroup8_tiles5_12"),
    subgroup::forward_tiles::<5, 12, false>("subgroup8_tiles5"),
    subgroup::FORWARD_7X7_STRIDE_2,
    Variant {
        name: "subgroup8",
        family: Family::Subgroup,
        suits: crate::ops::always,
        twin: None,
        shader: &SUBGROUP,
        entry: "conv2d_forward_subgroup",
        constants: &[],
        workgroups: |p| tiles(p.n, p.h_out, p.w_out).div_ceil(8) * (p.c_out as u64).div_ceil(10),
        chain: |p| p.taps() + 1,
        supports: |p, profile| unit_stride(p) && profile.has_subgroup(8),
    },
    pointwise::forward_few::<true>("pointwise_few_4"),
    pointwise::forward_few::<false>("pointwise_few"),
    pointwise::forward::<64, 1, true>("pointwise64_4"),
    pointwise::forward::<32, 4, true>("pointwise_teams4_4"),
    pointwise::forward::<32, 1, true>("pointwise_4"),
    pointwise::forward::<32, 4, false>("pointwise_teams4"),
    pointwise::forward::<32, 1, false>("pointwise"),
    forward_shared_rows::<3, 10, true>("shared_rows3_10_4"),
    forward_shared_rows::<3, 16, true>("shared_rows3_16_4"),
    forward_shared_rows::<3, 8, true>("shared_rows3_8_4"),
    forward_shared_rows::<3, 8, false>("shared_rows3_8"),
    forward_shared_rows::<5, 10, true>("shared_rows5_10_4"),
    forward_shared_rows::<5, 8, true>("shared_rows5_8_4"),
    forward_shared_rows::<5, 8, false>("shared_rows5_8"),
    Variant {
        name: "shared10",
        family: Family::Shared,
        suits: crate::ops::always,
        twin: None,
        shader: &SHARED,
        entry: "conv2d_forward_shared",
        constants: HALF_OF_10,
        workgroups: |p| shared_tiles(output_pixels(p), 10, p.c_out),
        chain: |p| p.taps() + 1,
        supports: |p, profile| narrow(p.c_out) && forward_terms(p, profile),
    },
    Variant {
        name: "shared16",
        family: Family::Shared,
        suits: crate::ops::always,
        twin: None,
        shader: &SHARED,
        entry: "conv2d_forward_shared",
        constants: HALF_OF_16,
        workgroups: |p| shared_tiles(output_pixels(p), 16, p.c_out),
        chain: |p| p.taps() + 1,
        supports: forward_terms,
    },
];

pub const BACKWARD_INPUT: &[Variant<Conv2d>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE,
        entry: "conv2d_backward_input",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.inputs()),
        chain: |p| (p.kh * p.kw * p.c_out) as u64,
        supports: anywhere,
    },
    Variant {
        name: "registers",
        family: Family::Registers,
        suits: crate::ops::always,
        twin: None,
        shader: &REGISTERS,
        entry: "conv2d_backward_input_registers",
        constants: &[],
        workgroups: |p| tiles(p.n, p.h_in, p.w_in).div_ceil(32) * (p.c_in as u64).div_ceil(10),
        chain: |p| (p.kh * p.kw * p.c_out) as u64,
        supports: |p, _| unit_stride(p),
    },
    subgroup::backward_input_rows::<1>("subgroup8_rows1"),
    subgroup::backward_input_rows::<3>("subgroup8_rows3"),
    subgroup::backward_input_rows::<5>("subgroup8_rows5"),
    subgroup::backward_input_pointwise::<32, 4>("subgroup8_pointwise32"),
    subgroup::backward_input_pointwise::<24, 4>("subgroup8_pointwise24"),
    subgroup::backward_input_pointwise::<16, 4>("subgroup8_pointwise16"),
    subgroup::backward_input_pointwise::<8, 4>("subgroup8_pointwise8"),
    subgroup::backward_input_pointwise::<16, 1>("subgroup8_pointwise16_1"),
    subgroup::backward_input_images::<1, 3, 16>("subgroup8_images1_3"),
    subgroup::backward_input_images::<3, 3, 16>("subgroup8_images3_3"),
    subgroup::backward_input_images::<3, 6, 8>("subgroup8_images3_6"),
    subgroup::backward_input_images::<5, 3, 16>("subgroup8_images5_3"),
    subgroup::backward_input_images::<5, 6, 8>("subgroup8_images5_6"),
    subgroup::backward_input_tiles::<3, 12, true>("subgroup8_tiles3_12"),
    subgroup::backward_input_tiles::<3, 24, true>("subgroup8_tiles3_24"),
    subgroup::backward_input_tiles::<3, 12, false>("subgroup8_tiles3"),
    subgroup::backward_input_tiles::<5, 12, true>("subgroup8_tiles5_12"),
    subgroup::backward_input_tiles::<5, 12, false>("subgroup8_tiles5"),
    Variant {
        name: "subgroup8",
        family: Family::Subgroup,
        suits: crate::ops::always,
        twin: None,
        shader: &SUBGROUP,
        entry: "conv2d_backward_input_subgroup",
        constants: &[],
        workgroups: |p| tiles(p.n, p.h_in, p.w_in).div_ceil(8) * (p.c_in as u64).div_ceil(10),
        chain: |p| (p.kh * p.kw * p.c_out) as u64,
        supports: |p, profile| unit_stride(p) && profile.has_subgroup(8),
    },
    pointwise::backward_input::<64, 1, true>("pointwise64_4"),
    pointwise::backward_input::<32, 4, true>("pointwise_teams4_4"),
    pointwise::backward_input::<32, 1, true>("pointwise_4"),
    pointwise::backward_input::<32, 4, false>("pointwise_teams4"),
    pointwise::backward_input::<32, 1, false>("pointwise"),
    backward_input_shared_rows::<3, 10, true>("shared_rows3_10_4"),
    backward_input_shared_rows::<3, 16, true>("shared_rows3_16_4"),
    backward_input_shared_rows::<3, 8, true>("shared_rows3_8_4"),
    backward_input_shared_rows::<3, 8, false>("shared_rows3_8"),
    backward_input_shared_rows::<5, 10, true>("shared_rows5_10_4"),
    backward_input_shared_rows::<5, 8, true>("shared_rows5_8_4"),
    backward_input_shared_rows::<5, 8, false>("shared_rows5_8"),
    Variant {
        name: "shared10",
        family: Family::Shared,
        suits: crate::ops::always,
        twin: None,
        shader: &SHARED,
        entry: "conv2d_backward_input_shared",
        constants: HALF_OF_10,
        workgroups: |p| shared_tiles(input_pixels(p), 10, p.c_in),
        chain: |p| (p.kh * p.kw * p.c_out) as u64,
        supports: |p, profile| narrow(p.c_in) && backward_terms(p, profile),
    },
    Variant {
        name: "shared16",
        family: Family::Shared,
        suits: crate::ops::always,
        twin: None,
        shader: &SHARED,
        entry: "conv2d_backward_input_shared",
        constants: HALF_OF_16,
        workgroups: |p| shared_tiles(input_pixels(p), 16, p.c_in),
        chain: |p| (p.kh * p.kw * p.c_out) as u64,
        supports: backward_terms,
    },
];

/// Outputs that one share of the batch adds up.
pub(super) fn share(p: &Conv2d) -> u64 {
    p.share_rows as u64 * p.w_out as u64
}

/// Workgroups of the weight gradient's register tiles: ten channels, TAPS values of kx and 16
/// pairs (ky, ci) of a share each.
fn weight_groups<const TAPS: u32>(p: &Conv2d) -> u64 {
    let blocks = p.c_out.div_ceil(10) * p.kw.div_ceil(TAPS) * (p.kh * p.c_in).div_ceil(16);
    p.splits as u64 * blocks as u64
}

/// Can the tiles with TAPS registers run this gradient? Loop iterations are counted as in
/// [`MAX_ITERATIONS`]. A wider tile than the kernel needs is left to the narrower variants.
pub(super) fn weight_tiles<const TAPS: u32>(p: &Conv2d) -> bool {
    let rows = p.images_per_split() as u64 * p.h_out as u64;
    let iterations = rows * (1 + 9 * p.w_out.div_ceil(8) as u64);
    let narrowest = [1, 3, 5].into_iter().find(|&t| p.kw <= t).unwrap_or(5);
    let fits = TAPS == narrowest && iterations <= MAX_ITERATIONS;
    unit_stride(p) && p.shares_whole_images() && fits
}

/// The weight gradient in register tiles of TAPS values of kx.
pub(super) const fn weight_registers<const TAPS: u32>(
    name: &'static str,
    constants: &'static [(&'static str, f64)],
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Registers,
        suits: crate::ops::always,
        twin: None,
        shader: &WEIGHT_REGISTERS,
        entry: "conv2d_backward_weight_registers",
        constants,
        workgroups: weight_groups::<TAPS>,
        chain: share,
        supports: |p, _| weight_tiles::<TAPS>(p),
    }
}

/// Input channels of a workgroup of the weight gradient from shared rows: `inputs_of_block` of the shader.
fn inputs_of_block<const TAPS: u32>(p: &Conv2d) -> u32 {
    (64 / TAPS).min(p.c_in)
}

/// The weight gradient from rows in workgroup memory, in lines of TAPS columns by CHANNELS output channels. Its
/// segments of rows are 16 pixels: it suits images that are wide enough for most of one.
const fn weight_shared_rows<const TAPS: u32, const CHANNELS: u32>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Shared,
        suits: |p| p.w_out > 8 && (CHANNELS == 10) == (p.c_out <= 10),
        twin: None,
        shader: &SHARED_ROWS_WEIGHT,
        entry: "conv2d_backward_weight_shared_rows",
        constants: rows_constants(TAPS, CHANNELS),
        workgroups: |p| {
            let inputs = p.c_in.div_ceil(inputs_of_block::<TAPS>(p));
            let blocks = inputs * p.kw.div_ceil(TAPS) * p.c_out.div_ceil(CHANNELS);
            p.splits as u64 * blocks as u64
        },
        // Teams of invocations add up parts of a row, at most four.
        chain: |p| share(p) + 4,
        supports: |p, profile| {
            let steps = (p.share_rows + p.n * p.kh) as u64 * p.w_out.div_ceil(16) as u64;
            let short = profile.class == Class::Gpu || 8 * steps <= MAX_ITERATIONS;
            let larger = p.kh.max(p.kw.min(5));
            let narrowest = [3, 5].into_iter().find(|&taps| larger <= taps) == Some(TAPS);
            narrowest && larger > 1 && unit_stride(p) && short
        },
    }
}

pub const BACKWARD_WEIGHT: &[Variant<Conv2d>] = &[
    Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &NAIVE_WEIGHT,
        entry: "conv2d_backward_weight",
        constants: WORKGROUP,
        workgroups: |p| per_element(p.partial_len() as u64),
        chain: share,
        supports: |p, _| share(p) + p.share_rows as u64 <= MAX_ITERATIONS,
    },
    weight_registers::<1>("registers_1taps", &[("TAPS", 1.0)]),
    weight_registers::<3>("registers_3taps", &[("TAPS", 3.0)]),
    weight_registers::<5>("registers_5taps", &[("TAPS", 5.0)]),
    weight_subgroup::few::<1, 1>("subgroup8_few1"),
    weight_subgroup::few::<3, 1>("subgroup8_few3"),
    weight_subgroup::few::<3, 2>("subgroup8_few3_by2"),
    weight_subgroup::few::<7, 2>("subgroup8_few7_by2"),
    weight_subgroup::pointwise::<8, 32>("subgroup8_pointwise64_32"),
    weight_subgroup::pointwise::<8, 24>("subgroup8_pointwise64_24"),
    weight_subgroup::pointwise::<7, 24>("subgroup8_pointwise56_24"),
    weight_subgroup::pointwise::<8, 16>("subgroup8_pointwise64_16"),
    weight_subgroup::pointwise::<4, 32>("subgroup8_pointwise32_32"),
    weight_subgroup::pointwise::<4, 16>("subgroup8_pointwise32_16"),
    weight_subgroup::pointwise::<4, 8>("subgroup8_pointwise32_8"),
    weight_subgroup::images::<3, 6, 8>("subgroup8_images6_3"),
    weight_subgroup::images::<5, 6, 8>("subgroup8_images6_5"),
    weight_subgroup::images::<1, 3, 32>("subgroup8_images3_1"),
    weight_subgroup::images::<3, 3, 8>("subgroup8_images3_3"),
    weight_subgroup::tiles::<3>("subgroup8_tiles3"),
    weight_subgroup::tiles::<5>("subgroup8_tiles5"),
    weight_subgroup::rows::<3>("subgroup8_rows3"),
    weight_subgroup::rows::<5>("subgroup8_rows5"),
    weight_subgroup::pixels::<1>("subgroup8_1taps"),
    weight_subgroup::pixels::<3>("subgroup8_3taps"),
    weight_subgroup::pixels::<5>("subgroup8_5taps"),
    pointwise::backward_weight_few("pointwise_few_4"),
    pointwise::backward_weight::<true>("pointwise_4"),
    pointwise::backward_weight::<false>("pointwise"),
    weight_shared_rows::<3, 10>("shared_rows3_10"),
    weight_shared_rows::<3, 16>("shared_rows3_16"),
    weight_shared_rows::<5, 10>("shared_rows5_10"),
    weight_shared_rows::<5, 16>("shared_rows5_16"),
    Variant {
        name: "shared",
        family: Family::Shared,
        suits: crate::ops::always,
        twin: None,
        shader: &SHARED_WEIGHT,
        entry: "conv2d_backward_weight_shared",
        constants: &[],
        workgroups: |p| {
            let lines = (p.taps() + 1).div_ceil(64);
            p.splits as u64 * lines * (p.c_out as u64).div_ceil(16)
        },
        chain: share,
        supports: |p, profile| shared_terms(share(p), 16, profile),
    },
];

/// An invocation for each number.
const REDUCE_NAIVE: Variant<Conv2d> = Variant {
    name: "naive",
    family: Family::Naive,
    suits: crate::ops::always,
    twin: None,
    shader: &REDUCE,
    entry: "conv2d_reduce_weight",
    constants: WORKGROUP,
    workgroups: |p| per_element((p.partial_len() / p.splits as usize) as u64),
    chain: |p| p.splits as u64,
    supports: anywhere,
};

pub const REDUCE_WEIGHT: &[Variant<Conv2d>] = &[
    REDUCE_NAIVE,
    // For software adapters: a GPU would rather have four times the invocations.
    Variant {
        name: "rows4",
        family: Family::Rows,
        shader: &REDUCE4,
        workgroups: |p| per_element((p.partial_len() / p.splits as usize / 4) as u64),
        supports: |p, _| p.c_out.is_multiple_of(4),
        ..REDUCE_NAIVE
    },
];
