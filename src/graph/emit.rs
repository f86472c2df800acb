//! What the plan offers a layer that becomes dispatches: where its tensors lie, what was fused with it, and
//! a list to write to. Only the plan implements [`Emit`], so that layers need not know it.

use super::{Graph, TensorId};
use crate::ops::{AnyOp, Params};
use serde::{Deserialize, Serialize};

/// Index of a buffer of the plan.
pub type BufferId = usize;

/// A buffer and the byte in it where a binding begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub buffer: BufferId,
    pub offset: u64,
}

impl Place {
    /// The head of a buffer.
    pub fn of(buffer: BufferId) -> Place {
        Place { buffer, offset: 0 }
    }
}

/// An activation or gradient as a range of channels of an NCHW buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub place: Place,
    /// Channels of the whole buffer.
    pub channels: u32,
    /// First channel of the range.
    pub first: u32,
}

/// Consecutive panels of a dense kernel that one binding can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelRange {
    pub place: Place,
    pub first_panel: u32,
    pub panels: u32,
}

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forward, loss, backward and update.
    Train,
    /// Forward and loss.
    Evaluate,
    /// Forward, ending in probabilities.
    Predict,
}

/// How the work is cut into dispatches, apart from the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Does the optimiser run inside the weight gradient of a large dense layer, where its rule can? That
    /// saves a quarter of the bytes and the gradient's memory.
    #[serde(rename = "fuse_adam")]
    pub fuse_update: bool,
    /// Is the gradient of an image that convolutions of one pixel read, and others, computed by one kernel, instead of a
    /// gradient of each and their sum? That saves stores, and kernels for several have fewer tiles to choose from.
    #[serde(default)]
    pub join_products: bool,
    /// Are layers that read the same and differ in their number of channels alone trained and evaluated as one
    /// ([`Model::with_siblings_joined`](crate::network::Model::with_siblings_joined))?
    #[serde(default)]
    pub join_siblings: bool,
    /// Are batch normalizations that end the branches of a concatenation trained and evaluated as one
    /// ([`Model::with_branches_joined`](crate::network::Model::with_branches_joined))?
    #[serde(default)]
    pub join_branches: bool,
    /// Does a small dense layer run as one kernel forward and one backward, instead of in shares and with a kernel for each
    /// gradient?
    #[serde(default)]
    pub whole_dense: bool,
    /// Images that one share of a convolution's weight gradient adds up, and so many times as many where they are small
    /// ([`Conv2d::images_to_fill`](crate::ops::conv2d::Conv2d::images_to_fill)): a GPU wants many workgroups, a CPU
    /// few partial sums.
    pub images_per_split: u32,
    /// Workgroups that shares are to make of a convolution's weight gradient, where they may begin and end within
    /// images, and of a dense product: what fills a GPU, whatever the batch. `None`: shares are images, and
    /// `split_k` inputs.
    #[serde(default)]
    pub workgroups: Option<u32>,
    /// Inputs that one share of a dense product adds up at the most: short shares make many workgroups and
    /// keep the operands in a cache, long ones have fewer partial sums.
    pub split_k: u32,
}

impl Schedule {
    /// Do dispatches run side by side where no barrier keeps them apart? Then what nobody waits for comes late, and
    /// memory is shared out with more buffers.
    pub fn overlaps(&self) -> bool {
        self.workgroups.is_some()
    }
}

/// A tensor (shares, words) of gradients that were made in shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    pub place: Place,
    pub shares: u32,
    pub words: u32,
}

/// A program under construction, seen from the layer whose node is being lowered.
pub trait Emit {
    fn schedule(&self) -> &Schedule;
    /// What the program is for.
    fn mode(&self) -> Mode;
    /// The graph, at the program's batch.
    fn graph(&self) -> &Graph;

