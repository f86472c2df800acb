//! Pictures from raw bytes: what must be read, to which pixels; what must be refused and in which
//! words; and that no bytes cause a panic or make a header's promise cost memory.

mod files;
mod harm;
mod pixels;
mod refuses;
mod unusual;
