//! Every case of every op and variant on every adapter of this machine, against the f64
//! reference, under native and WebGPU's limits, with run-time checks on and off. Native grids are
//! made narrow, so that every kernel sees a folded one.

mod common;

use fer_gpu::gpu::{Checks, Gpu, LimitChoice};
use fer_gpu::ops::REGISTRY;
use fer_gpu::verify;

/// A device on every adapter, under its own limits with narrow grids and under WebGPU's.
fn devices() -> Vec<(String, Gpu)> {
    let both = [LimitChoice::Native, LimitChoice::Webgpu];
    let named = |limits| {
        let devices = common::devices(limits).into_iter();
        devices.map(move |mut gpu| {
            if limits == LimitChoice::Native {
                common::narrow_grids(&mut gpu);
            }
            (format!("{} ({limits:?} limits)", gpu.info.nickname()), gpu)
        })
    };
    both.into_iter().flat_map(named).collect()
}

#[test]
fn every_op_agrees_with_its_reference() {
    let devices = devices();
    let mut failures = Vec::new();
    let filter = std::env::var("FER_GPU_TEST_OP").unwrap_or_default();
    for &op in REGISTRY {
        if !op.name().contains(&filter) {
            continue;
        }
        let start = std::time::Instant::now();
        for case in op.cases() {
            let inputs = verify::inputs(op, &case);
            let expected = verify::expected(op, &case, &inputs);
            for (name, gpu) in &devices {
                for (variant, info) in op.variants().iter().enumerate() {
                    if !op.supports(variant, &case.params, &gpu.profile) {
                        continue;
                    }
                    for checks in [Checks::On, Checks::Off] {
                        let outcome =
                            verify::run_case(gpu, op, variant, &case, &inputs, &expected, checks)
                                .expect("the device works");
                        if !outcome.passed() {
                            failures.push(format!(
                                "{name} {} {} {} checks {checks:?}: {outcome:?}",
                                op.name(),
                                info.name,
                                case.name
                            ));
                        }
                    }
                }
            }
        }
        eprintln!("{:32} {:.2?}", op.name(), start.elapsed());
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures
            .iter()
            .take(10)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}
