//! The weights as numpy reads them: an archive with an array for each tensor, by our names, in Keras's order.

use super::transpose::Order;
use super::{Error, Trained, tensors, write_floats};
use crate::files;
use ndarray_npy::WritableElement;
use ndarray_npy::npy::header::{Header, Layout};
use std::io::{self, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Longer entries need wider lengths.
const SMALL: u64 = u32::MAX as u64 - (1 << 20);

/// Writes the archive: `numpy.load(path)["dense_1/kernel"]`.
pub(super) fn write(path: &Path, trained: &mut Trained) -> Result<(), Error> {
    let failed = |source: io::Error| files::Error::write(path, source);
    files::put(path, |out| {
        let mut zip = ZipWriter::new_stream(out);
        for (name, shape) in tensors(&trained.model) {
            // Of no date: the same weights make the same bytes.
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(4 * shape.len() as u64 > SMALL);
            zip.start_file(format!("{name}.npy"), options)
                .map_err(|error| failed(error.into()))?;
            let header = Header {
                type_descriptor: f32::type_descriptor(),
                layout: Layout::Standard,
                shape: shape.0.iter().map(|&extent| extent as usize).collect(),
            };
            header
                .write(&mut zip)
                .map_err(|error| failed(io::Error::other(error)))?;
            let order = Order::kept(shape.len());
            write_floats(&mut zip, path, &mut trained.file, &name, &order)?;
        }
        let mut out = zip.finish().map_err(|error| failed(error.into()))?;
        Ok(out.flush().map_err(failed)?)
    })
}
