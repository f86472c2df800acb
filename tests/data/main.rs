//! Data sets from raw npy bytes: what `Dataset::load` must read rightly, what it must refuse and
//! in which words, and that no bytes make it panic or allocate far beyond the files' size.

#[macro_use]
mod files;
mod bombs;
mod reads;
mod refuses;
