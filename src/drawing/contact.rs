//! A contact sheet of a batch: its images side by side, enlarged by a whole factor, each with its label or, where images
//! were mixed, with its shares of several. Plain pixels in, a scene out.

use super::palette::Style;
use super::paper::{MARGIN, Paper, centred};
use super::scene::{Mark, Scene};

/// Images of a row.
const COLUMNS: usize = 8;

/// Images of the narrowest sheet, which has room for what is said about it.
const FEWEST: usize = 4;

/// Pixels of the scene: between cells, a line below an image.
const GAP: f64 = 14.0;
const LINE: f64 = 14.0;

/// A PNG has two pixels for one of the scene: an image becomes at most so many of them wide or high, where it is not
/// larger as it is.
const LARGEST: usize = 192;
const PNG_PIXELS: f64 = 2.0;

/// A batch, or a part of one.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    pub title: String,
    pub about: String,
    pub tiles: Vec<Tile>,
}

/// An image and what it is.
#[derive(Clone, Debug, Default)]
pub struct Tile {
    /// Columns and rows.
    size: [usize; 2],
    /// Red, green, blue of each pixel.
    pixels: Vec<u8>,
    /// Names of classes and their shares, the largest first.
    labels: Vec<(String, f32)>,
}

impl Tile {
    /// An image of planes (channels, height, width), whose values from `low` to `high` go from black to white; what lies
    /// beyond is cut off. One channel is grey, three are red, green and blue; of other numbers the first is shown.
    /// `labels` are names of classes and their shares of the image, which add up to 1.
    ///
    /// # Panics
    /// If there are not as many values as height, width and channels ask for.
    pub fn new(
        planes: &[f32],
        [height, width, channels]: [usize; 3],
        [low, high]: [f32; 2],
        mut labels: Vec<(String, f32)>,
    ) -> Tile {
        let pixels = height * width;
        assert_eq!(planes.len(), pixels * channels, "planes of that size");
        let byte = |value: f32| (255.0 * (value - low) / (high - low)).round() as u8;
        let plane = |colour: usize| if channels == 3 { colour } else { 0 };
        let rgb = |at: usize| [0, 1, 2].map(|colour| byte(planes[plane(colour) * pixels + at]));
        labels.retain(|(_, share)| *share > 0.0);
        labels.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Tile {
            size: [width, height],
            pixels: (0..pixels).flat_map(rgb).collect(),
            labels,
        }
    }

    /// What stands below it: a name, or a line for each share that is a percent at least.
    fn lines(&self) -> Vec<String> {
        let shares = self.labels.iter().zip(percents(&self.labels));
        let shares: Vec<_> = shares.filter(|(_, percent)| *percent > 0).collect();
        if let [((name, _), _)] = &shares[..] {
            return vec![name.clone()];
        }
        let line = |(at, ((name, _), percent)): (usize, &(&(String, f32), u32))| {
            let plus = if at > 0 { "+ " } else { "" };
            format!("{plus}{name} {percent} %")
        };
        shares.iter().enumerate().map(line).collect()
    }

    /// It in the middle of a square cell, each pixel `factor` wide and high.
    fn picture(&self, [left, top]: [f64; 2], cell: f64, factor: f64) -> Mark {
        let [width, height] = self.size.map(|side| side as f64 * factor);
        // Whole pixels of the PNG: each of the image's is as large as the next.
        let inner = |room: f64| (PNG_PIXELS * room / 2.0).floor() / PNG_PIXELS;
        Mark::Picture {
            left: left + inner(cell - width),
            top: top + inner(cell - height),
            width,
            height,
            size: self.size,
            pixels: self.pixels.clone(),
        }
    }

    /// Its lines below that cell.
    fn caption(&self, [left, top]: [f64; 2], cell: f64) -> Vec<Mark> {
        let mark = |(at, line): (usize, &String)| {
            let style = if at == 0 { Style::Name } else { Style::Detail };
            let y = top + cell + LINE * (at + 1) as f64;
            centred(left + cell / 2.0, y, line, style, cell + GAP - 4.0)
        };
        self.lines().iter().enumerate().map(mark).collect()
    }
}

/// Whole percents of shares, which add up to 100: what rounding leaves goes to the first, the largest.
fn percents(shares: &[(String, f32)]) -> Vec<u32> {
    let rounded = |(_, share): &(String, f32)| (100.0 * share).round() as u32;
    let mut all: Vec<u32> = shares.iter().map(rounded).collect();
    let others: u32 = all.iter().skip(1).sum();
    if let Some(first) = all.first_mut() {
        *first = 100u32.saturating_sub(others);
    }
    all
}

