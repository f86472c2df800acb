//! Shows a run: a progress bar and a line an epoch on a terminal; elsewhere a line where it
//! begins, each epoch, at least every minute and where it ends; or one JSON object a line.

use super::output;
use super::run_end::End;
use super::status::Status;
use super::{print, progress};
use crate::augment::Augment;
use crate::data::Dataset;
use crate::gpu::adapter::{Info, Kind};
use crate::train::{EpochRow, Event, Summary};
use crate::verify::Outcome;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Text,
    Json,
}

/// Whatever shows a run while it goes on.
pub trait Show {
    fn event(&mut self, event: Event);

    /// Takes away what will not stay.
    fn close(&mut self);
}

/// Turns events into lines.
pub struct Reporter {
    mode: Mode,
    /// Is a person watching?
    terminal: bool,
    bar: ProgressBar,
    /// Told now and then where nobody watches.
    status: Option<Status>,
}

impl Reporter {
    pub fn new(mode: Mode, status_every: Duration) -> Reporter {
        let terminal = stderr().is_terminal();
        let silent = output::is_quiet();
        Reporter {
            mode,
            terminal,
            bar: progress::bar(),
            status: (!terminal && !silent).then(|| Status::every(status_every)),
        }
    }

    /// Keeps what a line a minute would say.
    fn now(&self, status: impl FnOnce() -> String) {
        if let Some(shown) = &self.status {
            shown.set(status());
        }
    }

    fn importing(&self, done: u64, total: u64) {
        self.now(|| format!("importing, {} % read", 100 * done / total.max(1)));
        match done < total {
            true => progress::part(&self.bar, done, total, "importing"),
            false => self.bar.set_message(""),
        }
    }

    fn planned(
        &self,
        adapter: &Info,
        device_bytes: u64,
        dataset: &Dataset,
        augment: Option<&Augment>,
    ) {
        if !self.terminal {
            return;
        }
        output::status(format_args!("adapter  {adapter}"));
        if adapter.kind == Kind::Software {
            output::warn(
                "this adapter is software and runs on the CPU; a GPU with its driver is many times faster",
            );
        }
        output::status(format_args!(
            "memory   {:.1} MiB planned on the device",
            device_bytes as f64 / (1 << 20) as f64
        ));
        output::status(format_args!(
            "data     {}: {} training and {} validation images, pixels {}, {} classes",
            dataset.name,
            dataset.train.rows(),
            dataset.test.rows(),
            dataset.range,
            dataset.class_names.len(),
        ));
        if let Some(augment) = augment {
            output::status(format_args!("augment  {augment}"));
        }
    }

    fn compiling(&self, done: usize, total: usize) {
        self.now(|| format!("compiling kernels, {done} of {total}"));
        if self.bar.message() != "compiling" {
            self.bar.set_style(style("{msg} {pos}/{len} {bar:30}"));
            self.bar.set_message("compiling");
        }
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }

    fn checked(&self, label: &str, op: &str, outcome: &Outcome) {
        self.bar
            .suspend(|| output::status(verdict(label, op, outcome)));
    }

    fn step(&self, epoch: u32, batch: u32, batches: u32, loss: f64, accuracy: f64) {
        self.now(|| {
            format!(
                "epoch {epoch}  step {batch} of {batches}  loss {loss:.4}  accuracy {accuracy:.4}"
            )
        });
        if batch == 1
            || self.bar.length() != Some(batches as u64)
            || self.bar.message() == "compiling"
        {
            self.bar.set_style(style(
                "{prefix} {bar:30} {pos}/{len}  {msg}  {per_step}  ETA {eta}",
            ));
            self.bar.set_prefix(format!("epoch {epoch}"));
            self.bar.set_length(batches as u64);
            self.bar.reset();
        }
        self.bar.set_position(batch as u64);
        self.bar
            .set_message(format!("loss {loss:.4}  accuracy {accuracy:.4}"));
    }

