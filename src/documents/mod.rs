//! Texts in TOML that people write: `named` finds the one that is meant, `table` reads what stands there, with the place
//! of each key and value, and `fault` shows what is wrong with its line and a caret. What the words mean is for other
//! rooms to say.

mod fault;
mod named;
mod table;

pub use fault::{Fault, Span, nearest};
pub use named::{Error, is_path, read};
pub use table::{At, Is, Table};
