//! Which pixels come out: colour, size, orientation, range.

use crate::files::*;
use fer_gpu::data::PixelRange;
use fer_gpu::pictures::{Changed, Colour, Error, LARGEST_WANTED, Preprocessing};
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage};

/// Grey values that Pillow 13.0's `convert("L")` gave.
const PILLOW_GREY: [([u8; 3], u8); 10] = [
    ([255, 0, 0], 76),
    ([0, 255, 0], 150),
    ([0, 0, 255], 29),
    ([1, 2, 3], 2),
    ([10, 200, 30], 124),
    ([123, 45, 67], 71),
    ([254, 255, 253], 254),
    ([0, 1, 0], 1),
    ([1, 0, 0], 0),
    ([90, 91, 89], 90),
];

#[test]
fn grey_is_that_of_pillow() {
    for (colour, grey) in PILLOW_GREY {
        let file = encode(RgbImage::from_pixel(1, 1, Rgb(colour)), ImageFormat::Png);
        assert_eq!(pixels(&file, 1, 1, Colour::Grey), [grey], "{colour:?}");
    }
    // Every 15th value of each channel: 18^3 colours.
    let picture = RgbImage::from_fn(18 * 18, 18, |x, y| {
        Rgb([x % 18, x / 18, y].map(|step| (step * 15) as u8))
    });
    let formula = |&Rgb([r, g, b]): &Rgb<u8>| {
        ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16)
            as u8
    };
    let expected: Vec<u8> = picture.pixels().map(formula).collect();
    let file = encode(picture, ImageFormat::Png);
    assert_eq!(pixels(&file, 18, 18 * 18, Colour::Grey), expected);
}

#[test]
fn a_picture_of_the_wanted_size_passes_bit_for_bit() {
    let colour = texture(48, 40);
    let grey = GrayImage::from_fn(48, 40, |x, y| image::Luma([(x * 5 + y * 11) as u8]));
    for format in LOSSLESS {
        let file = encode(colour.clone(), format);
        assert_eq!(pixels(&file, 40, 48, Colour::Rgb), *colour.as_raw());
        // WebP has no grey of its own.
        let grey_file = match format {
            ImageFormat::WebP => encode(DynamicImage::from(grey.clone()).into_rgb8(), format),
            _ => encode(grey.clone(), format),
        };
        assert_eq!(pixels(&grey_file, 40, 48, Colour::Grey), *grey.as_raw());
        let tripled: Vec<u8> = grey.iter().flat_map(|&v| [v; 3]).collect();
        assert_eq!(pixels(&grey_file, 40, 48, Colour::Rgb), tripled);
    }
}

/// A picture that Pillow was given as well.
fn formula_picture() -> Vec<u8> {
    let value = |x: u32, y: u32| image::Luma([(x * 37 + y * 59 + x * y * 11) as u8]);
    encode(GrayImage::from_fn(16, 12, value), ImageFormat::Png)
}

#[test]
fn resizing_is_within_one_step_of_pillows_bilinear() {
    let cases: [([usize; 2], [u32; 2], &[u8]); 3] = [
        (
            [5, 5],
            [12, 12],
            &[
                147, 139, 113, 125, 149, 134, 120, 123, 128, 137, 147, 156, 103, 104, 130, 140,
                138, 128, 121, 143, 95, 110, 144, 116, 153,
            ],
        ),
        (
            [3, 7],
            [7, 16],
            &[
                169, 130, 118, 121, 135, 144, 150, 128, 143, 150, 104, 105, 122, 105, 124, 154,
                145, 118, 103, 140, 112,
            ],
        ),
        (
            [3, 4],
            [12, 16],
            &[132, 128, 127, 136, 137, 136, 114, 120, 118, 126, 129, 136],
        ),
    ];
    for ([height, width], cropped, expected) in cases {
        let found = reads(&formula_picture(), &wanted(height, width, Colour::Grey));
        let from = [12, 16];
        assert_eq!(found.changed, Some(Changed { from, cropped }));
        assert_eq!(found.pixels.len(), expected.len());
        for (index, (&found, &expected)) in found.pixels.iter().zip(expected).enumerate() {
            let apart = found.abs_diff(expected);
            assert!(
                apart <= 1,
                "{height} x {width}, {index}: {found}, {expected}"
            );
        }
    }
}

