//! Pictures: files of any size and kind in, the pixels that a network expects out.
//!
//! `folder` names the pictures of a folder; `source` turns a file's bytes into samples and refuses
//! what harms, with `container`, which knows where files of some kinds end; `colour` makes them 8-bit grey or RGB; `fit` crops and resizes; `preprocessing` is
//! what a network was trained on, which all of them obey, `standardise` what a device then makes of the pixels. One picture at a time passes, in that
//! order, and nothing here knows of networks or GPUs.

mod colour;
mod container;
mod error;
mod fit;
mod folder;
mod preprocessing;
mod source;
mod standardise;

pub use error::Error;
pub use fit::Changed;
pub use folder::list;
pub use preprocessing::{Colour, Crop, LARGEST_WANTED, Preprocessing, Resize};
pub use source::{LARGEST_SIDE, MEMORY};
pub use standardise::{EPSILON, Standardise};

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// A picture as a network wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Height * width * channels of [`Preprocessing::image`], in that order: rows from the top,
    /// the channels of a pixel side by side. [`Preprocessing::inputs`] scales them.
    pub pixels: Vec<u8>,
    /// Set where the picture did not have the wanted size.
    pub changed: Option<Changed>,
    /// The file is an animation: these are the pixels of its first frame.
    pub animated: bool,
}

/// Reads the picture in a file: [`decode`] of its bytes. What the file is called plays no part.
///
/// # Errors
/// If there is no such file, if it is a folder, cannot be read, or is longer than [`MEMORY`];
/// otherwise those of [`decode`].
pub fn read(path: &Path, wanted: &Preprocessing) -> Result<Picture, Error> {
    let name = path.display().to_string();
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => Error::NoFile(name.clone()),
        ErrorKind::IsADirectory => Error::IsAFolder(name.clone()),
        _ => Error::Read {
            name: name.clone(),
            source,
        },
    };
    let found = fs::metadata(path).map_err(failed)?;
    // Windows refuses to open a folder, for another reason than its being one.
    if found.is_dir() {
        return Err(Error::IsAFolder(name));
    }
    if found.len() > MEMORY {
        return Err(Error::LongFile { name });
    }
    // A pipe or a device does not tell its length, so what is read is limited as well.
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(failed)?.take(MEMORY + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MEMORY {
        return Err(Error::LongFile { name });
    }
    decode(&bytes, &name, wanted)
}

/// Turns the bytes of a picture file into the pixels that `wanted` asks for; `name` is what
/// errors call it.
///
/// PNG, JPEG, BMP, GIF, WebP and PNM (PBM, PGM, PPM, PAM) are read and told apart by content. Of
/// 8-bit pictures the values are those of Pillow's `convert("L")` and `convert("RGB")`, up to
/// JPEG decoders that round differently, and animated WebPs, whose frames are blended, rounding
/// down:
///
/// - grey is (19595 R + 38470 G + 7471 B + 32768) >> 16, the luma of ITU-R 601;
/// - alpha is dropped, not blended with a background: a transparent pixel has the colour that it
///   would have if it were opaque (in a GIF, parts that the first frame leaves out are black);
/// - 16-bit samples lose their low byte (Pillow clips 16-bit grey to 255 instead); palettes are
///   looked up; CMYK becomes RGB; colour profiles and gamma are not applied;
/// - of an animation the first frame is taken, and [`Picture::animated`] set;
/// - the orientation of EXIF is applied, then [`Preprocessing::crop`] and
///   [`Preprocessing::resize`]. A picture of the wanted size passes these two bit for bit.
///
/// # Errors
/// If the bytes are no such picture, or a damaged or truncated one; if it is wider or higher than
/// [`LARGEST_SIDE`] or decodes to more than [`MEMORY`], which its header tells before anything is
/// allocated; if `wanted` contradicts itself. Damage within the coded data of a JPEG may pass, as
/// it does with any decoder.
pub fn decode(bytes: &[u8], name: &str, wanted: &Preprocessing) -> Result<Picture, Error> {
    wanted.check()?;
    let decoded = source::decode(bytes, name)?;
    let mut picture = colour::convert(&decoded, wanted.colour);
    picture.apply_orientation(decoded.orientation);
    let (picture, changed) = fit::fit(picture, wanted);
    Ok(Picture {
        pixels: picture.into_bytes(),
        changed,
        animated: decoded.animated,
    })
}

/// Pixels of an 8-bit grey picture of (height, width), as `wanted` asks for them.
///
/// # Errors
/// If `wanted` contradicts itself.
///
/// # Panics
/// If the pixels are not those of the size.
pub fn of_grey(
    pixels: Vec<u8>,
    [height, width]: [usize; 2],
    wanted: &Preprocessing,
) -> Result<Picture, Error> {
    wanted.check()?;
    let grey = image::GrayImage::from_raw(width as u32, height as u32, pixels);
    let grey = image::DynamicImage::from(grey.expect("as many pixels as the size has"));
    let coloured = match wanted.colour {
        Colour::Grey => grey,
        Colour::Rgb => grey.to_rgb8().into(),
    };
    let (picture, changed) = fit::fit(coloured, wanted);
    Ok(Picture {
        pixels: picture.into_bytes(),
        changed,
        animated: false,
    })
}
