//! What Keras lets one say of a layer's kernels: how they begin, and what their squares weigh in the loss.

use super::{Arguments, Unreadable};
use crate::graph::{Declared, Init, Layout, Own};
use crate::tensor::Shape;
use serde_json::{Value, json};

/// How a kernel begins: Keras's initializers of these names, without a seed of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initializer {
    #[default]
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    Zeros,
}

use Initializer::{GlorotNormal, GlorotUniform, HeNormal, HeUniform, Zeros};

const INITIALIZERS: [Initializer; 5] = [GlorotUniform, GlorotNormal, HeUniform, HeNormal, Zeros];

impl Initializer {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            GlorotUniform => "glorot_uniform",
            GlorotNormal => "glorot_normal",
            HeUniform => "he_uniform",
            HeNormal => "he_normal",
            Zeros => "zeros",
        }
    }

    /// What it means for a kernel of that shape.
    fn of(self, shape: &Shape) -> Init {
        let (fan_in, fan_out) = shape.fans();
        match self {
            GlorotUniform => Init::GlorotUniform { fan_in, fan_out },
            GlorotNormal => Init::GlorotNormal { fan_in, fan_out },
            HeUniform => Init::HeUniform { fan_in },
            HeNormal => Init::HeNormal { fan_in },
            Zeros => Init::Zeros,
        }
    }
}

/// How a kernel begins and is held small.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kernel {
    pub initializer: Initializer,
    /// What the sum of its squares is multiplied by in the loss (Keras `L2`).
    pub l2: f64,
}

impl Kernel {
    /// The arguments `<of>_initializer` and `<of>_regularizer`.
    pub(super) fn parse(arguments: &mut Arguments, of: &str) -> Result<Kernel, Unreadable> {
        let argument = format!("{of}_initializer");
        let name = arguments.word(&argument, Initializer::default().name())?;
        let Some(&initializer) = INITIALIZERS.iter().find(|i| i.name() == name) else {
            let known = INITIALIZERS.map(Initializer::name).join(", ");
            let what = format!("`{argument}` is \"{name}\"; there are {known}");
            return Err(arguments.wrong(what));
        };
        let l2 = arguments.l2(&format!("{of}_regularizer"))?;
        Ok(Kernel { initializer, l2 })
    }

    /// Adds to a configuration what is not Keras's default.
    pub(super) fn write(self, config: &mut Value, of: &str) {
        if self.initializer != Initializer::default() {
            config[format!("{of}_initializer")] = json!(self.initializer.name());
        }
        if self.l2 != 0.0 {
            config[format!("{of}_regularizer")] = json!(self.l2);
        }
    }

    /// The tensor of that name and shape.
    pub(super) fn declare(self, suffix: &'static str, shape: Shape, layout: Layout) -> Declared {
        let l2 = self.l2 as f32;
        Declared {
            suffix,
            own: Own::Kernel { l2 },
            init: self.initializer.of(&shape),
            layout,
            shape,
        }
    }
}
