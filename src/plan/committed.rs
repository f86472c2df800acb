//! The committed table: what runs where nobody has tuned, by kind of adapter.
//!
//! Two things are open where a graph is compiled: which variant runs a kernel, and how the
//! [`Schedule`] cuts the work. `fer-gpu tune` measures both on one adapter; until then these are the
//! choices that were best, or for want of hardware should be, on adapters of that kind.

use crate::profile::{Class, Profile};
use serde::{Deserialize, Serialize};

/// How the work is cut into dispatches, apart from the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Does the optimiser run inside the weight gradient of a large dense layer? That saves a
    /// quarter of the bytes and the gradient's memory.
    pub fuse_adam: bool,
    /// Images that one share of a convolution's weight gradient adds up: a GPU wants many
    /// workgroups, a CPU few partial sums.
    pub images_per_split: u32,
    /// Inputs that one share of a dense product adds up: short shares make many workgroups and
    /// keep the operands in a cache, long ones have fewer partial sums.
    pub split_k: u32,
}

/// What suits a kind of adapter.
pub struct Usual {
    suits: fn(&Profile) -> bool,
    /// Families of variants, best first.
    pub families: &'static [&'static str],
    pub schedule: Schedule,
}

/// GPUs share operands through workgroup memory; software adapters pay for every load and barrier, so they
/// load vectors, keep operands in registers and share them through the subgroup where they can. Only
/// there is a weight gradient's kernel that runs Adam as well faster than two kernels.
static TABLE: [Usual; 3] = [
    Usual {
        suits: |profile| profile.class == Class::Gpu,
        families: &["shared", "tree", "vectors", "registers", "naive"],
        schedule: Schedule {
            fuse_adam: true,
            images_per_split: 1,
            split_k: 5_760,
        },
    },
    Usual {
        suits: |profile| profile.class == Class::Software && profile.has_subgroup(8),
        families: &["subgroup", "rows", "vectors", "registers", "naive"],
        schedule: Schedule {
            fuse_adam: true,
            images_per_split: 4,
            split_k: 5_760,
        },
    },
    Usual {
        suits: |profile| profile.class == Class::Software,
        families: &["rows", "vectors", "registers", "naive"],
        schedule: Schedule {
            fuse_adam: false,
            images_per_split: 4,
            split_k: 5_760,
        },
    },
];

/// The first row that suits an adapter.
pub fn usual(profile: &Profile) -> &'static Usual {
    let row = TABLE.iter().find(|row| (row.suits)(profile));
    row.expect("every kind has its row")
}
