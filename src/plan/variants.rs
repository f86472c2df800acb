//! Which implementation of an op runs: a preference by kind of adapter, or what was pinned.

use super::Error;
use crate::ops::AnyOp;
use crate::profile::{Class, Profile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `<op> <label>` of a dispatch -> variant name: one op runs as several variants where its shapes
/// differ. A checkpoint stores it, so that a resumed run computes the same bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins(pub BTreeMap<String, String>);

/// The name of a dispatch among the pins.
pub(super) fn key(op: &dyn AnyOp, label: &str) -> String {
    format!("{} {label}", op.name())
}

/// Families of variants, best first. GPUs share operands through workgroup memory; software
/// adapters pay for every load and barrier, so they keep operands in registers and share them
/// through the subgroup where they can.
fn preference(class: Class) -> &'static [&'static str] {
    match class {
        Class::Gpu => &["shared", "tree", "registers", "naive"],
        Class::Software => &["subgroup", "registers", "naive"],
    }
}

/// The best variant of the best family that runs `op` with these parameters.
pub fn preferred(op: &dyn AnyOp, params: &[u8], profile: &Profile) -> Option<usize> {
    let variants = op.variants();
    let of = |family: &'static str| {
        let names = variants.iter().enumerate();
        names.filter_map(move |(i, v)| v.name.starts_with(family).then_some(i))
    };
    let mut ranked = preference(profile.class).iter().flat_map(|f| of(f));
    ranked.find(|&index| op.supports(index, params, profile))
}

/// The index of the variant that runs `op` with these parameters.
pub(super) fn choose(
    op: &'static dyn AnyOp,
    label: &str,
    params: &[u8],
    profile: &Profile,
    pins: &Pins,
) -> Result<usize, Error> {
    let variants = op.variants();
    let runs = |index: &usize| op.supports(*index, params, profile);
    if let Some(pinned) = pins.0.get(&key(op, label)) {
        let at = variants.iter().position(|v| v.name == pinned);
        return at.filter(runs).ok_or_else(|| Error::NoVariant {
            op: op.name(),
            variant: pinned.clone(),
            target: profile.name.clone(),
            present: variants
                .iter()
                .map(|v| v.name)
                .collect::<Vec<_>>()
                .join(", "),
        });
    }
    preferred(op, params, profile).ok_or_else(|| Error::NoVariant {
        op: op.name(),
        variant: "any".into(),
        target: profile.name.clone(),
        present: variants
            .iter()
            .map(|v| v.name)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// Does the optimiser run inside the weight gradient of a large dense layer? That saves a
/// quarter of the bytes and the gradient's memory; on software adapters two streaming
/// kernels are faster.
pub(super) fn fuse_adam(class: Class) -> bool {
    class == Class::Gpu
}
