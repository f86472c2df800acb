//! Writes a data set: a `Dataset` in, the four npy files and `classes.json` out, as `Dataset::load` reads them.

use super::{CLASSES, Dataset, Error, FILES, Pixels, Split, classes};
use crate::files::{self, Draft};
use ndarray::{ArrayRef, ArrayView1, ArrayView2, ArrayView4, Dimension, ShapeError};
use ndarray_npy::{WritableElement, WriteNpyError, WriteNpyExt};
use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

impl Dataset {
    /// Writes the five files into `dir`, making it where it is missing: images of shape
    /// (N, height, width, channels) in `u8` or `f32`, as they are stored here, labels of shape (N,)
    /// in `u8` (in `u32` where there are more than 256 classes), or each class's share, (N, classes) in `f32`.
    ///
    /// Each file is written under a temporary name beside; only when all are complete are
    /// they renamed. Nothing is ever overwritten.
    ///
    /// # Errors
    /// If one of the files exists already, or cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(|source| files::Error::write(dir, source))?;
        let [train_x, train_y, test_x, test_y] = FILES;
        must_be_free(dir)?;
        let drafts = [
            self.draft_images(dir, train_x, &self.train)?,
            self.draft_labels(dir, train_y, &self.train)?,
            self.draft_images(dir, test_x, &self.test)?,
            self.draft_labels(dir, test_y, &self.test)?,
            self.draft_names(dir)?,
        ];
        for draft in drafts {
            draft.publish_new()?;
        }
        Ok(())
    }

    fn draft_images(&self, dir: &Path, name: &str, split: &Split) -> Result<Draft, Error> {
        let [height, width, channels] = self.image;
        let shape = [split.rows(), height, width, channels];
        match &split.pixels {
            Pixels::U8(all) => draft(dir, name, ArrayView4::from_shape(shape, all)),
            Pixels::F32(all) => draft(dir, name, ArrayView4::from_shape(shape, all)),
        }
    }

    fn draft_names(&self, dir: &Path) -> Result<Draft, Error> {
        let path = dir.join(CLASSES);
        let failed = |source| files::Error::write(&path, source);
        let mut draft = Draft::begin(&path)?;
        let text = classes::text(&self.class_names);
        draft.fill(|out| out.write_all(text.as_bytes()).map_err(failed))?;
        Ok(draft)
    }

    fn draft_labels(&self, dir: &Path, name: &str, split: &Split) -> Result<Draft, Error> {
        if let Some(shares) = &split.shares {
            let shape = (split.rows(), self.class_names.len());
            return draft(dir, name, ArrayView2::from_shape(shape, shares));
        }
        if self.class_names.len() > 256 {
            let shape = split.rows();
            return draft(dir, name, ArrayView1::from_shape(shape, &split.labels));
        }
        let labels: Vec<u8> = split.labels.iter().map(|&label| label as u8).collect();
        draft(dir, name, ArrayView1::from_shape(labels.len(), &labels))
    }
}

/// Writes `array` beside `name`. An array that failed to take its shape is a `Dataset` whose parts
/// disagree: an error like any other.
fn draft<V, A, D>(dir: &Path, name: &str, array: Result<V, ShapeError>) -> Result<Draft, Error>
where
    V: Deref<Target = ArrayRef<A, D>>,
    A: WritableElement,
    D: Dimension,
{
    let path = dir.join(name);
    let failed = |source| files::Error::write(&path, source);
    let array = array.map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
    let mut draft = Draft::begin(&path)?;
    draft.fill(|out| {
        array.write_npy(out).map_err(|error| match error {
            WriteNpyError::Io(source) => failed(source),
            other => failed(io::Error::other(other)),
        })
    })?;
    Ok(draft)
}

/// Refuses a folder in which something bears the name of a set's file, be it a dangling link.
///
/// # Errors
/// If so.
pub fn must_be_free(folder: &Path) -> Result<(), Error> {
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    let mut paths = FILES.iter().chain([&CLASSES]).map(|name| folder.join(name));
    match paths.find(taken) {
        Some(path) => Err(files::Error::Exists(path).into()),
        None => Ok(()),
    }
}
