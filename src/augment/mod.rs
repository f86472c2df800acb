//! Augmentation: what a recipe's `[augment]` asks for, `draw`n for each image of an epoch, and what mixtures of images are
//! to be taken for (`mix`). The kernel `augment` does the rest, on the device.
//!
//! A draw is a function of seed, epoch and row of the data set, computed in f64 by functions that are the same on every
//! system: neither batch nor shards nor where a run was resumed change it.

mod draw;
mod mix;

pub use draw::Draw;
pub use mix::{Wanted, mixture};

use crate::data::PixelRange;
use crate::ops::augment::Bounds;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::ops::RangeInclusive;

/// The table `[augment]`: what is 0 is left out. Amounts are drawn uniformly, each image for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// The probability that left and right change places; `true` is 0.5.
    #[serde(deserialize_with = "probability", skip_serializing_if = "is_zero")]
    pub mirror: f64,
    /// Pixels to either side, and up and down, at the most; parts of pixels too.
    #[serde(skip_serializing_if = "is_zero")]
    pub shift: f64,
    /// Degrees about the centre, either way, at the most.
    #[serde(skip_serializing_if = "is_zero")]
    pub rotation: f64,
    /// Larger or smaller by that share at the most: 0.1 is a factor of 0.9 to 1.1.
    #[serde(skip_serializing_if = "is_zero")]
    pub zoom: f64,
    /// Added or taken away, at the most: a share of the range of the pixels.
    #[serde(skip_serializing_if = "is_zero")]
    pub brightness: f64,
    /// The probability that brightness changes.
    #[serde(skip_serializing_if = "is_one")]
    pub brightness_probability: f64,
    /// A factor of 1 less that to 1 more, about the middle of the range of the pixels.
    #[serde(skip_serializing_if = "is_zero")]
    pub contrast: f64,
    /// The probability that contrast changes.
    #[serde(skip_serializing_if = "is_one")]
    pub contrast_probability: f64,
    /// The probability that a rectangle becomes the middle of the range (Zhong et al. 2017).
    #[serde(skip_serializing_if = "is_zero")]
    pub erasing: f64,
    /// alpha of the Beta(alpha, alpha) by which images are mixed, two and two (Zhang et al. 2017).
    #[serde(skip_serializing_if = "is_zero")]
    pub mixup: f64,
    /// Epochs at the end of the run in which nothing is changed.
    #[serde(skip_serializing_if = "is_none")]
    pub last_epochs_without: u32,
}

impl Default for Augment {
    /// Nothing is changed.
    fn default() -> Augment {
        Augment {
            mirror: 0.0,
            shift: 0.0,
            rotation: 0.0,
            zoom: 0.0,
            brightness: 0.0,
            brightness_probability: 1.0,
            contrast: 0.0,
            contrast_probability: 1.0,
            erasing: 0.0,
            mixup: 0.0,
            last_epochs_without: 0,
        }
    }
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

fn is_one(number: &f64) -> bool {
    *number == 1.0
}

fn is_none(number: &u32) -> bool {
    *number == 0
}

/// A number, or whether it is to be at all.
fn probability<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a probability, or true or false")]
    enum Said {
        Whether(bool),
        Probability(f64),
    }
    Ok(match Said::deserialize(value)? {
        Said::Whether(true) => 0.5,
        Said::Whether(false) => 0.0,
        Said::Probability(probability) => probability,
    })
}

impl Augment {
    /// Is there an image that it may change?
    pub fn changes_something(&self) -> bool {
        let tones = [
            (self.brightness, self.brightness_probability),
            (self.contrast, self.contrast_probability),
        ];
        let others = [
            self.mirror,
            self.shift,
            self.rotation,
            self.zoom,
            self.erasing,
            self.mixup,
        ];
        others.iter().any(|amount| *amount != 0.0)
            || tones.iter().any(|(by, p)| *by != 0.0 && *p != 0.0)
    }

    /// Are images mixed in some epoch?
    pub fn mixes(&self) -> bool {
        self.mixup != 0.0
    }

