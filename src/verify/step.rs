//! A network's training step on a device: every dispatch against its reference, with the very
//! inputs that the device had; and the whole step twice, which must give the same bits.

use super::{Outcome, Reason};
use crate::data::Dataset;
use crate::feed::{self, Batches};
use crate::gpu::{self, Batch, Checks, Executor, Gpu, Metrics, Work};
use crate::network::Network;
use crate::ops::Access;
use crate::plan::{self, BufferId, Dispatch, Options, Wanted};
use xxhash_rust::xxh3::Xxh3;

/// Bytes read back at a time.
const CHUNK: u64 = 32 << 20;

/// Images of the step that `verify` runs.
pub const STEP_BATCH: u32 = 2;

/// Runs one training step dispatch by dispatch. The reference gets the very words that the GPU
/// had before each dispatch, so errors do not pile up and the first wrong dispatch has a name.
pub fn check_step(
    executor: &mut Executor,
    batch: &Batch,
    report: &mut dyn FnMut(&Dispatch, &Outcome),
) -> Result<Metrics, gpu::Error> {
    executor.upload(Work::TRAIN, batch);
    for (index, dispatch) in executor.dispatches(Work::TRAIN).to_vec().iter().enumerate() {
        let outcome = check_dispatch(executor, index, dispatch, batch)?;
        report(dispatch, &outcome);
    }
    executor.metrics(Work::TRAIN, batch.step.valid_rows)
}

fn check_dispatch(
    executor: &Executor,
    index: usize,
    dispatch: &Dispatch,
    batch: &Batch,
) -> Result<Outcome, gpu::Error> {
    let op = dispatch.op;
    let words = |range| executor.words(range);
    let before: Vec<Vec<u32>> = dispatch
        .bindings
        .iter()
        .map(words)
        .collect::<Result<_, _>>()?;
    executor.launch(Work::TRAIN, index)?;
    let slices: Vec<&[u32]> = before.iter().map(Vec::as_slice).collect();
    let expected = op.reference(&dispatch.params, &batch.step, &slices);
    let chain = op.chain(dispatch.variant, &dispatch.params);
    let mut outcome = Outcome::default();
    let mut expectations = expected.iter();
    for ((binding, range), before) in op.bindings().iter().zip(&dispatch.bindings).zip(&before) {
        if binding.access != Access::Read {
            let found = executor.words(range)?;
            let expectation = expectations
                .next()
                .expect("one expectation for each written binding");
            outcome.compare(binding.name, before, &found, expectation, chain, false);
        }
    }
    Ok(outcome)
}

/// A network with drawn weights on a device, and two faces to learn from.
pub(super) struct Trial<'g> {
    executor: Executor<'g>,
    faces: Dataset,
}

/// Why a network's step could not be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
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
    pub fn new(gpu: &'g Gpu, network: &Network) -> Result<Trial<'g>, Error> {
        let faces = Dataset::trial(network.image, [STEP_BATCH as usize; 2]);
        let options = Options::new(gpu.profile.clone());
        let sources = feed::placement(&faces, &gpu.profile.limits);
        let model = network.build(faces.class_names.len() as u32);
        let plan = plan::plan(&model, &Wanted::training(STEP_BATCH, sources), &options)?;
        // Without run-time checks, as training loads its kernels.
        let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ())?;
        feed::upload(&executor, &faces)?;
        Ok(Trial { executor, faces })
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
        let once = self.first_step(whole)?;
        let again = self.first_step(whole)?;
        let differs = once.into_iter().zip(again).find(|(a, b)| a != b);
        Ok(differs.map(|((tensor, _), _)| Reason::Unrepeatable { tensor }))
    }

    /// Runs the first step from the same weights; a fingerprint of each buffer of weights
    /// and moments after it.
    fn first_step(
        &mut self,
        run: impl FnOnce(&mut Executor, &Batch) -> Result<Metrics, gpu::Error>,
    ) -> Result<Vec<(String, u128)>, gpu::Error> {
        self.executor.draw_parameters(0)?;
        let order = feed::order(STEP_BATCH as usize, false, 0, 0);
        let on_device = self.executor.gathers(Work::TRAIN);
        let mut batches =
            Batches::new(&self.faces, &self.faces.train, order, STEP_BATCH, on_device);
        let rule = self.executor.plan.rule.scalars(0.001, 1);
        let batch = batches.get(0, 1, rule);
        let metrics = run(&mut self.executor, &batch)?;
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
        for offset in (0..spec.bytes).step_by(CHUNK as usize) {
            let bytes = CHUNK.min(spec.bytes - offset);
            let buffer = self.executor.buffer(id);
            let gpu = self.executor.gpu;
            gpu.download(&spec.name, buffer, offset, bytes, |bytes| {
                hash.update(bytes)
            })?;
        }
        Ok((spec.name.clone(), hash.digest128()))
    }
}
