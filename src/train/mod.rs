//! Training: a data set and a network in, a run's folder out.
//!
//! `prepare` checks everything before anything is written; `setup` opens the device and loads or
//! draws the weights; this file runs the epochs and `save` keeps them; `state` and `tensors` are
//! the run on the disk, `history` is its table and curves; `first_batch` draws what training sees first; `standardise` finds
//! the figures of the training set; `remedy` says how to go on after an error. The terminal's side is told
//! through [`Event`]s.

mod error;
mod first_batch;
mod history;
mod pace;
mod prepare;
mod recipe;
mod regime;
mod remedy;
mod replay;
mod save;
mod schedule;
mod settings;
mod setup;
mod space;
mod standardise;
mod state;
mod steps;
mod watch;

pub use error::{Error, causes};
pub use first_batch::preview;
pub use history::{curve, read_history, run_name};
pub use recipe::{Boxed, Ema, RECIPES, Recipe};
pub use regime::{Balance, ClassWeights, Decayed, Regime};
pub use schedule::{
    Position, Schedule, Shape as ScheduleShape, name_of as schedule_name, names as schedule_names,
};
pub use settings::{Given, Out, Settings, Start};
pub use setup::run;
pub use standardise::Standardise;
pub use state::{
    AUGMENTED, AVERAGE, BEST, CONFIG, CURVES, Config, EpochRow, HISTORY, LAST, NETWORK, RECIPE,
    REPORT, RESUME, STEPS, State,
};
pub use watch::{EarlyStopping, Monitor, ReduceOnPlateau};

use crate::augment::{self, Augment, Draw};
use crate::data::Dataset;
use crate::feed::{self, Batches};
use crate::gpu::{Executor, Metrics, Work};
use crate::ops::Step;
use crate::plan::Dispatch;
use crate::random;
use crate::verify;
use pace::Pace;
use setup::Run;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use steps::StepLog;

/// What happens while a run goes on.
pub enum Event<'a> {
    /// So much of a source that is no data set yet was read.
    Importing {
        done: u64,
        total: u64,
    },
    /// The device is open and the plan made.
    Planned {
        adapter: &'a crate::gpu::adapter::Info,
        device_bytes: u64,
        dataset: &'a Dataset,
        /// What becomes of the images of training.
        augment: Option<&'a Augment>,
    },
    /// The run has its folder, and a resume point in it.
    Started {
        adapter: &'a crate::gpu::adapter::Info,
        folder: &'a std::path::Path,
        model: &'a str,
        /// Optimiser steps done before.
        step: u64,
        /// From 1.
        epoch: u32,
        epochs: u32,
    },
    /// Something the user should know.
    Notice(String),
    Compiling {
        done: usize,
        total: usize,
    },
    /// One dispatch was held against its reference.
    Checked {
        label: &'a str,
        op: &'static str,
        outcome: &'a verify::Outcome,
    },
    /// The loss of a step has arrived.
    Step {
        epoch: u32,
        batch: u32,
        batches: u32,
        loss: f64,
        accuracy: f64,
    },
    Epoch(EpochRow),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    pub folder: PathBuf,
    /// Optimiser steps of the whole run.
    pub steps: u64,
    /// Median milliseconds between losses on the host, the first three dropped; none for fewer.
    pub step_ms_median: Option<f64>,
    /// Milliseconds from the start of the process to the first loss.
    pub first_step_ms: f64,
    pub planned_device_bytes: u64,
    /// The lowest validation loss, and its epoch.
    pub best: Option<(f64, u32)>,
    /// This process did its last epoch.
    pub completed: bool,
    /// Stopped by the user before its last epoch.
    pub interrupted: bool,
    /// The last epoch's validation loss is not finite.
    pub overflows: bool,
}

impl Summary {
    /// Of a run that had done all its epochs before.
    fn finished(folder: &std::path::Path, state: &State) -> Summary {
        Summary {
            folder: folder.into(),
            steps: state.step,
            step_ms_median: None,
            first_step_ms: 0.0,
            planned_device_bytes: 0,
            best: state.best,
            completed: false,
            interrupted: false,
            overflows: state.overflows(),
        }
    }
}

/// A run on an open device.
struct Session<'a, 'g> {
    run: Arc<Run>,
    executor: Executor<'g>,
    state: State,
    log: Option<StepLog>,
    stop: &'a AtomicBool,
    observe: &'a mut dyn FnMut(Event),
    pace: Pace,
    /// When the resume point was last written, or could not be.
    saved: Instant,
    /// The step that it holds.
    saved_step: u64,
    /// The step whose loss the device has computed, with all that its backward pass needs.
    loss_computed: Option<u64>,
    /// Did the last save fail?
    missed_save: bool,
    /// Could curves.svg not be written the last time?
    missed_curves: bool,
    steps_here: u64,
    /// (epoch, batch, step) of the steps in flight, oldest first.
    in_flight: std::collections::VecDeque<(u32, u32, u64)>,
}

