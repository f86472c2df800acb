//! What becomes of each image of an epoch: from (seed, epoch, row of the data set) to the record that the kernel reads.
//! Transcendental functions are libm's own, in Rust: a system's would differ from others' in last bits.

use super::Augment;
use crate::ops::augment::{Bounds, Record};
use crate::random;

/// Share of augmentation in the random streams of a seed, and of what images are mixed by.
const AUGMENT: u64 = 2;
const MIX: u64 = 3;

/// Random numbers of a row.
const NUMBERS: u64 = 64;

/// The first number of the attempts to find a rectangle; each takes four.
const RECTANGLES: u64 = 16;
const ATTEMPTS: u64 = 10;

/// The area of what is erased, as a share of the image's, and its height by its width: the paper's
/// (arXiv:1708.04896, table 1: at the most 0.2 for small images) with torchvision's upper bound of the second.
const AREA: [f64; 2] = [0.02, 0.2];
const ASPECT: [f64; 2] = [0.3, 3.3];

/// The augmentation of one epoch.
#[derive(Clone, Debug)]
pub struct Draw {
    augment: Augment,
    /// Are images mixed in some epoch of the run?
    mixes: bool,
    /// Height and width.
    size: [usize; 2],
    bounds: Bounds,
    stream: u64,
    mix: u64,
}

impl Draw {
    /// That of `epoch` (from 0) of so many, for images (h, w, c).
    pub fn new(
        augment: &Augment,
        seed: u64,
        [epoch, epochs]: [u32; 2],
        [h, w, _]: [usize; 3],
        bounds: Bounds,
    ) -> Draw {
        let without = epochs.saturating_sub(augment.last_epochs_without) <= epoch;
        let stream = |purpose| random::stream(&[seed, purpose, epoch as u64]);
        Draw {
            augment: match without {
                true => Augment::default(),
                false => augment.clone(),
            },
            mixes: augment.mixes(),
            size: [h, w],
            bounds,
            stream: stream(AUGMENT),
            mix: stream(MIX),
        }
    }

    /// Are images mixed in some epoch of the run? Then their targets are mixtures in all of them.
    pub fn mixes(&self) -> bool {
        self.mixes
    }

    /// Uniform in [0, 1).
    fn unit(&self, row: u32, number: u64) -> f64 {
        random::unit(self.stream, NUMBERS * row as u64 + number)
    }

    /// Uniform in [low, high).
    fn between(&self, row: u32, number: u64, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.unit(row, number)
    }

    /// Uniform in [-most, most), exactly 0 where that is 0.
    fn about_zero(&self, row: u32, number: u64, most: f64) -> f64 {
        most * (2.0 * self.unit(row, number) - 1.0)
    }

    /// What becomes of that row of the data set; it is mixed with none.
    pub fn record(&self, row: u32) -> Record {
        let (to_x, to_y) = self.map(row);
        let (gain, offset) = self.tone(row);
        let plain = Record::PLAIN;
        let flag = |differs: bool| f32::from(u8::from(differs));
        Record {
            to_x,
            to_y,
            moved: flag(to_x != plain.to_x || to_y != plain.to_y),
            gain,
            offset,
            toned: flag(gain != plain.gain || offset != plain.offset),
            erased: self.erased(row),
            ..plain
        }
    }

    /// The records of a shard's rows, each mixed with another where the epoch wants it.
    pub fn records(&self, rows: &[u32]) -> Vec<Record> {
        let one = |(at, &row): (usize, &u32)| Record {
            partner: self.partner(row, at, rows.len()) as f32,
            share: match rows.len() {
                1 => 1.0,
                _ => self.share(row),
            },
            ..self.record(row)
        };
        rows.iter().enumerate().map(one).collect()
    }

    /// From a pixel to where it comes from. An image is mirrored, turned and zoomed about its centre, then shifted; this
    /// is the way back, in pixels: without turn and zoom all numbers are whole where the shift is.
    fn map(&self, row: u32) -> ([f32; 3], [f32; 3]) {
        let augment = &self.augment;
        let side = match self.unit(row, 0) < augment.mirror {
            true => -1.0,
            false => 1.0,
        };
        let shift = [1, 2].map(|number| self.about_zero(row, number, augment.shift));
        let angle = self.about_zero(row, 3, augment.rotation).to_radians();
        let zoom = 1.0 + self.about_zero(row, 4, augment.zoom);
        let (sine, cosine) = (libm::sin(angle) / zoom, libm::cos(angle) / zoom);
        let [centre_y, centre_x] = self.size.map(|size| (size as f64 - 1.0) / 2.0);
        let (x, y) = (centre_x + shift[0], centre_y + shift[1]);
        let back =
            |[a, b]: [f64; 2], centre: f64| [a as f32, b as f32, (centre - (a * x + b * y)) as f32];
        (
            back([side * cosine, side * sine], centre_x),
            back([-sine, cosine], centre_y),
        )
    }

    /// Gain and offset: contrast about the middle of the range, and brightness.
    fn tone(&self, row: u32) -> (f32, f32) {
        let augment = &self.augment;
        let amount =
            |number, probability: f64, most: f64| match self.unit(row, number) < probability {
                true => self.about_zero(row, number + 1, most),
                false => 0.0,
            };
        let brightness = amount(5, augment.brightness_probability, augment.brightness);
        let contrast = amount(7, augment.contrast_probability, augment.contrast);
        let (low, high) = (self.bounds.low as f64, self.bounds.high as f64);
        let offset = brightness * (high - low) - contrast * (low + high) / 2.0;
        ((1.0 + contrast) as f32, offset as f32)
    }

    /// Left, top, right, bottom of what is erased: the first of ten attempts whose rectangle is smaller than the image
    /// both ways, as torchvision has it; none where none is.
    fn erased(&self, row: u32) -> [f32; 4] {
        if self.unit(row, 9) >= self.augment.erasing {
            return [0.0; 4];
        }
        let [height, width] = self.size;
        let logarithms = ASPECT.map(libm::log);
        let attempt = |attempt: u64| {
            let first = RECTANGLES + 4 * attempt;
            let area = (height * width) as f64 * self.between(row, first, AREA);
            let aspect = libm::exp(self.between(row, first + 1, logarithms));
            let [h, w] = [area * aspect, area / aspect].map(|square| square.sqrt().round());
            let fits = h >= 1.0 && w >= 1.0 && h < height as f64 && w < width as f64;
            // Every place where it is whole, the last one too.
            let place = |number, size: usize, taken: f64| {
                (self.unit(row, number) * (size as f64 - taken + 1.0)).floor()
            };
            let (top, left) = (place(first + 2, height, h), place(first + 3, width, w));
            fits.then(|| [left, top, left + w, top + h].map(|edge| edge as f32))
        };
        (0..ATTEMPTS).find_map(attempt).unwrap_or_default()
    }

    /// What a row keeps of itself: the larger of lambda and 1 - lambda. Since partners are drawn alike, pairs and
    /// shares are distributed as in the paper (arXiv:1710.09412), and a row's own label has the larger share.
    fn share(&self, row: u32) -> f32 {
        if !self.augment.mixes() {
            return 1.0;
        }
        let lambda = random::beta(self.mix, row as u64, self.augment.mixup);
        lambda.max(1.0 - lambda) as f32
    }

    /// Another place of the shard, each as likely; `at` itself where there is no other.
    fn partner(&self, row: u32, at: usize, rows: usize) -> usize {
        let others = rows - 1;
        if others == 0 {
            return at;
        }
        let further = (self.unit(row, 10) * others as f64) as usize;
        (at + 1 + further) % rows
    }
}
