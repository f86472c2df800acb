//! The roofline of a run as SVG: speed over operations per byte, under the adapter's own ceilings;
//! discs as large as a kernel's share of the step.

use crate::bench::report::{Ceilings, Pass, Report, Row};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;

const SIZE: (u32, u32) = (1280, 800);
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2E);
const MUTED: RGBColor = RGBColor(0x6B, 0x72, 0x80);
const FONT: &str = "Helvetica, Arial, sans-serif";

/// Kernels with a smaller share of the step get no label, nor do more than so many.
const LABELLED: f64 = 0.015;
const LABELS: usize = 12;

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<
        plotters::coord::combinators::LogCoord<f64>,
        plotters::coord::combinators::LogCoord<f64>,
    >,
>;
type Area<'b> = DrawingArea<SVGBackend<'b>, Shift>;

fn colour(pass: Pass) -> RGBColor {
    match pass {
        Pass::Forward => RGBColor(0x2B, 0x6C, 0xB0),
        Pass::Backward => RGBColor(0xC0, 0x56, 0x21),
        Pass::Update => RGBColor(0x2F, 0x85, 0x5A),
    }
}

/// An SVG file.
pub fn roofline(report: &Report) -> String {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&root, report).expect("memory takes every drawing");
        root.present().expect("memory takes every drawing");
    }
    text
}

fn draw(root: &Area, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    root.fill(&WHITE)?;
    let rows: Vec<&Row> = report.kernels.iter().filter(|row| row.flops > 0).collect();
    let (x, y) = ranges(&rows, &report.ceilings);
    titles(root, report)?;
    let mut chart = ChartBuilder::on(root)
        .margin_top(84)
        .margin_right(36)
        .margin_bottom(18)
        .margin_left(18)
        .x_label_area_size(56)
        .y_label_area_size(76)
        .build_cartesian_2d(x.clone().log_scale(), y.clone().log_scale())?;
    chart
        .configure_mesh()
        .x_desc("operations per byte")
        .y_desc("GFLOP/s")
        .x_label_formatter(&|v| tick(*v))
        .y_label_formatter(&|v| tick(*v))
        .bold_line_style(INK.mix(0.12))
        .light_line_style(INK.mix(0.04))
        .axis_style(INK.mix(0.5))
        .label_style((FONT, 17).into_font().color(&INK))
        .axis_desc_style((FONT, 19).into_font().color(&INK))
        .draw()?;
    roofs(&mut chart, &report.ceilings, &x)?;
    let roofs = along_roofs(&chart, &report.ceilings, &x);
    discs(root, &mut chart, report, rows, roofs)?;
    Ok(())
}

/// Whole decades around all kernels and the corner of the roof.
fn ranges(rows: &[&Row], ceilings: &Ceilings) -> (Range<f64>, Range<f64>) {
    let peak = 1e-9 * ceilings.flops.per_second;
    let corner = ceilings.flops.per_second / ceilings.bytes.per_second;
    let span = |values: Vec<f64>| {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        10f64.powf(least.log10().floor())..10f64.powf(most.log10().ceil())
    };
    let each = |of: fn(&Row) -> f64| rows.iter().map(move |row| of(row));
    let x = span(each(Row::intensity).chain([corner * 4.0]).collect());
    let speeds = each(|row| 1e-9 * row.flops_per_second());
    let y = span(speeds.chain([peak * 1.5]).collect());
    (x, y)
}

fn tick(value: f64) -> String {
    if value >= 0.999 {
        format!("{value:.0}")
    } else {
        let digits = (-value.log10()).ceil().max(0.0) as usize;
        format!("{value:.digits$}")
    }
}

fn titles(root: &Area, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    let what = match &report.step {
        Some(step) => format!("One training step of {}, batch {}", step.model, step.batch),
        None => "Test cases".into(),
    };
    let bold = (FONT, 28, FontStyle::Bold).into_font().color(&INK);
    root.draw(&Text::new(what, (32, 20), bold))?;
    let adapter = format!(
        "{}, {}: {}",
        report.adapter.name,
        report.adapter.backend,
        roof_names(&report.ceilings)
    );
    let plain = (FONT, 18).into_font().color(&MUTED);
    root.draw(&Text::new(adapter, (32, 54), plain))?;
    let mut right = SIZE.0 as i32 - 330;
    for pass in [Pass::Forward, Pass::Backward, Pass::Update] {
        root.draw(&Circle::new((right, 34), 8, colour(pass).filled()))?;
        let style = (FONT, 17).into_font().color(&INK);
        root.draw(&Text::new(pass.name(), (right + 14, 26), style))?;
        right += 108;
    }
    let about = "area: share of the step";
    let plain = (FONT, 15).into_font().color(&MUTED);
    root.draw(&Text::new(about, (SIZE.0 as i32 - 338, 55), plain))?;
    Ok(())
}

/// The flat roof of arithmetic and the slopes of memory, dashed where it is the caches'.
fn roofs(
    chart: &mut Chart,
    ceilings: &Ceilings,
    x: &Range<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let peak = 1e-9 * ceilings.flops.per_second;
    let slope = |bytes: f64| {
        let corner = ceilings.flops.per_second / bytes;
        [(x.start, x.start * 1e-9 * bytes), (corner, peak)]
    };
    let memory = slope(ceilings.bytes.per_second);
    let roof = [memory[0], memory[1], (x.end, peak)];
    chart.draw_series(LineSeries::new(roof, INK.stroke_width(3)))?;
    if has_cached_slope(ceilings) {
        let slope = slope(ceilings.cached_bytes.per_second);
        let line = DashedLineSeries::new(slope, 8, 6, INK.stroke_width(2));
        chart.draw_series(line)?;
    }
    Ok(())
}

