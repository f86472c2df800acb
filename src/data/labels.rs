//! Labels: rows of y in, class numbers out, from class numbers or one-hot rows of any type; of rows with a share of
//! each class the shares too.

use super::npy::Npy;
use super::{Error, Pixels, Split};

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

/// The labels of a file.
pub(super) struct Labels {
    /// Of shares the first largest.
    pub numbers: Vec<u32>,
    pub shares: Option<Vec<f32>>,
    pub classes: usize,
}

impl Labels {
    /// The split that they are of.
    pub fn with(self, pixels: Pixels) -> Split {
        Split {
            pixels,
            labels: self.numbers,
            shares: self.shares,
        }
    }
}

/// Rows in which one class has everything.
pub(super) fn one_hot(labels: &[u32], classes: usize) -> Vec<f32> {
    let mut shares = vec![0.0; labels.len() * classes];
    for (row, &label) in labels.iter().enumerate() {
        shares[row * classes + label as usize] = 1.0;
    }
    shares
}

/// Reads the labels in `npy`, whose shape has been checked, and the number of classes: the one that is known,
/// with the file that says so, else the width of its rows or one more than the largest label. Shares are scaled so
/// that each row adds up to 1.
///
/// # Errors
/// The first row that is not a class number, not one-hot and not shares that add up to 1, or names a class that the
/// training set lacks; rows of another width than the training set's; a single class.
pub(super) fn read(npy: Npy, known: Option<(&str, usize)>) -> Result<Labels, Error> {
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
    let mut shares: Option<Vec<f32>> = None;
    let mut classes = width;
    npy.each_row(&mut |row, values| {
        let label = match values {
            [value] => class_number(&name, row, *value)?,
            _ if are_shares(values) => {
                let all = shares.get_or_insert_with(|| one_hot(&labels, width));
                let sum: f64 = values.iter().sum();
                all.extend(values.iter().map(|share| (share / sum) as f32));
                let larger = |best, i| if values[i] > values[best] { i } else { best };
                (0..width).fold(0, larger)
            }
            _ => {
                let column = hot_column(&name, row, values, shares.is_some())?;
                let hot = |all: &mut Vec<f32>| all.extend(one_hot(&[column as u32], width));
                shares.as_mut().map(hot);
                column
            }
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
    Ok(Labels {
        numbers: labels,
        shares,
        classes,
    })
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

/// Has each class a share, which add up to 1 as far as f16 can say?
fn are_shares(values: &[f64]) -> bool {
    let share = |value: &f64| (0.0..=1.0).contains(value);
    let fraction = |&value: &f64| value > 0.0 && value < 1.0;
    let sum: f64 = values.iter().sum();
    values.iter().all(share) && values.iter().any(fraction) && (sum - 1.0).abs() < SUM
}

/// How far the shares of a row may be from 1 together.
const SUM: f64 = 1e-3;

/// The column of the single 1 in a row that must be zeros otherwise. `soft` says that rows before had shares.
fn hot_column(file: &str, row: usize, values: &[f64], soft: bool) -> Result<usize, Error> {
    let file = || file.into();
    if soft && values.iter().any(|value| value.fract() != 0.0) {
        let found = values.iter().sum();
        return Err(Error::Shares {
            file: file(),
            row,
            found,
        });
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
