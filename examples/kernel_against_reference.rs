//! One kernel against its reference in f64: the worst error of each variant, as a share of what it may be off.
//!
//!     cargo run --release --example kernel_against_reference

use fer_gpu::gpu::{Adapter, Checks, Gpu, LimitChoice, Selector};
use fer_gpu::ops::{AnyOp, global_average_pool};
use fer_gpu::verify;
use std::error::Error;

/// A variant, the cases that it ran, and its worst error in bounds.
type Judged = (&'static str, usize, f64);

/// Runs every case of every variant that runs here.
pub fn judge(op: &'static dyn AnyOp) -> Result<Vec<Judged>, Box<dyn Error>> {
    let gpu = Gpu::open(&Adapter::select(&Selector::Default)?, LimitChoice::Native)?;
    println!("{} on {}", op.name(), gpu.info);
    let mut found = Vec::new();
    for (index, variant) in op.variants().iter().enumerate() {
        let (mut count, mut worst) = (0, 0.0);
        for case in op.cases() {
            if !op.supports(index, &case.params, &gpu.profile) {
                continue;
            }
            let inputs = verify::inputs(op, &case);
            let expected = verify::expected(op, &case, &inputs);
            let checks = Checks::On;
            let outcome = verify::run_case(&gpu, op, index, &case, &inputs, &expected, checks)?;
            if let Some(wrong) = outcome.first {
                return Err(format!("{} {}: {wrong:?}", variant.name, case.name).into());
            }
            count += 1;
            worst = f64::max(worst, outcome.worst);
        }
        found.push((variant.name, count, worst));
    }
    Ok(found)
}

pub fn main() -> Result<(), Box<dyn Error>> {
    for (variant, cases, worst) in judge(&global_average_pool::Forward)? {
        println!(
            "{variant:10} {cases:3} cases, at worst {:.1} % of the bound",
            100.0 * worst
        );
    }
    Ok(())
}