/// Counts the dispatches of a step that were held against their references.
struct Checked<'a> {
    step: u64,
    observe: &'a mut dyn FnMut(Event),
    failed: usize,
    dispatches: usize,
}

impl<'a> Checked<'a> {
    fn new(step: u64, observe: &'a mut dyn FnMut(Event)) -> Checked<'a> {
        Checked {
            step,
            observe,
            failed: 0,
            dispatches: 0,
        }
    }

    fn add(&mut self, dispatch: &Dispatch, outcome: &verify::Outcome) {
        self.dispatches += 1;
        self.failed += usize::from(!outcome.passed());
        (self.observe)(Event::Checked {
            label: &dispatch.label,
            op: dispatch.op.name(),
            outcome,
        });
    }

    fn result(self) -> Result<(), Error> {
        match self.failed {
            0 => Ok(()),
            failed => Err(Error::Check {
                step: self.step,
                failed,
                dispatches: self.dispatches,
            }),
        }
    }
}

/// The batches of an epoch (from 0) of a run's training; mixtures count as their classes do.
fn batches<'d>(
    config: &Config,
    dataset: &'d Dataset,
    class_weights: Option<Vec<f32>>,
    epoch: u32,
    on_device: bool,
) -> Batches<'d> {
    let order = feed::order(dataset.train.rows(), config.shuffle, config.seed, epoch);
    let cut = [config.batch, config.regime.shards];
    let augment = config.regime.augment.as_ref();
    let draw = augment.map(|augment| {
        let epochs = [epoch, config.epochs];
        let bounds = augment::bounds(dataset.range);
        Draw::new(augment, config.seed, epochs, dataset.image, bounds)
    });
    Batches::new(dataset, &dataset.train, order, cut, on_device).augmented(draw, class_weights)
}

/// Why an epoch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Complete,
    /// Ctrl-C.
    Interrupted,
    /// `--steps` are done.
    StepsDone,
}

impl Session<'_, '_> {
    /// Trains to the last epoch, or until stopped; saves either way.
    pub fn train(mut self) -> Result<Summary, Error> {
        let mut ending = Ending::Complete;
        let goes_on =
            |state: &State, config: &Config| state.epoch < config.epochs && !state.stopped_early;
        while goes_on(&self.state, &self.run.config) && ending == Ending::Complete {
            ending = self.epoch()?;
        }
        if ending != Ending::Complete {
            self.confirm()?;
            self.save(save::What::Stop)?;
        }
        Ok(Summary {
            folder: self.run.folder.clone(),
            steps: self.state.step,
            step_ms_median: self.pace.median_ms(),
            first_step_ms: self.pace.first_ms(),
            planned_device_bytes: self.executor.plan.device_bytes(),
            best: self.state.best,
            completed: ending == Ending::Complete,
            interrupted: ending == Ending::Interrupted,
            overflows: self.state.overflows(),
        })
    }

    /// Trains from the state's place to the end of its epoch, validates and saves.
    fn epoch(&mut self) -> Result<Ending, Error> {
        let run = self.run.clone();
        let dataset = &run.dataset;
        let mut batches = self.batches(dataset, self.state.epoch);
        let count = batches.count();
        let begun = Instant::now();
        let before = self.state.seconds;
        let mut ending = Ending::Complete;
        for index in self.state.batch_in_epoch..count {
            if self.stop.load(Ordering::Relaxed) {
                ending = Ending::Interrupted;
                break;
            }
            if self.run.steps.is_some_and(|steps| self.steps_here >= steps) {
                ending = Ending::StepsDone;
                break;
            }
            self.step(&mut batches, index)?;
            // The end of the epoch, which is near, saves too.
            let last = index + 1 == count;
            if self.saved.elapsed() >= self.run.checkpoint_every && !last {
                self.drain(&mut batches)?;
                self.state.seconds = before + begun.elapsed().as_secs_f64();
                self.confirm()?;
                self.save(save::What::Checkpoint)?;
            }
        }
        self.drain(&mut batches)?;
        self.state.seconds = before + begun.elapsed().as_secs_f64();
        if ending == Ending::Complete {
            ending = self.finish_epoch(begun, before)?;
        }
        Ok(ending)
    }

