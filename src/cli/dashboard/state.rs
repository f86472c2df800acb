//! What the dashboard knows of a run: events in, the figures that it shows out.

use crate::train::{EpochRow, Event, read_history};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The steps that a rate is measured over.
const WINDOW: usize = 40;
/// Points of the current epoch's curve; more are thinned out.
const POINTS: usize = 400;

/// What the run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Phase {
    #[default]
    Opening,
    /// So much of a source that is no data set yet was read.
    Importing {
        done: u64,
        total: u64,
    },
    Compiling {
        done: usize,
        total: usize,
    },
    Checking,
    Training,
    Validating,
}

/// A value of the current epoch: how many epochs are done, loss, accuracy.
pub type Point = [f64; 3];

#[derive(Default)]
pub struct State {
    pub phase: Phase,
    pub adapter: String,
    pub device_bytes: u64,
    pub data: String,
    pub model: String,
    pub folder: String,
    pub epochs: u32,
    /// From 1.
    pub epoch: u32,
    pub batch: u32,
    pub batches: u32,
    /// Running means of the current epoch.
    pub loss: f64,
    pub accuracy: f64,
    pub history: Vec<EpochRow>,
    /// The current epoch, from its begin to now.
    pub trail: Vec<Point>,
    /// Every so many steps have a point of the trail.
    thinned: u32,
    training_rows: usize,
    /// How long the last steps took, and when the last one's loss came.
    times: VecDeque<Duration>,
    arrival: Option<Instant>,
    /// Epochs that were finished here, which alone tell how long one takes.
    epochs_here: u32,
}

impl State {
    pub fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Planned {
                adapter,
                device_bytes,
                dataset,
                augment: _,
            } => {
                self.adapter = adapter.to_string();
                self.device_bytes = *device_bytes;
                self.training_rows = dataset.train.rows();
                self.data = format!(
                    "{}, {} training and {} validation images",
                    dataset.name,
                    dataset.train.rows(),
                    dataset.test.rows(),
                );
            }
            Event::Started {
                folder,
                model,
                epoch,
                epochs,
                ..
            } => {
                self.folder = folder.display().to_string();
                self.model = model.to_string();
                (self.epoch, self.epochs) = (*epoch, *epochs);
                // What cannot be read the run itself tells.
                self.history = read_history(folder).unwrap_or_default();
            }
            Event::Notice(_) => {}
            &Event::Importing { done, total } => self.phase = Phase::Importing { done, total },
            &Event::Compiling { done, total } => self.phase = Phase::Compiling { done, total },
            Event::Checked { .. } => self.phase = Phase::Checking,
            &Event::Step {
                epoch,
                batch,
                batches,
                loss,
                accuracy,
            } => self.step([epoch, batch, batches], [loss, accuracy], now),
            Event::Epoch(row) => {
                self.history.push(*row);
                self.trail.clear();
                self.epochs_here += 1;
                self.phase = Phase::Training;
                // Validation is no step.
                self.arrival = None;
            }
        }
    }

    fn step(&mut self, [epoch, batch, batches]: [u32; 3], means: [f64; 2], now: Instant) {
        [self.loss, self.accuracy] = means;
        (self.epoch, self.batch, self.batches) = (epoch, batch, batches);
        self.phase = match batch == batches {
            true => Phase::Validating,
            false => Phase::Training,
        };
        let time = self.arrival.replace(now).map(|before| now - before);
        self.times.extend(time);
        if self.times.len() > WINDOW {
            self.times.pop_front();
        }
        if self.trail.is_empty() {
            self.thinned = 1;
        }
        if batch % self.thinned == 0 || batch == batches {
            let done = f64::from(epoch - 1) + f64::from(batch) / f64::from(batches);
            self.trail.push([done, means[0], means[1]]);
        }
        if self.trail.len() > POINTS {
            let mut i = 0;
            self.trail.retain(|_| {
                i += 1;
                i % 2 == 0
            });
            self.thinned *= 2;
        }
    }

    /// The mean time of the last steps.
    pub fn step_time(&self) -> Option<Duration> {
        let steps = self.times.len() as u32;
        (steps > 0).then(|| self.times.iter().sum::<Duration>() / steps)
    }

    pub fn images_per_second(&self) -> Option<f64> {
        let step = self.step_time()?.as_secs_f64();
        // Of a mean batch: the last one of an epoch is smaller.
        let rows = self.training_rows as f64 / f64::from(self.batches.max(1));
        (step > 0.0).then(|| rows / step)
    }

    /// How long the epoch, and the run, will still take.
    pub fn left(&self) -> Option<[Duration; 2]> {
        let steps = self.batches.saturating_sub(self.batch);
        let step = self.step_time()?;
        let last = self.history.last().filter(|_| self.epochs_here > 0);
        let whole = match last {
            Some(row) => Duration::try_from_secs_f64(row.seconds).ok()?,
            None => step * self.batches,
        };
        let more = self.epochs.saturating_sub(self.epoch);
        let epoch = step * steps;
        Some([epoch, epoch + whole * more])
    }

    /// The lowest validation loss, and its epoch.
    pub fn best(&self) -> Option<(f64, u32)> {
        let finite = self.history.iter().filter(|row| row.val_loss.is_finite());
        let best = finite.min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))?;
        Some((best.val_loss, best.epoch))
    }
}
