//! Labels: rows of y in, class numbers out, from class numbers or one-hot rows of any type.

use super::Error;
use super::npy::Npy;

/// The most classes a set may have.
pub(super) const MOST_CLASSES: usize = 1000;

/// Checks that `npy` can hold labels: (N,), (N, 1) or one-hot (N, 2 to 1000).
pub(super) fn check_shape(npy: &Npy) -> Result<(), Error> {
    if !matches!(npy.shape(), [_] | [_, 1..=MOST_CLASSES]) {
        let expected = format!("(N,), (N, 1) or one-hot (N, classes), at most {MOST_CLASSES}");
        return Err(npy.bad_shape(expected));
    }
    if npy.rows() == 0 {
        return Err(Error::Empty {
            file: npy.name().into(),
        });
    }
    Ok(())
}

/// Reads the labels in `npy`, whose shape has been checked, and the number of classes: the one that is known,
/// with the file that says so, else the width of one-hot rows or one more than the largest label.
///
/// # Errors
/// The first row that is not a class number or not one-hot, or names a class that the training
/// set lacks; one-hot rows of another width than the training set's; a single class.
pub(super) fn read(npy: Npy, known: Option<(&str, usize)>) -> Result<(Vec<u32>, usize), Error> {
    let name = npy.name().to_owned();
    let width = npy.row_len();
    if let Some((by, expected)) = known
        && width > 1
        && width != expected
    {
        return Err(Error::Width {
            file: name,
            found: width,
            by: by.into(),
            expected,
        });
    }
    let mut labels = Vec::with_capacity(npy.rows());
    let mut classes = width;
    npy.each_row(&mut |row, values| {
        let label = match values {
            [value] => class_number(&name, row, *value)?,
            _ => hot_column(&name, row, values)?,
        };
        if let Some((by, classes)) = known
            && label >= classes
        {
            return Err(Error::UnknownClass {
                file: name.clone(),
                row,
                found: label,
                by: by.into(),
                classes,
            });
        }
        classes = classes.max(label + 1);
        labels.push(label as u32);
        Ok(())
    })?;
    let classes = known.map_or(classes, |(_, classes)| classes);
    if classes < 2 {
        return Err(Error::OneClass { file: name });
    }
    Ok((labels, classes))
}

/// A label that must be a whole number in 0..1000.
fn class_number(file: &str, row: usize, found: f64) -> Result<usize, Error> {
    if found.fract() == 0.0 && (0.0..MOST_CLASSES as f64).contains(&found) {
        return Ok(found as usize);
    }
    Err(Error::Label {
        file: file.into(),
        row,
        found,
    })
}

/// The column of the single 1 in a row that must be zeros otherwise.
fn hot_column(file: &str, row: usize, values: &[f64]) -> Result<usize, Error> {
    let file = || file.into();
    let fraction = |&value: &f64| value > 0.0 && value < 1.0;
    if values.iter().any(fraction) && (values.iter().sum::<f64>() - 1.0).abs() < 1e-4 {
        return Err(Error::Shares { file: file(), row });
    }
    if let Some(column) = values
        .iter()
        .position(|&value| value != 0.0 && value != 1.0)
    {
        return Err(Error::OneHotValue {
            file: file(),
            row,
            column,
            found: values[column],
        });
    }
    let mut hot = (0..values.len()).filter(|&column| values[column] == 1.0);
    match (hot.next(), hot.count()) {
        (Some(column), 0) => Ok(column),
        (first, more) => {
            let found = usize::from(first.is_some()) + more;
            Err(Error::OneHotCount {
                file: file(),
                row,
                found,
            })
        }
    }
}
