//! Images: rows of X in, one judged `Images` out. Each row is checked as it comes and stored as
//! bytes while bytes can hold the set, as floats from the first row on that needs them.

use super::npy::Npy;
use super::{Error, PixelRange, Pixels};

/// The images of one split and what they were found to hold.
pub(super) struct Images {
    /// Unscaled, row-major (N, height * width * channels).
    pub(super) pixels: Pixels,
    name: String,
    is_float: bool,
    /// The number of values the file holds, to allocate once.
    count: usize,
    min: f64,
    max: f64,
    /// Whether all values are whole numbers.
    whole: bool,
    /// Rows with a value over 1, and the first such row with its largest value.
    bright_rows: usize,
    first_bright: Option<(usize, f64)>,
}

/// Checks that `npy` can hold images of `image`: height, width, channels.
pub(super) fn check_shape(npy: &Npy, image: [usize; 3]) -> Result<(), Error> {
    let [height, width, channels] = image;
    let len = height * width * channels;
    let fits = match npy.shape() {
        [_, rest @ ..] if rest == image || rest == [len] => true,
        [_, rest @ ..] => channels == 1 && rest == [height, width],
        [] => false,
    };
    if !fits {
        let flat = if channels == 1 {
            format!(", (N, {height}, {width})")
        } else {
            String::new()
        };
        return Err(npy.bad_shape(format!(
            "(N, {height}, {width}, {channels}){flat} or (N, {len})"
        )));
    }
    if npy.rows() == 0 {
        return Err(Error::Empty {
            file: npy.name().into(),
        });
    }
    if npy.is_bool() {
        let (file, found) = (npy.name().into(), "booleans".into());
        return Err(Error::Type {
            file,
            found,
            remedy: "uint8 in 0..255 or float32 in 0..1",
        });
    }
    Ok(())
}

/// Reads the images in `npy`, whose shape has been checked.
///
/// # Errors
/// The first row whose values are not finite, or that together with the rows before it fits none
/// of the ranges; a set of fractions that looks like 0..1 but passes 1.
pub(super) fn read(npy: Npy) -> Result<Images, Error> {
    let rows = npy.rows();
    let mut images = Images {
        pixels: Pixels::U8(Vec::new()),
        name: npy.name().into(),
        is_float: npy.is_float(),
        count: rows * npy.row_len(),
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        whole: true,
        bright_rows: 0,
        first_bright: None,
    };
    images.pixels = Pixels::U8(images.reserve()?);
    npy.each_row(&mut |row, values| images.push(row, values))?;
    images.check_brightness(rows)?;
    Ok(images)
}

impl Images {
    /// The range of a training set.
    pub(super) fn range(&self) -> PixelRange {
        // All zeros fit every range: only the dtype gives a hint.
        if self.is_blank() && !self.is_float {
            return PixelRange::ZeroTo255;
        }
        // `push` let nothing in that no range holds.
        PixelRange::holding(self.min, self.max).unwrap_or(PixelRange::ZeroTo255)
    }

    /// Checks that a test set lies in the range of its training set.
    pub(super) fn must_fit(&self, expected: PixelRange) -> Result<(), Error> {
        let found = self.range();
        if found == expected || self.is_blank() {
            return Ok(());
        }
        Err(Error::OtherRange {
            file: self.name.clone(),
            found,
            expected,
        })
    }

    fn is_blank(&self) -> bool {
        self.min == 0.0 && self.max == 0.0
    }

    /// Checks a row and stores it.
    fn push(&mut self, row: usize, values: &[f64]) -> Result<(), Error> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut finite, mut whole) = (true, true);
        for &value in values {
            low = if value < low { value } else { low };
            high = if value > high { value } else { high };
            finite &= value.is_finite();
            // Saturates outside i32, where the answer no longer matters.
            whole &= f64::from(value as i32) == value;
        }
        if !finite || PixelRange::holding(self.min.min(low), self.max.max(high)).is_none() {
            return Err(self.bad_pixel(row, values));
        }
        self.min = self.min.min(low);
        self.max = self.max.max(high);
        self.whole &= whole;
        if high > 1.0 {
            self.bright_rows += 1;
            self.first_bright.get_or_insert((row, high));
        }
        if self.pixels.is_u8() && !(self.whole && low >= 0.0) {
            let mut floats: Vec<f32> = self.reserve()?;
            if let Pixels::U8(bytes) = &self.pixels {
                floats.extend(bytes.iter().map(|&byte| f32::from(byte)));
            }
            self.pixels = Pixels::F32(floats);
        }
        match &mut self.pixels {
            Pixels::U8(all) => all.extend(values.iter().map(|&value| value as u8)),
            Pixels::F32(all) => all.extend(values.iter().map(|&value| value as f32)),
        }
        Ok(())
    }

    /// The error for a row that `push` refuses, with the value that spoils it.
    fn bad_pixel(&self, row: usize, values: &[f64]) -> Error {
        let file = self.name.clone();
        if let Some(&found) = values.iter().find(|value| !value.is_finite()) {
            return Error::NotFinite { file, row, found };
        }
        let (mut min, mut max) = (self.min, self.max);
        let spoils = |&&value: &&f64| {
            (min, max) = (min.min(value), max.max(value));
            PixelRange::holding(min, max).is_none()
        };
        let found = values.iter().find(spoils).copied().unwrap_or(f64::NAN);
        Error::Pixel { file, row, found }
    }

    /// Refuses a set of fractions in 0..255 that is rather one in 0..1 with values that overshoot
    /// (resizing does that): divided by 255 it would train on black images. Of a real one in
    /// 0..255 nearly all rows pass 1, and some pixel passes 16.
    fn check_brightness(&self, rows: usize) -> Result<(), Error> {
        match self.first_bright {
            Some((row, found))
                if !self.whole && (self.max < 16.0 || self.bright_rows * 2 < rows) =>
            {
                Err(Error::Ambiguous {
                    file: self.name.clone(),
                    row,
                    found,
                })
            }
            _ => Ok(()),
        }
    }

    /// An empty vector with room for the set.
    fn reserve<T>(&self) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        all.try_reserve_exact(self.count)
            .map_err(|_| Error::Memory {
                file: self.name.clone(),
                bytes: self.count.saturating_mul(size_of::<T>()),
            })?;
        Ok(all)
    }
}
