//! A run's folder and the images that it validates on -> an [`Outcome`]. The answers need one pass, in the very
//! program that validates during training, and memory for neither gradients nor an optimiser.

use super::mistakes::Worst;
use super::{Error, MISTAKES, Outcome, picture};
use crate::data::Validation;
use crate::feed;
use crate::gpu::Gpu;
use crate::inference::{self, Opened, Tta};
use crate::plan::Wanted;
use crate::train::{self, Config};
use std::path::Path;

/// Lets the weights of a run answer its images. `each` hears how many are done, until it says no.
///
/// # Errors
/// A folder without a history, weights that the device cannot run, or a device that fails.
pub fn gather(
    folder: &Path,
    config: &Config,
    opened: Opened,
    gpu: &Gpu,
    validation: &Validation,
    pictures: bool,
    each: &mut dyn FnMut(usize) -> bool,
) -> Result<Outcome, Error> {
    let history = train::read_history(folder)?;
    let (record, hash) = (opened.record.clone(), opened.hash().to_string());
    let parameters = opened.model.parameters();
    let [_, source] = feed::placement(&validation.dataset, &gpu.profile.limits);
    let mut executor = opened.load(gpu, &Wanted::evaluation(config.batch, source))?;
    let mut worst = Worst::of(MISTAKES);
    let score = inference::evaluate(&mut executor, validation, Tta::None, &mut |answered| {
        worst.add(&answered);
        each(answered.row + 1)
    })?;
    let mut mistakes = worst.mistakes();
    if pictures {
        for mistake in &mut mistakes {
            mistake.png = Some(picture::png(&validation.dataset, mistake.row));
        }
    }
    Ok(Outcome {
        name: train::run_name(folder),
        folder: folder.into(),
        config: config.clone(),
        history,
        epoch: record.epoch,
        parameters,
        hash,
        adapter: gpu.info.to_string(),
        data: validation.dataset.name.clone(),
        score,
        mistakes,
        augmented: pictures.then(|| picture::augmented(folder)).flatten(),
    })
}
