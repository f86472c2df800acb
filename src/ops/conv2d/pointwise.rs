//! Convolutions of one pixel at stride 1 as products over workgroup memory, for GPUs: shapes of tiles, each for images
//! that hold whole vectors (`_4`) or of any size. Where nobody has tuned, the largest that fills a card.

use super::Conv2d;
use super::variants::{PARAMS, share, unit_stride};
use crate::ops::{Family, MAX_ITERATIONS, Shader, Variant, shader};
use crate::profile::{Class, Profile};

static VECTOR: Shader = shader!("four_pixels_vectors.wgsl");
static FOUR: Shader = shader!("four_pixels_scalars.wgsl");
static VECTORS: Shader = shader!("conv2d_pointwise_vectors.wgsl");
static SCALARS: Shader = shader!("conv2d_pointwise_scalars.wgsl");
static POINTWISE4: Shader = shader!("conv2d_pointwise.wgsl", VECTORS, VECTOR, PARAMS);
static POINTWISE: Shader = shader!("conv2d_pointwise.wgsl", SCALARS, FOUR, PARAMS);
static WEIGHT_VECTORS: Shader = shader!("conv2d_weight_pointwise_vectors.wgsl");
static WEIGHT_SCALARS: Shader = shader!("conv2d_weight_pointwise_scalars.wgsl");
static WEIGHT4: Shader = shader!(
    "conv2d_weight_pointwise.wgsl",
    WEIGHT_VECTORS,
    VECTOR,
    PARAMS
);
static WEIGHT: Shader = shader!("conv2d_weight_pointwise.wgsl", WEIGHT_SCALARS, FOUR, PARAMS);
static WEIGHT_FEW: Shader = shader!("conv2d_weight_pointwise_few.wgsl", PARAMS);

/// Tiles of 64 pixels by 64 channels that occupy a large card.
const FILL: u64 = 256;

/// Tiles of 32 by 32 that occupy it without teams.
const FILL_ALONE: u64 = 640;

/// The most input channels that are few.
const FEW: u32 = 4;

/// The `override` constants of tiles of 64 pixels by 64 channels, or of 32 by 32: an invocation owns 4 pixels of 8
/// channels, or 4 by 4. It loads at most two vectors of either operand for a step.
const fn constants(channels: u32, teams: u32) -> &'static [(&'static str, f64)] {
    match (channels, teams) {
        (64, 1) => &[
            ("DEPTH", 16.0),
            ("TEAMS", 1.0),
            ("GROUP_PIXELS", 16.0),
            ("GROUP_CHANNELS", 8.0),
            ("CHANNEL_VECTORS", 2.0),
        ],
        (32, 1) => &[
            ("DEPTH", 16.0),
            ("TEAMS", 1.0),
            ("GROUP_PIXELS", 8.0),
            ("GROUP_CHANNELS", 8.0),
            ("CHANNEL_VECTORS", 1.0),
        ],
        (32, 4) => &[
            ("DEPTH", 32.0),
            ("TEAMS", 4.0),
            ("GROUP_PIXELS", 8.0),
            ("GROUP_CHANNELS", 8.0),
            ("CHANNEL_VECTORS", 1.0),
        ],
        _ => panic!("no tile of that shape"),
    }
}

/// Is it a product, in images of whole vectors if the kernel wants them?
fn is_product<const VECTORS: bool>(p: &Conv2d) -> bool {
    let one_pixel = p.kh == 1 && p.kw == 1 && unit_stride(p);
    one_pixel && (!VECTORS || (p.h_in * p.w_in).is_multiple_of(4))
}

/// Can the kernels sum that many terms? They count no more iterations; GPUs have no limit.
fn takes_terms(terms: u64, profile: &Profile) -> bool {
    profile.class == Class::Gpu || terms < MAX_ITERATIONS
}

/// Pixels of all images.
fn pixels(p: &Conv2d) -> u64 {
    p.n as u64 * (p.h_in * p.w_in) as u64
}

fn tiles<const CHANNELS: u32>(p: &Conv2d, channels: u32) -> u64 {
    let side = if CHANNELS == 64 { 64 } else { 32 };
    pixels(p).div_ceil(side) * channels.div_ceil(CHANNELS) as u64
}

