//! What a trained network is for: `open` finds a file of weights, plans the programs that are wanted and loads
//! it; `evaluate` holds its answers against labels, `predict` answers pictures and arrays, which `inputs`
//! reads ahead of the device; `tta` averages over views of an image. Nothing here has memory for gradients or an optimiser.

mod error;
mod evaluate;
mod inputs;
mod open;
mod predict;
mod tta;

pub use error::Error;
pub use evaluate::{Answered, evaluate};
pub use inputs::{Input, Item, Ready, Rows};
pub use open::{Opened, Which, find};
pub use predict::{Answer, Fault, predict};
pub use tta::Tta;
