//! A scene as SVG: one file that loads nothing, light or dark as the reader's system is, tooltips as titles.

use super::palette::{Colour, Style};
use super::scene::{Mark, Scene, Step};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The name in use first, then what systems have.
const FONTS: &str = "Inter, ui-sans-serif, system-ui, -apple-system, \"Segoe UI\", Roboto, \"DejaVu Sans\", sans-serif";

/// Names of styles: short, and not those of a page around it.
type Classes = BTreeMap<Style, String>;

/// The whole text.
pub fn svg(scene: &Scene) -> String {
    let mut styles = Vec::new();
    scene
        .marks
        .iter()
        .for_each(|mark| collect(mark, &mut styles));
    styles.sort();
    styles.dedup();
    let name = |(i, style): (usize, Style)| (style, format!("fer-{i}"));
    let classes: Classes = styles.into_iter().enumerate().map(name).collect();
    let (width, height) = (number(scene.width), number(scene.height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n<style>\n{}</style>\n",
        escaped(&scene.title),
        escaped(&scene.about),
        sheet(&classes),
    );
    scene
        .marks
        .iter()
        .for_each(|mark| write(mark, &classes, &mut out));
    out.push_str("</svg>\n");
    out
}

fn collect(mark: &Mark, styles: &mut Vec<Style>) {
    match mark {
        Mark::Rectangle { style, .. } | Mark::Path { style, .. } => styles.push(*style),
        Mark::Text { spans, .. } => styles.extend(spans.iter().map(|(_, style)| *style)),
        Mark::Titled { marks, .. } => marks.iter().for_each(|mark| collect(mark, styles)),
        Mark::Picture { .. } => {}
    }
}

/// The rules of all styles, then their colours on dark paper.
fn sheet(classes: &Classes) -> String {
    let mut sheet = format!(".fer-text {{ font-family: {FONTS}; }}\n");
    for (style, class) in classes {
        let look = style.look();
        let mut rule = colours(*style, 0);
        if look.stroke.is_some() {
            let _infallible = write!(rule, " stroke-width: {};", look.width);
        }
        if look.size > 0.0 {
            let weight = if look.is_bold { 600 } else { 400 };
            let _infallible = write!(rule, " font-size: {}px; font-weight: {weight};", look.size);
        }
        let _infallible = writeln!(sheet, ".{class} {{{rule} }}");
    }
    sheet.push_str("@media (prefers-color-scheme: dark) {\n");
    for (style, class) in classes {
        let _infallible = writeln!(sheet, "  .{class} {{{} }}", colours(*style, 1));
    }
    sheet.push_str("}\n");
    sheet
}

fn colours(style: Style, paper: usize) -> String {
    let look = style.look();
    let said = |colour: Option<Colour>| match colour {
        Some(colour) => format!("#{:06x}", colour[paper]),
        None => "none".into(),
    };
    match look.stroke {
        Some(stroke) => format!(
            " fill: {}; stroke: {};",
            said(look.fill),
            said(Some(stroke))
        ),
        None => format!(" fill: {};", said(look.fill)),
    }
}

fn write(mark: &Mark, classes: &Classes, out: &mut String) {
    let _infallible = match mark {
        Mark::Rectangle {
            left,
            top,
            width,
            height,
            radius,
            style,
        } => {
            let [x, y, w, h, r] = [*left, *top, *width, *height, *radius].map(number);
            let class = &classes[style];
            writeln!(
                out,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\"/>"
            )
        }
        Mark::Path { steps, style } => {
            let class = &classes[style];
            writeln!(out, "<path class=\"{class}\" d=\"{}\"/>", path(steps))
        }
        Mark::Text {
            x,
            y,
            is_centred,
            spans,
        } => {
            let anchor = if *is_centred {
                " text-anchor=\"middle\""
            } else {
                ""
            };
            let span = |(text, style): &(String, Style)| {
                format!(
                    "<tspan class=\"{}\">{}</tspan>",
                    classes[style],
                    escaped(text)
                )
            };
            let spans: String = spans.iter().map(span).collect();
            let [x, y] = [*x, *y].map(number);
            writeln!(
                out,
                "<text class=\"fer-text\" x=\"{x}\" y=\"{y}\"{anchor}>{spans}</text>"
            )
        }
        Mark::Picture {
            left,
            top,
            width,
            height,
            size,
            pixels,
        } => {
            let [x, y, w, h] = [*left, *top, *width, *height].map(number);
            let png = super::raster::encoded(pixels, size.map(|side| side as u32));
            let png = BASE64_STANDARD.encode(png.unwrap_or_default());
            writeln!(
                out,
                "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering: pixelated\" href=\"data:image/png;base64,{png}\"/>"
            )
        }
        Mark::Titled { title, marks } => {
            let _infallible = writeln!(out, "<g><title>{}</title>", escaped(title));
            marks.iter().for_each(|mark| write(mark, classes, out));
            writeln!(out, "</g>")
        }
    };
}

fn path(steps: &[Step]) -> String {
    let point = |[x, y]: [f64; 2]| format!("{} {}", number(x), number(y));
    let step = |step: &Step| match step {
        Step::Move(to) => format!("M{}", point(*to)),
        Step::Line(to) => format!("L{}", point(*to)),
        Step::Curve(points) => {
            let points: Vec<String> = points.iter().map(|&to| point(to)).collect();
            format!("C{}", points.join(" "))
        }
        Step::Close => "Z".into(),
    };
    steps.iter().map(step).collect()
}

/// Tenths of a pixel are enough.
fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    // -0 is 0.
    format!("{}", tenths + 0.0)
}

/// Text between tags and in attributes. What XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            _ if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Scene, svg};
    use crate::drawing::palette::Style;
    use crate::drawing::scene::Mark;

    #[test]
    fn names_cannot_leave_their_place() {
        let bad = "</title><script>\"'&\u{1}";
        let text = Mark::Text {
            x: 0.0,
            y: -0.04,
            is_centred: true,
            spans: vec![(bad.into(), Style::Name)],
        };
        let titled = Mark::Titled {
            title: bad.into(),
            marks: vec![text],
        };
        let scene = Scene {
            title: bad.into(),
            about: bad.into(),
            marks: vec![titled],
            ..Scene::default()
        };
        let svg = svg(&scene);
        let safe = "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;";
        assert_eq!(svg.matches(safe).count(), 4, "{svg}");
        assert!(!svg.contains("<script>") && !svg.contains('\u{1}') && !svg.contains("\"-0"));
    }
}
