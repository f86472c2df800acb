//! Training from a program of one's own, in a few lines: arrays in, metrics and probabilities out.
//!
//! It compiles the programs that `train` runs, and waits for each step. What it does not do are epochs, files
//! and the run's folder: [`Trainer::executor`] leads to the tensors, and `weights` writes them.

use crate::feed;
use crate::gpu::{self, Batch, Checks, Executor, Gpu, Images, Metrics, Work};
use crate::network::Model;
use crate::ops::Step;
use crate::plan::{self, Options, Source, Wanted};
use crate::random;
use crate::rules::{Adam, Rule};
use std::sync::Arc;

/// How a network is trained.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The most images of a step.
    pub batch: u32,
    /// The optimiser.
    pub rule: Arc<dyn Rule>,
    pub learning_rate: f64,
    /// What the weights are drawn from, and what dropout drops.
    pub seed: u64,
}

/// Batches of 64, Adam at 0.001, seed 0: as `fer-gpu train`.
impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            batch: 64,
            rule: Arc::new(Adam::default()),
            learning_rate: 0.001,
            seed: 0,
        }
    }
}

/// Why a trainer refuses or fails.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] gpu::Error),
    #[error("the recipe's batch is 0 images, at least one is needed")]
    NoBatch,
    #[error("a step of {found} images; the recipe's batch allows 1 to {batch}")]
    Rows { found: usize, batch: u32 },
    #[error("{found} numbers are no {what} of {h} x {w} x {c}", h = image[0], w = image[1], c = image[2])]
    Pixels {
        found: usize,
        /// So many images, or images.
        what: String,
        /// Height, width, channels.
        image: [u32; 3],
    },
    #[error("label {label} of image {row}: the network has classes 0 to {last}")]
    Label { row: usize, label: u32, last: u32 },
    #[error(
        "the loss of step {step} is not finite, and no weight was changed; a lower learning rate or scaled images may help"
    )]
    NonFinite { step: u64 },
}

/// A network on a device, being trained.
pub struct Trainer<'g> {
    executor: Executor<'g>,
    batch: u32,
    learning_rate: f64,
    seed: u64,
    /// Steps done.
    steps: u64,
    /// A whole batch, (n, c, h, w).
    planes: Vec<f32>,
}

impl<'g> Trainer<'g> {
    /// Compiles training and prediction for the device, and draws the weights.
    ///
    /// # Errors
    /// Where the network does not fit the device, or the device fails.
    pub fn new(gpu: &'g Gpu, model: &Model, recipe: Recipe) -> Result<Trainer<'g>, Error> {
        let Recipe {
            batch,
            rule,
            learning_rate,
            seed,
        } = recipe;
        if batch == 0 {
            return Err(Error::NoBatch);
        }
        let options = Options {
            rule,
            ..Options::new(gpu.profile.clone())
        };
        let [train, _] = Wanted::training(batch, [Source::Host; 2]);
        let [predict] = Wanted::prediction(batch);
        let plan = plan::plan(model, &[train, predict], &options)?;
        let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ())?;
        executor.draw_parameters(seed)?;
        let pixels = batch as usize * image_len(&executor);
        Ok(Trainer {
            executor,
            batch,
            learning_rate,
            seed,
            steps: 0,
            planes: vec![0.0; pixels],
        })
    }

    /// One step on up to a batch of images (n, h, w, c), scaled as the network is to see them, and their class
    /// numbers. Fewer images than a batch count as what they are. The metrics are those before the update.
    ///
    /// # Errors
    /// Where images and labels are not such, the loss is not finite, or the device fails.
    pub fn step(&mut self, images: &[f32], labels: &[u32]) -> Result<Metrics, Error> {
        let rows = labels.len();
        if !(1..=self.batch as usize).contains(&rows) {
            let batch = self.batch;
            return Err(Error::Rows { found: rows, batch });
        }
        if images.len() != rows * image_len(&self.executor) {
            return Err(self.no_images(images, format!("{rows} images")));
        }
        let classes = self.executor.plan.classes;
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::Label {
                row,
                label: labels[row],
                last: classes - 1,
            });
        }
        let step = self.steps + 1;
        let rule = self.executor.plan.rule.scalars(self.learning_rate, step);
        let mut labels = labels.to_vec();
        labels.resize(self.batch as usize, 0);
        self.fill(images);
        let seeded = Step {
            seed: random::folded(self.seed),
            ..Step::new(step as u32, rows as u32, rule)
        };
        let batch = Batch::new(Images::Host(&self.planes), &labels, seeded);
        self.executor.submit(Work::TRAIN, &batch)?;
        let metrics = self.executor.finish_oldest()?;
        let metrics = metrics.expect("a step was submitted");
        if metrics.non_finite {
            self.executor.lower_flag(Work::TRAIN);
            return Err(Error::NonFinite { step });
        }
        self.steps = step;
        Ok(metrics)
    }

    /// The probabilities (n, classes) of any number of images (n, h, w, c), scaled as those of the steps.
    ///
    /// # Errors
    /// Where the numbers are no whole images, or the device fails.
    pub fn predict(&mut self, images: &[f32]) -> Result<Vec<f32>, Error> {
        let image = image_len(&self.executor);
        if !images.len().is_multiple_of(image) {
            return Err(self.no_images(images, "images".into()));
        }
        let mut all = Vec::new();
        for images in images.chunks(self.batch as usize * image) {
            let rows = images.len() / image;
            self.fill(images);
            let step = Step::new(0, rows as u32, [0.0; 4]);
            let batch = Batch::new(Images::Host(&self.planes), &[], step);
            let found = self
                .executor
                .compute(Work::PREDICT, &batch, "probabilities")?;
            all.extend_from_slice(&found[..rows * self.executor.plan.classes as usize]);
        }
        Ok(all)
    }

    /// The network on the device: its plan, tensors and ports.
    pub fn executor(&self) -> &Executor<'g> {
        &self.executor
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Images to planes; zeros behind them, as `train` has them.
    fn fill(&mut self, images: &[f32]) {
        let image = image_len(&self.executor);
        let channels = self.executor.plan.image[2] as usize;
        let (used, behind) = self.planes.split_at_mut(images.len());
        for (image, planes) in images.chunks(image).zip(used.chunks_mut(image)) {
            feed::planes(image, channels, planes);
        }
        behind.fill(0.0);
    }

    fn no_images(&self, images: &[f32], what: String) -> Error {
        Error::Pixels {
            found: images.len(),
            what,
            image: self.executor.plan.image,
        }
    }
}

/// Numbers of one image.
fn image_len(executor: &Executor) -> usize {
    executor.plan.image.iter().product::<u32>() as usize
}
