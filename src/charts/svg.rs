//! Elements of SVG as text: names are ours, whatever else comes in is escaped.

use std::fmt::Write;

/// A text without what XML takes for markup or does not allow.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// At most `length` characters, an ellipsis in place of the rest.
pub fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        None => text.into(),
        Some(_) => text.chars().take(length - 1).chain(['…']).collect(),
    }
}

/// About how wide a text of that size in pixels is; no font is measured.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.61
}

/// A coordinate: two digits behind the point are a fiftieth of a pixel.
pub fn at(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

/// Elements one after another.
#[derive(Default)]
pub struct Svg(String);

impl Svg {
    /// `attributes` are ours and written as they are.
    pub fn text(&mut self, [x, y]: [f64; 2], attributes: &str, text: &str) {
        let text = escape(text);
        let (x, y) = (at(x), at(y));
        _ = writeln!(
            self.0,
            "<text x=\"{x}\" y=\"{y}\" {attributes}>{text}</text>"
        );
    }

    pub fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], class: &str) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(at);
        _ = writeln!(
            self.0,
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        );
    }

    pub fn polyline(&mut self, points: &[[f64; 2]], class: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|[x, y]| format!("{},{}", at(*x), at(*y)))
            .collect();
        let points = points.join(" ");
        _ = writeln!(self.0, "<polyline class=\"{class}\" points=\"{points}\"/>");
    }

    pub fn circle(&mut self, [x, y]: [f64; 2], radius: f64, class: &str) {
        let [x, y, r] = [x, y, radius].map(at);
        _ = writeln!(
            self.0,
            "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"
        );
    }

    /// A box that tells `title` to who points at it.
    pub fn rect(&mut self, [x, y]: [f64; 2], [w, h]: [f64; 2], attributes: &str, title: &str) {
        let [x, y, w, h] = [x, y, w, h].map(at);
        let title = match title {
            "" => String::new(),
            title => format!("<title>{}</title>", escape(title)),
        };
        _ = writeln!(
            self.0,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {attributes}>{title}</rect>"
        );
    }

    /// Another picture, moved.
    pub fn group(&mut self, [x, y]: [f64; 2], inner: &Svg) {
        let [x, y] = [x, y].map(at);
        _ = writeln!(
            self.0,
            "<g transform=\"translate({x} {y})\">\n{}</g>",
            inner.0
        );
    }

    /// The elements as a picture of that size, called `label`; a file of its own has the style in it.
    pub fn picture(self, [w, h]: [f64; 2], label: &str, style: Option<&str>) -> String {
        let [w, h] = [w, h].map(at);
        let label = escape(label);
        // Inside a page the name space is known.
        let (space, style) = match style {
            Some(style) => (
                "xmlns=\"http://www.w3.org/2000/svg\" ",
                format!("<style>\n{style}</style>\n"),
            ),
            None => ("", String::new()),
        };
        format!(
            "<svg {space}class=\"chart\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{label}\">\n{style}{}</svg>\n",
            self.0
        )
    }
}
