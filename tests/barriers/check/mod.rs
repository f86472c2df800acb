//! A static check of workgroup memory: between an access to it and another invocation's access to the
//! same element, of which one writes, lies a barrier on every way through the kernel.
//!
//! ```text
//! value     what is known of a number in each invocation: its own u32 or bool, or nothing
//! access    who has read and written which element since the last barrier
//! paths     who takes a way through the code, and what they know
//! walk      naga's statements, run for all invocations of a workgroup at once
//! ```
//!
//! All invocations are run in step, each with its own local_invocation_index; whatever comes out of a
//! buffer is unknown. Where a condition is known, only the invocations that it holds for take a branch, so
//! that the last steps of a tree, down to a single invocation, are what they are; where it is unknown, all
//! of them take both branches, and a loop goes on until nothing new is learnt. An index that is unknown
//! may be any. So a race that is possible is found; one that is found may be impossible, where the proof
//! lies in numbers that are not known here.
//!
//! What it takes for granted: a barrier under an unknown condition is reached by all or by none (Tint
//! holds every kernel to that), and calls do not recurse, as in all of WGSL.

mod access;
mod paths;
mod value;
mod walk;

use naga::back::pipeline_constants::process_overrides;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::fmt;

/// A race that may happen, or a barrier that cannot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// In the module's text, from 1.
    pub line: usize,
    /// What stands there.
    pub code: String,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, `{}`: {}", self.line, self.code, self.what)
    }
}

/// What the check finds in an entry point under these override constants; an error where naga refuses
/// the module.
pub fn findings(
    text: &str,
    entry: &str,
    constants: &[(&str, f64)],
) -> Result<Vec<Finding>, Box<dyn std::error::Error>> {
    let module = naga::front::wgsl::parse_str(text)?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
    let info = validator.validate(&module)?;
    let constants = constants.iter().map(|(name, v)| (name.to_string(), *v));
    let of_entry = Some((naga::ShaderStage::Compute, entry));
    let (module, _) = process_overrides(&module, &info, of_entry, &constants.collect())?;
    let found = module.entry_points.iter().find(|e| e.name == entry);
    let found = found.ok_or("no such entry point")?;
    if walk::size(found) > 256 {
        return Err("more than 256 invocations: no adapter need have them".into());
    }
    Ok(walk::run(&module, found, text))
}
