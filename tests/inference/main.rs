//! Trained networks answer: evaluation and prediction against a plain forward pass in f64, against a run's own
//! history, and against what users get wrong.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/run.rs"]
mod run;

mod agrees;
mod hostile;
mod plain;
mod tta;
mod use_it;
