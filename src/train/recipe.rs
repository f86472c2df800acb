//! Recipes: TOML files with everything that defines a run but its data. A run writes its own, which makes it again
//! bit for bit; those of the box are built in.
//!
//! A recipe leaves out what it does not care for. [`Recipe::over`] lays one over another, the command line over all.

use super::Error;
use super::regime::{ClassWeights, Decayed, Regime};
use super::schedule::Schedule;
use super::standardise::Standardise;
use super::state::{Config, NETWORK};
use super::watch::{EarlyStopping, ReduceOnPlateau};
use crate::augment::Augment;
use crate::documents;
use crate::files;
use crate::network::Network;
use crate::plan::Clip;
use crate::rules::Choices;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// See the fields; none where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// One line for `fer-gpu recipes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it reached, where and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overfit_batch: Option<bool>,
    /// Patterns of the tensors that stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardise: Option<Standardise>,
    #[serde(skip_serializing_if = "Optimizer::is_empty")]
    pub optimizer: Optimizer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    #[serde(skip_serializing_if = "Loss::is_empty")]
    pub loss: Loss,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<Ema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce_on_plateau: Option<ReduceOnPlateau>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
}

/// The optimiser, by Keras's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_2: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// `all` or `kernels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay: Option<Decayed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipvalue: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipnorm: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_clipnorm: Option<f32>,
}

/// The loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
}

/// The average of the weights over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ema {
    /// What it keeps of itself in a step, once there were many.
    pub decay: f64,
}

impl Optimizer {
    fn is_empty(&self) -> bool {
        *self == Optimizer::default()
    }

    fn over(self, below: Optimizer) -> Optimizer {
        // Another optimiser brings its own ways.
        let name = |optimizer: &Optimizer| optimizer.kind.as_ref().map(|kind| kind.to_lowercase());
        let another = self.kind.is_some() && name(&self) != name(&below);
        let below = match another {
            true => Optimizer {
                learning_rate: below.learning_rate,
                clipvalue: below.clipvalue,
                clipnorm: below.clipnorm,
                global_clipnorm: below.global_clipnorm,
                ..Optimizer::default()
            },
            false => below,
        };
        let clips =
            self.clipvalue.is_some() || self.clipnorm.is_some() || self.global_clipnorm.is_some();
        let under = |limit: Option<f32>| limit.filter(|_| !clips);
        Optimizer {
            kind: self.kind.or(below.kind),
            learning_rate: self.learning_rate.or(below.learning_rate),
            momentum: self.momentum.or(below.momentum),
            nesterov: self.nesterov.or(below.nesterov),
            rho: self.rho.or(below.rho),
            beta_1: self.beta_1.or(below.beta_1),
            beta_2: self.beta_2.or(below.beta_2),
            epsilon: self.epsilon.or(below.epsilon),
            weight_decay: self.weight_decay.or(below.weight_decay),
            decay: self.decay.or(below.decay),
            clipvalue: self.clipvalue.or(under(below.clipvalue)),
            clipnorm: self.clipnorm.or(under(below.clipnorm)),
            global_clipnorm: self.global_clipnorm.or(under(below.global_clipnorm)),
        }
    }

    /// What was chosen of the rule.
    pub fn choices(&self) -> Choices {
        Choices {
            momentum: self.momentum,
            nesterov: self.nesterov.unwrap_or(false),
            rho: self.rho,
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
        }
    }

    /// How gradients are kept small; Keras takes one way at a time too.
    fn clip(&self) -> Result<Option<Clip>, String> {
        let ways = [
            self.clipvalue.map(Clip::Value),
            self.clipnorm.map(Clip::Norm),
            self.global_clipnorm.map(Clip::GlobalNorm),
        ];
        let mut ways = ways.into_iter().flatten();
        match (ways.next(), ways.next()) {
            (_, Some(_)) => {
                Err("only one of clipvalue, clipnorm and global_clipnorm is possible".into())
            }
            (way, None) => Ok(way),
        }
    }
}

impl Loss {
    fn is_empty(&self) -> bool {
        *self == Loss::default()
    }
}

