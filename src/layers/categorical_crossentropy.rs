//! The loss: softmax cross-entropy of logits and class numbers, or shares of classes (Keras
//! `SparseCategoricalCrossentropy` and `CategoricalCrossentropy` with `from_logits`), averaged over the valid rows of
//! the step. One kernel gives loss, accuracy and gradient.

use crate::graph::{Emit, Gradient, Layer, Mode, Node, Outline, Refusal};
use crate::ops::softmax_cross_entropy::{self as op, SoftmaxCrossEntropy};
use crate::tensor::Shape;
use serde_json::{Value, json};

/// What every head's loss wants, beside its share in the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// What each target gives up for all classes to share: Keras's `label_smoothing`.
    pub label_smoothing: f32,
    /// By class number: in training, a row's loss counts so often; Keras's `class_weight`. The mean still divides by
    /// the number of rows.
    pub class_weights: Option<Vec<f32>>,
    /// Have rows shares of the classes, instead of a class number? Accuracy and class weights then go by the first
    /// largest share.
    pub soft: bool,
    /// Are training's rows mixtures of two (mixup)? Then they have shares of the classes, and where classes have weights,
    /// a weight of their own.
    pub mixed: bool,
}

impl Loss {
    /// Have rows shares of the classes in a program of that mode?
    pub fn is_soft(&self, mode: Mode) -> bool {
        self.soft || (self.mixed && mode == Mode::Train)
    }

    /// Can it be computed for so many classes?
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, classes: u32) -> Result<(), String> {
        let smoothing = self.label_smoothing;
        if !(0.0..=1.0).contains(&smoothing) {
            return Err(format!("label smoothing is {smoothing}, 0 to 1 is needed"));
        }
        let Some(weights) = &self.class_weights else {
            return Ok(());
        };
        if weights.len() != classes as usize {
            let found = weights.len();
            return Err(format!("{found} class weights for {classes} classes"));
        }
        let good = |weight: &f32| weight.is_finite() && *weight >= 0.0;
        match weights.iter().position(|weight| !good(weight)) {
            Some(class) => Err(format!(
                "the weight of class {class} is {}, a number from 0 is needed",
                weights[class]
            )),
            None => Ok(()),
        }
    }
}

/// logits (n, classes) -> the gradient of `weight` times the mean loss.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoricalCrossentropy {
    /// The head's share in the whole loss.
    pub weight: f32,
    pub label_smoothing: f32,
    /// Do rows count by their class, or as the host says?
    pub weights: Weights,
    pub soft: bool,
}

/// How often a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    Equal,
    /// As its label's class.
    ByClass,
    ByRow,
}

impl CategoricalCrossentropy {
    /// A head's loss in a program of that mode: validation knows no class weights, as in Keras.
    pub fn new(weight: f32, loss: &Loss, mode: Mode) -> CategoricalCrossentropy {
        CategoricalCrossentropy {
            weight,
            label_smoothing: loss.label_smoothing,
            weights: match (mode, &loss.class_weights) {
                (Mode::Train, Some(_)) if loss.mixed => Weights::ByRow,
                (Mode::Train, Some(_)) => Weights::ByClass,
                _ => Weights::Equal,
            },
            soft: loss.is_soft(mode),
        }
    }
}

impl Layer for CategoricalCrossentropy {
    fn kind(&self) -> &'static str {
        match self.soft || self.label_smoothing != 0.0 {
            true => "CategoricalCrossentropy",
            false => "SparseCategoricalCrossentropy",
        }
    }

    fn config(&self) -> Value {
        match self.kind() {
            "CategoricalCrossentropy" => json!({
                "from_logits": true,
                "label_smoothing": self.label_smoothing,
                "weight": self.weight,
            }),
            _ => json!({ "from_logits": true, "weight": self.weight }),
        }
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        match inputs {
            [logits] if logits.0.len() == 2 => Ok(Outline::of((*logits).clone())),
            _ => Err(Refusal::new("logits (n, classes)", inputs)),
        }
    }

    /// None: the loss is where gradients begin.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        Vec::new()
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [rows, _, _, classes] = emit.nhwc(node.inputs[0]);
        let mut params = op::Loss {
            weight: self.weight,
            soft: self.soft.into(),
            weighted: match self.weights {
                Weights::Equal => 0,
                Weights::ByClass => op::BY_CLASS,
                Weights::ByRow => op::BY_ROW,
            },
            ..op::Loss::of(rows, classes)
        };
        if self.label_smoothing != 0.0 {
            params = params.smoothed(self.label_smoothing);
        }
        let logits = emit.whole(node.inputs[0]);
        let dlogits = emit.view(node.outputs[0]).place;
        let (labels, metrics) = (emit.labels(), emit.metrics(node.inputs[0]));
        // What the kernel does not look at is bound to something that it reads.
        let targets = if self.soft { emit.targets() } else { logits };
        let weights = match self.weights {
            Weights::Equal => logits,
            Weights::ByClass | Weights::ByRow => emit.class_weights(),
        };
        emit.dispatch(
            &SoftmaxCrossEntropy,
            &params,
            &[logits, labels, targets, weights, metrics, dlogits],
        );
    }
}
