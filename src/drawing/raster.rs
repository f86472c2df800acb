//! A scene as PNG, on light paper, two pixels for one: drawn by tiny-skia, letters from the embedded font, so
//! that every machine makes the same picture.

use super::font;
use super::palette::{Colour, Look, Style};
use super::scene::{Mark, Scene, Step};
use super::{Error, SOFTWARE};
use tiny_skia::{
    FillRule, LineCap, Paint, Path, PathBuilder, Pixmap, PixmapPaint, PixmapRef, Rect, Stroke,
    Transform,
};

/// Pixels for one of the scene, where the picture is not too large.
const SCALE: f64 = 2.0;

/// A picture has so many pixels at most, 256 MiB in memory; a larger one becomes smaller.
const PIXELS: f64 = 67_108_864.0;

/// A circle's quarter as a curve.
const ROUND: f64 = 0.552_284_75;

/// The bytes of a PNG file.
pub(super) fn png(scene: &Scene) -> Result<Vec<u8>, Error> {
    let fits = (PIXELS / (scene.width * scene.height).max(1.0)).sqrt();
    let scale = SCALE.min(fits);
    let size = [scene.width, scene.height].map(|side| ((side * scale).ceil() as u32).max(1));
    let mut pixmap = Pixmap::new(size[0], size[1]).ok_or(Error::TooLarge)?;
    let transform = Transform::from_scale(scale as f32, scale as f32);
    scene
        .marks
        .iter()
        .for_each(|mark| draw(mark, &mut pixmap, transform));
    // Paper covers all of it: no pixel is transparent.
    let (pixels, _) = pixmap.data().as_chunks();
    let rgb: Vec<u8> = pixels.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
    encoded(&rgb, size)
}

/// Red, green and blue of (width, height) pixels as a PNG file.
pub(super) fn encoded(rgb: &[u8], [width, height]: [u32; 2]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.add_text_chunk("Software".into(), SOFTWARE.into())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}

fn draw(mark: &Mark, pixmap: &mut Pixmap, transform: Transform) {
    match mark {
        Mark::Rectangle {
            left,
            top,
            width,
            height,
            radius,
            style,
        } => {
            let path = rounded([*left, *top], [*width, *height], *radius);
            paint(path, style.look(), pixmap, transform);
        }
        Mark::Path { steps, style } => paint(path(steps), style.look(), pixmap, transform),
        Mark::Text {
            x,
            y,
            is_centred,
            spans,
        } => {
            let width = |(text, style): &(String, Style)| font::width(text, *style);
            let whole: f64 = spans.iter().map(width).sum();
            let mut x = if *is_centred { x - whole / 2.0 } else { *x };
            for span in spans {
                let letters = path(&font::outlines(&span.0, span.1, x, *y));
                paint(letters, span.1.look(), pixmap, transform);
                x += width(span);
            }
        }
        Mark::Picture {
            left,
            top,
            width,
            height,
            size,
            pixels,
        } => {
            let rgba = |rgb: &[u8; 3]| [rgb[0], rgb[1], rgb[2], 255];
            let bytes: Vec<u8> = pixels.as_chunks::<3>().0.iter().flat_map(rgba).collect();
            let [columns, rows] = size.map(|side| side as u32);
            let picture = PixmapRef::from_bytes(&bytes, columns, rows);
            let scale = [
                (width / columns.max(1) as f64) as f32,
                (height / rows.max(1) as f64) as f32,
            ];
            let place = transform
                .pre_translate(*left as f32, *top as f32)
                .pre_scale(scale[0], scale[1]);
            if let Some(picture) = picture {
                pixmap.draw_pixmap(0, 0, picture, &PixmapPaint::default(), place, None);
            }
        }
        Mark::Titled { marks, .. } => marks.iter().for_each(|mark| draw(mark, pixmap, transform)),
    }
}

/// Fills and strokes a path; none is one without an extent.
fn paint(path: Option<Path>, look: Look, pixmap: &mut Pixmap, transform: Transform) {
    let Some(path) = path else { return };
    let of = |[light, _]: Colour| {
        let [_, r, g, b] = light.to_be_bytes();
        let mut paint = Paint::default();
        paint.set_color_rgba8(r, g, b, 255);
        paint
    };
    if let Some(fill) = look.fill {
        pixmap.fill_path(&path, &of(fill), FillRule::Winding, transform, None);
    }
    if let Some(stroke) = look.stroke {
        let pen = Stroke {
            width: look.width,
            line_cap: LineCap::Butt,
            ..Stroke::default()
        };
        pixmap.stroke_path(&path, &of(stroke), &pen, transform, None);
    }
}

fn path(steps: &[Step]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for step in steps {
        let points = |points: [[f64; 2]; 3]| points.map(|point| point.map(|v| v as f32));
        match *step {
            Step::Move([x, y]) => builder.move_to(x as f32, y as f32),
            Step::Line([x, y]) => builder.line_to(x as f32, y as f32),
            Step::Curve(curve) => {
                let [a, b, to] = points(curve);
                builder.cubic_to(a[0], a[1], b[0], b[1], to[0], to[1]);
            }
            Step::Close => builder.close(),
        }
    }
    builder.finish()
}

fn rounded([left, top]: [f64; 2], [width, height]: [f64; 2], radius: f64) -> Option<Path> {
    let r = radius.min(width / 2.0).min(height / 2.0);
    if r <= 0.0 {
        let rect = Rect::from_xywh(left as f32, top as f32, width as f32, height as f32)?;
        return Some(PathBuilder::from_rect(rect));
    }
    let (right, bottom, pull) = (left + width, top + height, r * (1.0 - ROUND));
    path(&[
        Step::Move([left + r, top]),
        Step::Line([right - r, top]),
        Step::Curve([[right - pull, top], [right, top + pull], [right, top + r]]),
        Step::Line([right, bottom - r]),
        Step::Curve([
            [right, bottom - pull],
            [right - pull, bottom],
            [right - r, bottom],
        ]),
        Step::Line([left + r, bottom]),
        Step::Curve([
            [left + pull, bottom],
            [left, bottom - pull],
            [left, bottom - r],
        ]),
        Step::Line([left, top + r]),
        Step::Curve([[left, top + pull], [left + pull, top], [left + r, top]]),
        Step::Close,
    ])
}
