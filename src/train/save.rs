//! Keeps a run on the disk: what was found good, and only that.
//!
//! A resume point from which no step can be computed would be the end of a run. So before
//! anything is saved the device counts the weights that are not finite, and computes the loss of
//! the very batch that comes next: the head of the next step, which then goes on from there.

use super::history::{write_curves, write_history};
use super::state::{BEST, LAST, Origin, Saved};
use super::{Error, Event, Session, replay};
use crate::files;
use crate::gpu::Work;
use crate::weights;
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
        let batch = batches.get(index, step + 1, [0.0; 4]);
        self.executor.submit(Work::LOSS, &batch)?;
        let finite = self.executor.drain()?.iter().all(|m| !m.non_finite);
        self.pace.pause();
        if !finite {
            let tensor = replay::first_non_finite(&self.executor, &batch)?;
            return Err(diverged("the loss with its weights is", tensor));
        }
        self.loss_computed = Some(step);
        Ok(())
    }

    /// Saves the run; call [`Session::confirm`] first. A save that the disk refuses is tried
    /// again at the next one, if there is one.
    pub(super) fn save(&mut self, what: What) -> Result<(), Error> {
        let last = what == What::Stop || self.state.epoch == self.run.config.epochs;
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
            self.save_weights(BEST)?;
            // It is the best from when it is on the disk.
            self.state.best = Some(best);
        }
        if what != What::Checkpoint {
            self.save_weights(LAST)?;
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
        run.config.write(&run.folder)
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

    fn save_weights(&self, name: &str) -> Result<(), Error> {
        let run = &self.run;
        let record = run
            .config
            .record(&run.network, self.state.epoch, &self.executor.plan);
        let metadata = record.metadata();
        let path = self.run.folder.join(name);
        let contents = weights::Contents::Weights;
        Ok(weights::save(&self.executor, &path, contents, metadata)?)
    }
}
