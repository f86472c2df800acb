//! The committed table: what runs where nobody has tuned, by kind of adapter.
//!
//! Two things are open where a graph is compiled: which variant runs a kernel, and how the
//! [`Schedule`] cuts the work. `fer-gpu tune` measures both on one adapter; until then these are the
//! choices that were best, or for want of hardware should be, on adapters of that kind.

use super::Schedule;
use crate::ops::Family;
use crate::profile::{Class, Profile};

/// What suits a kind of adapter.
pub struct Usual {
    suits: fn(&Profile) -> bool,
    /// Families of variants, best first.
    pub families: &'static [Family],
    pub schedule: Schedule,
}

/// GPUs share operands through workgroup memory; software adapters pay for every load and barrier, so they
/// load vectors, keep operands in registers and share them through the subgroup where they can. Only
/// there is a weight gradient's kernel that runs Adam as well faster than two kernels, and only there is one kernel
/// for several convolutions' gradients known to be faster than one for each. GPUs wait for each
/// dispatch, so that a small dense layer is one there.
static TABLE: [Usual; 3] = [
    Usual {
        suits: |profile| profile.class == Class::Gpu,
        families: &[
            Family::Tree,
            Family::Shared,
            Family::Vectors,
            Family::Registers,
            Family::Naive,
        ],
        schedule: Schedule {
            fuse_update: true,
            join_products: false,
            join_siblings: true,
            join_branches: true,
            whole_dense: true,
            images_per_split: 1,
            workgroups: Some(512),
            split_k: 5_760,
        },
    },
    Usual {
        suits: |profile| profile.class == Class::Software && profile.has_subgroup(8),
        families: &[
            Family::Subgroup,
            Family::Rows,
            Family::Vectors,
            Family::Registers,
            Family::Naive,
        ],
        schedule: Schedule {
            fuse_update: true,
            join_products: true,
            join_siblings: true,
            join_branches: true,
            whole_dense: false,
            images_per_split: 4,
            workgroups: None,
            split_k: 5_760,
        },
    },
    Usual {
        suits: |profile| profile.class == Class::Software,
        families: &[
            Family::Rows,
            Family::Vectors,
            Family::Registers,
            Family::Naive,
        ],
        schedule: Schedule {
            fuse_update: false,
            join_products: false,
            join_siblings: true,
            join_branches: true,
            whole_dense: false,
            images_per_split: 4,
            workgroups: None,
            split_k: 5_760,
        },
    },
];

/// The first row that suits an adapter.
pub fn usual(profile: &Profile) -> &'static Usual {
    let row = TABLE.iter().find(|row| (row.suits)(profile));
    row.expect("every kind has its row")
}
