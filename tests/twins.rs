//! Variants that are said to give the same bits give them, on every adapter, for every case of their op that
//! both run. Predictions choose between them by the batch, and must not depend on it.

mod common;

use fer_gpu::gpu::kernel::Bound;
use fer_gpu::gpu::{Buffer, Checks, Error, Gpu, LimitChoice};
use fer_gpu::ops::{AnyCase, AnyOp, REGISTRY};
use fer_gpu::verify;

/// All buffers of a case after a variant ran it.
fn outputs(
    gpu: &Gpu,
    op: &'static dyn AnyOp,
    variant: usize,
    case: &AnyCase,
) -> Result<Vec<Vec<u32>>, Error> {
    let inputs = verify::inputs(op, case);
    let mut buffers: Vec<Buffer> = Vec::new();
    for words in &inputs {
        let buffer = gpu.storage("a binding", 4 * words.len() as u64)?;
        gpu.upload(&buffer, 0, bytemuck::cast_slice(words));
        buffers.push(buffer);
    }
    let bound: Vec<Bound> = buffers.iter().map(Bound::whole).collect();
    let (params, step) = (&case.params, &case.step);
    gpu.run_once(op, variant, Checks::Off, params, step, &bound)?;
    let lengths = inputs.iter().map(Vec::len);
    let read = |(buffer, words): (&Buffer, usize)| gpu.words(buffer, 0, words);
    buffers.iter().zip(lengths).map(read).collect()
}

#[test]
fn twins_give_the_same_bits() {
    let mut compared = 0;
    let mut pairs = 0;
    for gpu in common::devices(LimitChoice::Native) {
        for &op in REGISTRY {
            let variants = op.variants();
            for (variant, info) in variants.iter().enumerate() {
                let Some(name) = info.twin else { continue };
                let twin = variants.iter().position(|v| v.name == name);
                let twin = twin.unwrap_or_else(|| panic!("{} has no {name}", op.name()));
                pairs += 1;
                for case in op.cases() {
                    let both = [variant, twin];
                    if !both
                        .iter()
                        .all(|&v| op.supports(v, &case.params, &gpu.profile))
                    {
                        continue;
                    }
                    let [a, b] = both.map(|v| outputs(&gpu, op, v, &case).expect("it runs"));
                    compared += 1;
                    assert!(
                        a == b,
                        "{} {} and {name} differ in {} on {}",
                        op.name(),
                        info.name,
                        case.name,
                        gpu.info
                    );
                }
            }
        }
    }
    assert!(pairs > 0);
    // Subgroups of eight are what the twins of today need.
    assert!(compared > 20, "{compared} cases were compared");
}
