//! The bytes of a picture file -> samples. What harms is refused from the header, before anything
//! is allocated; what is cut off is refused even where a decoder would fill in the rest.

use super::{Error, container};
use image::codecs::{bmp, gif, jpeg, png, pnm, webp};
use image::metadata::Orientation;
use image::{AnimationDecoder, ImageDecoder, ImageError, ImageFormat, Limits};
use std::error::Error as _;
use std::io::{self, Cursor};

/// The widest and the highest picture that is read, in pixels.
pub const LARGEST_SIDE: u32 = 16_384;

/// What a file, and what its decoded samples may take, in bytes.
pub const MEMORY: u64 = 512 << 20;

/// A decoded picture, as the file has it.
pub struct Decoded {
    /// Row by row from the top; 16-bit samples are in the machine's byte order.
    pub samples: Vec<u8>,
    /// Width, height.
    pub size: [u32; 2],
    /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    pub channels: usize,
    /// 1 or 2.
    pub bytes_per_sample: usize,
    /// What is to be done to the picture for it to be upright.
    pub orientation: Orientation,
    /// Whether these are only the first frame.
    pub animated: bool,
}

/// What errors tell of a file.
#[derive(Clone, Copy)]
struct Origin<'a> {
    name: &'a str,
    kind: &'static str,
}

/// Decodes a file of any kind that is read.
///
/// # Errors
/// Those of [`super::decode`] that are about the bytes.
pub fn decode(bytes: &[u8], name: &str) -> Result<Decoded, Error> {
    if bytes.is_empty() {
        return Err(Error::Empty { name: name.into() });
    }
    let (format, kind) = kind(bytes, name)?;
    let origin = Origin { name, kind };
    let failed = |error| origin.error(error);
    let reader = || Cursor::new(bytes);
    let upright = Orientation::NoTransforms;
    match format {
        ImageFormat::Png => {
            let mut decoder = png::PngDecoder::with_limits(reader(), memory()).map_err(failed)?;
            let animated = decoder.is_apng().map_err(failed)?;
            let orientation = decoder.orientation().map_err(failed)?;
            origin.samples(decoder, orientation, animated)
        }
        ImageFormat::Jpeg => {
            let whole = container::is_whole_jpeg(bytes);
            let failed = |error| match whole {
                true => origin.error(error),
                false => origin.truncated(),
            };
            let mut decoder = jpeg::JpegDecoder::new(reader()).map_err(failed)?;
            let orientation = decoder.orientation().map_err(failed)?;
            origin.check_size(&decoder)?;
            if !whole {
                return Err(origin.truncated());
            }
            origin.samples(decoder, orientation, false)
        }
        ImageFormat::Bmp => {
            let decoder = bmp::BmpDecoder::new(reader()).map_err(failed)?;
            origin.samples(decoder, upright, false)
        }
        ImageFormat::Pnm => {
            let decoder = pnm::PnmDecoder::new(reader()).map_err(failed)?;
            origin.samples(decoder, upright, false)
        }
        ImageFormat::Gif => {
            let first = gif::GifDecoder::new(reader()).map_err(failed)?;
            origin.check_size(&first)?;
            let mut all = gif::GifDecoder::new(reader()).map_err(failed)?;
            all.set_limits(memory()).map_err(failed)?;
            let animated = matches!(all.into_frames().nth(1), Some(Ok(_)));
            origin.samples(first, upright, animated)
        }
        ImageFormat::WebP => {
            // The decoder would take a chunk's word for its length, and allocate that.
            let exif = container::exif_of_webp(bytes).ok_or_else(|| origin.truncated())?;
            let orientation = Orientation::from_exif_chunk(exif).unwrap_or(upright);
            let decoder = webp::WebPDecoder::new(reader()).map_err(failed)?;
            let animated = decoder.has_animation();
            origin.samples(decoder, orientation, animated)
        }
        _ => unreachable!("`kind` lets no other pass"),
    }
}

