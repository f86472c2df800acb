//! Unusual pictures that must be read.

use crate::files::*;
use fer_gpu::pictures::{Colour, Error};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};

#[test]
fn wide_samples_lose_their_low_byte() {
    let grey = [0x0000u16, 0x00FF, 0x0100, 0x7FFF, 0x80FF, 0xFFFF];
    let picture = ImageBuffer::<Luma<u16>, _>::from_raw(6, 1, grey.to_vec()).expect("six pixels");
    for format in [ImageFormat::Png, ImageFormat::Pnm] {
        let file = encode(picture.clone(), format);
        assert_eq!(
            pixels(&file, 1, 6, Colour::Grey),
            [0, 0, 1, 0x7F, 0x80, 0xFF]
        );
    }
    let colour = ImageBuffer::<Rgb<u16>, _>::from_raw(2, 1, grey.to_vec()).expect("two pixels");
    let file = encode(colour, ImageFormat::Png);
    assert_eq!(
        pixels(&file, 1, 2, Colour::Rgb),
        [0, 0, 1, 0x7F, 0x80, 0xFF]
    );
    // Luma of the bytes, not the byte of a 16-bit luma.
    assert_eq!(pixels(&file, 1, 2, Colour::Grey), [0, 142]);
    let alpha = ImageBuffer::<Rgba<u16>, _>::from_raw(1, 1, vec![0x1234, 0x5678, 0x9ABC, 7]);
    let file = encode(alpha.expect("one pixel"), ImageFormat::Png);
    assert_eq!(pixels(&file, 1, 1, Colour::Rgb), [0x12, 0x56, 0x9A]);
}

#[test]
fn alpha_is_dropped() {
    let grey = ImageBuffer::<LumaA<u8>, _>::from_raw(2, 1, vec![10, 0, 200, 99]);
    let file = encode(grey.expect("two pixels"), ImageFormat::Png);
    assert_eq!(pixels(&file, 1, 2, Colour::Grey), [10, 200]);
    assert_eq!(
        pixels(&file, 1, 2, Colour::Rgb),
        [10, 10, 10, 200, 200, 200]
    );
    let colour = ImageBuffer::<Rgba<u8>, _>::from_raw(2, 1, vec![1, 2, 3, 0, 250, 251, 252, 128]);
    let colour = colour.expect("two pixels");
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let file = encode(colour.clone(), format);
        assert_eq!(pixels(&file, 1, 2, Colour::Rgb), [1, 2, 3, 250, 251, 252]);
    }
}

#[test]
fn palettes_and_few_bits_are_looked_up() {
    let palette = [10, 20, 30, 40, 50, 60, 255, 0, 0, 0, 0, 255];
    let expected = [10, 20, 30, 40, 50, 60, 255, 0, 0, 0, 0, 255];
    // 2 bits a pixel: 0, 1, 2, 3.
    let file = png([4, 1], 2, 3, &[(b"PLTE", &palette)], &[0, 0b0001_1011]);
    assert_eq!(pixels(&file, 1, 4, Colour::Rgb), expected);
    assert_eq!(pixels(&file, 1, 4, Colour::Grey), [18, 48, 76, 29]);
    // Colour 1 transparent: it keeps its colour.
    let clear: [(&[u8; 4], &[u8]); 2] = [(b"PLTE", &palette), (b"tRNS", &[255, 0])];
    let file = png([4, 1], 2, 3, &clear, &[0, 0b0001_1011]);
    assert_eq!(pixels(&file, 1, 4, Colour::Rgb), expected);
    // 1 bit and 4 bits of grey, scaled to the whole range.
    let file = png([8, 1], 1, 0, &[], &[0, 0b1010_0001]);
    assert_eq!(
        pixels(&file, 1, 8, Colour::Grey),
        [255, 0, 255, 0, 0, 0, 0, 255]
    );
    let file = png([2, 1], 4, 0, &[], &[0, 0x1F]);
    assert_eq!(pixels(&file, 1, 2, Colour::Grey), [17, 255]);
    // BMP with 1 bit a pixel, blue first; rows from the bottom, padded to 4 bytes.
    let mut file = bmp(2, 2, 1, &[[1, 2, 3, 0], [200, 100, 50, 0]]);
    file.extend([0b0100_0000, 0, 0, 0, 0b1000_0000, 0, 0, 0]);
    assert_eq!(
        pixels(&file, 2, 2, Colour::Rgb),
        [50, 100, 200, 3, 2, 1, 3, 2, 1, 50, 100, 200]
    );
}

#[test]
fn every_anymap_is_read() {
    let grey = |file: &[u8], expected: [u8; 6]| {
        let text = String::from_utf8_lossy(file).into_owned();
        assert_eq!(pixels(file, 2, 3, Colour::Grey), expected, "{text:?}");
    };
    grey(
        b"P1 # a comment\n3 2\n0 1 0\n1 1 0\n",
        [255, 0, 255, 0, 0, 255],
    );
    grey(b"P4 3 2\n\x40\xC0", [255, 0, 255, 0, 0, 255]);
    grey(b"P2 3 2 255\n0 1 2 3 4 255", [0, 1, 2, 3, 4, 255]);
    grey(b"P2 3 2 15\n0 1 2 3 4 15", [0, 17, 34, 51, 68, 255]);
    grey(
        b"P5 3 2 255\n\x00\x01\x02\x03\x04\xFF",
        [0, 1, 2, 3, 4, 255],
    );
    grey(
        b"P3 3 2 1\n0 0 0 1 0 0 0 1 0 0 0 1 1 1 0 1 1 1",
        [0, 76, 150, 29, 226, 255],
    );
    let head = b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n";
    let file = [&head[..], &[5, 0, 6, 0, 7, 0, 8, 9, 9, 9, 255, 9]].concat();
    grey(&file, [5, 6, 7, 8, 9, 255]);
}

