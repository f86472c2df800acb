//! No kernel is timed that computes something else: each is held against its reference first.

use super::Error;
use super::report::Wrong;
use super::subjects::Subject;
use crate::gpu::{Checks, Gpu};
use crate::ops::AnyCase;
use crate::verify;
use std::collections::HashSet;

/// Cases of more operations than this are left to `verify`: references are slow.
const MOST_FLOPS: u64 = 20_000_000;

/// Checks the kernels of all subjects, each on the test cases of its op that are timed or small.
/// `observe` hears how many of how many are done.
pub fn check(
    gpu: &Gpu,
    subjects: &[Subject],
    observe: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Wrong>, Error> {
    let mut seen = HashSet::new();
    let distinct = |s: &&Subject| seen.insert((s.op.name(), s.variant));
    let kernels: Vec<&Subject> = subjects.iter().filter(distinct).collect();
    let mut wrong = Vec::new();
    for (done, subject) in kernels.iter().enumerate() {
        observe(done, kernels.len());
        let timed = |number: usize| {
            let same = |s: &&Subject| s.op.name() == subject.op.name();
            let cases = subjects.iter().filter(same).filter_map(|s| s.case);
            cases.into_iter().any(|case| case == number)
        };
        for (number, case) in subject.op.cases().into_iter().enumerate() {
            let small = subject.op.cost(&case.params).flops <= MOST_FLOPS;
            if (small || timed(number))
                && let Some(what) = disagrees(gpu, subject, &case)?
            {
                let (op, variant) = (subject.op.name().into(), subject.variant_name().into());
                wrong.push(Wrong { op, variant, what });
                break;
            }
        }
    }
    Ok(wrong)
}

/// What is wrong with a kernel in a case, if something is.
fn disagrees(gpu: &Gpu, subject: &Subject, case: &AnyCase) -> Result<Option<String>, Error> {
    let Subject { op, variant, .. } = *subject;
    if !op.supports(variant, &case.params, &gpu.profile) {
        return Ok(None);
    }
    let inputs = verify::inputs(op, case);
    let expected = verify::expected(op, case, &inputs);
    let outcome = verify::run_case(gpu, op, variant, case, &inputs, &expected, Checks::Off)?;
    Ok((!outcome.passed()).then(|| format!("{}: {outcome}", case.name)))
}
