//! Samples as a file has them -> 8-bit grey or RGB. The arithmetic is Pillow's.

use super::Colour;
use super::source::Decoded;
use image::{DynamicImage, GrayImage, RgbImage};

/// Drops alpha and the low bytes, and makes of every pixel what `colour` asks for.
pub fn convert(decoded: &Decoded, colour: Colour) -> DynamicImage {
    let [width, height] = decoded.size;
    let (channels, wide) = (decoded.channels, decoded.bytes_per_sample == 2);
    let pixel = |samples: &[u8]| {
        let sample = |channel: usize| {
            if wide {
                let pair = [samples[2 * channel], samples[2 * channel + 1]];
                (u16::from_ne_bytes(pair) >> 8) as u8
            } else {
                samples[channel]
            }
        };
        // One channel, or one and alpha, is grey.
        if channels < 3 {
            [sample(0); 3]
        } else {
            [sample(0), sample(1), sample(2)]
        }
    };
    let pixels = decoded
        .samples
        .chunks_exact(channels * decoded.bytes_per_sample)
        .map(pixel);
    const FITS: &str = "a decoder fills width * height pixels";
    match colour {
        Colour::Grey => GrayImage::from_raw(width, height, pixels.map(luma).collect())
            .expect(FITS)
            .into(),
        Colour::Rgb => RgbImage::from_raw(width, height, pixels.flatten().collect())
            .expect(FITS)
            .into(),
    }
}

/// The luma of ITU-R 601 in 16-bit fixed point, rounded. The weights sum to 65536, so that a grey
/// pixel stays what it is.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let weighed = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    ((weighed + 0x8000) >> 16) as u8
}
