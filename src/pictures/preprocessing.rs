//! What a network was trained on, as its weights' metadata say it: a picture is brought to that
//! before the network sees it.

use super::{Error, Standardise};
use crate::data::PixelRange;
use serde::{Deserialize, Serialize};

/// The highest and the widest image that may be wanted, in pixels.
pub const LARGEST_WANTED: usize = 2048;

/// How pictures become inputs of a network; as JSON
/// `{"image":[48,48,1],"colour":"grey","range":"0..255","crop":"centre","resize":"bilinear"}`.
///
/// An unknown field or value is an error: what is not understood cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Height, width, channels: 1 for grey, 3 for RGB.
    pub image: [usize; 3],
    pub colour: Colour,
    /// The range of the pixels in the data set that the network was trained on.
    #[serde(with = "range")]
    pub range: PixelRange,
    pub crop: Crop,
    pub resize: Resize,
    /// What the device makes of the scaled pixels; none in files of before there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardise: Option<Standardise>,
}

/// What the channels of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// One channel, the luma of ITU-R 601.
    Grey,
    /// Red, green, blue.
    Rgb,
}

/// What is left of a picture whose sides have another ratio than the wanted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// The largest part of the wanted ratio, from the centre: a square if a square is wanted.
    /// Where the margins are not equal, the right or lower one has a pixel more.
    Centre,
}

/// How a picture gets the wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// A triangle filter that widens as pictures shrink, so that no detail aliases: Pillow's
    /// `BILINEAR`, within one step of 255.
    Bilinear,
}

impl Colour {
    /// The number of values in a pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

impl Preprocessing {
    /// What images of (height, width, channels) are, where nobody says otherwise.
    pub fn usual(image: [usize; 3], range: PixelRange) -> Preprocessing {
        Preprocessing {
            image,
            colour: match image[2] {
                1 => Colour::Grey,
                _ => Colour::Rgb,
            },
            range,
            crop: Crop::Centre,
            resize: Resize::Bilinear,
            standardise: None,
        }
    }

    /// Whether a picture can be brought to this: metadata of weights may say anything.
    ///
    /// # Errors
    /// If a side is zero or above [`LARGEST_WANTED`], the channels are not those of the colour, or the numbers to
    /// standardise by are none for them.
    pub fn check(&self) -> Result<(), Error> {
        let [height, width, channels] = self.image;
        let sides = 1..=LARGEST_WANTED;
        if !sides.contains(&height) || !sides.contains(&width) {
            return Err(Error::WantedSize { height, width });
        }
        let (colour, expected) = (self.colour, self.colour.channels());
        if channels != expected {
            return Err(Error::WantedChannels {
                colour,
                found: channels,
                expected,
            });
        }
        let standardise = self.standardise.as_ref();
        standardise.map_or(Ok(()), |standardise| standardise.check(channels))
    }

    /// What the device gets of 8-bit pixels, value by value, before it standardises: for a set in 0..255 as the training
    /// step scales it, to the bit; for one in 0..1 v / 255; for one in -1..1 v / 127.5 - 1.
    pub fn inputs(&self, pixels: &[u8]) -> Vec<f32> {
        let scaled = |&byte: &u8| {
            let value = f32::from(byte);
            match self.range {
                PixelRange::ZeroTo255 => value * self.range.scale(),
                PixelRange::ZeroToOne => value / 255.0,
                PixelRange::MinusOneToOne => value / 127.5 - 1.0,
            }
        };
        pixels.iter().map(scaled).collect()
    }
}

/// A range as the text that data sets and checkpoints have for it.
mod range {
    use super::PixelRange;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub fn serialize<S: Serializer>(range: &PixelRange, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(range)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<PixelRange, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