pub(super) fn scene(contact: &Contact) -> Scene {
    let tiles = &contact.tiles;
    let longest = tiles.iter().flat_map(|tile| tile.size).max().unwrap_or(1);
    let factor = (LARGEST / longest.max(1)).max(1) as f64 / PNG_PIXELS;
    let cell = longest as f64 * factor;
    let columns = COLUMNS.min(tiles.len()).max(FEWEST) as f64;
    let width = 2.0 * MARGIN + columns * (cell + GAP) - GAP;
    let mut paper = Paper::new(width, &contact.title, &contact.about);
    let lines = tiles.iter().map(|tile| tile.lines().len());
    let below = LINE * lines.max().unwrap_or(0) as f64;
    let mut top = paper.top;
    for row in tiles.chunks(COLUMNS) {
        for (at, tile) in row.iter().enumerate() {
            let place = [MARGIN + at as f64 * (cell + GAP), top];
            paper.marks.push(tile.picture(place, cell, factor));
            paper.marks.extend(tile.caption(place, cell));
        }
        top += cell + below + GAP;
    }
    paper.scene(top - GAP)
}

#[cfg(test)]
mod tests {
    use super::super::font;
    use super::*;

    fn named(names: &[(&str, f32)]) -> Vec<(String, f32)> {
        names.iter().map(|(n, s)| (n.to_string(), *s)).collect()
    }

    #[test]
    fn labels_are_told_with_their_shares() {
        let lines = |labels: &[(&str, f32)]| {
            Tile::new(&[0.0], [1, 1, 1], [0.0, 1.0], named(labels)).lines()
        };
        assert_eq!(lines(&[("happy", 1.0), ("sad", 0.0)]), ["happy"]);
        assert_eq!(
            lines(&[("sad", 0.3), ("happy", 0.7)]),
            ["happy 70 %", "+ sad 30 %"]
        );
        // Rounded, they still make a whole.
        let thirds = [("a", 1.0 / 3.0), ("b", 1.0 / 3.0), ("c", 1.0 / 3.0)];
        assert_eq!(lines(&thirds), ["a 34 %", "+ b 33 %", "+ c 33 %"]);
        assert!(lines(&[]).is_empty());
        // What is less than half a percent is not told.
        assert_eq!(lines(&[("sad", 0.004), ("happy", 0.996)]), ["happy"]);
    }

    #[test]
    fn values_become_pixels_and_pixels_squares_of_equal_size() {
        // Grey -1..1 and colour 0..1, two wide and three high.
        let grey = [-1.0, 1.0, 0.0, 2.0, -2.0, 1.0];
        let grey = Tile::new(&grey, [3, 2, 1], [-1.0, 1.0], named(&[("grey", 1.0)]));
        let bytes: Vec<u8> = grey.pixels.chunks(3).map(|rgb| rgb[0]).collect();
        assert_eq!(bytes, [0, 255, 128, 255, 0, 255]);
        let planes: Vec<f32> = [0.2, 0.4, 0.6].iter().flat_map(|&v| [v; 6]).collect();
        let colour = Tile::new(&planes, [3, 2, 3], [0.0, 1.0], named(&[("colour", 1.0)]));
        let contact = Contact {
            title: "title".into(),
            about: "about".into(),
            tiles: std::iter::repeat_n(grey, 9).chain([colour]).collect(),
        };
        let scene = scene(&contact);
        let png = super::super::contact(&contact).expect("a picture");
        let picture = image::load_from_memory(&png).expect("a PNG").to_rgb8();
        let pictures: Vec<[f64; 4]> = scene
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Picture {
                    left,
                    top,
                    width,
                    height,
                    ..
                } => Some([*left, *top, *width, *height].map(|v| PNG_PIXELS * v)),
                _ => None,
            })
            .collect();
        assert_eq!(pictures.len(), 10);
        // Ten make two rows, whose second holds two.
        assert!(pictures[8][1] > pictures[7][1] && pictures[8][0] == pictures[0][0]);
        for (number, [left, top, width, height]) in pictures.into_iter().enumerate() {
            assert_eq!([width, height], [128.0, 192.0]);
            assert_eq!([left.fract(), top.fract()], [0.0, 0.0]);
            let [left, top] = [left, top].map(|v| v as u32);
            for (x, y) in (0..128).flat_map(|x| (0..192).map(move |y| (x, y))) {
                let value = bytes[(y / 64 * 2 + x / 64) as usize];
                let expected = if number == 9 {
                    [51, 102, 153]
                } else {
                    [value; 3]
                };
                assert_eq!(picture.get_pixel(left + x, top + y).0, expected);
            }
        }
        for mark in &scene.marks {
            if let Mark::Text {
                x,
                spans,
                is_centred,
                ..
            } = mark
            {
                let width = font::width(&spans[0].0, spans[0].1);
                let end = x + if *is_centred { width / 2.0 } else { width };
                assert!(end <= scene.width, "{spans:?}");
            }
        }
    }
}
