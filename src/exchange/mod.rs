//! What other programs read and write: trained networks out as ONNX, npz and safetensors, Keras's weights in, and
//! TensorBoard's events.
//!
//! A file of weights goes through here tensor by tensor, never as a whole: `transpose` brings each into the order
//! that another program wants.

mod error;
pub mod import;
mod npz;
pub mod onnx;
pub mod tensorboard;
mod transpose;

pub use error::Error;

use crate::network::Model;
use crate::tensor::Shape;
use crate::weights::{self, Record, TensorFile};
use std::io::Write;
use std::path::Path;
use transpose::Order;

/// A trained network whose file holds the tensors of its model.
pub struct Trained {
    pub record: Record,
    pub model: Model,
    file: TensorFile,
}

impl Trained {
    /// # Errors
    /// If the file lacks a tensor of the model, or has one of another shape, or more.
    pub fn new(record: Record, model: Model, file: TensorFile) -> Result<Trained, Error> {
        file.check_tensors(&model.name, &tensors(&model))?;
        Ok(Trained {
            record,
            model,
            file,
        })
    }
}

/// Names and shapes of the tensors that a file of the model holds.
fn tensors(model: &Model) -> Vec<(String, Shape)> {
    let tensor = |id: usize| {
        let tensor = &model.graph.tensors[id];
        (tensor.name.clone(), tensor.shape.clone())
    };
    model.graph.held().map(tensor).collect()
}

/// A kind of file that a trained network is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Onnx,
    Npz,
    Safetensors,
}

const FORMATS: &[(&str, Format)] = &[
    ("onnx", Format::Onnx),
    ("npz", Format::Npz),
    ("safetensors", Format::Safetensors),
];

impl Format {
    /// The format that a file's ending names.
    ///
    /// # Errors
    /// If it names none.
    pub fn of(path: &Path) -> Result<Format, Error> {
        let ending = path.extension().map(|ending| ending.to_string_lossy());
        let ending = ending.unwrap_or_default().to_lowercase();
        let found = FORMATS.iter().find(|(name, _)| *name == ending);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let known: Vec<String> = FORMATS.iter().map(|(name, _)| format!(".{name}")).collect();
            Error::Ending {
                path: path.into(),
                known: known.join(", "),
            }
        })
    }
}

/// Writes a trained network to `path`.
///
/// # Errors
/// Those of [`onnx::write`], and what the disk refuses.
pub fn write(path: &Path, format: Format, trained: &mut Trained) -> Result<(), Error> {
    match format {
        Format::Onnx => onnx::write(path, trained),
        Format::Npz => npz::write(path, trained),
        Format::Safetensors => copy(path, trained),
    }
}

/// The weights as one sealed file, with all that the first one says of itself.
fn copy(path: &Path, trained: &mut Trained) -> Result<(), Error> {
    let Trained {
        record,
        model,
        file,
    } = trained;
    let mut metadata = file.metadata_of_use();
    metadata.extend(record.metadata());
    let tensors = tensors(model);
    weights::write(path, &tensors, metadata, |index, sink| {
        let (name, shape) = &tensors[index];
        let mut read = |first: usize, values: &mut [f32]| file.read(name, first, values);
        Order::kept(shape.len()).walk(&mut read, sink)
    })
    .map_err(|error: weights::Error| error.into())
}

/// Writes a tensor's values as little-endian floats, in that order.
fn write_floats(
    out: &mut dyn Write,
    path: &Path,
    file: &mut TensorFile,
    name: &str,
    order: &Order,
) -> Result<(), Error> {
    let mut read = |first: usize, values: &mut [f32]| file.read(name, first, values);
    order.walk(&mut read, &mut |values| {
        out.write_all(bytemuck::cast_slice(values))
            .map_err(|source| crate::files::Error::write(path, source).into())
    })?;
    Ok(())
}
