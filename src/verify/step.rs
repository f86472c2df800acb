//! A network's training step on a device: every dispatch against its reference, with the very
//! inputs that the device had; and the whole step twice, which must give the same bits.

use super::{Outcome, Reason, Written};
use crate::data::{Dataset, FER_CLASSES};
use crate::feed::{self, Batches};
use crate::gpu::{self, Batch, Checks, Executor, Gpu, Metrics, Work};
use crate::network::Network;
use crate::ops::Access;
use crate::ops::Step;
use crate::plan::{self, BufferId, Dispatch, Options, Wanted};
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// Bytes read back at a time.
const CHUNK: u64 = 32 << 20;

/// Elements of each binding whose reference is made at a time.
const PIECE: usize = 1 << 20;

/// Images of the step that `verify` runs, unless it is told otherwise: the least that has a mean.
pub const STEP_BATCH: u32 = 2;

/// Bytes of a network's weights.
pub(super) fn weights(network: &Network) -> u64 {
    let model = network.build(FER_CLASSES.len() as u32);
    4 * model.parameters() as u64
}

/// Most multiply-adds of an image, in millions, of a network that is tried unasked: the references of a step take
/// a processor some ten seconds.
const QUICK: u64 = 100;

/// Is a step of the network soon held against its references?
pub(super) fn is_quick(network: &Network) -> bool {
    let model = network.build(FER_CLASSES.len() as u32);
    model.multiply_adds() <= QUICK * 1_000_000
}

/// Runs one training step dispatch by dispatch. The reference gets the very words that the GPU
/// had before each dispatch, so errors do not pile up and the first wrong dispatch has a name.
pub fn check_step(
    executor: &mut Executor,
    batch: &Batch,
    report: &mut dyn FnMut(&Dispatch, &Outcome),
) -> Result<Metrics, gpu::Error> {
    executor.upload(Work::TRAIN, batch);
    check_part(executor, Work::TRAIN, batch, report)?;
    executor.metrics(Work::TRAIN, batch.step.valid_rows)
}

/// The same for a shard of a step that was begun, and behind the last one for what finishes the step.
pub(crate) fn check_shard(
    executor: &mut Executor,
    batch: &Batch,
    last: bool,
    report: &mut dyn FnMut(&Dispatch, &Outcome),
) -> Result<(), gpu::Error> {
    executor.upload(Work::GRADIENTS, batch);
    check_part(executor, Work::GRADIENTS, batch, report)?;
    executor.join_shard(batch, last);
    match last {
        true => check_part(executor, Work::FINISH, batch, report),
        false => Ok(()),
    }
}

fn check_part(
    executor: &Executor,
    work: Work,
    batch: &Batch,
    report: &mut dyn FnMut(&Dispatch, &Outcome),
) -> Result<(), gpu::Error> {
    for (index, dispatch) in executor.dispatches(work).iter().enumerate() {
        let outcome = check_dispatch(executor, work, index, batch)?;
        report(dispatch, &outcome);
    }
    Ok(())
}

/// The reference is made and compared a piece at a time: of a large dense layer's update, in f64
/// and with bounds, it would be a dozen times the weights.
fn check_dispatch(
    executor: &Executor,
    work: Work,
    index: usize,
    batch: &Batch,
) -> Result<Outcome, gpu::Error> {
    let dispatch = &executor.dispatches(work)[index];
    let op = dispatch.op;
    let all = |range: &plan::Range| words(executor, range, 0..range.bytes as usize / 4);
    let before: Vec<Vec<u32>> = dispatch
        .bindings
        .iter()
        .map(all)
        .collect::<Result<_, _>>()?;
    executor.launch(work, index)?;
    let chain = op.chain(dispatch.variant, &dispatch.params);
    let mut outcome = Outcome::default();
    for piece in op.pieces(&dispatch.params, PIECE) {
        let before: Vec<&[u32]> = before
            .iter()
            .zip(&piece.ranges)
            .map(|(words, range)| &words[range.clone()])
            .collect();
        let expected = op.reference(&piece.params, &batch.step, &before);
        let mut expectations = expected.iter();
        for (i, binding) in op.bindings().iter().enumerate() {
            if binding.access == Access::Read {
                continue;
            }
            let elements = piece.ranges[i].clone();
            let written = Written {
                binding: binding.name,
                first: elements.start,
                before: before[i],
                found: &words(executor, &dispatch.bindings[i], elements)?,
            };
            let expectation = expectations
                .next()
                .expect("one expectation for each written binding");
            outcome.compare(written, expectation, chain, false);
        }
    }
    Ok(outcome)
}

