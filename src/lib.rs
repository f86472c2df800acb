//! fer-gpu: trains convolutional networks for facial expressions on any GPU.
//!
//! The way data flows, and the rooms on the way, each knowing only those before it:
//!
//! ```text
//! files                        written whole or not at all, sealed by a hash, locked
//! documents                    texts in TOML: every key with its place, faults with line and caret
//! tensor, random, profile      shapes, counter-based random numbers, what an adapter allows
//! ops                          what each kernel computes: bindings, cost, cases, and the same in f64
//! cards                        what GPUs that are not at hand could do at the most, by their figures
//! data                         npy files or generated faces -> two labelled splits
//! pictures                     picture files -> the pixels that a network expects
//! ingest                       CSVs, folders of pictures by class, votes -> npy files with their classes' names
//! augment                      what becomes of training images: drawn for each row of each epoch
//! score                        how good a classifier's answers are
//! charts                       results as pictures: curves and confusion matrices in SVG
//! rules                        the optimisers: slots, scalars, one formula
//! graph                        tensors and nodes; what a layer must say of itself
//! layers                       the layers, a file each
//! network                      the networks, by name; reverse mode appends the backward pass
//! drawing                      networks as pictures: laid out, as SVG, PNG and Graphviz's text; images on sheets
//! plan                         networks -> programs: lists of dispatches over named buffers, as plain data
//! gpu                          the only room that knows wgpu: runs kernels and plans
//! weights                      files of tensors, streamed, and what they say of their use
//! exchange                     what other programs read and write: ONNX, numpy, Keras, TensorBoard
//! tuned                        what was measured to be fastest here, kept between runs
//! feed                         data sets to devices: batches, and where their images lie
//! trainer                      training from a program of one's own, in a few lines
//! verify                       kernels against references: cases, steps, a whole suite
//! bench                        how fast kernels and steps are, and how fast they could be
//! inference                    trained networks answer: evaluation and prediction
//! train                        the epochs, checkpoints and the run's folder
//! report                       what a run came to, on one page of HTML that loads nothing
//! cli                          the command line
//! ```
//!
//! One training step: `train` picks row numbers and uploads them with the step's scalars of the optimiser; the
//! executor submits the plan's dispatches: gather, forward, loss (which writes loss, accuracy
//! and the non-finite flag), backward, optimiser; the metrics come back while the next step runs.
//!
//! docs/architecture.md has this as a picture, the life of a step and of a weight, and how to add what is missing.
//!
//! From a program of one's own, on any adapter; `examples/` has more:
//!
//! ```
//! use fer_gpu::gpu::{Adapter, Gpu, LimitChoice, Selector};
//! use fer_gpu::network::Network;
//! use fer_gpu::{Recipe, Trainer};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = Gpu::open(&Adapter::select(&Selector::Default)?, LimitChoice::Native)?;
//! let network = Network::find("inception-gap").expect("one of the box");
//! let model = network.build_for([8, 8, 1], 2);
//! let recipe = Recipe {
//!     batch: 4,
//!     learning_rate: 0.01,
//!     ..Recipe::default()
//! };
//! let mut trainer = Trainer::new(&gpu, &model, recipe)?;
//! // Two dark images and two light ones, (n, h, w, c).
//! let images = [[0.1; 128], [0.9; 128]].concat();
//! for _ in 0..40 {
//!     let metrics = trainer.step(&images, &[0, 0, 1, 1])?;
//!     println!("{}", metrics.loss_sum / metrics.rows as f32);
//! }
//! let probabilities = trainer.predict(&images)?;
//! assert!(probabilities[0] > 0.9 && probabilities[7] > 0.9);
//! # Ok(())
//! # }
//! # run().unwrap_or_else(|error| panic!("{error}"));
//! ```

pub mod augment;
pub mod bench;
pub mod cards;
pub mod charts;
pub mod cli;
pub mod data;
pub mod documents;
pub mod drawing;
pub mod exchange;
pub mod feed;
pub mod files;
pub mod gpu;
pub mod graph;
pub mod inference;
pub mod ingest;
pub mod layers;
pub mod network;
pub mod ops;
pub mod pictures;
pub mod plan;
pub mod profile;
pub mod random;
pub mod report;
pub mod rules;
pub mod score;
pub mod tensor;
pub mod train;
pub mod trainer;
pub mod tuned;
pub mod verify;
pub mod weights;

pub use trainer::{Recipe, Trainer};
