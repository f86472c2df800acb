//! Holds a kernel against its f64 reference: runs a test case on a device, compares every
//! element with its bound, and looks for writes outside the outputs.

use crate::gpu::kernel::{Bound, Checks};
use crate::gpu::{self, Batch, Executor, Gpu, Metrics, Program};
use crate::ops::{Access, AnyCase, AnyOp, Fill};
use crate::plan::Dispatch;
use crate::random;
use crate::reference::{Expected, UNTOUCHED};

/// Fills the outputs before a dispatch: an element that a kernel forgets fails.
const UNWRITTEN: u32 = 0x7FC0_0BAD;
/// Lies behind every tensor that a kernel writes: an element too much fails.
const SENTINEL: u32 = 0x5E47_1E17;
/// Infinity lies behind every tensor that it only reads: what is read too much spoils a sum, even
/// times zero, and wins a maximum; and copied behind an output, it is no sentinel.
const BEYOND: u32 = 0x7F80_0000;
/// Words of sentinel behind each tensor: a whole alignment unit.
const GUARD: usize = 64;

/// One element that is wrong.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub binding: &'static str,
    pub element: usize,
    pub found: f32,
    pub expected: f64,
    pub bound: f64,
}

/// What a comparison saw.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The largest |found - expected| / bound of any element with a bound.
    pub worst: f64,
    pub elements: usize,
    pub wrong: usize,
    /// The first wrong element.
    pub first: Option<Mismatch>,
    /// The wrong element farthest from its reference, in bounds.
    pub farthest: Option<Mismatch>,
    /// A write where the kernel had nothing to write.
    pub stray: Option<String>,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.wrong == 0 && self.stray.is_none()
    }

    /// Compares one written binding with what it must hold.
    pub fn compare(
        &mut self,
        binding: &'static str,
        before: &[u32],
        found: &[u32],
        expected: &Expected,
        chain: u64,
        exact: bool,
    ) {
        assert_eq!(
            found.len(),
            expected.values.len(),
            "the reference of {binding} has another length"
        );
        for (i, (&word, &value)) in found.iter().zip(&expected.values).enumerate() {
            self.elements += 1;
            if value.to_bits() == UNTOUCHED.to_bits() {
                if word != before[i] && self.stray.is_none() {
                    self.stray = Some(format!(
                        "{binding}[{i}] lies outside the kernel's range and was written"
                    ));
                }
                continue;
            }
            let number = f32::from_bits(word);
            let bound = if exact && value.is_finite() {
                0.0
            } else {
                expected.bound(i, chain)
            };
            let error = (number as f64 - value).abs();
            // Written so that NaN fails, unless the reference itself is not finite.
            let agrees = if value.is_finite() {
                error <= bound
            } else {
                !number.is_finite()
            };
            if agrees {
                if bound > 0.0 && value.is_finite() {
                    self.worst = self.worst.max(error / bound);
                }
                continue;
            }
            self.wrong += 1;
            let mismatch = Mismatch {
                binding,
                element: i,
                found: number,
                expected: value,
                bound,
            };
            let distance = |m: &Mismatch| {
                let error = (m.found as f64 - m.expected).abs();
                if error.is_nan() { f64::INFINITY } else { error }
            };
            if self
                .farthest
                .as_ref()
                .is_none_or(|f| distance(&mismatch) > distance(f))
            {
                self.farthest = Some(mismatch.clone());
            }
            self.first.get_or_insert(mismatch);
        }
    }
}

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
    match fill {
        Fill::Uniform(scale) => floats(&|i| (2.0 * unit(i) - 1.0) as f32 * scale),
        Fill::Range(low, high) => floats(&|i| low + (high - low) * unit(i) as f32),
        Fill::Integers(low, high) => {
            floats(&|i| (*low + (unit(i) * (high - low + 1) as f64) as i32) as f32)
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
    let each = |(i, (binding, len)): (usize, (&crate::ops::Binding, usize))| match binding.access {
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

/// What the reference says of a case.
pub fn expected(op: &dyn AnyOp, case: &AnyCase, inputs: &[Vec<u32>]) -> Vec<Expected> {
    let slices: Vec<&[u32]> = inputs.iter().map(Vec::as_slice).collect();
    op.reference(&case.params, &case.step, &slices)
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
        let guarded: Vec<u32> = words
            .iter()
            .copied()
            .chain([guard(binding.access); GUARD])
            .collect();
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
    gpu.run_once(op, variant, checks, &case.params, &case.step, &bound)?;
    let chain = op.chain(variant, &case.params);
    let mut outcome = Outcome::default();
    let mut expectations = expected.iter();
    for ((binding, before), buffer) in op.bindings().iter().zip(inputs).zip(&buffers) {
        let found = gpu.words(buffer, 0, before.len() + GUARD)?;
        let (tensor, behind) = found.split_at(before.len());
        if behind.iter().any(|&word| word != guard(binding.access)) {
            outcome.stray = Some(format!("{} was written behind its end", binding.name));
        }
        if binding.access != Access::Read {
            let expectation = expectations
                .next()
                .expect("one expectation for each written binding");
            outcome.compare(binding.name, before, tensor, expectation, chain, case.exact);
        }
    }
    Ok(outcome)
}

/// Runs one training step dispatch by dispatch. The reference gets the very words that the GPU
/// had before each dispatch, so errors do not pile up and the first wrong dispatch has a name.
pub fn check_step(
    executor: &mut Executor,
    batch: &Batch,
    report: &mut dyn FnMut(&Dispatch, &Outcome),
) -> Result<Metrics, gpu::Error> {
    executor.upload(batch);
    for index in 0..executor.plan.train.len() {
        let dispatch = executor.plan.train[index].clone();
        let op = dispatch.op;
        let before = dispatch
            .bindings
            .iter()
            .map(|range| executor.words(range))
            .collect::<Result<Vec<_>, _>>()?;
        executor.launch(Program::Train, index)?;
        let slices: Vec<&[u32]> = before.iter().map(Vec::as_slice).collect();
        let expected = op.reference(&dispatch.params, &batch.step, &slices);
        let chain = op.chain(dispatch.variant, &dispatch.params);
        let mut outcome = Outcome::default();
        let mut expectations = expected.iter();
        for ((binding, range), before) in op.bindings().iter().zip(&dispatch.bindings).zip(&before)
        {
            if binding.access != Access::Read {
                let found = executor.words(range)?;
                let expectation = expectations
                    .next()
                    .expect("one expectation for each written binding");
                outcome.compare(binding.name, before, &found, expectation, chain, false);
            }
        }
        report(&dispatch, &outcome);
    }
    executor.metrics(batch.step.valid_rows)
}
