//! Reads data for a network that is trained already: its range and classes are given, not decided.

use super::classes::{self, Match};
use super::npy::Npy;
use super::{CLASSES, Dataset, Error, FILES, PixelRange, Split, images, labels};
use std::path::Path;

/// Images to validate on, and those that were trained on where the folder has them.
pub struct Validation {
    /// Its training split is empty.
    pub dataset: Dataset,
    /// By row: does the same image lie in X_train.npy? None where that is not there.
    pub duplicates: Option<Vec<bool>>,
    /// Were its classes in another order than the network's, and matched by name?
    pub reordered: bool,
}

/// Reads X_test.npy and y_test.npy of a folder, for a network of these classes and of images
/// (height, width, channels) in `range`; and X_train.npy, if it is there, to find images that lie in both.
/// Where the folder names its classes, they become the network's by their names. Of shares the first largest is the
/// label.
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
    let names = classes::read(folder)?;
    let known = match &names {
        Some(names) => (CLASSES, names.len()),
        None => ("the network", class_names.len()),
    };
    let labels = labels::read(y, Some(known))?;
    let mut labels = labels.numbers;
    let reordered = match names.map(|names| classes::matching(&names, class_names)) {
        None | Some(Ok(Match::Same)) => false,
        Some(Ok(Match::By(numbers))) => {
            labels
                .iter_mut()
                .for_each(|label| *label = numbers[*label as usize]);
            true
        }
        Some(Err(class)) => {
            let path = folder.join(CLASSES);
            let known = class_names.join(", ");
            return Err(Error::OtherClasses { path, class, known });
        }
    };
    let read = images::read(x)?;
    read.must_fit(range)?;
    let pixels = read.pixels;
    let test = Split::of(pixels, labels);
    let duplicates = match folder.join(FILES[0]).exists() {
        true => Some(super::duplicates(&training_images(folder, image)?, &test)),
        false => None,
    };
    let name = folder.display().to_string();
    let names = class_names.to_vec();
    Ok(Validation {
        dataset: Dataset::of(Split::empty(&test), test, range, image, names, name),
        duplicates,
        reordered,
    })
}

/// The images of X_train.npy, all of class 0.
fn training_images(folder: &Path, image: [usize; 3]) -> Result<Split, Error> {
    let x = Npy::open(folder, FILES[0])?;
    images::check_shape(&x, image)?;
    let rows = x.rows();
    Ok(Split::of(images::read(x)?.pixels, vec![0; rows]))
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
    Ok(Split::of(read.pixels, vec![0; rows]))
}

/// Height, width and channels of the images of a folder's training set, where its file says so: flat rows do not.
///
/// # Errors
/// If the file is no npy file.
pub fn image_shape(folder: &Path) -> Result<Option<[usize; 3]>, Error> {
    let x = Npy::open(super::folder(folder)?, FILES[0])?;
    Ok(match *x.shape() {
        [_, height, width, channels] => Some([height, width, channels]),
        [_, height, width] => Some([height, width, 1]),
        _ => None,
    })
}
