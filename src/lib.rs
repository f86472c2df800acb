//! fer-gpu: trains convolutional networks for facial expressions on any GPU.

pub mod cli;
pub mod data;
pub mod gpu;
pub mod graph;
pub mod network;
pub mod ops;
pub mod plan;
pub mod profile;
pub mod random;
pub mod reference;
pub mod tensor;
pub mod train;
pub mod verify;
