//! Holds a network's answers against labels: forward and loss batch by batch, as a run validates.

use super::tta::{self, Averages};
use super::{Error, Tta};
use crate::data::Validation;
use crate::feed::{self, Batches};
use crate::gpu::{Batch, Executor, Images, Metrics, Work};
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

/// Runs the `evaluate` program over all images, in their order. `each` hears of every image, until it says no. With
/// more than one view of an image the report has the figures of their mean as well.
///
/// # Errors
/// If the device fails, or [`Error::Stopped`] if `each` said no.
///
/// # Panics
/// Where other views are wanted of images that lie on the device.
pub fn evaluate(
    executor: &mut Executor,
    validation: &Validation,
    tta: Tta,
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
    assert!(tta == Tta::None || !on_device, "views are made on the host");
    let batch = executor.program(Work::EVALUATE).batch;
    let mut batches = Batches::new(dataset, &dataset.test, order, [batch, 1], on_device);
    let classes = dataset.class_names.len();
    let mut tally = Tally::new(dataset.class_names.clone(), duplicates.clone());
    let mut averages = (tta == Tta::Mirror).then(|| Averages::new(tally.clone()));
    // Summed as validation sums them.
    let (mut loss, mut correct) = (0.0, 0);
    for index in 0..batches.count() {
        let step = batches.get(index, Step::default());
        let (metrics, logits) = answer(executor, &step)?;
        loss += metrics.total();
        correct += metrics.correct as u64;
        let views = match averages {
            Some(_) => answer_mirrored(executor, &step)?,
            None => Vec::new(),
        };
        let done = tally.rows() as usize;
        let labels = &dataset.test.labels[done..done + metrics.rows as usize];
        let mut views = views.chunks_exact(classes);
        for (&label, logits) in labels.iter().zip(logits.chunks_exact(classes)) {
            let row = tally.rows() as usize;
            tally.add(label, logits);
            if let (Some(averages), Some(view)) = (&mut averages, views.next()) {
                averages.add(label, [logits, view], metrics.penalty.into());
            }
            if !each(Answered { row, label, logits }) {
                return Err(Error::Stopped);
            }
        }
    }
    Ok(Report {
        tta: averages.map(Averages::figures).transpose()?,
        ..tally.report(loss, correct)?
    })
}

/// What the device says of a batch: its metrics, and the logits of all places.
fn answer(executor: &mut Executor, batch: &Batch) -> Result<(Metrics, Vec<f32>), Error> {
    executor.submit(Work::EVALUATE, batch)?;
    let metrics = executor.finish_oldest()?.expect("a step was submitted");
    Ok((metrics, executor.read_port(Work::EVALUATE, "logits")?))
}

/// The logits of the mirror images of a batch.
fn answer_mirrored(executor: &mut Executor, batch: &Batch) -> Result<Vec<f32>, Error> {
    let Images::Host(pixels) = batch.images else {
        unreachable!("asserted before the first batch")
    };
    let [_, width, _] = executor.plan.image;
    let pixels = tta::mirrored(pixels, width as usize);
    let images = Images::Host(&pixels);
    let (_, logits) = answer(executor, &Batch { images, ..*batch })?;
    Ok(logits)
}
