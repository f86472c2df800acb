//! A contact sheet: rows of images, each with a name and a line about it. Thumbnails in, a scene out.

use super::palette::Style;
use super::paper::{MARGIN, Paper, centred, text};
use super::scene::{Mark, Scene};

/// Pixels of the scene: the column of names, a cell, what lies between cells and between rows.
const NAMES: f64 = 172.0;
const CELL: f64 = 56.0;
const GAP: f64 = 6.0;
const BETWEEN: f64 = 14.0;

/// Room for a caption below an image.
const CAPTION: f64 = 14.0;

#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub title: String,
    pub about: String,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, Default)]
pub struct Row {
    pub name: String,
    /// Lines about it.
    pub details: Vec<String>,
    pub images: Vec<Thumbnail>,
}

/// An image and what stands below it.
#[derive(Clone, Debug, Default)]
pub struct Thumbnail {
    /// Columns and rows.
    pub size: [usize; 2],
    /// Red, green, blue of each pixel.
    pub pixels: Vec<u8>,
    pub caption: String,
}

pub(super) fn scene(sheet: &Sheet) -> Scene {
    let most = sheet.rows.iter().map(|row| row.images.len()).max();
    let cells = most.unwrap_or(0).max(6) as f64;
    let width = 2.0 * MARGIN + NAMES + cells * (CELL + GAP) - GAP;
    let mut paper = Paper::new(width, &sheet.title, &sheet.about);
    let mut top = paper.top;
    for row in &sheet.rows {
        let captioned = row.images.iter().any(|image| !image.caption.is_empty());
        let height = CELL + if captioned { CAPTION } else { 0.0 };
        let middle = top + CELL / 2.0 - 7.0 * row.details.len() as f64;
        let room = NAMES - 12.0;
        let marks = &mut paper.marks;
        marks.push(text(MARGIN, middle + 5.0, &row.name, Style::Name, room));
        for (line, detail) in row.details.iter().enumerate() {
            let y = middle + 5.0 + 15.0 * (line + 1) as f64;
            marks.push(text(MARGIN, y, detail, Style::Detail, room));
        }
        for (at, image) in row.images.iter().enumerate() {
            let left = MARGIN + NAMES + at as f64 * (CELL + GAP);
            marks.push(thumbnail(image, left, top));
            if !image.caption.is_empty() {
                let (x, y) = (left + CELL / 2.0, top + CELL + 12.0);
                let room = CELL + GAP - 2.0;
                marks.push(centred(x, y, &image.caption, Style::Detail, room));
            }
        }
        top += height + BETWEEN;
    }
    paper.scene(top - BETWEEN)
}

/// An image in the middle of its cell, its sides' ratio kept.
fn thumbnail(image: &Thumbnail, left: f64, top: f64) -> Mark {
    let [columns, rows] = image.size.map(|side| side.max(1) as f64);
    let scale = CELL / columns.max(rows);
    let (width, height) = (columns * scale, rows * scale);
    Mark::Picture {
        left: left + (CELL - width) / 2.0,
        top: top + (CELL - height) / 2.0,
        width,
        height,
        size: image.size,
        pixels: image.pixels.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::font;
    use super::*;

    fn thumbnail(value: u8) -> Thumbnail {
        Thumbnail {
            size: [2, 4],
            pixels: vec![value; 24],
            caption: "a caption that is far too long for its image".into(),
        }
    }

    #[test]
    fn every_image_is_in_the_picture_and_no_text_leaves_it() {
        let rows = [1usize, 9, 0].map(|count| Row {
            name: "a name that is far too long for the column of names".into(),
            details: vec!["12,345 training".into(), "678 validation".into()],
            images: (0..count).map(|i| thumbnail(i as u8)).collect(),
        });
        let sheet = Sheet {
            title: "title".into(),
            about: "about".into(),
            rows: rows.to_vec(),
        };
        let scene = scene(&sheet);
        let (mut pictures, mut texts) = (0, 0);
        for mark in &scene.marks {
            match mark {
                Mark::Picture {
                    left,
                    top,
                    width,
                    height,
                    ..
                } => {
                    pictures += 1;
                    assert_eq!([*width, *height], [CELL / 2.0, CELL]);
                    assert!(left + width <= scene.width && top + height <= scene.height);
                }
                Mark::Text {
                    x,
                    spans,
                    is_centred,
                    ..
                } => {
                    texts += 1;
                    let width = font::width(&spans[0].0, spans[0].1);
                    let end = if *is_centred {
                        x + width / 2.0
                    } else {
                        x + width
                    };
                    assert!(end <= scene.width, "{spans:?}");
                }
                _ => {}
            }
        }
        assert_eq!((pictures, texts), (10, 2 + 9 + 10));
        let png = super::super::sheet(&sheet).expect("a picture");
        let picture = image::load_from_memory(&png).expect("a PNG").to_rgb8();
        // The second image of the second row is of value 1, in the middle of its cell.
        let x = MARGIN + NAMES + CELL + GAP + CELL / 2.0;
        let top = Paper::new(scene.width, &sheet.title, &sheet.about).top;
        let y = top + CELL + CAPTION + BETWEEN + CELL / 2.0;
        assert_eq!(
            picture.get_pixel((2.0 * x) as u32, (2.0 * y) as u32).0,
            [1; 3]
        );
    }
}