/// Some elements of what a dispatch binds.
fn words(
    executor: &Executor,
    range: &plan::Range,
    elements: Range<usize>,
) -> Result<Vec<u32>, gpu::Error> {
    let mut words = Vec::with_capacity(elements.len());
    let bytes = 4 * elements.start as u64..4 * elements.end as u64;
    let bytes = range.offset + bytes.start..range.offset + bytes.end;
    download(executor, range.buffer, bytes, &mut |bytes| {
        let each = bytes.as_chunks().0.iter();
        words.extend(each.map(|&bytes| u32::from_ne_bytes(bytes)));
    })?;
    Ok(words)
}

/// Hands a range of a buffer's bytes to `read`, a chunk at a time: what is downloaded lies on the
/// host twice.
fn download(
    executor: &Executor,
    id: BufferId,
    range: Range<u64>,
    read: &mut dyn FnMut(&[u8]),
) -> Result<(), gpu::Error> {
    let (name, buffer) = (&executor.plan.buffers[id].name, executor.buffer(id));
    for offset in range.clone().step_by(CHUNK as usize) {
        let bytes = CHUNK.min(range.end - offset);
        executor
            .gpu
            .download(name, buffer, offset, bytes, |bytes| read(bytes))?;
    }
    Ok(())
}

/// A network with drawn weights on a device, and a batch of faces to learn from.
pub(super) struct Trial<'g> {
    executor: Executor<'g>,
    faces: Dataset,
    batch: u32,
}

/// Why a network's step could not be tried.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] gpu::Error),
}

impl Error {
    /// Is the device merely too small?
    pub fn too_small(&self) -> bool {
        use gpu::Error::{Limit, OutOfMemory};
        matches!(
            self,
            Error::Plan(_) | Error::Gpu(OutOfMemory { .. } | Limit { .. })
        )
    }

    pub fn is_lost(&self) -> bool {
        matches!(self, Error::Gpu(gpu::Error::Lost { .. }))
    }
}

impl<'g> Trial<'g> {
    pub fn new(gpu: &'g Gpu, network: &Network, batch: u32) -> Result<Trial<'g>, Error> {
        let faces = Dataset::trial(network.image, [batch as usize; 2]);
        let options = Options::new(gpu.profile.clone());
        let sources = feed::placement(&faces, &gpu.profile.limits);
        let model = network.build(faces.class_names.len() as u32);
        let plan = plan::plan(&model, &Wanted::training(batch, sources), &options)?;
        // Without run-time checks, as training loads its kernels.
        let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ())?;
        feed::upload(&executor, &faces)?;
        Ok(Trial {
            executor,
            faces,
            batch,
        })
    }

    /// Holds each dispatch of the first step against its reference.
    pub fn check(&mut self, report: &mut dyn FnMut(&Dispatch, &Outcome)) -> Result<(), gpu::Error> {
        self.first_step(|executor, batch| check_step(executor, batch, report))
            .map(drop)
    }

    /// Runs the first step twice; the first tensor that differs, if one does.
    pub fn repeat(&mut self) -> Result<Option<Reason>, gpu::Error> {
        let whole = |executor: &mut Executor, batch: &Batch| {
            executor.submit(Work::TRAIN, batch)?;
            let metrics = executor.finish_oldest()?;
            Ok(metrics.expect("the step was submitted"))
        };
        let metrics = self.first_step(whole)?;
        let once = self.fingerprints(&metrics)?;
        let metrics = self.first_step(whole)?;
        let again = self.fingerprints(&metrics)?;
        let differs = once.into_iter().zip(again).find(|(a, b)| a != b);
        Ok(differs.map(|((tensor, _), _)| Reason::Unrepeatable { tensor }))
    }

