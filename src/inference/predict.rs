//! Answers images: what `inputs` reads in one thread goes through the `predict` program in another, and comes
//! out in the order in which it was named. What an image's probabilities are does not depend on what else is
//! in its batch, nor on the batch's size.

use super::{Error, Ready, Rows, Tta, tta};
use crate::gpu::{Batch, Executor, Images, Work};
use crate::ops::Step;
use crate::pictures::Changed;
use std::sync::mpsc;

/// What the network says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub input: String,
    /// Row of an array.
    pub row: Option<usize>,
    /// By class number.
    pub probabilities: Vec<f32>,
    pub changed: Option<Changed>,
    pub animated: bool,
}

/// Why an image has no answer; the others have theirs.
pub type Fault = Error;

/// Answers all rows, `each` in their order, until it says no; with more than one view of an image, by the mean of their
/// probabilities.
///
/// # Errors
/// If the device fails. What is wrong with an image is told to `each`.
pub fn predict(
    executor: &mut Executor,
    rows: Rows,
    views: Tta,
    each: &mut dyn FnMut(Result<Answer, Fault>) -> bool,
) -> Result<(), Error> {
    let batch = executor.program(Work::PREDICT).batch as usize;
    // One chunk is read while another is computed.
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || rows.read(batch, &mut |chunk| send.send(chunk).is_ok()));
        for chunk in receive {
            if !answer(executor, batch, chunk, views, each)? {
                break;
            }
        }
        Ok(())
    })
}

/// Answers one chunk of at most a batch.
fn answer(
    executor: &mut Executor,
    batch: usize,
    chunk: Vec<Result<Ready, Error>>,
    views: Tta,
    each: &mut dyn FnMut(Result<Answer, Fault>) -> bool,
) -> Result<bool, Error> {
    let mut pixels = Vec::new();
    for ready in chunk.iter().flatten() {
        pixels.extend_from_slice(&ready.pixels);
    }
    let mut probabilities = Vec::new();
    if !pixels.is_empty() {
        let valid = chunk.iter().flatten().count();
        pixels.resize(pixels.len() / valid * batch, 0.0);
        probabilities = compute(executor, &pixels, valid)?;
        if views == Tta::Mirror {
            let [_, width, _] = executor.plan.image;
            let turned = tta::mirrored(&pixels, width as usize);
            let others = compute(executor, &turned, valid)?;
            let both = probabilities.iter_mut().zip(others);
            both.for_each(|(own, other)| *own = tta::mean(*own, other));
        }
    }
    let classes = executor.plan.classes as usize;
    let mut probabilities = probabilities.chunks_exact(classes);
    for ready in chunk {
        let goes_on = each(ready.map(|ready| Answer {
            input: ready.input,
            row: ready.row,
            probabilities: probabilities.next().expect("a row each").to_vec(),
            changed: ready.changed,
            animated: ready.animated,
        }));
        if !goes_on {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The probabilities of a whole batch, of which so many images are there.
fn compute(executor: &mut Executor, pixels: &[f32], valid: usize) -> Result<Vec<f32>, Error> {
    let step = Step::new(0, valid as u32, [0.0; 4]);
    let batch = Batch::new(Images::Host(pixels), &[], step);
    Ok(executor.compute(Work::PREDICT, &batch, "probabilities")?)
}
