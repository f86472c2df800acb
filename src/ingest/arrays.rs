//! npy arrays -> npy arrays that were checked, with the names of their classes.

use super::{Error, Imported, Kind, Options};
use crate::data::{self, Dataset};
use std::path::Path;

/// Reads the four arrays of a folder and writes them as they are kept here.
pub(super) fn import(source: &Path, out: &Path, options: &Options) -> Result<Imported, Error> {
    if options.test_share.is_some() {
        return Err(Error::HasTest(source.into()));
    }
    data::must_be_free(out)?;
    let image = data::image_shape(source)?.unwrap_or(options.wanted.shape());
    let set = Dataset::load(source, image)?;
    set.write(out)?;
    let classes = set.class_names.len();
    Ok(Imported {
        kind: Kind::Arrays,
        image,
        counts: [&set.train, &set.test].map(|split| split.counts(classes)),
        class_names: set.class_names,
        faults: 0,
        private: 0,
        skipped: Vec::new(),
        undecided: 0,
        resized: 0,
        animated: 0,
    })
}
