//! Images of a data set as PNG, as they are stored: no pixel is added or smoothed.

use crate::data::{Dataset, PixelRange};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// Image `row` of the validation set: grey, or red, green and blue where there are three channels or more.
pub fn png(dataset: &Dataset, row: usize) -> Vec<u8> {
    let [height, width, channels] = dataset.image;
    let mut values = vec![0.0; height * width * channels];
    dataset.test.row_f32(row, 1.0, &mut values);
    let byte = |value: &f32| match dataset.range {
        PixelRange::ZeroTo255 => value.round() as u8,
        PixelRange::ZeroToOne => (255.0 * value).round() as u8,
        PixelRange::MinusOneToOne => (127.5 * (value + 1.0)).round() as u8,
    };
    let (shown, kind) = match channels {
        0..=2 => (1, ExtendedColorType::L8),
        _ => (3, ExtendedColorType::Rgb8),
    };
    let pixels = values.chunks_exact(channels);
    let bytes: Vec<u8> = pixels
        .flat_map(|pixel| pixel[..shown].iter().map(byte))
        .collect();
    let mut png = Vec::new();
    let written = PngEncoder::new(&mut png).write_image(&bytes, width as u32, height as u32, kind);
    written.expect("bytes of an image of that size");
    png
}
