//! Every case of every op and variant on every adapter of this machine, against the f64
//! reference, under native and WebGPU's limits, with run-time checks on and off.

use fer_gpu::gpu::{Adapter, Checks, Gpu, LimitChoice};
use fer_gpu::ops::REGISTRY;
use fer_gpu::verify;

fn devices() -> Vec<(String, Gpu)> {
    let mut devices = Vec::new();
    for adapter in Adapter::all() {
        for limits in [LimitChoice::Native, LimitChoice::Webgpu] {
            let gpu = Gpu::open(&adapter, limits).expect("a device opens");
            devices.push((
                format!("{} ({limits:?} limits)", adapter.info.nickname()),
                gpu,
            ));
        }
    }
    assert!(!devices.is_empty(), "{}", fer_gpu::gpu::Error::NoAdapter);
    devices
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