#[test]
fn shrinking_averages_instead_of_picking() {
    let board = GrayImage::from_fn(480, 480, |x, y| image::Luma([((x + y) % 2 * 255) as u8]));
    let found = reads(
        &encode(board, ImageFormat::Png),
        &wanted(48, 48, Colour::Grey),
    );
    assert!(found.pixels.iter().all(|pixel| (126..=129).contains(pixel)));
}

#[test]
fn the_centre_is_kept() {
    // Columns that tell their number; the odd pixel of margin lies on the right and below.
    let columns = |width, height| RgbImage::from_fn(width, height, |x, _| Rgb([x as u8; 3]));
    let grey = |file: &[u8], height, width| reads(file, &wanted(height, width, Colour::Grey));
    let found = grey(&encode(columns(9, 4), ImageFormat::Png), 4, 4);
    assert_eq!(found.pixels, [2, 3, 4, 5].repeat(4));
    let (from, cropped) = ([4, 9], [4, 4]);
    assert_eq!(found.changed, Some(Changed { from, cropped }));
    let rows = RgbImage::from_fn(3, 8, |_, y| Rgb([y as u8; 3]));
    let found = grey(&encode(rows, ImageFormat::Png), 3, 3);
    assert_eq!(found.pixels, [2, 2, 2, 3, 3, 3, 4, 4, 4]);
    // Twice as wide as high is wanted.
    let found = grey(&encode(columns(4, 6), ImageFormat::Png), 2, 4);
    assert_eq!(found.pixels, [0, 1, 2, 3].repeat(2));
}

#[test]
fn the_smallest_and_the_thinnest_pictures_are_stretched() {
    for [width, height] in [[1, 1], [1, 300], [300, 1], [2, 1]] {
        let file = encode(
            RgbImage::from_pixel(width, height, Rgb([7, 8, 9])),
            ImageFormat::Png,
        );
        for [high, wide] in [[48, 48], [1, 200], [200, 1]] {
            let found = reads(&file, &wanted(high, wide, Colour::Rgb));
            assert_eq!(found.pixels, [7, 8, 9].repeat(high * wide));
        }
    }
}

/// The picture as a camera stores it whose EXIF tells where row 0 and column 0 of what is stored
/// lie in the upright picture.
fn stored(upright: &RgbImage, orientation: u16) -> RgbImage {
    let (width, height) = upright.dimensions();
    let (right, bottom) = (width - 1, height - 1);
    let [wide, high] = match orientation {
        1..=4 => [width, height],
        _ => [height, width],
    };
    RgbImage::from_fn(wide, high, |column, row| {
        let (x, y) = match orientation {
            1 => (column, row),
            2 => (right - column, row),
            3 => (right - column, bottom - row),
            4 => (column, bottom - row),
            5 => (row, column),
            6 => (right - row, column),
            7 => (right - row, bottom - column),
            8 => (row, bottom - column),
            _ => panic!("no orientation"),
        };
        *upright.get_pixel(x, y)
    })
}

#[test]
fn every_orientation_is_turned_upright() {
    let upright = texture(7, 5);
    // Flat blocks, which JPEG keeps almost exactly.
    let blocks = RgbImage::from_fn(48, 32, |x, y| Rgb([(x / 16 * 60 + y / 16 * 25) as u8; 3]));
    for orientation in 1..=8 {
        for big_endian in [false, true] {
            let exif = || exif(orientation, big_endian);
            for format in [ImageFormat::Png, ImageFormat::WebP] {
                let file = with_exif(&stored(&upright, orientation), format, exif());
                let found = pixels(&file, 5, 7, Colour::Rgb);
                assert_eq!(found, *upright.as_raw(), "{orientation} in {format:?}");
            }
            let file = with_exif(&stored(&blocks, orientation), ImageFormat::Jpeg, exif());
            let found = pixels(&file, 32, 48, Colour::Rgb);
            let close = |(&a, &b): (&u8, &u8)| a.abs_diff(b) <= 2;
            assert!(
                found.iter().zip(blocks.as_raw()).all(close),
                "{orientation} in JPEG"
            );
        }
    }
    // Some programs give WebP the six bytes that only JPEG wants.
    let prefixed = [b"Exif\0\0", &exif(6, true)[..]].concat();
    let file = with_exif(&stored(&upright, 6), ImageFormat::WebP, prefixed);
    assert_eq!(pixels(&file, 5, 7, Colour::Rgb), *upright.as_raw());
    // The size that is told is that of the upright picture.
    let file = with_exif(&stored(&upright, 6), ImageFormat::Png, exif(6, true));
    let changed = reads(&file, &wanted(4, 4, Colour::Grey)).changed;
    assert_eq!(changed.map(|changed| changed.from), Some([5, 7]));
}

