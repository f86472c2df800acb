//! Pictures of results: plain data in, SVG text out, light and dark by `prefers-color-scheme`.
//!
//! `curves` draws what a run reached epoch by epoch, of one run or of several; `confusion` a confusion matrix.
//! `panel` is one diagram of lines, `scale` maps values to places and finds round ticks, `svg` writes elements.
//! Nothing here knows runs, files or devices. Whatever is text is escaped; values may be NaN or infinite.

mod confusion;
mod curves;
mod panel;
mod scale;
mod svg;
#[cfg(test)]
mod tests;

pub use confusion::{LARGEST as LARGEST_CONFUSION, confusion};
pub use curves::{Curve, Epoch, curves, panels};

/// The style of all pictures here, for whoever puts them into a page.
pub const STYLE: &str = include_str!("style.css");

/// Colours that tell runs apart; the style has a class `series-N` for each.
pub const COLOURS: usize = 6;
