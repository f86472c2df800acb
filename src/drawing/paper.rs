//! What sheets of images have in common: paper with a margin, a title and what is said about it above all. A sheet adds
//! its marks from `top` on; out comes a scene.

use super::font;
use super::palette::Style;
use super::scene::{Mark, Scene};

/// Pixels of the scene around all.
pub(super) const MARGIN: f64 = 28.0;

/// Where the title stands; from there to the first line about it, to each further one, and from the last to the sheet.
const TITLE: f64 = MARGIN + 18.0;
const ABOUT: f64 = 22.0;
const LINE: f64 = 17.0;
const BELOW: f64 = 22.0;

/// A sheet that is being filled.
pub(super) struct Paper {
    width: f64,
    title: String,
    about: String,
    /// Where what the sheet shows begins.
    pub top: f64,
    pub marks: Vec<Mark>,
}

impl Paper {
    /// So wide; what is said about it takes as many lines as it needs.
    pub fn new(width: f64, title: &str, about: &str) -> Paper {
        let room = width - 2.0 * MARGIN;
        let mut marks = vec![text(MARGIN, TITLE, title, Style::Title, room)];
        let mut last = TITLE;
        for (number, line) in lines(about, Style::About, room).iter().enumerate() {
            last = TITLE + ABOUT + LINE * number as f64;
            marks.push(text(MARGIN, last, line, Style::About, room));
        }
        Paper {
            width,
            title: title.into(),
            about: about.into(),
            top: last + BELOW,
            marks,
        }
    }

    /// All of it, on paper that ends a margin below `bottom`.
    pub fn scene(self, bottom: f64) -> Scene {
        let (width, height) = (self.width, bottom + MARGIN);
        let paper = Mark::Rectangle {
            left: 0.0,
            top: 0.0,
            width,
            height,
            radius: 0.0,
            style: Style::Paper,
        };
        Scene {
            width,
            height,
            title: self.title,
            about: self.about,
            marks: std::iter::once(paper).chain(self.marks).collect(),
        }
    }
}

/// A line that begins at `x`, as much of it as the room holds.
pub(super) fn text(x: f64, y: f64, text: &str, style: Style, room: f64) -> Mark {
    line([x, y], false, text, style, room)
}

/// The same, its middle at `x`.
pub(super) fn centred(x: f64, y: f64, text: &str, style: Style, room: f64) -> Mark {
    line([x, y], true, text, style, room)
}

fn line([x, y]: [f64; 2], is_centred: bool, text: &str, style: Style, room: f64) -> Mark {
    Mark::Text {
        x,
        y,
        is_centred,
        spans: vec![(shortened(text, style, room), style)],
    }
}

/// As much of a text as the room holds.
fn shortened(text: &str, style: Style, room: f64) -> String {
    if font::width(text, style) <= room {
        return text.into();
    }
    let mut short: String = text.into();
    while !short.is_empty() && font::width(&short, style) + font::width("…", style) > room {
        short.pop();
    }
    short + "…"
}

/// The lines of a text, those that the room does not hold broken between words; a longer word has a line of its own.
fn lines(text: &str, style: Style, room: f64) -> Vec<String> {
    let broken = |line| broken(line, style, room);
    text.lines().flat_map(broken).collect()
}

fn broken(line: &str, style: Style, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer.filter(|line| font::width(line, style) <= room) {
            Some(line) => *lines.last_mut().expect("it was made longer") = line,
            None => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_takes_the_lines_that_it_needs() {
        let about = "one line that has room for all its words";
        let room = |width: f64| Paper::new(width + 2.0 * MARGIN, "title", about);
        let wide = room(400.0);
        let narrow = room(120.0);
        let said = |paper: &Paper| -> Vec<String> {
            let texts = paper.marks.iter().map(|mark| match mark {
                Mark::Text { spans, .. } => spans[0].0.clone(),
                _ => panic!("a head is text"),
            });
            texts.skip(1).collect()
        };
        assert_eq!(said(&wide), [about]);
        assert!(said(&narrow).len() > 1);
        assert_eq!(said(&narrow).join(" "), about);
        let more = (said(&narrow).len() - 1) as f64;
        assert_eq!(narrow.top, wide.top + more * LINE);
        for line in said(&narrow) {
            assert!(font::width(&line, Style::About) <= 120.0, "{line}");
        }
        assert!(lines("", Style::About, 100.0).is_empty());
        assert_eq!(lines("a b\nc", Style::About, 100.0), ["a b", "c"]);
        let long = "w".repeat(99);
        let cut = shortened(&long, Style::About, 100.0);
        assert!(cut.ends_with('…') && font::width(&cut, Style::About) <= 100.0);
        assert_eq!(lines(&format!("a {long} b"), Style::About, 100.0).len(), 3);
    }
}