/// A recipe of the box.
pub struct Boxed {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! boxed {
    ($name:literal) => {
        Boxed {
            name: $name,
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/networks/recipes/",
                $name,
                ".toml"
            )),
        }
    };
}

/// Every recipe of the box.
pub static RECIPES: &[Boxed] = &[
    boxed!("fer-inception"),
    boxed!("inception"),
    boxed!("mini-xception"),
];

impl Boxed {
    /// What it says.
    pub fn recipe(&self) -> Recipe {
        toml::from_str(self.text).expect("a test reads them all")
    }
}

impl Recipe {
    /// The recipe of that name, or of that file.
    ///
    /// # Errors
    /// If there is none, or if it is no recipe.
    pub fn find(name: &Path) -> Result<Recipe, Error> {
        let boxed = RECIPES.iter().find(|boxed| Path::new(boxed.name) == name);
        if let Some(boxed) = boxed {
            return Ok(boxed.recipe());
        }
        if name.extension().is_none_or(|extension| extension != "toml") && !name.exists() {
            let names: Vec<&str> = RECIPES.iter().map(|boxed| boxed.name).collect();
            return Err(Error::UnknownRecipe {
                found: name.display().to_string(),
                known: names.join(", "),
            });
        }
        Recipe::read(name)
    }

    fn read(path: &Path) -> Result<Recipe, Error> {
        let text = files::read_small(path).map_err(|source| files::Error::read(path, source))?;
        let wrong = |why: String| Error::Recipe {
            path: path.into(),
            why,
        };
        let text = String::from_utf8(text).map_err(|why| wrong(format!("no text ({why})")))?;
        let mut recipe: Recipe = toml::from_str(&text).map_err(|why| wrong(format!("\n{why}")))?;
        // A network beside it is meant from where it lies.
        if let Some(model) = &mut recipe.model
            && model.ends_with(".toml")
            && let Some(folder) = path.parent()
        {
            *model = folder.join(&*model).display().to_string();
        }
        Ok(recipe)
    }

    /// What this says, and where it says nothing, what `below` says.
    pub fn over(self, below: Recipe) -> Recipe {
        Recipe {
            about: self.about.or(below.about),
            reached: self.reached.or(below.reached),
            model: self.model.or(below.model),
            epochs: self.epochs.or(below.epochs),
            batch: self.batch.or(below.batch),
            shards: self.shards.or(below.shards),
            seed: self.seed.or(below.seed),
            shuffle: self.shuffle.or(below.shuffle),
            overfit_batch: self.overfit_batch.or(below.overfit_batch),
            freeze: self.freeze.or(below.freeze),
            standardise: self.standardise.or(below.standardise),
            optimizer: self.optimizer.over(below.optimizer),
            schedule: self.schedule.or(below.schedule),
            loss: Loss {
                label_smoothing: self.loss.label_smoothing.or(below.loss.label_smoothing),
                class_weights: self.loss.class_weights.or(below.loss.class_weights),
            },
            ema: self.ema.or(below.ema),
            early_stopping: self.early_stopping.or(below.early_stopping),
            reduce_on_plateau: self.reduce_on_plateau.or(below.reduce_on_plateau),
            augment: self.augment.or(below.augment),
        }
    }