    /// Are all amounts such that they can be drawn?
    ///
    /// # Errors
    /// Which is not, and what is possible.
    pub fn check(&self) -> Result<(), String> {
        let all: [(&str, f64, RangeInclusive<f64>); 9] = [
            ("mirror", self.mirror, 0.0..=1.0),
            ("shift", self.shift, 0.0..=4096.0),
            ("rotation", self.rotation, 0.0..=180.0),
            ("zoom", self.zoom, 0.0..=0.9),
            ("brightness", self.brightness, 0.0..=1.0),
            (
                "brightness_probability",
                self.brightness_probability,
                0.0..=1.0,
            ),
            ("contrast", self.contrast, 0.0..=1.0),
            ("contrast_probability", self.contrast_probability, 0.0..=1.0),
            ("erasing", self.erasing, 0.0..=1.0),
        ];
        if let Some((name, found, range)) = all.iter().find(|(_, v, range)| !range.contains(v)) {
            let (low, high) = (range.start(), range.end());
            return Err(format!(
                "augment.{name} {found}: a number from {low} to {high} is needed"
            ));
        }
        match self.mixup {
            found if found != 0.0 && !(0.01..=100.0).contains(&found) => Err(format!(
                "augment.mixup {found}: 0 for none, or a number from 0.01 to 100, is needed"
            )),
            _ => Ok(()),
        }
    }
}

/// What is changed, as a reader wants it: `mirror 0.5, shift 4, rotation 10; not in the last 3 epochs`.
impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |by: f64, probability: f64| match probability {
            1.0 => by.to_string(),
            _ => format!("{by} at {probability}"),
        };
        let all = [
            ("mirror", self.mirror, self.mirror.to_string()),
            ("shift", self.shift, self.shift.to_string()),
            ("rotation", self.rotation, self.rotation.to_string()),
            ("zoom", self.zoom, self.zoom.to_string()),
            (
                "brightness",
                self.brightness,
                at(self.brightness, self.brightness_probability),
            ),
            (
                "contrast",
                self.contrast,
                at(self.contrast, self.contrast_probability),
            ),
            ("erasing", self.erasing, self.erasing.to_string()),
            ("mixup", self.mixup, self.mixup.to_string()),
        ];
        let told: Vec<String> = all
            .into_iter()
            .filter(|(_, amount, _)| *amount != 0.0)
            .map(|(name, _, told)| format!("{name} {told}"))
            .collect();
        f.write_str(&told.join(", "))?;
        match self.last_epochs_without {
            0 => Ok(()),
            1 => f.write_str("; not in the last epoch"),
            epochs => write!(f, "; not in the last {epochs} epochs"),
        }
    }
}

/// Where the pixels of a set lie, once they are scaled.
pub fn bounds(range: PixelRange) -> Bounds {
    let low = match range {
        PixelRange::ZeroTo255 | PixelRange::ZeroToOne => 0.0,
        PixelRange::MinusOneToOne => -1.0,
    };
    Bounds { low, high: 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_says_is_told_and_read_again() {
        let text = "mirror = true\nshift = 4.0\nbrightness = 0.2\nbrightness_probability = 0.5\nmixup = 0.2\nlast_epochs_without = 3";
        let augment: Augment = toml::from_str(text).expect("a table");
        assert_eq!(
            augment.to_string(),
            "mirror 0.5, shift 4, brightness 0.2 at 0.5, mixup 0.2; not in the last 3 epochs"
        );
        let written = toml::to_string(&augment).expect("a table");
        assert_eq!(toml::from_str(&written), Ok(augment.clone()));
        assert!(augment.changes_something() && augment.mixes());
        assert_eq!(augment.check(), Ok(()));
        assert_eq!(toml::to_string(&Augment::default()), Ok(String::new()));
        assert!(!Augment::default().changes_something());
        // What can never happen is nothing.
        let never = "contrast = 0.2\ncontrast_probability = 0.0\nmirror = false";
        let never: Augment = toml::from_str(never).expect("a table");
        assert!(!never.changes_something());
        assert!(toml::from_str::<Augment>("flip = true").is_err());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_by_name() {
        for (text, told) in [
            ("mirror = 1.5", "augment.mirror 1.5: a number from 0 to 1"),
            ("zoom = 1.0", "augment.zoom 1: a number from 0 to 0.9"),
            ("shift = -1.0", "augment.shift -1: a number from 0 to 4096"),
            ("rotation = nan", "augment.rotation NaN"),
            ("mixup = 1e-9", "from 0.01 to 100"),
        ] {
            let augment: Augment = toml::from_str(text).expect("a table");
            let error = augment.check().expect_err(text);
            assert!(error.contains(told), "{error}");
        }
    }
}
