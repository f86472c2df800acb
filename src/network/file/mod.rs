//! Networks as texts in TOML: `document` reads what stands there, `definition` what it means, `assemble` makes a
//! model of it, and `fault` shows what is wrong with its line and a caret. docs/networks.md has the format.

mod assemble;
mod blocks;
mod definition;
mod document;
mod fault;
mod inception;
mod names;
mod order;
mod parts;
mod residual;

pub(super) use definition::Definition;
pub(super) use fault::{Fault, nearest};
