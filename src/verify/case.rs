//! One test case: its inputs, what the reference makes of them, and a run on a device that also
//! looks for writes outside the outputs.

use super::{Outcome, Written};
use crate::gpu::kernel::{Bound, Checks};
use crate::gpu::{self, Buffer, Gpu};
use crate::ops::reference::Expected;
use crate::ops::{Access, AnyCase, AnyOp, Binding, Fill};
use crate::random;
use std::ops::Range;

/// Fills the outputs before a dispatch: an element that a kernel forgets fails.
const UNWRITTEN: u32 = 0x7FC0_0BAD;
/// Lies behind every tensor that a kernel writes: an element too much fails.
const SENTINEL: u32 = 0x5E47_1E17;
/// Infinity lies behind every tensor that it only reads: what is read too much spoils a sum, even
/// times zero, and wins a maximum; and copied behind an output, it is no sentinel.
const BEYOND: u32 = 0x7F80_0000;
/// Words of sentinel behind each tensor: a whole alignment unit.
const GUARD: usize = 64;

/// The word behind a tensor.
fn guard(access: Access) -> u32 {
    match access {
        Access::Read => BEYOND,
        Access::InOut | Access::Out => SENTINEL,
    }
}

/// The words of one input, a pure function of the case, the binding and the element.
fn fill(fill: &Fill, stream: u64, len: usize) -> Vec<u32> {
    let unit = |i: usize| random::unit(stream, i as u64);
    let floats = |of: &dyn Fn(usize) -> f32| (0..len).map(|i| of(i).to_bits()).collect();
    let integer =
        |i: usize, low: i32, high: i32| (low + (unit(i) * (high - low + 1) as f64) as i32) as f32;
    match fill {
        Fill::Uniform(scale) => floats(&|i| (2.0 * unit(i) - 1.0) as f32 * scale),
        Fill::Range(low, high) => floats(&|i| low + (high - low) * unit(i) as f32),
        Fill::Integers(low, high) => floats(&|i| integer(i, *low, *high)),
        Fill::Tiny(low, high) => floats(&|i| integer(i, *low, *high) * f32::MIN_POSITIVE),
        Fill::Near(count) => {
            floats(&|i| 1.0 + (unit(i) * *count as f64).floor() as f32 * f32::EPSILON)
        }
        Fill::Words(bound) => (0..len).map(|i| (unit(i) * *bound as f64) as u32).collect(),
        Fill::Zero => vec![0; len],
        Fill::Values(values) => values.iter().map(|v| v.to_bits()).collect(),
        Fill::Indices(words) => words.clone(),
    }
}

/// The words of every binding before the dispatch; outputs are marked as unwritten.
pub fn inputs(op: &dyn AnyOp, case: &AnyCase) -> Vec<Vec<u32>> {
    let lengths = op.lengths(&case.params);
    let mut fills = case.fills.iter();
    let name: u64 = case.name.bytes().fold(0, |h, b| h * 31 % 65_537 + b as u64);
    let each = |(i, (binding, len)): (usize, (&Binding, usize))| match binding.access {
        Access::Out => vec![UNWRITTEN; len],
        _ => {
            let chosen = fills.next().unwrap_or_else(|| {
                panic!("{} {}: no fill for {}", op.name(), case.name, binding.name)
            });
            let words = fill(chosen, random::stream(&[name, i as u64]) & 0xFF_FFFF, len);
            assert_eq!(
                words.len(),
                len,
                "{} {}: length of {}",
                op.name(),
                case.name,
                binding.name
            );
            words
        }
    };
    op.bindings()
        .iter()
        .zip(lengths)
        .enumerate()
        .map(each)
        .collect()
}

/// Bytes of host memory that a case takes at its most, roughly: its words, on the device and on
/// their way there or back, and its reference with bounds, in f64.
pub(super) fn bytes(op: &dyn AnyOp, case: &AnyCase) -> u64 {
    let lengths = op.lengths(&case.params);
    let each = |(binding, len): (&Binding, usize)| match binding.access {
        Access::Read => 4 * 4 * len,
        Access::InOut | Access::Out => (4 * 4 + 4 * 8) * len,
    };
    op.bindings().iter().zip(lengths).map(each).sum::<usize>() as u64
}

/// What the reference says of a case.
pub fn expected(op: &dyn AnyOp, case: &AnyCase, inputs: &[Vec<u32>]) -> Vec<Expected> {
    let slices: Vec<&[u32]> = inputs.iter().map(Vec::as_slice).collect();
    op.reference(&case.params, &case.step, &slices)
}

/// What tells of a run: all of what it may write, and the guard words behind what it only reads.
fn telling<'a>(
    op: &dyn AnyOp,
    inputs: &[Vec<u32>],
    buffers: &'a [Buffer],
) -> Vec<(&'a Buffer, Range<usize>)> {
    let bound = op.bindings().iter().zip(inputs).zip(buffers);
    let places = bound.map(|((binding, words), buffer)| match binding.access {
        Access::Read => (buffer, words.len()..words.len() + GUARD),
        _ => (buffer, 0..words.len() + GUARD),
    });
    places.collect()
}

/// Runs a case on a device and compares. With run-time checks the guard words lie inside the
/// bound range, where a stray write lands; without them it lies behind, where it would too.
pub fn run_case(
    gpu: &Gpu,
    op: &'static dyn AnyOp,
    variant: usize,
    case: &AnyCase,
    inputs: &[Vec<u32>],
    expected: &[Expected],
    checks: Checks,
) -> Result<Outcome, gpu::Error> {
    let mut buffers = Vec::new();
    for (binding, words) in op.bindings().iter().zip(inputs) {
        let behind = [guard(binding.access); GUARD];
        let guarded: Vec<u32> = words.iter().copied().chain(behind).collect();
        let buffer = gpu.storage(binding.name, 4 * guarded.len() as u64)?;
        gpu.upload(&buffer, 0, bytemuck::cast_slice(&guarded));
        buffers.push(buffer);
    }
    let bound: Vec<Bound> = buffers
        .iter()
        .zip(inputs)
        .map(|(buffer, words)| match checks {
            Checks::On => Bound::whole(buffer),
            Checks::Off => Bound {
                buffer,
                offset: 0,
                bytes: 4 * words.len() as u64,
            },
        })
        .collect();
    gpu.submit_once(op, variant, checks, &case.params, &case.step, &bound)?;
    let found = gpu.words_of(op.name(), &telling(op, inputs, &buffers))?;
    let chain = op.chain(variant, &case.params);
    let mut outcome = Outcome::default();
    let mut expectations = expected.iter();
    for ((binding, before), found) in op.bindings().iter().zip(inputs).zip(&found) {
        let (tensor, behind) = found.split_at(found.len() - GUARD);
        if behind.iter().any(|&word| word != guard(binding.access)) {
            outcome.stray = Some(format!("{} was written behind its end", binding.name));
        }
        if binding.access != Access::Read {
            let expectation = expectations
                .next()
                .expect("one expectation for each written binding");
            let written = Written {
                binding: binding.name,
                first: 0,
                before,
                found: tensor,
            };
            outcome.compare(written, expectation, chain, case.exact);
        }
    }
    Ok(outcome)
}
