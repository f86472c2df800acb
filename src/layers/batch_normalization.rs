//! BatchNormalization: each channel brought to mean 0 and variance 1, then scaled and shifted (Keras
//! `BatchNormalization`).
//!
//! In training the statistics are those of the batch's valid rows, and each step moves the moving averages towards
//! them, the variance biased as in Keras. Otherwise, and where the layer is frozen, the moving averages are used,
//! which are then constants of the backward pass too. Where a layer stands in several places, the averages follow the
//! last of them.

use super::{Arguments, Unreadable};
use crate::graph::{
    Caps, Declared, Emit, Folding, Gradient, Init, Kind, Layer, Layout, Mask, Mode, Node, Outline,
    Own, Pass, Place, Refusal, Slot, TensorId, View,
};
use crate::ops::batch_norm::{
    Apply, Backward, BackwardInput, BackwardMerge, BackwardSums, BatchNorm, Forward, Merge,
    Statistics,
};
use crate::ops::concat;
use crate::ops::fold_batch_norm::{self, FoldBatchNorm};
use crate::ops::relu::Planes;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to the same, by channels; or (n, features), by features.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    /// What the moving averages keep at each step.
    pub momentum: f64,
    /// What is added to the variance.
    pub epsilon: f64,
    /// Is there a beta?
    pub center: bool,
    /// Is there a gamma?
    pub scale: bool,
}

impl Default for BatchNormalization {
    fn default() -> BatchNormalization {
        BatchNormalization {
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
        }
    }
}

