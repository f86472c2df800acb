//! Reads data for a network that is trained already: its range and classes are given, not decided.

use super::npy::Npy;
use super::{Dataset, Error, FILES, PixelRange, Split, images, labels};
use std::path::Path;

/// Images to validate on, and those that were trained on where the folder has them.
pub struct Validation {
    /// Its training split is empty.
    pub dataset: Dataset,
    /// By row: does the same image lie in X_train.npy? None where that is not there.
    pub duplicates: Option<Vec<bool>>,
}

/// Reads X_test.npy and y_test.npy of a folder, for a network of these classes and of images
/// (height, width, channels) in `range`; and X_train.npy, if it is there, to find images that lie in both.
///
/// # Errors
/// Those of [`Dataset::load`]; images of another range; labels that are none of the classes.
pub fn validation(
    folder: &Path,
    image: [usize; 3],
    range: PixelRange,
    class_names: &[String],
) -> Result<Validation, Error> {
    let [x, y] = super::open_pair(super::folder(folder)?, FILES[2], FILES[3], image)?;
    let classes = class_names.len();
    let (labels, _) = labels::read(y, Some(classes))?;
    let read = images::read(x)?;
    read.must_fit(range)?;
    let pixels = read.pixels;
    let test = Split { pixels, labels };
    let duplicates = match folder.join(FILES[0]).exists() {
        true => Some(super::duplicates(&training_images(folder, image)?, &test)),
        false => None,
    };
    let name = folder.display().to_string();
    let mut dataset = Dataset::of(Split::empty(&test), test, range, image, classes, name);
    dataset.class_names = class_names.to_vec();
    Ok(Validation {
        dataset,
        duplicates,
    })
}

/// The images of X_train.npy, all of class 0.
fn training_images(folder: &Path, image: [usize; 3]) -> Result<Split, Error> {
    let x = Npy::open(folder, FILES[0])?;
    images::check_shape(&x, image)?;
    let rows = x.rows();
    Ok(Split {
        pixels: images::read(x)?.pixels,
        labels: vec![0; rows],
    })
}

/// The images in an npy file, for a network of images (height, width, channels) in `range`; all of class 0.
///
/// # Errors
/// Those of [`Dataset::load`]; images of another range.
pub fn images_of(path: &Path, image: [usize; 3], range: PixelRange) -> Result<Split, Error> {
    let x = Npy::open_file(path.into(), path.display().to_string())?;
    images::check_shape(&x, image)?;
    let rows = x.rows();
    let read = images::read(x)?;
    // A few images need not use all of their range.
    let narrower = range == PixelRange::MinusOneToOne && read.range() == PixelRange::ZeroToOne;
    if !narrower {
        read.must_fit(range)?;
    }
    Ok(Split {
        pixels: read.pixels,
        labels: vec![0; rows],
    })
}
