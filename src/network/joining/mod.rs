//! Layers that are alike but for their channels become one where a program gains by it: those that read the same tensor
//! (`siblings`), and those that end the branches of a concatenation (`branches`). One kernel does the work of several.
//!
//! The joined layer's tensors hold theirs side by side along the last axis (`merge`), so that files, summaries
//! and what a tensor begins with know nothing of it. No head sees a difference but for the order of some sums.

mod branches;
mod merge;
mod siblings;

use super::Model;

impl Model {
    /// The same network, whose layers are one where they read the same tensor and differ in their number of channels alone.
    pub fn with_siblings_joined(mut self) -> Model {
        siblings::join_all(&mut self);
        self
    }

    /// The same network, whose layers that hold tensors by channel, batch normalization, are one behind a concatenation where
    /// they ended several branches in front of it.
    pub fn with_branches_joined(mut self) -> Model {
        branches::join_all(&mut self);
        self
    }
}
