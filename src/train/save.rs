//! Keeps a run on the disk: what was found good, and only that.
//!
//! A resume point from which no step can be computed would be the end of a run. So before
//! anything is saved the device counts the weights that are not finite, and computes the loss of
//! the very batch that comes next: the head of the next step, which then goes on from there.

use super::history::{write_curves, write_history};
use super::state::{AVERAGE, BEST, LAST, Origin, Saved};
use super::{Error, Event, Session, replay};
use crate::files;
use crate::gpu::Work;
use crate::weights::{self, Contents};
use std::time::Instant;

/// Why a run is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// In mid-epoch, for safety: the resume point alone.
    Checkpoint,
    /// An epoch has ended.
    Epoch,
    /// The process is about to end.
    Stop,
}

impl Session<'_, '_> {
    /// Makes sure that the run can go on from here; no step may be in flight.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if it cannot.
    pub(super) fn confirm(&mut self) -> Result<(), Error> {
        let step = self.state.step;
        let diverged = |what, tensor| Error::NonFinite { step, what, tensor };
        if self.executor.non_finite_weights()? > 0 {
            let tensor = replay::first_non_finite_weight(&self.executor)?;
            return Err(diverged("its weights are", tensor));
        }
        let run = self.run.clone();
        let mut batches = self.batches(&run.dataset, self.state.epoch);
        let mut index = self.state.batch_in_epoch;
        if index == batches.count() {
            batches = self.batches(&run.dataset, self.state.epoch + 1);
            index = 0;
        }
        let scalars = self.scalars(step);
        let mut finite = true;
        for shard in 0..batches.shards_of(index) {
            let batch = batches.shard(index, shard, scalars);
            self.executor.submit(Work::LOSS, &batch)?;
            finite &= self.executor.drain()?.iter().all(|m| !m.non_finite);
        }
        self.pace.pause();
        if !finite {
            let tensor = self.first_non_finite(&mut batches, index, step)?;
            return Err(diverged("the loss with its weights is", tensor));
        }
        // A step of one shard goes on from there.
        self.loss_computed = (run.config.regime.shards == 1).then_some(step);
        Ok(())
    }

    /// Saves the run; call [`Session::confirm`] first. A save that the disk refuses is tried
    /// again at the next one, if there is one.
    pub(super) fn save(&mut self, what: What) -> Result<(), Error> {
        let done = self.state.epoch == self.run.config.epochs || self.state.stopped_early;
        let last = what == What::Stop || done;
        match self.write(what) {
            Ok(()) => {
                self.missed_save = false;
                self.saved_step = self.state.step;
            }
            Err(Error::File(cause @ files::Error::Write { .. })) if !self.missed_save && !last => {
                self.missed_save = true;
                let text = format!(
                    "step {} could not be saved: {}; step {} is saved. The run goes on and tries again at the next save",
                    self.state.step,
                    super::causes(&cause),
                    self.saved_step
                );
                (self.observe)(Event::Notice(text));
            }
            Err(error) => return Err(error),
        }
        self.saved = Instant::now();
        Ok(())
    }

    /// Best and last weights, then the resume point, then what is derived from it.
    fn write(&mut self, what: What) -> Result<(), Error> {
        let run = self.run.clone();
        run.lock.holds()?;
        let steps = self.log.as_mut().map(|log| log.sync()).transpose()?;
        if what == What::Epoch
            && let Some(best) = self.state.improved()
        {
            self.save_weights(BEST, self.validated())?;
            // It is the best from when it is on the disk.
            self.state.best = Some(best);
        }
        if what != What::Checkpoint {
            self.save_weights(LAST, Contents::Weights)?;
            if self.run.config.regime.ema.is_some() {
                self.save_weights(AVERAGE, Contents::Averages)?;
            }
        }
        let saved = Saved {
            config: run.config.clone(),
            state: self.state.clone(),
            network: Some(run.network.text.clone()),
            data_hash: files::hexadecimal(run.dataset.hash),
            variants: self.executor.plan.variants(),
            schedule: Some(self.executor.plan.schedule),
            origin: Origin::Saved,
            steps,
        };
        saved.write(&self.executor, &run.folder)?;
        if what == What::Epoch {
            write_history(&run.folder, &run.config, &self.state.history)?;
            self.draw_curves();
        }
        run.config.write(&run.folder, Some(&run.network.text))
    }

    /// Rewrites curves.svg; a run does not end for want of a picture.
    fn draw_curves(&mut self) {
        let best = self.state.best.map(|(_, epoch)| epoch);
        let (run, history) = (&self.run, &self.state.history);
        let drawn = write_curves(&run.folder, &run.config, history, best);
        if let Err(error) = &drawn
            && !self.missed_curves
        {
            let why = super::causes(error);
            let text = format!("no curves: {why}; each epoch tries again");
            (self.observe)(Event::Notice(text));
        }
        self.missed_curves = drawn.is_err();
    }

    /// Which weights the validation saw.
    fn validated(&self) -> Contents {
        match self.run.config.regime.ema {
            Some(_) => Contents::Averages,
            None => Contents::Weights,
        }
    }

    fn save_weights(&self, name: &str, contents: Contents) -> Result<(), Error> {
        let run = &self.run;
        let record = run
            .config
            .record(&run.network, self.state.epoch, &self.executor.plan);
        let metadata = record.metadata();
        let path = self.run.folder.join(name);
        Ok(weights::save(&self.executor, &path, contents, metadata)?)
    }
}
