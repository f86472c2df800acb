//! Images that lie in both splits: found by a hash of their stored pixels.

use super::{Pixels, Split};
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

/// By row of `test`: does the same image lie in `train`, whatever its label? Pixels are the same
/// if all their values are, as floats if all their bits are. Both splits must be of one range.
pub fn duplicates(train: &Split, test: &Split) -> Vec<bool> {
    let bytes = train.pixels.is_u8() && test.pixels.is_u8();
    let known: HashSet<u128> = hashes(train, bytes).into_iter().collect();
    let test = hashes(test, bytes).into_iter();
    test.map(|hash| known.contains(&hash)).collect()
}

/// The xxh3-128 of each image: of its bytes, or else of its values as f32.
pub(super) fn hashes(split: &Split, bytes: bool) -> Vec<u128> {
    // A split without rows has no image to measure.
    let width = split.pixels.len() / split.rows().max(1);
    let mut values = vec![0.0f32; width];
    let mut hash = |row: usize| match &split.pixels {
        Pixels::U8(all) if bytes => xxh3_128(&all[row * width..(row + 1) * width]),
        _ => {
            split.row_f32(row, 1.0, &mut values);
            xxh3_128(bytemuck::cast_slice(&values))
        }
    };
    (0..split.rows()).map(&mut hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pixels: Pixels, rows: usize) -> Split {
        Split::of(pixels, (0..rows as u32).collect())
    }

    #[test]
    fn an_image_is_a_duplicate_if_all_its_bytes_lie_in_one_image_of_the_other_split() {
        let train = split(Pixels::U8(vec![1, 2, 3, 4, 5, 6]), 2);
        // Whole, shifted by a pixel, half of each, whole under another label, reversed.
        let test = Pixels::U8(vec![1, 2, 3, 2, 3, 4, 1, 2, 6, 4, 5, 6, 3, 2, 1]);
        let found = duplicates(&train, &split(test, 5));
        assert_eq!(found, [true, false, false, true, false]);
    }

    #[test]
    fn floats_are_compared_by_their_bits() {
        let train = split(Pixels::F32(vec![0.1, 0.0]), 1);
        let next = f32::from_bits(0.1f32.to_bits() + 1);
        let test = Pixels::F32(vec![0.1, 0.0, next, 0.0, 0.1, -0.0]);
        assert_eq!(duplicates(&train, &split(test, 3)), [true, false, false]);
    }

    #[test]
    fn bytes_equal_floats_of_the_same_value() {
        let bytes = split(Pixels::U8(vec![0, 1, 255, 7]), 2);
        let floats = split(Pixels::F32(vec![255.0, 7.0, 0.0, 1.5]), 2);
        assert_eq!(duplicates(&bytes, &floats), [true, false]);
        assert_eq!(duplicates(&floats, &bytes), [false, true]);
    }

    #[test]
    fn images_of_another_size_and_empty_splits_have_no_duplicates() {
        let two = split(Pixels::U8(vec![1, 2, 3, 4]), 2);
        let whole = split(Pixels::U8(vec![1, 2, 3, 4]), 1);
        let none = split(Pixels::U8(Vec::new()), 0);
        assert_eq!(duplicates(&two, &whole), [false]);
        assert_eq!(duplicates(&none, &two), [false, false]);
        assert!(duplicates(&two, &none).is_empty());
    }
}
