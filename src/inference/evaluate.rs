//! Holds a network's answers against labels: forward and loss batch by batch, as a run validates.

use super::Error;
use crate::data::Validation;
use crate::feed::{self, Batches};
use crate::gpu::{Executor, Work};
use crate::score::{Report, Tally};

/// Runs the `evaluate` program over all images, in their order. `observe` hears how many are done.
pub fn evaluate(
    executor: &mut Executor,
    validation: Validation,
    observe: &mut dyn FnMut(usize),
) -> Result<Report, Error> {
    let Validation {
        dataset,
        duplicates,
        ..
    } = validation;
    feed::upload(executor, &dataset)?;
    let rows = dataset.test.rows();
    let order = feed::order(rows, false, 0, 0);
    let on_device = executor.gathers(Work::EVALUATE);
    let batch = executor.program(Work::EVALUATE).batch;
    let mut batches = Batches::new(&dataset, &dataset.test, order, batch, on_device);
    let classes = dataset.class_names.len();
    let mut tally = Tally::new(dataset.class_names.clone(), duplicates);
    // Summed as validation sums them.
    let (mut loss, mut correct) = (0.0, 0);
    for index in 0..batches.count() {
        let step = batches.get(index, 0, [0.0; 4]);
        executor.submit(Work::EVALUATE, &step)?;
        let metrics = executor.finish_oldest()?.expect("a step was submitted");
        loss += metrics.loss_sum as f64;
        correct += metrics.correct as u64;
        let logits = executor.read_port(Work::EVALUATE, "logits")?;
        let done = tally.rows() as usize;
        let labels = &dataset.test.labels[done..done + metrics.rows as usize];
        for (&label, logits) in labels.iter().zip(logits.chunks_exact(classes)) {
            tally.add(label, logits);
        }
        observe(tally.rows() as usize);
    }
    Ok(tally.report(loss, correct)?)
}