    fn epoch(&self, row: &EpochRow) {
        let EpochRow {
            epoch,
            loss,
            accuracy,
            val_loss,
            val_accuracy,
            seconds,
            learning_rate,
        } = row;
        self.bar.suspend(|| match self.mode {
            Mode::Json => print(json!({
                "event": "epoch", "epoch": epoch, "loss": loss, "accuracy": accuracy,
                "val_loss": val_loss, "val_accuracy": val_accuracy, "seconds": seconds,
                "learning_rate": learning_rate,
            })),
            Mode::Text => print(format_args!(
                "epoch {epoch}  loss {loss:.4}  accuracy {accuracy:.4}  val_loss {val_loss:.4}  val_accuracy {val_accuracy:.4}  {seconds:.1} s"
            )),
        });
    }
}

impl Show for Reporter {
    fn event(&mut self, event: Event) {
        match event {
            Event::Importing { done, total } => self.importing(done, total),
            Event::Planned {
                adapter,
                device_bytes,
                dataset,
                augment,
            } => self.planned(adapter, device_bytes, dataset, augment),
            Event::Started {
                adapter,
                folder,
                model,
                step,
                epoch,
                epochs,
            } => {
                if self.terminal {
                    output::status(format_args!("run      {}", folder.display()));
                } else {
                    let folder = folder.display();
                    output::status(format_args!(
                        "training {model} on {adapter}: epoch {epoch} of {epochs}, {step} steps done; the run is in {folder}"
                    ));
                }
            }
            Event::Notice(text) => self.bar.suspend(|| output::note(text)),
            Event::Compiling { done, total } => self.compiling(done, total),
            Event::Checked { label, op, outcome } => self.checked(label, op, outcome),
            Event::Step {
                epoch,
                batch,
                batches,
                loss,
                accuracy,
            } => self.step(epoch, batch, batches, loss, accuracy),
            Event::Epoch(row) => self.epoch(&row),
        }
    }

    fn close(&mut self) {
        self.bar.finish_and_clear();
        self.status = None;
    }
}

/// A line on a dispatch that was held against its reference.
pub fn verdict(label: &str, op: &str, outcome: &Outcome) -> String {
    let verdict = match (&outcome.first, &outcome.stray) {
        (None, None) => format!(
            "ok, worst error {:.1} % of its bound",
            100.0 * outcome.worst
        ),
        (Some(m), _) => format!(
            "WRONG in {} of {} elements, first {}[{}] = {} instead of {} +- {:.2e}",
            outcome.wrong, outcome.elements, m.binding, m.element, m.found, m.expected, m.bound
        ),
        (None, Some(stray)) => format!("WRONG: {stray}"),
    };
    format!("check    {label:24} {op:28} {verdict}")
}

/// Tells how a run ended.
pub fn done(mode: Mode, summary: &Summary, end: Option<&End>) {
    let Summary {
        folder,
        steps,
        step_ms_median,
        first_step_ms,
        planned_device_bytes,
        best,
        ..
    } = summary;
    if mode == Mode::Json {
        let mut done = json!({
            "event": "done", "run_dir": folder, "steps": steps, "step_ms_median": step_ms_median,
            "first_step_ms": first_step_ms, "planned_device_bytes": planned_device_bytes,
        });
        let fields = done.as_object_mut().expect("an object");
        fields.extend(end.map(End::fields).unwrap_or_default());
        print(done);
    }
    let median = step_ms_median
        .map(|ms| format!(", {} a step", milliseconds(ms)))
        .unwrap_or_default();
    let best = best
        .map(|(loss, epoch)| format!(", best val_loss {loss:.4} in epoch {epoch}"))
        .unwrap_or_default();
    output::status(format_args!(
        "done     {steps} steps{median}{best}; the run is in {}",
        folder.display()
    ));
    end.map(End::lines)
        .into_iter()
        .flatten()
        .for_each(output::status);
    if let Some(end) = end {
        output::next(&end.next());
    }
}

/// With the digits that tell fast devices apart.
fn milliseconds(ms: f64) -> String {
    let decimals = match ms {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$} ms")
}

fn style(template: &str) -> ProgressStyle {
    let per_step = |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
        let rate = state.per_sec();
        if rate > 0.0 {
            let _ = write!(out, "{}/step", milliseconds(1e3 / rate));
        }
    };
    ProgressStyle::with_template(template)
        .expect("a template of ours")
        .with_key("per_step", per_step)
        .progress_chars("━━─")
}
