//! A plan as JSON: every dispatch with what it launches and must do, for models and scripts.

use crate::cards::Card;
use crate::ops::Phase;
use crate::ops::params::Scalar;
use crate::plan::{self, Dispatch, Plan, Program};
use crate::profile::Profile;
use serde_json::{Map, Value, json};

/// The plan for `profile`, with floors where it is made for a card.
pub fn json(plan: &Plan, profile: &Profile, card: Option<&Card>) -> String {
    let programs = plan.programs.iter().map(|p| program(p, profile, card));
    let document = json!({
        "fer_gpu": env!("CARGO_PKG_VERSION"),
        "model": plan.model,
        "target": plan.target,
        "profile": profile,
        "card": card.map(of_card),
        "device_bytes": plan.device_bytes(),
        "programs": programs.collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&document).expect("plain values")
}

fn of_card(card: &Card) -> Value {
    json!({
        "name": card.profile.name,
        "fp32_tflops": 1e-12 * card.flops,
        "memory_gb_s": 1e-9 * card.bytes,
        "compute_units": card.compute_units,
        "launch_us": 1e6 * card.launch,
        "full_workgroups": card.full().workgroups,
        "sources": card.sources,
    })
}

fn program(program: &Program, profile: &Profile, card: Option<&Card>) -> Value {
    let all = program.dispatches.iter().enumerate();
    let dispatches = all.map(|(number, d)| dispatch(number, d, profile, card));
    let floor = card.map(|card| {
        let floors = program.dispatches.iter().map(|d| card.floor(d.cost()));
        1e6 * floors.map(|floor| floor.seconds).sum::<f64>()
    });
    json!({
        "name": program.name,
        "batch": program.batch,
        "floor_us": floor,
        "dispatches": dispatches.collect::<Vec<_>>(),
    })
}

fn dispatch(number: usize, dispatch: &Dispatch, profile: &Profile, card: Option<&Card>) -> Value {
    let cost = dispatch.cost();
    let floor = card.map(|card| card.floor(cost));
    json!({
        "number": number,
        "label": dispatch.label,
        "phase": phase(dispatch.phase),
        "op": dispatch.op.name(),
        "variant": dispatch.variant_name(),
        "shape": plan::shape(dispatch.op, &dispatch.params),
        "params": params(dispatch),
        "workgroups": profile.limits.grid(dispatch.workgroups()),
        "flops": cost.flops,
        "bytes": cost.bytes,
        "floor_us": floor.map(|floor| 1e6 * floor.seconds),
        "bound": floor.map(|floor| floor.bound),
    })
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Input => "input",
        Phase::Forward => "forward",
        Phase::Loss => "loss",
        Phase::Backward => "backward",
        Phase::Update => "update",
    }
}

/// The fields of the kernel's block by name.
fn params(dispatch: &Dispatch) -> Map<String, Value> {
    let fields = dispatch.op.fields().iter().map(|field| {
        let word = field.word(&dispatch.params);
        let value = match field.scalar {
            Scalar::U32 => json!(word),
            Scalar::F32 => json!(f32::from_bits(word)),
        };
        (field.name.to_string(), value)
    });
    fields.collect()
}
