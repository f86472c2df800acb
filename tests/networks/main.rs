//! Networks as files: what a text means, what is wrong with one and how that is shown, that runs keep theirs, and the
//! networks of the box.

mod boxed;
mod faults;
mod meaning;
#[path = "../common/run.rs"]
mod run;
mod runs;
