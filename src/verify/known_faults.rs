//! Faults of vendors' drivers that were confirmed and reported: the one place that excuses a
//! failing case. A fault listed here that no longer shows fails the run, so the list stays true.

use super::Pattern;
use crate::gpu::adapter::Info;

/// A fault of some adapters or drivers.
#[derive(Clone, Debug)]
pub struct KnownFault {
    /// A glob over `<name> (<kind>, <backend>), <driver>`, as `fer-gpu devices` shows an adapter.
    pub adapter: &'static str,
    /// Which cases, as `--op` takes them.
    pub op: &'static str,
    pub reason: &'static str,
    /// Where it was reported.
    pub link: &'static str,
}

/// None is known.
pub static KNOWN_FAULTS: &[KnownFault] = &[];

impl KnownFault {
    pub fn concerns(&self, adapter: &Info) -> bool {
        let pattern = glob::Pattern::new(self.adapter).expect("a glob in the table");
        pattern.matches(&adapter.to_string())
    }

    pub fn covers(&self, op: &str, variant: &str, case: &str) -> bool {
        let pattern: Pattern = self.op.parse().expect("a pattern in the table");
        pattern.case(op, variant, case)
    }
}
