//! Which implementation of an op runs: what was pinned, else what was measured to be fastest, else
//! what the committed table prefers.

use super::committed::usual;
use super::{Error, Mode, Options, Program};
use crate::ops::params::{FieldRole, Scalar};
use crate::ops::{AnyOp, Family, Phase};
use crate::profile::Profile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kernel and shape of a dispatch (see [`key`]) -> variant name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins(pub BTreeMap<String, String>);

impl Pins {
    /// Is everything that `other` pins pinned here, to the same variant?
    pub fn agrees_with(&self, other: &Pins) -> bool {
        let mut pins = other.0.iter();
        pins.all(|(key, variant)| self.0.get(key) == Some(variant))
    }
}

/// What dispatches have in common that the same variant suits: the op and its parameters, those
/// apart that say where it works rather than on how much.
pub fn key(op: &dyn AnyOp, params: &[u8]) -> String {
    told(op, params, |role| role != FieldRole::Place)
}

/// The same for any batch: so the kernels of predictions are chosen, whose bits no batch may change.
fn key_of_any_batch(op: &dyn AnyOp, params: &[u8]) -> String {
    told(op, params, |role| {
        role != FieldRole::Place && role != FieldRole::Batch
    })
}

fn told(op: &dyn AnyOp, params: &[u8], counts: fn(FieldRole) -> bool) -> String {
    let fields = op.fields().iter();
    let counted = fields.filter(|field| field.scalar == Scalar::U32 && counts(field.role));
    let words = counted.map(|field| (field.name, field.word(params)));
    let told = words.filter(|&(_, word)| word != 0);
    let told: Vec<String> = told.map(|(name, word)| format!("{name}={word}")).collect();
    format!("{} {}", op.name(), told.join(" "))
}

/// The variants that a program runs, from a phase on.
pub(super) fn pins(program: &Program, from: Phase) -> Pins {
    let key = match program.mode {
        Mode::Train => key,
        Mode::Evaluate | Mode::Predict => key_of_any_batch,
    };
    let pin = |d: &super::Dispatch| (key(d.op, &d.params), d.variant_name().to_string());
    let dispatches = program.dispatches.iter();
    Pins(dispatches.filter(|d| d.phase >= from).map(pin).collect())
}

/// The variant that the committed table prefers: the first of the best family that runs `op` with
/// these parameters and suits them.
pub fn preferred(op: &dyn AnyOp, params: &[u8], profile: &Profile) -> Option<usize> {
    preferred_for(op, params, params, profile)
}

/// The same where what suits is judged by other parameters.
fn preferred_for(op: &dyn AnyOp, params: &[u8], judged: &[u8], profile: &Profile) -> Option<usize> {
    let variants = op.variants();
    let of = |family: Family| {
        let all = variants.iter().enumerate();
        all.filter_map(move |(i, v)| (v.family == family).then_some(i))
    };
    let mut ranked = usual(profile).families.iter().flat_map(|&f| of(f));
    ranked.find(|&i| op.supports(i, params, profile) && op.suits(i, judged))
}

/// The batch by which the kernels of predictions are judged, whatever theirs is.
const NOMINAL_BATCH: u32 = 64;

/// The parameters as they would be at the nominal batch.
fn at_nominal_batch(op: &dyn AnyOp, params: &[u8]) -> Vec<u8> {
    let mut params = params.to_vec();
    for field in op.fields().iter().filter(|f| f.role == FieldRole::Batch) {
        params[field.offset..field.offset + 4].copy_from_slice(&NOMINAL_BATCH.to_ne_bytes());
    }
    params
}

/// The index of the variant that runs `op` with these parameters. Where nothing trains, the batch has no say.
pub(super) fn choose(
    op: &'static dyn AnyOp,
    params: &[u8],
    mode: Mode,
    options: &Options,
) -> Result<usize, Error> {
    let variants = op.variants();
    let profile = &options.profile;
    let named = |pins: &Pins, key: &str| {
        let name = pins.0.get(key)?;
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
    let exact = key(op, params);
    // Runs from before predictions had keys of their own pinned validation's kernels by its batch.
    let keys = match mode {
        Mode::Train => vec![exact.clone()],
        Mode::Evaluate | Mode::Predict => vec![key_of_any_batch(op, params), exact.clone()],
    };
    // Among twins, whose bits are the same, the batch decides after all.
    let twin = |chosen: usize| match mode {
        Mode::Train => chosen,
        Mode::Evaluate | Mode::Predict => fitting_twin(op, chosen, params, profile),
    };
    for key in &keys {
        if let Some(pinned) = named(&options.pins, key) {
            let pinned = pinned.ok_or_else(|| refused(&options.pins.0[key]));
            return pinned.map(twin);
        }
    }
    let tuned = named(&options.tuned, &exact).flatten();
    let chosen = tuned.or_else(|| match mode {
        Mode::Train => preferred(op, params, profile),
        Mode::Evaluate | Mode::Predict => {
            preferred_for(op, params, &at_nominal_batch(op, params), profile)
        }
    });
    chosen.map(twin).ok_or_else(|| refused("any"))
}

/// The twin of a variant that is preferred for these parameters, or the variant itself.
fn fitting_twin(op: &dyn AnyOp, chosen: usize, params: &[u8], profile: &Profile) -> usize {
    let variants = op.variants();
    let bits = |variant: usize| variants[variant].twin.unwrap_or(variants[variant].name);
    let preferred = preferred(op, params, profile);
    preferred
        .filter(|&preferred| bits(preferred) == bits(chosen))
        .unwrap_or(chosen)
}
