//! `train --tensorboard`: the figures of each epoch as TensorBoard's events, in the run's folder. What goes wrong
//! there is told once and ends no run.

use super::output;
use crate::exchange::{self, tensorboard};
use crate::train::{Event, causes};

/// The folder in that of the run.
pub const FOLDER: &str = "tensorboard";

/// What writes the events, if somebody wants them and the disk takes them.
pub struct Board {
    wanted: bool,
    events: Option<tensorboard::Events>,
}

impl Board {
    pub fn new(wanted: bool) -> Board {
        let events = None;
        Board { wanted, events }
    }

    pub fn event(&mut self, event: &Event) {
        if !self.wanted {
            return;
        }
        if let Err(error) = self.write(event) {
            output::warn(format_args!(
                "no more events for TensorBoard: {}",
                causes(&error)
            ));
            self.wanted = false;
        }
    }

    fn write(&mut self, event: &Event) -> Result<(), exchange::Error> {
        match (event, &mut self.events) {
            (Event::Started { folder, .. }, _) => {
                self.events = Some(tensorboard::Events::create(&folder.join(FOLDER))?);
            }
            (Event::Epoch(row), Some(events)) => {
                let mut values = vec![
                    ("loss/training", row.loss as f32),
                    ("loss/validation", row.val_loss as f32),
                    ("accuracy/training", row.accuracy as f32),
                    ("accuracy/validation", row.val_accuracy as f32),
                    ("epoch/seconds", row.seconds as f32),
                ];
                values.extend(
                    row.learning_rate
                        .map(|rate| ("epoch/learning_rate", rate as f32)),
                );
                events.scalars(u64::from(row.epoch), tensorboard::now(), &values)?;
            }
            _ => {}
        }
        Ok(())
    }
}
