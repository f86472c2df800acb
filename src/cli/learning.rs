//! The options of `train` that say how a run learns: what a recipe says too, over which they go.

use crate::augment::Augment;
use crate::rules;
use crate::train::{
    Balance, ClassWeights, Decayed, EarlyStopping, Ema, Recipe, ReduceOnPlateau, Schedule,
    ScheduleShape, schedule_name, schedule_names,
};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "How")]
pub struct Learning {
    /// Recipe to go by, of the box (`fer-gpu recipes`) or of a file; other options go over it
    #[arg(long, value_name = "NAME|FILE.toml", conflicts_with = "resume")]
    pub recipe: Option<PathBuf>,
    /// Epochs in total, also when resuming [default: 150]
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Images of one step [default: 64]
    #[arg(long, value_name = "N")]
    pub batch: Option<u32>,
    /// Learning rate [default: 0.001]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Optimiser [default: adam]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(rules::names()), ignore_case = true)]
    pub optimizer: Option<String>,
    /// Share of the last update that sgd and rmsprop keep, from 0 to below 1 [default: 0]
    #[arg(
        long,
        value_name = "M",
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    pub momentum: Option<f64>,
    /// Nesterov's momentum: sgd looks ahead
    #[arg(long, hide_short_help = true)]
    pub nesterov: bool,
    /// Share of itself, times the learning rate, that each weight loses in a step [default: 0, adamw 0.004]
    #[arg(
        long,
        value_name = "SHARE",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    weight_decay: Option<f64>,
    /// Which weights decay: all, as in Keras, or kernels alone
    #[arg(long, value_name = "WHICH", value_parser = PossibleValuesParser::new(["all", "kernels"]), conflicts_with = "resume", hide_short_help = true)]
    decay: Option<String>,
    /// Cut each element of the gradients to within plus and minus that
    #[arg(long, value_name = "LIMIT", conflicts_with_all = ["clipnorm", "global_clipnorm", "resume"], hide_short_help = true)]
    clipvalue: Option<f32>,
    /// Scale each tensor's gradient to that norm at most
    #[arg(long, value_name = "LIMIT", conflicts_with_all = ["global_clipnorm", "resume"], hide_short_help = true)]
    clipnorm: Option<f32>,
    /// Scale all gradients together to that norm at most
    #[arg(
        long,
        value_name = "LIMIT",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    global_clipnorm: Option<f32>,
    /// How the learning rate goes: constant, step, cosine, polynomial, exponential or one_cycle, with the usual
    /// numbers; a recipe sets others
    #[arg(long, value_name = "TYPE", value_parser = schedule, conflicts_with = "resume", hide_short_help = true)]
    schedule: Option<ScheduleShape>,
    /// Epochs in which the learning rate rises from nothing
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    warmup_epochs: Option<f64>,
    /// Share of each target that all classes have in common
    #[arg(
        long,
        value_name = "SHARE",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    label_smoothing: Option<f64>,
    /// What each class counts in the loss: balanced, or a number for each, as 1,2,0.5
    #[arg(long, value_name = "balanced|W,W,...", value_parser = class_weights, conflicts_with = "resume", hide_short_help = true)]
    class_weights: Option<ClassWeights>,
    /// Keep an average of the weights over the steps and validate with it: the share that it keeps of itself, as 0.999
    #[arg(
        long,
        value_name = "SHARE",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    ema: Option<f64>,
    /// End the run after that many epochs without a lower validation loss
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "resume", hide_short_help = true)]
    early_stopping: Option<u32>,
    /// Take a tenth of the learning rate after that many epochs without a lower validation loss
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "resume", hide_short_help = true)]
    reduce_on_plateau: Option<u32>,
    /// Compute each step in that many equal parts, which takes less memory: the bits depend on it
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    shards: Option<u32>,
    /// Keep the tensors whose names match as they are, as mid_1/* (may be given several times)
    #[arg(
        long,
        value_name = "GLOB",
        conflicts_with = "resume",
        hide_short_help = true
    )]
    freeze: Vec<String>,
    /// Take the images as they are, whatever the recipe makes of them
    #[arg(long, conflicts_with = "resume", hide_short_help = true)]
    no_augment: bool,
    /// Seed of weights, shuffles and sample faces [default: 0]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub seed: Option<u64>,
    /// Visit the training images in the order of the file
    #[arg(long, conflicts_with = "resume", hide_short_help = true)]
    no_shuffle: bool,
    /// Train on the first batch alone: a network that learns at all learns it by heart
    #[arg(long, conflicts_with = "resume", hide_short_help = true)]
    overfit_batch: bool,
}

fn schedule(text: &str) -> Result<ScheduleShape, String> {
    let unknown = || format!("there are {}", schedule_names());
    let name = schedule_name(text).ok_or_else(unknown)?;
    let usual = serde_json::json!({ "type": name });
    serde_json::from_value(usual)
        .map_err(|_| format!("{name} needs numbers that only a recipe can give"))
}

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    if text == "balanced" {
        return Ok(ClassWeights::Rule(Balance::Balanced));
    }
    let numbers: Result<Vec<f32>, _> = text
        .split(',')
        .map(|number| number.trim().parse())
        .collect();
    numbers
        .map(ClassWeights::Given)
        .map_err(|_| "`balanced` or numbers with commas between them are needed".into())
}

impl Learning {
    /// What the options say.
    pub fn recipe(&self, model: Option<String>) -> Recipe {
        let mut recipe = Recipe {
            model,
            epochs: self.epochs,
            batch: self.batch,
            shards: self.shards,
            seed: self.seed,
            shuffle: self.no_shuffle.then_some(false),
            overfit_batch: self.overfit_batch.then_some(true),
            freeze: Some(self.freeze.clone()).filter(|patterns| !patterns.is_empty()),
            schedule: self.schedule(),
            ema: self.ema.map(|decay| Ema { decay }),
            early_stopping: self.early_stopping.map(|patience| EarlyStopping {
                patience,
                ..EarlyStopping::default()
            }),
            reduce_on_plateau: self.reduce_on_plateau.map(|patience| ReduceOnPlateau {
                patience,
                ..ReduceOnPlateau::default()
            }),
            augment: self.no_augment.then(Augment::default),
            ..Recipe::default()
        };
        recipe.loss.label_smoothing = self.label_smoothing;
        recipe.loss.class_weights = self.class_weights.clone();
        let optimizer = &mut recipe.optimizer;
        optimizer.kind = self.optimizer.clone();
        optimizer.learning_rate = self.lr;
        optimizer.momentum = self.momentum;
        optimizer.nesterov = self.nesterov.then_some(true);
        optimizer.weight_decay = self.weight_decay;
        optimizer.decay = self.decay.as_ref().map(|which| match which.as_str() {
            "kernels" => Decayed::Kernels,
            _ => Decayed::All,
        });
        optimizer.clipvalue = self.clipvalue;
        optimizer.clipnorm = self.clipnorm;
        optimizer.global_clipnorm = self.global_clipnorm;
        recipe
    }

    fn schedule(&self) -> Option<Schedule> {
        (self.schedule.is_some() || self.warmup_epochs.is_some()).then(|| Schedule {
            shape: self.schedule.unwrap_or_default(),
            warmup_epochs: self.warmup_epochs.unwrap_or(0.0),
        })
    }
}
