//! What is told where a training run has done its last epoch: what it reached, its report, and what fits next.

use super::report::{open, outcome, told, usual_place};
use super::{Error, output, write};
use crate::gpu::{LimitChoice, Selector};
use crate::report::{self, Outcome, path};
use crate::train::{self, BEST, Summary};
use crate::weights::TensorFile;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the end is to be made.
pub struct Ending {
    pub report: bool,
    /// May the report show images of the data set?
    pub pictures: bool,
    pub device: Selector,
    pub limits: LimitChoice,
}

/// The end of a run that has best weights.
pub struct End {
    folder: PathBuf,
    /// Of how many epochs, and the row of the best one.
    epochs: usize,
    best: train::EpochRow,
    hash: String,
    /// The answers, and where the page is, if it was written.
    report: Option<(Outcome, Option<PathBuf>)>,
}

impl Ending {
    /// Looks at a run that is done. What goes wrong here is told as a warning: the run itself has succeeded.
    pub fn of(&self, summary: &Summary, stop: &AtomicBool) -> Option<End> {
        let warn = |what: &str, error: &dyn std::error::Error| {
            let (why, folder) = (train::causes(error), path(&summary.folder));
            output::warn(format_args!(
                "{what}: {why}; again with: fer-gpu report {folder}"
            ));
        };
        let (val_loss, epoch) = summary.best?;
        let history = train::read_history(&summary.folder)
            .inspect_err(|error| warn("nothing can be told of the run", error))
            .ok()?;
        let mut best = *history.get((epoch as usize).checked_sub(1)?)?;
        // All digits, of which the table has nine.
        best.val_loss = val_loss;
        let report = self.report.then(|| self.report(summary, stop));
        let report = match report {
            Some(Ok(report)) => Some(report),
            Some(Err(error)) => {
                warn("no report", &error);
                None
            }
            None => None,
        };
        if let Some((_, Some(error))) = &report {
            warn("no report", error);
        }
        if let Some((outcome, _)) = &report
            && !outcome.config.overfit_batch
        {
            best.val_accuracy = outcome.score.accuracy;
        }
        let hash = match &report {
            Some((outcome, _)) => outcome.hash.clone(),
            None => {
                TensorFile::open(&summary.folder.join(BEST), "the run's best weights")
                    .inspect_err(|error| warn("the best weights cannot be read", error))
                    .ok()?
                    .hash
            }
        };
        let place =
            |failed: &Option<Error>| failed.is_none().then(|| summary.folder.join(train::REPORT));
        Some(End {
            folder: summary.folder.clone(),
            epochs: history.len(),
            best,
            hash,
            report: report.map(|(outcome, failed)| (outcome, place(&failed))),
        })
    }

    /// The answers, and why their page could not be written, if so.
    fn report(
        &self,
        summary: &Summary,
        stop: &AtomicBool,
    ) -> Result<(Outcome, Option<Error>), Error> {
        let gpu = open(Some(&self.device), self.limits)?;
        let mut going = || !stop.load(Ordering::Relaxed);
        let outcome = outcome(&summary.folder, None, &gpu, self.pictures, &mut going)?;
        let page = report::page(std::slice::from_ref(&outcome));
        let written = usual_place(std::slice::from_ref(&summary.folder))
            .and_then(|place| write(&place, &page));
        Ok((outcome, written.err()))
    }
}

impl End {
    /// Three commands to paste.
    pub fn next(&self) -> [String; 3] {
        let run = path(&self.folder);
        [
            format!("fer-gpu evaluate {run}"),
            format!("fer-gpu predict {run} face.png"),
            format!("fer-gpu export {run} -o model.onnx"),
        ]
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let train::EpochRow {
            epoch,
            val_loss,
            val_accuracy,
            ..
        } = self.best;
        let outcome = self.report.as_ref().map(|report| &report.0);
        let distinct = outcome.map(|outcome| {
            let score = &outcome.score;
            match (score.distinct_rows, score.distinct_accuracy) {
                (Some(rows), Some(share)) => format!(
                    ", {:.2} % of the {rows} images that are not in the training set too",
                    100.0 * share
                ),
                (Some(_), None) => ", every image is in the training set too".into(),
                (None, _) => String::new(),
            }
        });
        let mut lines = vec![format!(
            "best     epoch {epoch} of {}: val_loss {val_loss:.4}, accuracy {:.2} %{}",
            self.epochs,
            100.0 * val_accuracy,
            distinct.unwrap_or_default()
        )];
        if let Some(class) = outcome.and_then(Outcome::hardest) {
            lines.push(format!(
                "hardest  {}: {:.2} % of {} images found (the lowest recall)",
                output::plain(&class.class),
                100.0 * class.recall,
                class.count
            ));
        }
        let weights = self.folder.join(BEST);
        lines.push(format!(
            "weights  {}, xxh3-128 {}",
            weights.display(),
            self.hash
        ));
        if let Some((outcome, Some(place))) = &self.report {
            lines.extend(told(place, std::slice::from_ref(outcome)));
        }
        lines
    }

    /// For programs.
    pub fn fields(&self) -> Map<String, Value> {
        let outcome = self.report.as_ref().map(|report| &report.0);
        let hardest = outcome.and_then(Outcome::hardest);
        let score = outcome.map(|outcome| &outcome.score);
        let fields = json!({
            "best_epoch": self.best.epoch,
            "best_val_loss": self.best.val_loss,
            "accuracy": self.best.val_accuracy,
            "distinct_accuracy": score.and_then(|score| score.distinct_accuracy),
            "macro_f1": score.map(|score| score.macro_f1),
            "hardest_class": hardest.map(|class| &class.class),
            "hardest_recall": hardest.map(|class| class.recall),
            "weights_hash": self.hash,
            "report": self.report.as_ref().and_then(|report| report.1.as_ref()),
            "next": self.next(),
        });
        match fields {
            Value::Object(fields) => fields,
            _ => unreachable!("an object"),
        }
    }
}
