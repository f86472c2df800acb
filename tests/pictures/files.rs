//! Picture files of every kind as bytes, and what is asked of them.

use fer_gpu::data::PixelRange;
use fer_gpu::pictures::{Colour, Crop, Error, Picture, Preprocessing, Resize, decode};
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, Frame, ImageEncoder, ImageFormat, RgbImage};
use std::io::Cursor;

pub fn wanted(height: usize, width: usize, colour: Colour) -> Preprocessing {
    Preprocessing {
        image: [height, width, colour.channels()],
        colour,
        range: PixelRange::ZeroTo255,
        crop: Crop::Centre,
        resize: Resize::Bilinear,
        standardise: None,
    }
}

/// What [`decode`] makes of `bytes` where it has to succeed.
pub fn reads(bytes: &[u8], wanted: &Preprocessing) -> Picture {
    decode(bytes, "face", wanted).unwrap_or_else(|error| panic!("{error}"))
}

/// The pixels of a picture that has the wanted size already.
pub fn pixels(bytes: &[u8], height: usize, width: usize, colour: Colour) -> Vec<u8> {
    let picture = reads(bytes, &wanted(height, width, colour));
    assert_eq!(picture.changed, None);
    picture.pixels
}

/// The error for `bytes`, which names the file and has one line.
pub fn refusal(bytes: &[u8]) -> Error {
    let error = decode(bytes, "face.png", &wanted(4, 4, Colour::Grey));
    let error = error.expect_err("refused");
    check_words(&error, &["face.png"]);
    error
}

pub fn check_words(error: &Error, words: &[&str]) {
    let remedy = miette::Diagnostic::help(error);
    let text = error.to_string() + &remedy.map_or(String::new(), |remedy| format!("; {remedy}"));
    assert!(!text.contains('\n'), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

/// A picture in which every pixel and channel differs from its neighbours.
pub fn texture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value = |c: u32| ((x * 37 + y * 59 + x * y * 11) * (c + 1) + c * 90) as u8;
        image::Rgb([value(0), value(1), value(2)])
    })
}

pub fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture
        .into()
        .write_to(&mut file, format)
        .expect("it encodes");
    file.into_inner()
}

/// The kinds that lose nothing.
pub const LOSSLESS: [ImageFormat; 4] = [
    ImageFormat::Png,
    ImageFormat::Bmp,
    ImageFormat::Pnm,
    ImageFormat::WebP,
];

/// A JPEG of high quality.
pub fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, 98);
    picture.write_with_encoder(encoder).expect("it encodes");
    file
}

/// An animation of the given pictures.
pub fn gif(frames: &[&RgbImage]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new(&mut file);
    for &frame in frames {
        let frame = DynamicImage::from(frame.clone()).into_rgba8();
        encoder.encode_frame(Frame::new(frame)).expect("it encodes");
    }
    drop(encoder);
    file
}

/// EXIF that holds only an orientation, in either byte order.
pub fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let short = |v: u16| match big_endian {
        true => v.to_be_bytes(),
        false => v.to_le_bytes(),
    };
    let long = |v: u32| match big_endian {
        true => v.to_be_bytes(),
        false => v.to_le_bytes(),
    };
    let mut bytes = if big_endian { *b"MM" } else { *b"II" }.to_vec();
    bytes.extend(short(42));
    bytes.extend(long(8));
    // One entry: its tag, its type (short), one value, padded; and no further directory.
    bytes.extend(short(1));
    bytes.extend([short(0x112), short(3)].concat());
    bytes.extend(long(1));
    bytes.extend([short(orientation), short(0)].concat());
    bytes.extend(long(0));
    bytes
}

/// `picture` as a file of `format` with EXIF.
pub fn with_exif(picture: &RgbImage, format: ImageFormat, exif: Vec<u8>) -> Vec<u8> {
    fn write(mut encoder: impl ImageEncoder, picture: &RgbImage, exif: Vec<u8>) {
        encoder.set_exif_metadata(exif).expect("EXIF is taken");
        picture.write_with_encoder(encoder).expect("it encodes");
    }
    let mut file = Vec::new();
    match format {
        ImageFormat::Png => write(PngEncoder::new(&mut file), picture, exif),
        ImageFormat::WebP => write(WebPEncoder::new_lossless(&mut file), picture, exif),
        ImageFormat::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut file, 98);
            write(encoder, picture, exif);
        }
        _ => panic!("{format:?} has no EXIF"),
    }
    file
}

/// A PNG from its parts: `rows` are filter bytes and packed samples, stored without compression.
pub fn png(
    size: [u32; 2],
    depth: u8,
    kind: u8,
    more: &[(&[u8; 4], &[u8])],
    rows: &[u8],
) -> Vec<u8> {
    let [width, height] = size;
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, kind, 0, 0, 0]);
    let length = u16::try_from(rows.len()).expect("one block");
    let mut data = vec![0x78, 0x01, 1];
    data.extend(length.to_le_bytes());
    data.extend((!length).to_le_bytes());
    data.extend(rows);
    let (mut low, mut high) = (1u32, 0u32);
    for &byte in rows {
        low = (low + u32::from(byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    data.extend((high << 16 | low).to_be_bytes());

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(data);
        file.extend(crc32(&[name, data].concat()).to_be_bytes());
    };
    chunk(b"IHDR", &header);
    for (name, data) in more {
        chunk(name, data);
    }
    chunk(b"IDAT", &data);
    chunk(b"IEND", &[]);
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

/// A WebP from its chunks.
pub fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend(*name);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend(*data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// The header of a BMP without its pixels.
pub fn bmp(width: i32, height: i32, bits: u16, palette: &[[u8; 4]]) -> Vec<u8> {
    let start = 54 + 4 * palette.len() as u32;
    let mut file = b"BM".to_vec();
    file.extend([0, 0, start].map(u32::to_le_bytes).concat());
    file.extend(40u32.to_le_bytes());
    file.extend([width, height].map(i32::to_le_bytes).concat());
    file.extend([1, bits].map(u16::to_le_bytes).concat());
    let colours = palette.len() as u32;
    file.extend([0, 0, 0, 0, colours, 0].map(u32::to_le_bytes).concat());
    file.extend(palette.concat());
    file
}

/// A generator of numbers, so that a failure can be repeated (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}