/// 8 x 8 pixels of one colour, as Pillow writes CMYK (200, 30, 90, 60): inverted, as Adobe does.
const CMYK: [u8; 178] = *b"\xff\xd8\xff\xee\x00\x0e\x41\x64\x6f\x62\x65\x00\x64\x00\x00\x00\
\x00\x00\xff\xdb\x00\x43\x00\x02\x01\x01\x01\x01\x01\x02\x01\x01\x01\x02\x02\x02\x02\x02\x04\
\x03\x02\x02\x02\x02\x05\x04\x04\x03\x04\x06\x05\x06\x06\x06\x05\x06\x06\x06\x07\x09\x08\x06\
\x07\x09\x07\x06\x06\x08\x0b\x08\x09\x0a\x0a\x0a\x0a\x0a\x06\x08\x0b\x0c\x0b\x0a\x0c\x09\x0a\
\x0a\x0a\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04\x43\x11\x00\x4d\x11\x00\x59\x11\x00\x4b\x11\
\x00\xff\xc4\x00\x15\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\
\x08\xff\xc4\x00\x14\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
\xff\xda\x00\x0e\x04\x43\x00\x4d\x00\x59\x00\x4b\x00\x00\x3f\x00\x36\xcc\x22\x94\x21\x8f\xff\
\xd9";

#[test]
fn jpegs_are_read_in_cmyk_in_grey_and_with_more_behind_them() {
    let found = pixels(&CMYK, 8, 8, Colour::Rgb);
    let close = |(&a, b): (&u8, u8)| a.abs_diff(b) <= 1;
    // What Pillow made of it.
    let pillow = [42, 172, 126].repeat(64);
    assert!(found.iter().zip(pillow).all(close), "{:?}", &found[..3]);

    let picture = RgbImage::from_fn(16, 16, |x, _| Rgb([(x / 8 * 100 + 50) as u8; 3]));
    let grey = encode(
        DynamicImage::from(picture.clone()).into_luma8(),
        ImageFormat::Jpeg,
    );
    let expected: Vec<u8> = picture.pixels().map(|pixel| pixel[0]).collect();
    let found = pixels(&grey, 16, 16, Colour::Grey);
    assert!(found.iter().zip(expected).all(close));
    // The second picture of some cameras, or whatever else.
    let more = [&grey, &b"\xFF\xD8\xFF and more"[..]].concat();
    assert_eq!(pixels(&more, 16, 16, Colour::Grey), found);
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let [first, second] =
        [[200, 10, 10], [10, 10, 200]].map(|c| RgbImage::from_pixel(6, 5, Rgb(c)));
    let wanted = wanted(5, 6, Colour::Rgb);
    // GIF's encoder chooses its colours, and WebP's frames are blended with nothing, rounded down.
    let check_first = |found: &[u8]| {
        let close = |(&a, &b): (&u8, &u8)| a.abs_diff(b) <= 2;
        assert_eq!(found.len(), first.len());
        assert!(found.iter().zip(first.as_raw()).all(close), "{found:?}");
    };
    let frame = |frames: &[&RgbImage]| reads(&gif(frames), &wanted);
    let [one, two] = [frame(&[&first]), frame(&[&first, &second])];
    assert_eq!([one.animated, two.animated], [false, true]);
    check_first(&one.pixels);
    check_first(&two.pixels);
    // Damage behind the first frame harms nobody.
    let mut file = gif(&[&first, &second]);
    file.truncate(file.len() - 20);
    check_first(&reads(&file, &wanted).pixels);

    // A WebP whose frame is the data of a still one: both canvases are 6 x 5.
    let still = encode(first.clone(), ImageFormat::WebP);
    let canvas = [&[0b10, 0, 0, 0][..], &[5, 0, 0, 4, 0, 0]].concat();
    let place = [&[0; 6][..], &[5, 0, 0, 4, 0, 0], &[100, 0, 0, 0]].concat();
    let frame = [&place, &still[12..]].concat();
    let chunks: [(&[u8; 4], &[u8]); 4] = [
        (b"VP8X", &canvas),
        (b"ANIM", &[0; 6]),
        (b"ANMF", &frame),
        (b"ANMF", &frame),
    ];
    let found = reads(&webp(&chunks), &wanted);
    assert!(found.animated);
    check_first(&found.pixels);

    // A PNG that says it is one of two frames.
    let control = [&2u32.to_be_bytes()[..], &[0; 4]].concat();
    let file = png([1, 1], 8, 0, &[(b"acTL", &control)], &[0, 77]);
    let found = reads(&file, &crate::files::wanted(1, 1, Colour::Grey));
    assert_eq!((found.animated, &found.pixels[..]), (true, &[77][..]));
}

#[test]
fn a_gif_whose_frame_leaves_parts_out_is_black_there() {
    let file = gif(&[&RgbImage::from_pixel(2, 2, Rgb([90; 3]))]);
    let mut wider = file.clone();
    // The logical screen, which the frame lies in.
    wider[6..10].copy_from_slice(&[3, 0, 2, 0]);
    assert_eq!(pixels(&wider, 2, 3, Colour::Grey), [90, 90, 0, 90, 90, 0]);
    let mut narrower = file;
    narrower[6..10].copy_from_slice(&[1, 0, 2, 0]);
    let error = fer_gpu::pictures::decode(&narrower, "face", &wanted(2, 1, Colour::Grey));
    match error {
        Ok(found) => assert_eq!(found.pixels, [90, 90]),
        Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
    }
}
