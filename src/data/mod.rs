//! Data sets: four npy files in, two judged and labelled splits out.
//!
//! `npy` opens a file, checks its header against its length and streams rows as `f64`; `images`
//! judges the rows of X and stores them as `u8` or `f32`; `labels` turns the rows of y into class
//! numbers, which `classes` names; this file holds the two splits against each other, and `duplicates` finds the
//! images that lie in both. `survey` tells what a set holds, `split` parts it; `write` and, row by row, `stream`
//! go the other way.
//! Nothing here knows of networks or GPUs: training takes a [`Dataset`] and needs no file again.

pub mod classes;
mod duplicates;
mod error;
pub mod faces;
mod images;
mod labels;
mod npy;
mod reading;
mod split;
mod stream;
mod survey;
mod write;

pub use classes::CLASSES;
pub use duplicates::duplicates;
pub use error::Error;
pub(crate) use npy::described;
pub use reading::{Validation, image_shape, images_of, validation};
pub use stream::{Counts, Label, SetWriter};
pub use survey::{Conflict, SplitSurvey, Survey};
pub use write::must_be_free;

use crate::random;
use npy::Npy;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;
use xxhash_rust::xxh3::Xxh3;

/// The class names of FER-2013, by class number; a set of seven classes without names bears them.
pub const FER_CLASSES: [&str; 7] = [
    "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral",
];

/// The files of a data set: images and labels to train on, then those to validate on.
pub const FILES: [&str; 4] = ["X_train.npy", "y_train.npy", "X_test.npy", "y_test.npy"];

/// A whole data set in memory. Both splits store their pixels as the same kind.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub train: Split,
    pub test: Split,
    /// The range of the stored pixels, decided from X_train.
    pub range: PixelRange,
    /// Height, width, channels.
    pub image: [usize; 3],
    /// One name a class, by class number.
    pub class_names: Vec<String>,
    /// xxh3-128 over the shapes and the contents of all four arrays as they are stored here, so
    /// that one set has one hash whatever dtype, byte order or label form its files have.
    pub hash: u128,
    /// The folder, for printing.
    pub name: String,
}

/// Images and their class numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub pixels: Pixels,
    /// One class number a row; of shares that of the first largest.
    pub labels: Vec<u32>,
    /// Where labels are soft, each class's share of each row: (N, classes), every row adding up to 1.
    pub shares: Option<Vec<f32>>,
}

/// Row-major pixels of shape (N, height * width * channels), as in the file: not yet scaled.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// Whole numbers in 0..=255, whatever the dtype of the file.
    U8(Vec<u8>),
    /// Anything else.
    F32(Vec<f32>),
}

/// The range that the pixels of a data set lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelRange {
    ZeroTo255,
    ZeroToOne,
    MinusOneToOne,
}

impl Dataset {
    /// Reads and judges the four npy files in `dir`; `image` is height, width, channels.
    ///
    /// X: any integer type, `f32` or `f64`, of shape (N, h, w, c), (N, h * w * c) or, with one
    /// channel, (N, h, w). y: class numbers of shape (N,) or (N, 1), or (N, classes), one-hot or each
    /// class's share, of any numeric or bool type. If one split has shares, both do. `classes.json`, where it is there, names the classes; else y_train decides how
    /// many there are.
    ///
    /// The range is the narrowest of 0..1, -1..1 and 0..255 that holds every pixel of X_train,
    /// whatever its dtype: whole numbers that never pass 1 are taken as a black-and-white set in
    /// 0..1. (All zeros say nothing: 0..255 for an integer dtype, 0..1 for floats.)
    ///
    /// # Errors
    /// The first thing wrong, by file name and, for a bad value, its first row from 0. Headers
    /// and row counts of all files are judged before any data are read.
    pub fn load(dir: &Path, image: [usize; 3]) -> Result<Self, Error> {
        let dir = folder(dir)?;
        let [train_x, train_y] = open_pair(dir, FILES[0], FILES[1], image)?;
        let [test_x, test_y] = open_pair(dir, FILES[2], FILES[3], image)?;
        let names = classes::read(dir)?;
        let named = names.as_ref().map(|names| (CLASSES, names.len()));
        let train_labels = labels::read(train_y, named)?;
        let classes = train_labels.classes;
        let test_labels = labels::read(test_y, named.or(Some((FILES[1], classes))))?;
        let mut train = images::read(train_x)?;
        let range = train.range();
        let mut test = images::read(test_x)?;
        test.must_fit(range)?;
        // A GPU gathers both splits with one kernel, so one float split makes both floats.
        if train.pixels.is_u8() != test.pixels.is_u8() {
            train.pixels.widen();
            test.pixels.widen();
        }
        let mut train = train_labels.with(train.pixels);
        let mut test = test_labels.with(test.pixels);
        if train.shares.is_some() || test.shares.is_some() {
            train.soften(classes);
            test.soften(classes);
        }
        let names = names.unwrap_or_else(|| class_names(classes));
        let name = dir.display().to_string();
        Ok(Self::of(train, test, range, image, names, name))
    }
}

