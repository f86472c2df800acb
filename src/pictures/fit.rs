//! A picture of any size -> one of the wanted size: cropped to the wanted ratio, then resized.

use super::{Crop, Preprocessing, Resize};
use image::DynamicImage;
use image::imageops::FilterType;

/// How a picture came to the wanted size. Sizes are height and width, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What the file holds, once upright.
    pub from: [u32; 2],
    /// The part of it that is left after cropping, which was then resized to the wanted size.
    pub cropped: [u32; 2],
}

/// Crops and resizes, or leaves a picture of the wanted size as it is. `wanted` was checked, and
/// `picture` has pixels.
pub fn fit(picture: DynamicImage, wanted: &Preprocessing) -> (DynamicImage, Option<Changed>) {
    let [height, width, _] = wanted.image.map(|n| n as u32);
    let from = [picture.height(), picture.width()];
    if from == [height, width] {
        return (picture, None);
    }
    let cropped = match wanted.crop {
        Crop::Centre => largest_part(from, [height, width]),
    };
    let [top, left] = [0, 1].map(|axis| (from[axis] - cropped[axis]) / 2);
    let part = if cropped == from {
        picture
    } else {
        picture.crop_imm(left, top, cropped[1], cropped[0])
    };
    let filter = match wanted.resize {
        Resize::Bilinear => FilterType::Triangle,
    };
    let fitted = if cropped == [height, width] {
        part
    } else {
        part.resize_exact(width, height, filter)
    };
    (fitted, Some(Changed { from, cropped }))
}

/// The largest size within `from` whose sides have the ratio of `wanted`, rounded to pixels, of
/// which there is at least one.
fn largest_part([height, width]: [u32; 2], wanted: [u32; 2]) -> [u32; 2] {
    let [wanted_height, wanted_width] = wanted;
    let part = |of: u32, num: u32, den: u32| {
        let (of, num, den) = (u64::from(of), u64::from(num), u64::from(den));
        ((of * num + den / 2) / den).max(1) as u32
    };
    if u64::from(width) * u64::from(wanted_height) > u64::from(height) * u64::from(wanted_width) {
        [height, part(height, wanted_width, wanted_height).min(width)]
    } else {
        [part(width, wanted_height, wanted_width).min(height), width]
    }
}
