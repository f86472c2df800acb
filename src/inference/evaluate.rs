//! Holds a network's answers against labels: forward and loss batch by batch, as a run validates.

use super::Error;
use crate::data::Validation;
use crate::feed::{self, Batches};
use crate::gpu::{Executor, Work};
use crate::ops::Step;
use crate::score::{Report, Tally};

/// One image and what the network says of it.
pub struct Answered<'a> {
    /// From 0, as in the file.
    pub row: usize,
    /// Its class number.
    pub label: u32,
    /// By class number.
    pub logits: &'a [f32],
}

/// Runs the `evaluate` program over all images, in their order. `each` hears of every image, until it says no.
///
/// # Errors
/// If the device fails, or [`Error::Stopped`] if `each` said no.
pub fn evaluate(
    executor: &mut Executor,
    validation: &Validation,
    each: &mut dyn FnMut(Answered) -> bool,
) -> Result<Report, Error> {
    let Validation {
        dataset,
        duplicates,
        ..
    } = validation;
    feed::upload(executor, dataset)?;
    let rows = dataset.test.rows();
    let order = feed::order(rows, false, 0, 0);
    let on_device = executor.gathers(Work::EVALUATE);
    let batch = executor.program(Work::EVALUATE).batch;
    let mut batches = Batches::new(dataset, &dataset.test, order, [batch, 1], on_device);
    let classes = dataset.class_names.len();
    let mut tally = Tally::new(dataset.class_names.clone(), duplicates.clone());
    // Summed as validation sums them.
    let (mut loss, mut correct) = (0.0, 0);
    for index in 0..batches.count() {
        let step = batches.get(index, Step::default());
        executor.submit(Work::EVALUATE, &step)?;
        let metrics = executor.finish_oldest()?.expect("a step was submitted");
        loss += metrics.total();
        correct += metrics.correct as u64;
        let logits = executor.read_port(Work::EVALUATE, "logits")?;
        let done = tally.rows() as usize;
        let labels = &dataset.test.labels[done..done + metrics.rows as usize];
        for (&label, logits) in labels.iter().zip(logits.chunks_exact(classes)) {
            let row = tally.rows() as usize;
            tally.add(label, logits);
            if !each(Answered { row, label, logits }) {
                return Err(Error::Stopped);
            }
        }
    }
    Ok(tally.report(loss, correct)?)
}