    /// Where an activation or its gradient lies.
    fn view(&mut self, tensor: TensorId) -> View;
    /// A buffer that holds just this tensor: its own, or a copy of its range of channels.
    fn whole(&mut self, tensor: TensorId) -> Place;
    /// Says that a tensor lies where another one does.
    fn rename(&mut self, tensor: TensorId, place: Place);
    /// Memory of this node alone.
    fn scratch(&mut self, name: String, words: usize) -> Place;

    /// Where a held tensor of layout Flat lies.
    fn held(&self, tensor: TensorId) -> Place;
    /// The windows of a held tensor of layout Panels.
    fn panels(&self, tensor: TensorId) -> Vec<PanelRange>;
    /// Where the gradient of a held tensor is to be written, and its words; none where it is spent at once,
    /// by [`Emit::update_in_gradient`] or by [`Emit::update`], window by window.
    fn gradient(&mut self, gradient: TensorId) -> Option<(Place, usize)>;
    /// Where a gradient goes that a kernel makes beside others, whether anybody wants it or not.
    fn gradient_or_scratch(&mut self, gradient: TensorId) -> Place {
        if let Some((place, _)) = self.gradient(gradient) {
            return place;
        }
        let tensor = &self.graph().tensors[gradient];
        let (name, words) = (tensor.name.clone(), tensor.shape.len());
        self.scratch(name, words)
    }
    /// Where the gradient of a window of a large kernel is to be written, if all of it is kept.
    fn window_gradient(&self, window: &PanelRange) -> Option<Place>;
    /// The kernel that computes a weight gradient and spends it, if the rule has one and the schedule wants
    /// it: and what it binds behind the operands, for a window of the weight.
    fn update_in_gradient(&self, window: &PanelRange) -> Option<(&'static dyn AnyOp, Vec<Place>)>;
    /// Updates `count` words of a weight, from `at`, with the gradient that lies at `gradient`.
    fn update(&mut self, at: Place, count: u32, gradient: Place);

    /// In training, where the layer writes what this batch says of a State tensor of its own. The step's end moves
    /// the state towards it.
    fn statistic(&mut self, own: TensorId) -> Place;
    /// So many words that are zero.
    fn zeros(&mut self, words: usize) -> Place;

    /// Is ReLU to be applied to what this node writes?
    fn relu(&self) -> bool;
    /// Where the mask lies that is to be applied to what this node writes.
    fn mask(&mut self) -> Option<View>;

    /// Class numbers of the batch.
    fn labels(&self) -> Place;
    /// Each class's share of each row of the batch.
    fn targets(&self) -> Place;
    /// How often a row of each class counts in training; of mixtures, how often each row does.
    fn class_weights(&self) -> Place;
    /// What a head's loss is to be written to, by the head's logits.
    fn metrics(&self, logits: TensorId) -> Place;

    /// Adds a dispatch. The length of each binding is the op's own word. What cannot run here fails the
    /// whole plan, later.
    fn dispatch_bytes(&mut self, op: &'static dyn AnyOp, params: Vec<u8>, places: &[Place]);
    /// Has shares added up at the end of the backward pass, with others': where each share is made of these gradients,
    /// one or two that lie flat, one behind the other (what lies behind the last is left alone). Not done, and for the
    /// caller to do at once, where dispatches do not run side by side, or where somebody else than the update reads
    /// the gradients.
    fn sum_later(&mut self, shares: Shares, gradients: &[TensorId]) -> bool;
}

impl dyn Emit + '_ {
    /// (N, H, W, C) of an activation or gradient.
    pub fn nhwc(&self, tensor: TensorId) -> [u32; 4] {
        self.graph().shape(tensor).nhwc()
    }

    /// [`Emit::dispatch_bytes`] with a typed block.
    pub fn dispatch<P: Params>(&mut self, op: &'static dyn AnyOp, params: &P, places: &[Place]) {
        self.dispatch_bytes(op, bytemuck::bytes_of(params).to_vec(), places);
    }
}
