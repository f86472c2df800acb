//! Networks that no registry knows, on every adapter: two heads, shared layers, sums, frozen layers, and how
//! weights begin. Small images, grey and in colour, so that nothing depends on those of the box.

mod branches;
#[path = "../common/mod.rs"]
mod common;
mod dense;
mod frozen;
mod heads;
mod initial;
mod normalized;
mod places;
mod products;
mod shared;
mod siblings;
mod sums;
mod trial;