    /// Runs the first step from the same weights.
    fn first_step(
        &mut self,
        run: impl FnOnce(&mut Executor, &Batch) -> Result<Metrics, gpu::Error>,
    ) -> Result<Metrics, gpu::Error> {
        self.executor.draw_parameters(0)?;
        let order = feed::order(self.batch as usize, false, 0, 0);
        let on_device = self.executor.gathers(Work::TRAIN);
        let mut batches = Batches::new(
            &self.faces,
            &self.faces.train,
            order,
            [self.batch, 1],
            on_device,
        );
        let rule = self.executor.plan.rule.scalars(0.001, 1);
        let batch = batches.get(0, Step::new(1, 0, rule));
        run(&mut self.executor, &batch)
    }

    /// The loss, and a fingerprint of each buffer of weights and moments.
    fn fingerprints(&self, metrics: &Metrics) -> Result<Vec<(String, u128)>, gpu::Error> {
        let loss = ("the loss".to_string(), metrics.loss_sum.to_bits() as u128);
        let mut prints = vec![loss];
        for id in self.executor.plan.parameter_buffers() {
            prints.push(self.fingerprint(id)?);
        }
        Ok(prints)
    }

    /// The name and a hash of a buffer.
    fn fingerprint(&self, id: BufferId) -> Result<(String, u128), gpu::Error> {
        let spec = &self.executor.plan.buffers[id];
        let mut hash = Xxh3::new();
        download(&self.executor, id, 0..spec.bytes, &mut |bytes| {
            hash.update(bytes)
        })?;
        Ok((spec.name.clone(), hash.digest128()))
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::reference::Expected;
    use crate::ops::{Access, REGISTRY};
    use crate::verify::case;

    /// The bits of what must stand in an element, and how far from it.
    fn bits(expected: &Expected, element: usize) -> [u64; 2] {
        let (value, bound) = (expected.values[element], expected.bound(element, 1));
        [value.to_bits(), bound.to_bits()]
    }

    #[test]
    fn pieces_join_to_the_whole_reference() {
        let mut cut = Vec::new();
        for op in REGISTRY {
            for case in op.cases() {
                let pieces = op.pieces(&case.params, 100);
                if pieces.len() == 1 {
                    continue;
                }
                cut.push(op.name());
                let inputs = case::inputs(*op, &case);
                let whole = case::expected(*op, &case, &inputs);
                let written = || {
                    let all = op.bindings().iter().enumerate();
                    let written = all.filter(|(_, binding)| binding.access != Access::Read);
                    written.map(|(i, _)| i).zip(&whole)
                };
                let mut next = vec![0; inputs.len()];
                for piece in &pieces {
                    let words = inputs.iter().zip(&piece.ranges);
                    let words: Vec<&[u32]> = words.map(|(w, range)| &w[range.clone()]).collect();
                    let parts = op.reference(&piece.params, &case.step, &words);
                    for ((i, whole), part) in written().zip(&parts) {
                        let range = piece.ranges[i].clone();
                        assert_eq!(range.start, next[i], "{} {}", op.name(), case.name);
                        assert_eq!(range.len(), part.values.len());
                        for (of_part, of_whole) in range.clone().enumerate() {
                            assert_eq!(bits(part, of_part), bits(whole, of_whole));
                        }
                        next[i] = range.end;
                    }
                }
                for (i, whole) in written() {
                    assert_eq!(next[i], whole.values.len(), "{} {}", op.name(), case.name);
                }
            }
        }
        cut.dedup();
        let large = [
            "matmul_backward_weight",
            "matmul_backward_weight_adam",
            "adam",
            "sgd",
            "sgd_momentum",
            "rmsprop",
            "rmsprop_momentum",
            "l2_gradient",
            "clip_value",
            "accumulate",
            "decay_weights",
            "moving_statistic",
            "weight_average",
        ];
        assert_eq!(cut, large);
    }
}
