//! Images of a data set as PNG, as they are stored: no pixel is added or smoothed; and the one that a run drew itself.

use crate::data::Dataset;
use crate::files;
use crate::train::AUGMENTED;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use std::path::Path;

/// Image `row` of the validation set: grey, or red, green and blue where there are three channels or more.
pub fn png(dataset: &Dataset, row: usize) -> Vec<u8> {
    let [height, width, channels] = dataset.image;
    let values = dataset.bytes(&dataset.test, row);
    let (shown, kind) = match channels {
        0..=2 => (1, ExtendedColorType::L8),
        _ => (3, ExtendedColorType::Rgb8),
    };
    let pixels = values.chunks_exact(channels);
    let bytes: Vec<u8> = pixels.flat_map(|pixel| pixel[..shown].to_vec()).collect();
    let mut png = Vec::new();
    let written = PngEncoder::new(&mut png).write_image(&bytes, width as u32, height as u32, kind);
    written.expect("bytes of an image of that size");
    png
}

/// The first batch as the run of that folder drew it; none where it drew none, or what bears its name is no PNG.
pub fn augmented(folder: &Path) -> Option<Vec<u8>> {
    let png = files::read_small(&folder.join(AUGMENTED)).ok()?;
    png.starts_with(b"\x89PNG\r\n\x1a\n").then_some(png)
}
