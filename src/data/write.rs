//! Writes a data set: a `Dataset` in, the four npy files out, as `Dataset::load` reads them.

use super::{Dataset, Error, FILES, Pixels, Split};
use ndarray::{ArrayRef, ArrayView1, ArrayView4, Dimension};
use ndarray_npy::{WritableElement, WriteNpyError, WriteNpyExt};
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// A file under its temporary name, which disappears with this value unless it was renamed.
struct Draft {
    draft: PathBuf,
    path: PathBuf,
}

impl Dataset {
    /// Writes the four files into `dir`, making it where it is missing: images of shape
    /// (N, height, width, channels) in `u8` or `f32`, as they are stored here, labels of shape (N,)
    /// in `u8` (in `u32` where there are more than 256 classes).
    ///
    /// Each file is written under a temporary name beside; only when all four are complete are
    /// they renamed. Nothing is ever overwritten.
    ///
    /// # Errors
    /// If one of the files exists already, or cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(|source| Error::Write {
            path: dir.into(),
            source,
        })?;
        let [train_x, train_y, test_x, test_y] = FILES;
        for path in FILES.map(|name| dir.join(name)) {
            must_be_free(&path)?;
        }
        let drafts = [
            self.draft_images(dir, train_x, &self.train)?,
            self.draft_labels(dir, train_y, &self.train)?,
            self.draft_images(dir, test_x, &self.test)?,
            self.draft_labels(dir, test_y, &self.test)?,
        ];
        drafts.iter().try_for_each(Draft::publish)
    }

    fn draft_images(&self, dir: &Path, name: &str, split: &Split) -> Result<Draft, Error> {
        let [height, width, channels] = self.image;
        let shape = [split.rows(), height, width, channels];
        match &split.pixels {
            Pixels::U8(all) => Draft::write(dir, name, ArrayView4::from_shape(shape, all)),
            Pixels::F32(all) => Draft::write(dir, name, ArrayView4::from_shape(shape, all)),
        }
    }

    fn draft_labels(&self, dir: &Path, name: &str, split: &Split) -> Result<Draft, Error> {
        if self.class_names.len() > 256 {
            let shape = split.rows();
            return Draft::write(dir, name, ArrayView1::from_shape(shape, &split.labels));
        }
        let labels: Vec<u8> = split.labels.iter().map(|&label| label as u8).collect();
        Draft::write(dir, name, ArrayView1::from_shape(labels.len(), &labels))
    }
}

impl Draft {
    /// Writes `array` beside `name` and waits until it is on the disk. An array that failed to
    /// take its shape is a `Dataset` whose parts disagree: an error like any other.
    fn write<V, A, D>(
        dir: &Path,
        name: &str,
        array: Result<V, ndarray::ShapeError>,
    ) -> Result<Self, Error>
    where
        V: std::ops::Deref<Target = ArrayRef<A, D>>,
        A: WritableElement,
        D: Dimension,
    {
        let path = dir.join(name);
        let draft = dir.join(format!(".{name}.{}.tmp", std::process::id()));
        let failed = |source| Error::Write {
            path: path.clone(),
            source,
        };
        let array = array.map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let mut file = File::create(&draft).map_err(failed)?;
        let draft = Self {
            draft,
            path: path.clone(),
        };
        array
            .write_npy(BufWriter::new(&mut file))
            .map_err(|error| match error {
                WriteNpyError::Io(source) => failed(source),
                other => failed(io::Error::other(other)),
            })?;
        file.sync_all().map_err(failed)?;
        Ok(draft)
    }

    /// Gives the file its name, unless something took it meanwhile.
    fn publish(&self) -> Result<(), Error> {
        must_be_free(&self.path)?;
        fs::rename(&self.draft, &self.path).map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `publish` there is nothing left under this name, and a failure changes nothing.
        let _ = fs::remove_file(&self.draft);
    }
}

/// Refuses a path that something lies at, be it a dangling link.
fn must_be_free(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(_) => Err(Error::Exists(path.into())),
        Err(_) => Ok(()),
    }
}