    /// The configuration of a new run; what belongs to its data is filled in later.
    ///
    /// # Errors
    /// If it says what contradicts itself.
    pub fn config(
        self,
        data: Option<PathBuf>,
        init_from: Option<PathBuf>,
    ) -> Result<Config, Error> {
        let refused = |why| Error::Regime { why };
        let optimizer = self.optimizer;
        let name = optimizer
            .kind
            .clone()
            .unwrap_or_else(|| "adam".into())
            .to_lowercase();
        // Asked here, for a configuration does not tell a momentum of 0 from none.
        crate::rules::find(&name, &optimizer.choices())?;
        let model = self.model.as_deref().unwrap_or("inception");
        let network = Network::named(model)?;
        let model_file = documents::is_path(model)
            .then(|| std::path::absolute(model).ok())
            .flatten();
        let usual = Regime::default();
        let regime = Regime {
            shards: self.shards.unwrap_or(1),
            rho: optimizer.rho,
            beta_1: optimizer.beta_1,
            beta_2: optimizer.beta_2,
            epsilon: optimizer.epsilon,
            weight_decay: optimizer.weight_decay,
            decay: optimizer.decay.unwrap_or_default(),
            clip: optimizer.clip().map_err(refused)?,
            schedule: self.schedule.unwrap_or_default(),
            label_smoothing: self.loss.label_smoothing.unwrap_or(usual.label_smoothing),
            class_weights: self.loss.class_weights,
            ema: self.ema.map(|ema| ema.decay),
            early_stopping: self.early_stopping,
            reduce_on_plateau: self.reduce_on_plateau,
            freeze: self.freeze.unwrap_or_default(),
            augment: self.augment.filter(Augment::changes_something),
            standardise: self.standardise,
        };
        Ok(Config {
            model: network.name,
            model_file,
            epochs: self.epochs.unwrap_or(150),
            batch: self.batch.unwrap_or(64),
            learning_rate: optimizer.learning_rate.unwrap_or(0.001),
            optimizer: name,
            momentum: optimizer.momentum.unwrap_or(0.0),
            nesterov: optimizer.nesterov.unwrap_or(false),
            regime,
            seed: self.seed.unwrap_or(0),
            shuffle: self.shuffle.unwrap_or(true),
            overfit_batch: self.overfit_batch.unwrap_or(false),
            init_from,
            data,
            data_absolute: None,
            class_names: Vec::new(),
            pixel_range: String::new(),
            image: [0; 3],
            standardised: None,
        })
    }

    /// What makes a run of this configuration again.
    pub fn of(config: &Config) -> Recipe {
        let regime = &config.regime;
        let only = |limit: fn(Clip) -> Option<f32>| regime.clip.and_then(limit);
        Recipe {
            about: None,
            reached: None,
            model: Some(match &config.model_file {
                Some(_) => NETWORK.into(),
                None => config.model.clone(),
            }),
            epochs: Some(config.epochs),
            batch: Some(config.batch),
            shards: Some(regime.shards),
            seed: Some(config.seed),
            shuffle: Some(config.shuffle),
            overfit_batch: config.overfit_batch.then_some(true),
            freeze: Some(regime.freeze.clone()).filter(|patterns| !patterns.is_empty()),
            standardise: regime.standardise.clone(),
            optimizer: Optimizer {
                kind: Some(config.optimizer.clone()),
                learning_rate: Some(config.learning_rate),
                momentum: (config.momentum != 0.0).then_some(config.momentum),
                nesterov: config.nesterov.then_some(true),
                rho: regime.rho,
                beta_1: regime.beta_1,
                beta_2: regime.beta_2,
                epsilon: regime.epsilon,
                weight_decay: regime.weight_decay,
                decay: Some(regime.decay).filter(|decay| *decay != Decayed::All),
                clipvalue: only(|clip| match clip {
                    Clip::Value(limit) => Some(limit),
                    _ => None,
                }),
                clipnorm: only(|clip| match clip {
                    Clip::Norm(limit) => Some(limit),
                    _ => None,
                }),
                global_clipnorm: only(|clip| match clip {
                    Clip::GlobalNorm(limit) => Some(limit),
                    _ => None,
                }),
            },
            schedule: Some(regime.schedule),
            loss: Loss {
                label_smoothing: Some(regime.label_smoothing).filter(|s| *s != 0.0),
                class_weights: regime.class_weights.clone(),
            },
            ema: regime.ema.map(|decay| Ema { decay }),
            early_stopping: regime.early_stopping,
            reduce_on_plateau: regime.reduce_on_plateau,
            augment: regime.augment.clone(),
        }
    }