/// Is such a tile worth it for `channels` that are written, each a sum of `terms`? Teams are for long sums in few tiles.
fn is_worth<const CHANNELS: u32, const TEAMS: u32>(p: &Conv2d, channels: u32, terms: u32) -> bool {
    let tiles = tiles::<CHANNELS>(p, channels);
    match (CHANNELS, TEAMS) {
        (64, _) => tiles >= FILL && 4 * channels >= 3 * channels.next_multiple_of(64),
        (_, 4) => tiles < FILL_ALONE && terms >= 64,
        _ => true,
    }
}

/// The additions behind a sum: a team has eight terms of a step.
fn terms_of_chain<const TEAMS: u32>(terms: u32) -> u64 {
    let terms = match TEAMS {
        1 => terms,
        _ => 8 * terms.div_ceil(8 * TEAMS) + TEAMS - 1,
    };
    terms as u64
}

pub(super) const fn forward<const CHANNELS: u32, const TEAMS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Shared,
        suits: |p| is_worth::<CHANNELS, TEAMS>(p, p.c_out, p.c_in),
        twin: None,
        shader: if VECTORS { &POINTWISE4 } else { &POINTWISE },
        entry: "conv2d_forward_pointwise",
        constants: constants(CHANNELS, TEAMS),
        workgroups: |p| tiles::<CHANNELS>(p, p.c_out),
        chain: |p| terms_of_chain::<TEAMS>(p.c_in) + 1,
        supports: |p, profile| is_product::<VECTORS>(p) && takes_terms(p.c_in as u64, profile),
    }
}

/// The forward pass of few input channels, which bytes bind.
pub(super) const fn forward_few<const VECTORS: bool>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        suits: |p| p.c_in <= FEW,
        entry: "conv2d_forward_pointwise_few",
        workgroups: |p| pixels(p).div_ceil(256) * p.c_out.div_ceil(4) as u64,
        ..forward::<32, 1, VECTORS>(name)
    }
}

pub(super) const fn backward_input<const CHANNELS: u32, const TEAMS: u32, const VECTORS: bool>(
    name: &'static str,
) -> Variant<Conv2d> {
    Variant {
        suits: |p| is_worth::<CHANNELS, TEAMS>(p, p.c_in, p.c_out),
        entry: "conv2d_backward_input_pointwise",
        workgroups: |p| tiles::<CHANNELS>(p, p.c_in),
        chain: |p| terms_of_chain::<TEAMS>(p.c_out),
        supports: |p, profile| is_product::<VECTORS>(p) && takes_terms(p.c_out as u64, profile),
        ..forward::<CHANNELS, TEAMS, VECTORS>(name)
    }
}

/// Do shares hold whole vectors too, if the kernel wants them?
fn is_product_in_shares<const VECTORS: bool>(p: &Conv2d) -> bool {
    is_product::<VECTORS>(p) && (!VECTORS || share(p).is_multiple_of(4))
}

pub(super) const fn backward_weight<const VECTORS: bool>(name: &'static str) -> Variant<Conv2d> {
    Variant {
        name,
        family: Family::Shared,
        suits: crate::ops::always,
        twin: None,
        shader: if VECTORS { &WEIGHT4 } else { &WEIGHT },
        entry: "conv2d_backward_weight_pointwise",
        constants: &[],
        workgroups: |p| {
            let blocks = p.c_in.div_ceil(32) * p.c_out.div_ceil(32);
            p.splits as u64 * blocks as u64
        },
        // Of a weight: a team has eight pixels of a step's 32, and there are four. Of a bias: eight invocations add up one
        // vector of each step.
        chain: |p| 8 * share(p).div_ceil(32) + 4,
        supports: |p, profile| is_product_in_shares::<VECTORS>(p) && takes_terms(share(p), profile),
    }
}

/// The weight gradient where input channels are few.
pub(super) const fn backward_weight_few(name: &'static str) -> Variant<Conv2d> {
    Variant {
        suits: |p| p.c_in <= FEW,
        shader: &WEIGHT_FEW,
        entry: "conv2d_backward_weight_pointwise_few",
        workgroups: |p| p.splits as u64 * (p.c_in * p.c_out.div_ceil(4)) as u64,
        // 64 invocations take four pixels each, add those up, and then their sums as a tree.
        chain: |p| share(p).div_ceil(256) + 2 + 6,
        ..backward_weight::<true>(name)
    }
}