/// Faces that [`Dataset::sample_faces`] draws to train on and to validate on.
pub const SAMPLE_FACES: [usize; 2] = [8_640, 1_400];

impl Dataset {
    /// Generated faces ([`faces`]): a pure function of the seed.
    pub fn sample_faces(seed: u64, [train, test]: [usize; 2]) -> Self {
        let split = |stream, count| {
            let (pixels, labels) = faces::draw(stream, seed, count);
            Split::of(Pixels::U8(pixels), labels)
        };
        let train = split(faces::Stream::Train, train);
        let test = split(faces::Stream::Validation, test);
        Self::of(
            train,
            test,
            PixelRange::ZeroTo255,
            [faces::SIZE, faces::SIZE, 1],
            faces::CLASS_NAMES.map(String::from).to_vec(),
            "generated sample faces".into(),
        )
    }

    /// Images of a shape (height, width, channels) to try a network with, of seven classes: sample faces
    /// where they have it, else noise.
    pub fn trial(image: [u32; 3], counts: [usize; 2]) -> Self {
        let image = image.map(|extent| extent as usize);
        if image == [faces::SIZE, faces::SIZE, 1] {
            return Self::sample_faces(0, counts);
        }
        let pixels = image.iter().product::<usize>();
        let split = |stream: u64, count: usize| {
            let byte = |i| (random::unit(stream, i) * 256.0) as u8;
            let pixels = (0..(count * pixels) as u64).map(byte).collect();
            Split::of(
                Pixels::U8(pixels),
                (0..count as u32).map(|row| row % 7).collect(),
            )
        };
        let [train, test] = [split(1, counts[0]), split(2, counts[1])];
        let range = PixelRange::ZeroTo255;
        Self::of(train, test, range, image, class_names(7), "noise".into())
    }

    /// A set all of which is to train on.
    pub fn whole(
        train: Split,
        range: PixelRange,
        image: [usize; 3],
        class_names: Vec<String>,
        name: String,
    ) -> Self {
        let none = Split::empty(&train);
        Self::of(train, none, range, image, class_names, name)
    }

    fn of(
        train: Split,
        test: Split,
        range: PixelRange,
        image: [usize; 3],
        class_names: Vec<String>,
        name: String,
    ) -> Self {
        let hash = hash(image, class_names.len(), [&train, &test]);
        Self {
            train,
            test,
            range,
            image,
            class_names,
            hash,
            name,
        }
    }

    /// Are its labels each class's share of a row?
    pub fn is_soft(&self) -> bool {
        self.train.shares.is_some()
    }

    /// Image `row` of one of its splits in 8 bits, as stored: (height, width, channels).
    pub fn bytes(&self, split: &Split, row: usize) -> Vec<u8> {
        let mut values = vec![0.0; self.image.iter().product()];
        split.row_f32(row, 1.0, &mut values);
        let byte = |value: &f32| match self.range {
            PixelRange::ZeroTo255 => value.round() as u8,
            PixelRange::ZeroToOne => (255.0 * value).round() as u8,
            PixelRange::MinusOneToOne => (127.5 * (value + 1.0)).round() as u8,
        };
        values.iter().map(byte).collect()
    }

    /// The given training rows, to train and to validate on: a network that is right learns them
    /// by heart. The hash stays that of the whole set.
    pub fn overfit(self, rows: &[u32]) -> Self {
        let few = self.train.select(rows, self.image.iter().product());
        Self {
            train: few.clone(),
            test: few,
            ..self
        }
    }
}

impl Split {
    /// Images of one class each.
    pub fn of(pixels: Pixels, labels: Vec<u32>) -> Self {
        let shares = None;
        Self {
            pixels,
            labels,
            shares,
        }
    }

    /// Gives rows that have a class number all of that class's share.
    fn soften(&mut self, classes: usize) {
        let labels = &self.labels;
        self.shares
            .get_or_insert_with(|| labels::one_hot(labels, classes));
    }

    /// No image at all, stored as `other` is.
    fn empty(other: &Split) -> Self {
        other.select(&[], 0)
    }

    /// Some of the rows, `width` pixels each.
    fn select(&self, rows: &[u32], width: usize) -> Self {
        let spans = || {
            rows.iter()
                .map(|&row| row as usize * width..(row as usize + 1) * width)
        };
        let pixels = match &self.pixels {
            Pixels::U8(all) => Pixels::U8(spans().flat_map(|span| all[span].to_vec()).collect()),
            Pixels::F32(all) => Pixels::F32(spans().flat_map(|span| all[span].to_vec()).collect()),
        };
        let labels = rows.iter().map(|&row| self.labels[row as usize]).collect();
        let shares = self.shares.as_ref().map(|all| {
            let classes = all.len() / self.rows().max(1);
            let of_row = |&row: &u32| all[row as usize * classes..][..classes].to_vec();
            rows.iter().flat_map(of_row).collect()
        });
        Self {
            pixels,
            labels,
            shares,
        }
    }
}

/// The path, if it is that of a folder.
fn folder(dir: &Path) -> Result<&Path, Error> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => Ok(dir),
        Ok(_) => Err(Error::NotAFolder(dir.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Error::NoFolder(dir.into())),
        Err(source) => Err(Error::Read {
            path: dir.into(),
            source,
        }),
    }
}