    /// The batches of an epoch of training.
    fn batches<'d>(&self, dataset: &'d Dataset, epoch: u32) -> Batches<'d> {
        let (config, weights) = (&self.run.config, self.run.class_weights.clone());
        let on_device = self.executor.gathers(Work::TRAIN);
        batches(config, dataset, weights, epoch, on_device)
    }

    /// The learning rate of a step (from 0), as the schedule and the plateaus so far have it.
    fn rate(&self, step: u64) -> f64 {
        let config = &self.run.config;
        let at = Position {
            step,
            steps_per_epoch: self
                .run
                .dataset
                .train
                .rows()
                .div_ceil(config.batch as usize) as u32,
            epochs: config.epochs,
        };
        let rate = config.regime.schedule.rate(config.learning_rate, at);
        rate * self.state.rate_factor
    }

    /// The scalars of a step (from 0).
    fn scalars(&self, step: u64) -> Step {
        let config = &self.run.config;
        let rate = self.rate(step);
        let rule = self.executor.plan.rule.scalars(rate, step + 1);
        Step {
            seed: random::folded(config.seed),
            decay: (rate * config.weight_decay()) as f32,
            averaging: config.regime.averaging(step + 1),
            ..Step::new(step as u32 + 1, 0, rule)
        }
    }

    /// Submits one step and absorbs the metrics of an earlier one.
    fn step(&mut self, batches: &mut Batches, index: u32) -> Result<(), Error> {
        let step = self.state.step + self.in_flight.len() as u64;
        let scalars = self.scalars(step);
        self.in_flight.push_back((self.state.epoch, index, step));
        self.steps_here += 1;
        if self.run.config.regime.shards > 1 {
            return self.step_of_shards(batches, index, scalars);
        }
        let batch = batches.get(index, scalars);
        let program = match self.loss_computed.take() {
            Some(computed) if computed == step => Work::UPDATE,
            _ => Work::TRAIN,
        };
        let arrived = if self.steps_here > 1 {
            self.executor.submit(program, &batch)?
        } else if self.run.check {
            Some(self.checked_step(&batch, step)?)
        } else {
            let observe = &mut *self.observe;
            let mut compiled = |done, total| observe(Event::Compiling { done, total });
            Some(
                self.executor
                    .submit_slowly(Work::TRAIN, &batch, &mut compiled)?,
            )
        };
        match arrived {
            Some(metrics) => self.absorb(metrics, batches),
            None => Ok(()),
        }
    }

    /// The same for a step of several shards.
    fn step_of_shards(
        &mut self,
        batches: &mut Batches,
        index: u32,
        scalars: Step,
    ) -> Result<(), Error> {
        if self.steps_here == 1 && self.run.check {
            let metrics = self.checked_shards(batches, index, scalars)?;
            return self.absorb(metrics, batches);
        }
        let shards = batches.shards_of(index);
        let mut arrived = None;
        for shard in 0..shards {
            let batch = batches.shard(index, shard, scalars);
            let oldest = self.executor.submit_shard(&batch, shard + 1 == shards)?;
            arrived = arrived.or(oldest);
        }
        match arrived {
            Some(metrics) => self.absorb(metrics, batches),
            None => Ok(()),
        }
    }

    /// The first step, each dispatch held against its reference.
    fn checked_step(&mut self, batch: &crate::gpu::Batch, step: u64) -> Result<Metrics, Error> {
        let mut checked = Checked::new(step, self.observe);
        let metrics = verify::check_step(&mut self.executor, batch, &mut |dispatch, outcome| {
            checked.add(dispatch, outcome)
        })?;
        checked.result().map(|()| metrics)
    }

    /// The same for a step of several shards.
    fn checked_shards(
        &mut self,
        batches: &mut Batches,
        index: u32,
        scalars: Step,
    ) -> Result<Metrics, Error> {
        let shards = batches.shards_of(index);
        let mut checked = Checked::new(scalars.step as u64 - 1, self.observe);
        self.executor.begin_shards();
        for shard in 0..shards {
            let batch = batches.shard(index, shard, scalars);
            verify::check_shard(
                &mut self.executor,
                &batch,
                shard + 1 == shards,
                &mut |d, o| checked.add(d, o),
            )?;
        }
        self.executor.end_shards();
        let metrics = self.executor.finish_oldest()?;
        checked
            .result()
            .map(|()| metrics.expect("a step was submitted"))
    }

    /// Books the metrics of the oldest step in flight.
    fn absorb(&mut self, metrics: Metrics, batches: &mut Batches) -> Result<(), Error> {
        let (epoch, index, step) = self.in_flight.pop_front().expect("a step was in flight");
        self.pace.tick();
        if metrics.non_finite {
            self.executor.drain()?;
            let tensor = self.first_non_finite(batches, index, step)?;
            let what = "the loss is";
            return Err(Error::NonFinite { step, what, tensor });
        }
        let state = &mut self.state;
        state.step = step + 1;
        state.batch_in_epoch = index + 1;
        state.loss_sum += metrics.total();
        state.correct += metrics.correct as u64;
        state.rows += metrics.rows as u64;
        if let Some(log) = &mut self.log {
            log.row(step, metrics.loss(), metrics.accuracy());
        }
        let mean = |sum: f64| sum / state.rows as f64;
        let (loss, accuracy) = (mean(state.loss_sum), mean(state.correct as f64));
        (self.observe)(Event::Step {
            epoch: epoch + 1,
            batch: index + 1,
            batches: batches.count(),
            loss,
            accuracy,
        });
        Ok(())
    }

    /// Names the first tensor of a step that is not finite.
    fn first_non_finite(
        &self,
        batches: &mut Batches,
        index: u32,
        step: u64,
    ) -> Result<String, Error> {
        let scalars = self.scalars(step);
        for shard in 0..batches.shards_of(index) {
            let batch = batches.shard(index, shard, scalars);
            if let Some(tensor) = replay::first_non_finite(&self.executor, &batch)? {
                return Ok(tensor);
            }
        }
        Ok("the loss itself".into())
    }

    /// Waits for the steps in flight.
    fn drain(&mut self, batches: &mut Batches) -> Result<(), Error> {
        while let Some(metrics) = self.executor.finish_oldest()? {
            self.absorb(metrics, batches)?;
            // No step was submitted since: the next loss may be there already.
            self.pace.pause();
        }
        Ok(())
    }

    /// Validates, books the epoch, and saves. Killed or stopped in between, the epoch's end is
    /// simply done again.
    fn finish_epoch(&mut self, begun: Instant, before: f64) -> Result<Ending, Error> {
        let Some((val_loss, val_accuracy)) = self.validate()? else {
            return Ok(Ending::Interrupted);
        };
        // That of the epoch's last step.
        let rate = self.rate(self.state.step - 1);
        let state = &mut self.state;
        let row = EpochRow {
            epoch: state.epoch + 1,
            loss: state.loss_sum / state.rows as f64,
            accuracy: state.correct as f64 / state.rows as f64,
            val_loss,
            val_accuracy,
            seconds: before + begun.elapsed().as_secs_f64(),
            learning_rate: Some(rate),
        };
        self.run.config.watch(&row, rate, state);
        state.history.push(row);
        state.epoch += 1;
        (
            state.batch_in_epoch,
            state.loss_sum,
            state.correct,
            state.rows,
            state.seconds,
        ) = (0, 0.0, 0, 0, 0.0);
        self.confirm()?;
        self.save(save::What::Epoch)?;
        if !val_loss.is_finite() {
            let text = format!(
                "the validation loss of epoch {} is not finite: the weights overflow on a validation image, a lower --lr may help",
                row.epoch
            );
            (self.observe)(Event::Notice(text));
        }
        (self.observe)(Event::Epoch(row));
        Ok(Ending::Complete)
    }

    /// Mean loss and accuracy over the validation set; none where a stop comes in between.
    fn validate(&mut self) -> Result<Option<(f64, f64)>, Error> {
        // It works in the same buffers as a step.
        self.loss_computed = None;
        let run = self.run.clone();
        let dataset = &run.dataset;
        let order = feed::order(dataset.test.rows(), false, 0, 0);
        let on_device = self.executor.gathers(Work::EVALUATE);
        let mut batches = Batches::new(
            dataset,
            &dataset.test,
            order,
            [self.run.config.shard_batch(), 1],
            on_device,
        );
        let (mut loss, mut correct, mut rows) = (0.0, 0u64, 0u64);
        let mut add = |metrics: Metrics| {
            loss += metrics.total();
            correct += metrics.correct as u64;
            rows += metrics.rows as u64;
        };
        for index in 0..batches.count() {
            if self.stop.load(Ordering::Relaxed) {
                self.executor.drain()?;
                self.executor.lower_flag(Work::EVALUATE);
                return Ok(None);
            }
            let batch = batches.get(index, Step::default());
            self.executor
                .submit(Work::EVALUATE, &batch)?
                .into_iter()
                .for_each(&mut add);
        }
        self.executor.drain()?.into_iter().for_each(&mut add);
        // An overflow on a validation image is no fault of the next training step.
        self.executor.lower_flag(Work::EVALUATE);
        Ok(Some((loss / rows as f64, correct as f64 / rows as f64)))
    }
}