#[test]
fn unknown_orientations_and_broken_exif_turn_nothing() {
    let picture = texture(7, 5);
    let mut endless = exif(6, true);
    endless[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    for exif in [exif(0, true), exif(9, false), endless, vec![1, 2, 3]] {
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let file = with_exif(&picture, format, exif.clone());
            assert_eq!(pixels(&file, 5, 7, Colour::Rgb), *picture.as_raw());
        }
    }
}

#[test]
fn inputs_are_in_the_range_of_the_training_set() {
    let of = |range| {
        let wanted = Preprocessing {
            range,
            ..wanted(1, 3, Colour::Grey)
        };
        wanted.inputs(&[0, 51, 255])
    };
    let scale = PixelRange::ZeroTo255.scale();
    assert_eq!(
        of(PixelRange::ZeroTo255),
        [0.0, 51.0 * scale, 255.0 * scale]
    );
    assert_eq!(of(PixelRange::ZeroToOne), [0.0, 0.2, 1.0]);
    assert_eq!(of(PixelRange::MinusOneToOne), [-1.0, -0.6, 1.0]);
}

#[test]
fn preprocessing_goes_through_json() {
    let text = r#"{"image":[48,48,1],"colour":"grey","range":"0..255","crop":"centre","resize":"bilinear"}"#;
    let grey = wanted(48, 48, Colour::Grey);
    assert_eq!(serde_json::to_string(&grey).expect("JSON"), text);
    assert_eq!(
        serde_json::from_str::<Preprocessing>(text).expect("JSON"),
        grey
    );
    let channel = text.replace(
        '}',
        r#","standardise":{"by":"channel","mean":[0.5],"deviation":[0.25]}}"#,
    );
    let picture = text.replace('}', r#","standardise":{"by":"picture","epsilon":0.001}}"#);
    for text in [&channel, &picture] {
        let read: Preprocessing = serde_json::from_str(text).expect("JSON");
        read.check().expect("numbers for one channel");
        assert_eq!(&serde_json::to_string(&read).expect("JSON"), text);
    }
    for (part, other) in [
        ("[0.5]", "[0.5,0.5]"),
        ("[0.25]", "[0.0]"),
        ("[0.25]", "[]"),
    ] {
        let read = serde_json::from_str::<Preprocessing>(&channel.replacen(part, other, 1));
        assert!(read.expect("JSON").check().is_err(), "{other}");
    }
    for (part, other) in [("channel", "set"), ("mean", "means"), ("[0.5]", "0.5")] {
        let text = channel.replacen(part, other, 1);
        assert!(
            serde_json::from_str::<Preprocessing>(&text).is_err(),
            "{text}"
        );
    }
    for (part, other) in [
        ("0..255", "0..256"),
        ("bilinear", "nearest"),
        ("grey", "Grey"),
        ("centre", "left"),
        ("[48,48,1]", "[48,48]"),
        ("[48,48,1]", "[48,-48,1]"),
        ("\"crop\"", "\"mirror\":true,\"crop\""),
    ] {
        let text = text.replace(part, other);
        assert!(
            serde_json::from_str::<Preprocessing>(&text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn what_no_network_can_want_is_refused() {
    let file = encode(texture(4, 4), ImageFormat::Png);
    let error = |image| {
        let wanted = Preprocessing {
            image,
            ..wanted(4, 4, Colour::Grey)
        };
        fer_gpu::pictures::decode(&file, "face", &wanted).expect_err("refused")
    };
    for [height, width] in [[0, 4], [4, 0], [LARGEST_WANTED + 1, 4], [4, usize::MAX]] {
        let error = error([height, width, 1]);
        assert!(matches!(error, Error::WantedSize { .. }), "{error}");
        check_words(&error, &["1 to 2048"]);
    }
    for channels in [0, 3] {
        let error = error([4, 4, channels]);
        assert!(matches!(error, Error::WantedChannels { .. }), "{error}");
        check_words(&error, &["Grey", "which has 1"]);
    }
}
