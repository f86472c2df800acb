//! Networks as pictures: a model in, SVG, PNG or Graphviz's text out; and images of a data set side by side.
//!
//! `content` reads the model: boxes, blocks, edges; `model` measures and lays it out (`layout`, which knows
//! nothing of networks) into a `scene` of marks, whose colours are those of `palette` and whose letters those of
//! `font`; `svg` and `raster` write the scene; `dot` writes the content without a place. `sheet` lays images out in rows by class,
//! `contact` those of a batch in the order in which they come, as scenes too, both on the same `paper`.

mod boxes;
mod contact;
mod content;
mod dot;
mod font;
mod layout;
mod model;
mod palette;
mod paper;
mod raster;
mod scene;
mod sheet;
mod svg;

use crate::network::Model;
pub use contact::{Contact, Tile};
use content::Content;
pub(crate) use content::grouped;
pub use sheet::{Row, Sheet, Thumbnail};

/// What each PNG names as its maker.
pub const SOFTWARE: &str = "fer-gpu, https://crates.io/crates/fer-gpu";

/// What a picture shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Input and output shapes, and parameters.
    pub shapes: bool,
}

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("the picture is too large for a PNG: draw it as SVG")]
    TooLarge,
    #[error("the picture cannot be encoded")]
    Encode(#[from] png::EncodingError),
}

/// The network as SVG: light or dark as the reader's system is, details as tooltips.
pub fn svg(model: &Model, options: &Options) -> String {
    svg::svg(&model::scene(&Content::of(model), options.shapes))
}

/// The network as the bytes of a PNG file, light, two pixels for one of the SVG.
///
/// # Errors
/// Where it is too large for one.
pub fn png(model: &Model, options: &Options) -> Result<Vec<u8>, Error> {
    raster::png(&model::scene(&Content::of(model), options.shapes))
}

/// The network as Graphviz text.
pub fn dot(model: &Model, options: &Options) -> String {
    dot::dot(&Content::of(model), options.shapes)
}

/// A sheet of images as the bytes of a PNG file.
///
/// # Errors
/// Where it is too large for one.
pub fn sheet(sheet: &Sheet) -> Result<Vec<u8>, Error> {
    raster::png(&sheet::scene(sheet))
}

/// The images of a batch with their labels as the bytes of a PNG file.
///
/// # Errors
/// Where it is too large for one.
pub fn contact(contact: &Contact) -> Result<Vec<u8>, Error> {
    raster::png(&contact::scene(contact))
}
