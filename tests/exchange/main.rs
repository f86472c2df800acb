//! What other programs read and write: the files that `export` makes, read back without those programs, and
//! files of theirs that `import` takes. `.ci/consumers` asks the programs themselves.

#[path = "../common/run.rs"]
mod run;
// A forward pass in f64 that knows nothing of files.
#[path = "../inference/plain.rs"]
mod plain;

#[cfg(feature = "keras")]
mod import;
mod interpreter;
mod onnx;
mod trained;
mod weights;
