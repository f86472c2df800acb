//! Which implementation of an op runs: what was pinned, else what was measured to be fastest, else
//! what the committed table prefers.

use super::committed::usual;
use super::{Error, Options};
use crate::ops::AnyOp;
use crate::ops::params::{FieldRole, Scalar};
use crate::profile::Profile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kernel and shape of a dispatch (see [`key`]) -> variant name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins(pub BTreeMap<String, String>);

/// What dispatches have in common that the same variant suits: the op and its parameters, those
/// apart that say where it works rather than on how much.
pub fn key(op: &dyn AnyOp, params: &[u8]) -> String {
    let fields = op.fields().iter();
    let counts =
        fields.filter(|field| field.scalar == Scalar::U32 && field.role != FieldRole::Place);
    let words = counts.map(|field| (field.name, field.word(params)));
    let told = words.filter(|&(_, word)| word != 0);
    let told: Vec<String> = told.map(|(name, word)| format!("{name}={word}")).collect();
    format!("{} {}", op.name(), told.join(" "))
}

/// The variant that the committed table prefers: the first of the best family that runs `op` with
/// these parameters.
pub fn preferred(op: &dyn AnyOp, params: &[u8], profile: &Profile) -> Option<usize> {
    let variants = op.variants();
    let of = |family: &'static str| {
        let names = variants.iter().enumerate();
        names.filter_map(move |(i, v)| v.name.starts_with(family).then_some(i))
    };
    let mut ranked = usual(profile).families.iter().flat_map(|f| of(f));
    ranked.find(|&index| op.supports(index, params, profile))
}

/// The index of the variant that runs `op` with these parameters.
pub(super) fn choose(
    op: &'static dyn AnyOp,
    params: &[u8],
    options: &Options,
) -> Result<usize, Error> {
    let variants = op.variants();
    let profile = &options.profile;
    let key = key(op, params);
    let named = |pins: &Pins| {
        let name = pins.0.get(&key)?;
        let at = variants.iter().position(|v| v.name == name);
        Some(at.filter(|&index| op.supports(index, params, profile)))
    };
    let refused = |variant: &str| Error::NoVariant {
        op: op.name(),
        variant: variant.into(),
        target: profile.name.clone(),
        present: variants
            .iter()
            .map(|v| v.name)
            .collect::<Vec<_>>()
            .join(", "),
    };
    if let Some(pinned) = named(&options.pins) {
        return pinned.ok_or_else(|| refused(&options.pins.0[&key]));
    }
    let tuned = named(&options.tuned).flatten();
    let chosen = tuned.or_else(|| preferred(op, params, profile));
    chosen.ok_or_else(|| refused("any"))
}