/// What kind of picture the bytes are, by how they begin.
fn kind(bytes: &[u8], name: &str) -> Result<(ImageFormat, &'static str), Error> {
    let other = |found| {
        let name = name.into();
        Err(Error::OtherKind { name, found })
    };
    let read = |format, kind| Ok((format, kind));
    // Pictures of Apple's phones, in a container that holds much else.
    let brands = [b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1"];
    if bytes
        .get(4..12)
        .is_some_and(|found| brands.iter().any(|brand| *brand == found))
    {
        return other("HEIC");
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => read(ImageFormat::Png, "PNG"),
        Ok(ImageFormat::Jpeg) => read(ImageFormat::Jpeg, "JPEG"),
        Ok(ImageFormat::Bmp) => read(ImageFormat::Bmp, "BMP"),
        Ok(ImageFormat::Gif) => read(ImageFormat::Gif, "GIF"),
        Ok(ImageFormat::WebP) => read(ImageFormat::WebP, "WebP"),
        Ok(ImageFormat::Pnm) => read(ImageFormat::Pnm, "PNM"),
        Ok(ImageFormat::Tiff) => other("TIFF"),
        Ok(ImageFormat::Avif) => other("AVIF"),
        Ok(ImageFormat::Ico) => other("ICO"),
        Ok(format) => other(format.extensions_str().first().unwrap_or(&"unknown")),
        Err(_) => Err(Error::NotAPicture { name: name.into() }),
    }
}

/// The limit on memory alone: sizes are judged here, where an error can name them.
fn memory() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MEMORY);
    limits
}

impl Origin<'_> {
    /// Judges the size that a header tells.
    fn check_size(self, decoder: &impl ImageDecoder) -> Result<(), Error> {
        let (name, kind) = (self.name.into(), self.kind);
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err(Error::NoPixels {
                name,
                kind,
                width,
                height,
            });
        }
        if width.max(height) > LARGEST_SIDE || decoder.total_bytes() > MEMORY {
            return Err(Error::TooLarge {
                name,
                kind,
                width,
                height,
            });
        }
        Ok(())
    }

    /// Decodes what the header promised, if its size may be.
    fn samples(
        self,
        mut decoder: impl ImageDecoder,
        orientation: Orientation,
        animated: bool,
    ) -> Result<Decoded, Error> {
        self.check_size(&decoder)?;
        let total = decoder.total_bytes();
        let mut limits = memory();
        limits.max_alloc = Some(MEMORY - total);
        decoder
            .set_limits(limits)
            .map_err(|error| self.error(error))?;
        let (width, height) = decoder.dimensions();
        let colour = decoder.color_type();
        let channels = usize::from(colour.channel_count());
        let mut samples = vec![0; total as usize];
        decoder
            .read_image(&mut samples)
            .map_err(|error| self.error(error))?;
        Ok(Decoded {
            samples,
            size: [width, height],
            channels,
            bytes_per_sample: usize::from(colour.bytes_per_pixel()) / channels,
            orientation,
            animated,
        })
    }

    fn truncated(self) -> Error {
        let (name, kind) = (self.name.into(), self.kind);
        Error::Truncated { name, kind }
    }

    /// What a decoder said, without the words that this room says itself.
    fn error(self, error: ImageError) -> Error {
        if ends_early(&error) {
            return self.truncated();
        }
        let (name, kind) = (self.name.into(), self.kind);
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let reason = cause.to_string();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = reason.trim_matches(['"', '.']).to_owned();
        match error {
            ImageError::Limits(_) => Error::Memory { name, kind },
            ImageError::Unsupported(_) => Error::OtherForm { name, kind, reason },
            _ => Error::Damaged { name, kind, reason },
        }
    }
}

/// Whether a decoder wanted more bytes than there are.
fn ends_early(error: &ImageError) -> bool {
    let eof = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    if let ImageError::IoError(error) = error {
        return eof(error);
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(eof) {
            return true;
        }
        cause = error.source();
    }
    false
}