/// Opens the images and labels of one split and checks shapes and row counts, from the headers.
fn open_pair(dir: &Path, x: &str, y: &str, image: [usize; 3]) -> Result<[Npy; 2], Error> {
    let x = Npy::open(dir, x)?;
    images::check_shape(&x, image)?;
    let y = Npy::open(dir, y)?;
    labels::check_shape(&y)?;
    if x.rows() != y.rows() {
        let (x_rows, y_rows) = (x.rows(), y.rows());
        return Err(Error::RowCounts {
            x: x.name().into(),
            x_rows,
            y: y.name().into(),
            y_rows,
        });
    }
    Ok([x, y])
}

/// One name for each of `classes` classes: FER-2013's for seven, "class 0" and so on otherwise.
pub fn class_names(classes: usize) -> Vec<String> {
    if classes == FER_CLASSES.len() {
        return FER_CLASSES.map(String::from).to_vec();
    }
    (0..classes).map(|class| format!("class {class}")).collect()
}

/// The hash that [`Dataset::hash`] describes; numbers go in little-endian on every machine.
pub fn hash(image: [usize; 3], classes: usize, splits: [&Split; 2]) -> u128 {
    let mut hasher = Xxh3::new();
    for number in image.into_iter().chain([classes]) {
        hasher.update(&(number as u64).to_le_bytes());
    }
    let mut bytes = Vec::new();
    let mut feed = |hasher: &mut Xxh3, part: &mut dyn Iterator<Item = [u8; 4]>| {
        bytes.clear();
        bytes.extend(part.flatten());
        hasher.update(&bytes);
    };
    for split in splits {
        hasher.update(&(split.rows() as u64).to_le_bytes());
        hasher.update(&[u8::from(split.pixels.is_u8())]);
        match &split.pixels {
            Pixels::U8(all) => hasher.update(all),
            Pixels::F32(all) => all
                .chunks(1 << 14)
                .for_each(|part| feed(&mut hasher, &mut part.iter().map(|v| v.to_le_bytes()))),
        }
        split
            .labels
            .chunks(1 << 14)
            .for_each(|part| feed(&mut hasher, &mut part.iter().map(|v| v.to_le_bytes())));
        let shares = split
            .shares
            .iter()
            .flat_map(|shares| shares.chunks(1 << 14));
        shares.for_each(|part| feed(&mut hasher, &mut part.iter().map(|v| v.to_le_bytes())));
    }
    hasher.digest128()
}

impl Split {
    /// The number of images.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Rows by class number.
    pub fn counts(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    /// Writes image `row` into `out`, height * width * channels long, each value as f32 times
    /// `scale`: the same bits as a kernel that computes `f32(value) * scale`.
    ///
    /// # Panics
    /// If there is no such row, or if `out` is not of an image's length.
    pub fn row_f32(&self, row: usize, scale: f32, out: &mut [f32]) {
        assert_eq!(
            out.len() * self.rows(),
            self.pixels.len(),
            "`out` is not one image long"
        );
        let at = row * out.len()..(row + 1) * out.len();
        match &self.pixels {
            Pixels::U8(all) => {
                for (out, &value) in out.iter_mut().zip(&all[at]) {
                    *out = f32::from(value) * scale;
                }
            }
            Pixels::F32(all) => {
                for (out, &value) in out.iter_mut().zip(&all[at]) {
                    *out = value * scale;
                }
            }
        }
    }
}

impl Pixels {
    /// The number of values: rows * height * width * channels.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(all) => all.len(),
            Self::F32(all) => all.len(),
        }
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the values are stored as bytes.
    pub fn is_u8(&self) -> bool {
        matches!(self, Self::U8(_))
    }

    /// Turns bytes into floats of the same value.
    fn widen(&mut self) {
        if let Self::U8(all) = self {
            *self = Self::F32(all.iter().map(|&value| f32::from(value)).collect());
        }
    }
}

impl PixelRange {
    /// What a stored pixel is multiplied by before the network sees it.
    pub fn scale(self) -> f32 {
        match self {
            Self::ZeroTo255 => 1.0 / 255.0,
            Self::ZeroToOne | Self::MinusOneToOne => 1.0,
        }
    }

    /// The narrowest range that holds everything from `min` to `max`, if any does.
    fn holding(min: f64, max: f64) -> Option<Self> {
        let within = |low, high| min >= low && max <= high;
        if within(0.0, 1.0) {
            Some(Self::ZeroToOne)
        } else if within(-1.0, 1.0) {
            Some(Self::MinusOneToOne)
        } else {
            within(0.0, 255.0).then_some(Self::ZeroTo255)
        }
    }
}

impl fmt::Display for PixelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroTo255 => "0..255",
            Self::ZeroToOne => "0..1",
            Self::MinusOneToOne => "-1..1",
        })
    }
}

impl FromStr for PixelRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::ZeroTo255, Self::ZeroToOne, Self::MinusOneToOne]
            .into_iter()
            .find(|range| range.to_string() == text)
            .ok_or_else(|| Error::UnknownRange(text.into()))
    }
}
