//! The committed table: what runs where nobody has tuned, by kind of adapter.
//!
//! Two things are open where a graph is compiled: which variant runs a kernel, and how the
//! [`Schedule`] cuts the work. `fer-gpu tune` measures both on one adapter; until then these are the
//! choices that were best, or for want of hardware should be, on adapters of that kind.

use crate::profile::Class;
use serde::{Deserialize, Serialize};

/// How the work is cut into dispatches, apart from the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Does the optimiser run inside the weight gradient of a large dense layer? That saves a
    /// quarter of the bytes and the gradient's memory; on software adapters two streaming
    /// kernels are faster.
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
    pub class: Class,
    /// Families of variants, best first.
    pub families: &'static [&'static str],
    pub schedule: Schedule,
}

/// GPUs share operands through workgroup memory; software adapters pay for every load and
/// barrier, so they keep operands in registers and share them through the subgroup where they can.
static TABLE: [Usual; 2] = [
    Usual {
        class: Class::Gpu,
        families: &["shared", "tree", "registers", "naive"],
        schedule: Schedule {
            fuse_adam: true,
            images_per_split: 1,
            split_k: 5_760,
        },
    },
    Usual {
        class: Class::Software,
        families: &["subgroup", "registers", "naive"],
        schedule: Schedule {
            fuse_adam: false,
            images_per_split: 4,
            split_k: 5_760,
        },
    },
];

/// The row of a kind of adapter.
pub fn usual(class: Class) -> &'static Usual {
    let row = TABLE.iter().find(|row| row.class == class);
    row.expect("every kind has its row")
}
