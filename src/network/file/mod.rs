//! Networks as texts in TOML: `definition` says what stands there means, `assemble` makes a model of it.
//! docs/networks.md has the format.

mod assemble;
mod blocks;
mod definition;
mod inception;
mod names;
mod order;
mod parts;
mod residual;

pub(super) use definition::Definition;