/// Does the slope of cached copies deserve a line of its own?
fn has_cached_slope(ceilings: &Ceilings) -> bool {
    ceilings.cached_bytes.per_second > 1.1 * ceilings.bytes.per_second
}

fn roof_names(ceilings: &Ceilings) -> String {
    let giga = |per_second: f64| round(1e-9 * per_second);
    let mut text = format!(
        "{} GFLOP/s of FMAs, {} GB/s of memory",
        giga(ceilings.flops.per_second),
        giga(ceilings.bytes.per_second)
    );
    if has_cached_slope(ceilings) {
        let cached = giga(ceilings.cached_bytes.per_second);
        text.push_str(&format!(", {cached} GB/s in cache (dashed)"));
    }
    text
}

/// Small rectangles along the roofs, which labels keep away from.
fn along_roofs(chart: &Chart, ceilings: &Ceilings, x: &Range<f64>) -> Vec<Rect> {
    const PIECES: i32 = 200;
    let mut rects = Vec::new();
    for bytes in [&ceilings.bytes, &ceilings.cached_bytes] {
        rects.extend((0..=PIECES).map(|i| {
            let at = x.start * (x.end / x.start).powf(i as f64 / PIECES as f64);
            let roof = ceilings.flops.per_second.min(at * bytes.per_second);
            let (x, y) = chart.plotting_area().map_coordinate(&(at, 1e-9 * roof));
            let (width, height) = (8, 8);
            let (x, y) = (x - 4, y - 4);
            Rect {
                x,
                y,
                width,
                height,
            }
        }));
    }
    rects
}

fn round(number: f64) -> String {
    let digits = usize::from(number < 100.0) + usize::from(number < 10.0);
    format!("{number:.digits$}")
}

/// A rectangle of pixels.
#[derive(Clone, Copy)]
struct Rect {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Rect {
    fn meets(&self, other: &Rect) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// The kernels, the largest first so that small ones lie above, and labels where there is room.
fn discs(
    root: &Area,
    chart: &mut Chart,
    report: &Report,
    mut rows: Vec<&Row>,
    mut taken: Vec<Rect>,
) -> Result<(), Box<dyn std::error::Error>> {
    let share = |row: &Row| report.step.as_ref().map_or(0.0, |step| row.of_step(step));
    rows.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let mut places = Vec::new();
    for &row in &rows {
        let point = (row.intensity(), 1e-9 * row.flops_per_second());
        let radius = 4 + (60.0 * share(row).clamp(0.0, 1.0).sqrt()) as i32;
        let colour = colour(row.pass);
        let disc = |style: ShapeStyle| Circle::new(point, radius, style);
        chart.draw_series([
            disc(colour.mix(0.45).filled()),
            disc(colour.stroke_width(2)),
        ])?;
        let (x, y) = chart.plotting_area().map_coordinate(&point);
        taken.push(Rect {
            x: x - radius,
            y: y - radius,
            width: 2 * radius,
            height: 2 * radius,
        });
        places.push((x, y, radius));
    }
    let named = rows.iter().zip(places).take(LABELS);
    for (row, place) in named.filter(|(row, _)| share(row) >= LABELLED) {
        let text = format!("{} {}, {:.0} %", row.layer, row.op, 100.0 * share(row));
        let Some(rect) = room(&text, place, &taken) else {
            continue;
        };
        taken.push(rect);
        let end = (
            place.0.clamp(rect.x, rect.x + rect.width),
            place.1.clamp(rect.y, rect.y + rect.height),
        );
        let line = PathElement::new([(place.0, place.1), end], MUTED.mix(0.6));
        root.draw(&line)?;
        let style = (FONT, 15).into_font().color(&INK);
        root.draw(&Text::new(text, (rect.x + 4, rect.y + 2), style))?;
    }
    Ok(())
}

/// A free rectangle for a label around a disc.
fn room(text: &str, (x, y, radius): (i32, i32, i32), taken: &[Rect]) -> Option<Rect> {
    let (width, height) = (8 + (text.len() as f64 * 7.4) as i32, 20);
    let near = radius + 4;
    let mut candidates = Vec::new();
    for away in [0, 22, 44, 66, 88, 110, 132] {
        candidates.extend([
            (x + near, y - height / 2 - away),
            (x + near, y - height / 2 + away),
            (x - near - width, y - height / 2 - away),
            (x - near - width, y - height / 2 + away),
            (x - width / 2, y - near - height - away),
            (x - width / 2, y + near + away),
        ]);
    }
    let inside = |r: &Rect| {
        r.x > 100
            && r.x + r.width < SIZE.0 as i32 - 40
            && r.y > 90
            && r.y + height < SIZE.1 as i32 - 80
    };
    let rects = candidates.into_iter().map(|(x, y)| Rect {
        x,
        y,
        width,
        height,
    });
    let mut free = rects.filter(|r| inside(r) && !taken.iter().any(|t| t.meets(r)));
    free.next()
}
