//! What the updates of all optimisers have in common: a flat block of weights, the flag that stops them,
//! and the parameter block.

use super::params::params;
use super::{Binding, Case, Fill, Shader, Step, read, shader};

params! {
    /// A flat block of weights.
    Update {
        /// Weights, a multiple of 4 (blocks are padded).
        count: u32,
    }
}

/// The parameter block in WGSL.
pub(super) static PARAMS: Shader = shader!("update_params.wgsl");

/// What the loss wrote: where its third word is not zero, nothing changes.
pub(super) const METRICS: Binding = read("metrics");

/// Cases of an update whose scalars at step `t` are `scalars(t)` and whose slots are filled with `slots`.
pub(super) fn cases(scalars: fn(u64) -> [f32; 4], slots: &[Fill]) -> Vec<Case<Update>> {
    let mut cases = Vec::new();
    for count in [4, 252, 256, 260, 9188] {
        for (t, flag) in [(1, 0.0), (1000, 0.0), (7, 1.0)] {
            let mut fills = vec![
                Fill::Uniform(0.1),
                Fill::Values(vec![0.0, 0.0, flag, 0.0]),
                Fill::Uniform(1.0),
            ];
            fills.extend_from_slice(slots);
            cases.push(Case {
                name: format!("count{count}_t{t}_flag{flag}"),
                params: Update { count },
                step: Step::new(t, 1, scalars(t as u64)),
                fills,
                exact: false,
            });
        }
    }
    cases
}