impl BatchNormalization {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let usual = BatchNormalization::default();
        arguments.axis()?;
        let momentum = arguments.number("momentum", usual.momentum, 0.0..=1.0)?;
        // A smaller one would be lost beside a variance that is not zero, and be zero itself where denormals are.
        let epsilon = arguments.number("epsilon", usual.epsilon, 1e-30..=1e30)?;
        Ok(Arc::new(BatchNormalization {
            momentum,
            epsilon,
            center: arguments.flag("center", usual.center)?,
            scale: arguments.flag("scale", usual.scale)?,
        }))
    }

    fn gamma(&self, node: &Node) -> Option<TensorId> {
        self.scale.then(|| node.own[0])
    }

    fn beta(&self, node: &Node) -> Option<TensorId> {
        self.center.then(|| node.own[usize::from(self.scale)])
    }

    /// Moving mean and variance.
    fn moving(&self, node: &Node) -> [TensorId; 2] {
        let first = usize::from(self.scale) + usize::from(self.center);
        [node.own[first], node.own[first + 1]]
    }

    /// Are the moving averages used, not the batch's statistics?
    fn is_constant(&self, node: &Node, emit: &dyn Emit) -> bool {
        let kind = |id: TensorId| emit.graph().tensors[id].kind;
        emit.mode() != Mode::Train || self.moving(node).iter().any(|&id| kind(id) != Kind::State)
    }

    /// The block between `x` and `y` or its gradient, and where both lie.
    fn params(&self, emit: &mut dyn Emit, x: TensorId, y: TensorId) -> (BatchNorm, Place, Place) {
        let (from, to) = (emit.view(x), emit.view(y));
        let [n, h, w, c] = emit.nhwc(x);
        let whole = BatchNorm::new([n, c, h * w], self.epsilon as f32);
        let params = BatchNorm {
            flattened: emit.graph().flattened_pixels(x),
            scale: self.scale.into(),
            center: self.center.into(),
            x_channels: from.channels,
            x_first: from.first,
            y_channels: to.channels,
            y_first: to.first,
            ..whole
        };
        let schedule = emit.schedule();
        let elements = schedule.images_per_split.saturating_mul(h * w);
        let params = match schedule.workgroups {
            Some(_) => params.split_wide(elements),
            None => params.split(elements),
        };
        (params, from.place, to.place)
    }

    fn forward(&self, node: &Node, emit: &mut dyn Emit) {
        let (params, x, y) = self.params(emit, node.inputs[0], node.outputs[0]);
        let or_x = |id: Option<TensorId>, emit: &dyn Emit| id.map_or(x, |id| emit.held(id));
        let [gamma, beta] = [self.gamma(node), self.beta(node)].map(|id| or_x(id, emit));
        let relu = emit.relu().into();
        let mapped = BatchNorm { relu, ..params };
        if self.is_constant(node, emit) {
            self.keep_statistics(node, emit);
            let [mean, variance] = self.moving(node).map(|id| emit.held(id));
            return apply(mapped, [x, mean, variance, gamma, beta, y], emit);
        }
        let [mean, variance] = self.statistics(node, emit);
        if params.is_whole() {
            emit.dispatch(&Forward, &mapped, &[x, gamma, beta, mean, variance, y]);
        } else {
            moments(node, &params, [x, mean, variance], emit);
            apply(mapped, [x, mean, variance, gamma, beta, y], emit);
        }
        for (id, from) in self.moving(node).into_iter().zip([mean, variance]) {
            let to = emit.statistic(id);
            if to != from {
                copy(params.c, from, to, emit);
            }
        }
    }

    /// Where mean and variance of the batch go: where the moving averages learn of them, or to places of their own
    /// where the layer stands in several.
    fn statistics(&self, node: &Node, emit: &mut dyn Emit) -> [Place; 2] {
        let outputs = [node.outputs[1], node.outputs[2]];
        if emit.graph().users(self.moving(node)[0]).count() > 1 {
            return outputs.map(|id| emit.view(id).place);
        }
        let statistics = self.moving(node).map(|id| emit.statistic(id));
        for (id, place) in outputs.into_iter().zip(statistics) {
            emit.rename(id, place);
        }
        statistics
    }

    /// Where one of both is frozen and the other is not, that one's statistic is what it is already.
    fn keep_statistics(&self, node: &Node, emit: &mut dyn Emit) {
        for id in self.moving(node) {
            let kind = emit.graph().tensors[id].kind;
            if emit.mode() == Mode::Train && kind == Kind::State {
                let words = emit.graph().shape(id).len() as u32;
                let (from, to) = (emit.held(id), emit.statistic(id));
                copy(words, from, to, emit);
            }
        }
    }

    fn backward(&self, node: &Node, emit: &mut dyn Emit) {
        let [x, dy] = [node.inputs[0], node.inputs[1]];
        let (params, x, dy) = self.params(emit, x, dy);
        let constant = self.is_constant(node, emit);
        let [mean, variance] = if constant {
            self.moving(node).map(|id| emit.held(id))
        } else {
            [node.inputs[2], node.inputs[3]].map(|id| emit.view(id).place)
        };
        let mut learnt = false;
        let mut gradient = |output: Option<TensorId>, what: &str, emit: &mut dyn Emit| {
            let place = output.and_then(|id| emit.gradient(id));
            learnt |= place.is_some();
            let name = format!("d {}/{what}", node.name);
            place.map_or_else(|| emit.scratch(name, params.c as usize), |(place, _)| place)
        };
        let at = |has: bool, index: usize| has.then(|| node.outputs[index]);
        let grad_gamma = gradient(at(self.scale, 1), "gamma", emit);
        let beta = 1 + usize::from(self.scale);
        let grad_beta = gradient(at(self.center, beta), "beta", emit);
        let params = BatchNorm {
            shares: if constant && !learnt {
                0
            } else {
                params.shares
            },
            constant: constant.into(),
            ..params
        };
        let dx = node.outputs[0];
        let wanted = emit.graph().consumers(dx).next().is_some();
        let to = wanted.then(|| emit.view(dx));
        let params = match to {
            Some(view) => BatchNorm {
                grad_channels: view.channels,
                grad_first: view.first,
                ..params
            },
            None => params,
        };
        let mask = if wanted { emit.mask() } else { None };
        let gamma = self.gamma(node).map_or(mean, |id| emit.held(id));
        let read = [x, dy, mean, variance, gamma];
        let learn = [grad_gamma, grad_beta];
        if let Some(to) = to
            && mask.is_none()
            && params.is_whole()
            && !constant
        {
            let places = [&read[..], &learn, &[to.place]].concat();
            return emit.dispatch(&Backward, &params, &places);
        }
        let coefficients = sums(node, &params, read, learn, emit);
        if let Some(to) = to {
            let x = if constant { dy } else { x };
            backward_input(params, mask, [x, dy, coefficients, to.place], emit);
        }
    }
}

/// Makes mean and variance of the batch.
fn moments(node: &Node, params: &BatchNorm, [x, mean, variance]: [Place; 3], emit: &mut dyn Emit) {
    if params.shares == 1 {
        emit.dispatch(&Statistics, params, &[x, mean, variance]);
        return;
    }
    let words = (params.shares * params.c) as usize;
    let [means, variances] =
        ["means", "variances"].map(|what| emit.scratch(format!("{} {what}", node.name), words));
    emit.dispatch(&Statistics, params, &[x, means, variances]);
    emit.dispatch(&Merge, params, &[means, variances, mean, variance]);
}

/// The forward pass of each element. What that becomes has nothing to do with how sums are cut, so that no batch changes
/// the kernel.
fn apply(params: BatchNorm, places: [Place; 6], emit: &mut dyn Emit) {
    let params = BatchNorm {
        share: 0,
        shares: 0,
        ..params
    };
    emit.dispatch(&Apply, &params, &places);
}