    /// As a TOML file, with what it is said in its head.
    ///
    /// # Panics
    /// If TOML has no way to say it: it has one for all that a run has.
    pub fn text(&self, head: &str) -> String {
        let body = toml::to_string(self).expect("tables of numbers and words");
        format!("# {head}\n\n{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"
        model = "inception-gap"
        epochs = 30
        batch = 128
        shards = 4
        seed = 7
        shuffle = false
        freeze = ["mid_1/*"]
        [standardise]
        by = "set"
        [optimizer]
        type = "SGD"
        learning_rate = 0.1
        momentum = 0.9
        nesterov = true
        weight_decay = 5e-4
        decay = "kernels"
        global_clipnorm = 1.0
        [schedule]
        type = "CosineDecay"
        warmup_epochs = 2
        [loss]
        label_smoothing = 0.1
        class_weights = "balanced"
        [ema]
        decay = 0.999
        [early_stopping]
        patience = 5
        [reduce_on_plateau]
        factor = 0.5
        [augment]
        mirror = true
        contrast = 0.2
        contrast_probability = 0.5
        last_epochs_without = 3
    "#;

    #[test]
    fn a_recipe_makes_a_configuration_that_writes_the_same_recipe() {
        let recipe: Recipe = toml::from_str(ALL).expect("a recipe");
        let config = recipe.clone().config(None, None).expect("a configuration");
        assert_eq!(config.optimizer, "sgd");
        assert_eq!(config.training().shards, 4);
        assert_eq!(config.regime.check(config.batch), Ok(()));
        let again = Recipe::of(&config);
        let read: Recipe = toml::from_str(&again.text("head")).expect("its own text");
        assert_eq!(read, again);
        let config_again = read.config(None, None).expect("a configuration");
        assert_eq!(config_again, config);
        // Through JSON, as resume points have it.
        let json = serde_json::to_string(&config).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Config>(&json).expect("its own text"),
            config
        );
    }

    #[test]
    fn the_usual_configuration_survives_too() {
        let config = Recipe::default()
            .config(None, None)
            .expect("a configuration");
        let text = Recipe::of(&config).text("head");
        let read: Recipe = toml::from_str(&text).expect("its own text");
        assert_eq!(read.config(None, None).expect("a configuration"), config);
    }

    #[test]
    fn what_lies_above_wins_and_another_optimiser_brings_its_own_ways() {
        let below: Recipe = toml::from_str(ALL).expect("a recipe");
        let above: Recipe =
            toml::from_str("epochs = 3\n[optimizer]\ntype = \"adam\"\nclipnorm = 2.0")
                .expect("a recipe");
        let both = above.over(below);
        assert_eq!((both.epochs, both.batch), (Some(3), Some(128)));
        assert_eq!(both.optimizer.momentum, None);
        assert_eq!(both.optimizer.learning_rate, Some(0.1));
        assert_eq!(
            (both.optimizer.clipnorm, both.optimizer.global_clipnorm),
            (Some(2.0), None)
        );
        both.config(None, None).expect("a configuration");
    }

    #[test]
    fn what_a_recipe_does_not_know_is_refused() {
        for wrong in [
            "epoch = 3",
            "[optimizer]\nlr = 0.1",
            "[optimizer]\ndecay = \"biases\"",
            "[schedule]\ntype = \"cosine\"\nbeta = 1",
            "[loss]\nclass_weights = \"even\"",
            "[ema]\nmomentum = 0.9",
            "[early_stopping]\npatience = -1",
            "[standardise]\nby = \"set\"\nstd = [0.5]",
            "[standardise]\nmean = [0.5]",
        ] {
            assert!(toml::from_str::<Recipe>(wrong).is_err(), "{wrong}");
        }
        let both = "[optimizer]\nclipnorm = 1.0\nclipvalue = 1.0";
        let both: Recipe = toml::from_str(both).expect("a recipe");
        assert!(both.config(None, None).is_err());
        let zero = "[optimizer]\ntype = \"adam\"\nmomentum = 0.0";
        let zero: Recipe = toml::from_str(zero).expect("a recipe");
        assert!(zero.config(None, None).is_err(), "adam takes no momentum");
    }

    #[test]
    fn every_recipe_of_the_box_is_one() {
        for boxed in RECIPES {
            let recipe: Recipe =
                toml::from_str(boxed.text).unwrap_or_else(|e| panic!("{}: {e}", boxed.name));
            assert!(recipe.about.is_some(), "{}", boxed.name);
            let config = recipe.config(None, None).expect("a configuration");
            assert_eq!(config.regime.check(config.batch), Ok(()), "{}", boxed.name);
        }
    }
}