/// Makes the gradients of gamma and beta and, which it returns, the coefficients of the gradient of x.
fn sums(
    node: &Node,
    params: &BatchNorm,
    [x, dy, mean, variance, gamma]: [Place; 5],
    [grad_gamma, grad_beta]: [Place; 2],
    emit: &mut dyn Emit,
) -> Place {
    let words = 4 * params.c as usize;
    let coefficients = emit.scratch(format!("{} coefficients", node.name), words);
    let mut sums = mean;
    if params.shares > 0 {
        let words = (2 * params.shares * params.c) as usize;
        sums = emit.scratch(format!("{} sums", node.name), words);
        emit.dispatch(&BackwardSums, params, &[x, dy, mean, sums]);
    }
    let read = [sums, mean, variance, gamma];
    let made = [grad_gamma, grad_beta, coefficients];
    emit.dispatch(&BackwardMerge, params, &[&read[..], &made].concat());
    coefficients
}

/// The gradient of each element of x.
fn backward_input(
    params: BatchNorm,
    mask: Option<View>,
    [x, dy, coefficients, to]: [Place; 4],
    emit: &mut dyn Emit,
) {
    let mut params = BatchNorm {
        share: 0,
        shares: 0,
        ..params
    };
    // What is not read may be any buffer.
    let mut place = dy;
    if let Some(view) = mask {
        place = view.place;
        params.masked = 1;
        params.mask_channels = view.channels;
        params.mask_first = view.first;
    }
    emit.dispatch(&BackwardInput, &params, &[x, dy, coefficients, place, to]);
}

/// Copies so many words.
fn copy(words: u32, from: Place, to: Place, emit: &mut dyn Emit) {
    emit.dispatch(&concat::Backward, &Planes::whole(1, words, 1), &[from, to]);
}

impl Layer for BatchNormalization {
    fn kind(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Value {
        json!({
            "axis": -1,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let [Shape(x)] = inputs else {
            return Err(Refusal::new("one tensor", inputs));
        };
        let (&[n, .., c], 2 | 4) = (&x[..], x.len()) else {
            return Err(Refusal::new(
                "an image (n, h, w, c) or a row (n, features)",
                inputs,
            ));
        };
        let vector = |suffix, own, init| Declared {
            suffix,
            shape: Shape::new([c]),
            own,
            init,
            layout: Layout::Flat,
        };
        let state = Own::State {
            momentum: self.momentum as f32,
        };
        let gamma = self.scale.then(|| vector("gamma", Own::Vector, Init::Ones));
        let beta = self
            .center
            .then(|| vector("beta", Own::Vector, Init::Zeros));
        let moving = [
            vector("moving_mean", state, Init::Zeros),
            vector("moving_variance", state, Init::Ones),
        ];
        let own = gamma.into_iter().chain(beta).chain(moving).collect();
        let statistics = Shape::new([n, c]);
        let outputs = vec![inputs[0].clone(), statistics.clone(), statistics];
        Ok(Outline { outputs, own })
    }

    /// All at once: the gradient of x takes the sums that are those of gamma and beta.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        use Slot::{GradIn, GradOut, GradOwn, In, Out};
        let vectors = usize::from(self.scale) + usize::from(self.center);
        let own = (0..vectors).map(GradOwn);
        let makes: Vec<Slot> = [GradIn(0)].into_iter().chain(own).collect();
        vec![Gradient::new(&[In(0), GradOut(0), Out(1), Out(2)], &makes)]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        let caps = Caps {
            elementwise: true,
            ..Caps::default()
        };
        match pass {
            Pass::Forward => Caps {
                ranged: true,
                relu: true,
                folds: true,
                by_channel: true,
                ..caps
            },
            _ => Caps {
                ranged: true,
                mask: Mask::Range,
                ..caps
            },
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        match node.pass {
            Pass::Forward => self.forward(node, emit),
            _ => self.backward(node, emit),
        }
    }

    fn fold(&self, node: &Node, folding: &Folding, emit: &mut dyn Emit) {
        let [mean, variance] = self.moving(node).map(|id| emit.held(id));
        let gamma = self.gamma(node).map_or(variance, |id| emit.held(id));
        let beta = self.beta(node).map_or(variance, |id| emit.held(id));
        let params = FoldBatchNorm {
            words: folding.words,
            c: folding.channels,
            scale: self.scale.into(),
            center: self.center.into(),
            biased: folding.bias.is_some().into(),
            epsilon: self.epsilon as f32,
        };
        let [kernel, bias] = folding.into;
        let read = [variance, gamma, folding.kernel];
        emit.dispatch(
            &fold_batch_norm::Kernel,
            &params,
            &[&read[..], &[kernel]].concat(),
        );
        let before = folding.bias.unwrap_or(variance);
        let read = [variance, gamma, mean, beta, before];
        emit.dispatch(
            &fold_batch_norm::Bias,
            &params,
            &[&read[..], &[bias]].concat(),
        );
    }
}
