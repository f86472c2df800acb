//! One diagram: lines over epochs, each with its name at its end, a column to point at for every epoch.

use super::scale::{self, Scale, number};
use super::svg::{Svg, width};

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Loss,
    /// A fraction, shown in percent.
    Share,
    Rate,
}

impl Unit {
    fn limits(self) -> [f64; 2] {
        match self {
            Unit::Loss => [f64::NEG_INFINITY, f64::INFINITY],
            Unit::Share => [0.0, 1.0],
            Unit::Rate => [0.0, f64::INFINITY],
        }
    }

    fn tick(self, value: f64) -> String {
        match self {
            Unit::Share => format!("{} %", number((1e6 * value).round() / 1e4)),
            Unit::Loss | Unit::Rate => number(value),
        }
    }

    pub fn value(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => "not finite".into(),
            Unit::Share => format!("{:.2} %", 100.0 * value),
            Unit::Loss if (1e-3..1e4).contains(&value.abs()) => format!("{value:.4}"),
            Unit::Loss | Unit::Rate => number(value),
        }
    }
}

/// One line of a diagram.
pub struct Series {
    /// What stands at its end; none for a line that another one explains.
    pub label: Option<String>,
    /// What a tooltip calls it.
    pub name: String,
    pub colour: usize,
    /// In the background?
    pub thin: bool,
    /// Are its points dots, where there are not too many?
    pub dotted: bool,
    /// Does it keep a value until the next one?
    pub steps: bool,
    /// Epochs and values, NaN and infinity among them.
    pub points: Vec<(u32, f64)>,
    /// Its best epoch.
    pub best: Option<u32>,
}

/// A diagram of some size.
pub struct Panel<'a> {
    pub title: &'a str,
    pub unit: Unit,
    pub series: &'a [Series],
    pub size: [f64; 2],
}

/// Above the lines: the title, and the word about the best epoch.
const TOP: f64 = 46.0;
const BOTTOM: f64 = 30.0;
/// Points of that many epochs are dots too.
const DOTTED: usize = 40;
/// So many columns can be pointed at.
const COLUMNS: u32 = 400;

/// Where things lie.
struct Frame {
    left: f64,
    right: f64,
    bottom: f64,
    last: u32,
    y: Scale,
}

impl Frame {
    fn x(&self, epoch: u32) -> f64 {
        if self.last <= 1 {
            return (self.left + self.right) / 2.0;
        }
        let share = f64::from(epoch - 1) / f64::from(self.last - 1);
        self.left + share * (self.right - self.left)
    }
}

impl Panel<'_> {
    pub fn draw(&self) -> Svg {
        let mut out = Svg::default();
        let frame = self.frame();
        out.text([0.0, 15.0], "class=\"head\"", self.title);
        let thin = self.series.iter().any(|series| series.thin);
        let notes = [
            (frame.y.log, "logarithmic"),
            (thin, "bold: validation, thin: training"),
        ];
        let notes: Vec<&str> = notes
            .iter()
            .filter(|note| note.0)
            .map(|note| note.1)
            .collect();
        let x = width(self.title, 14.0) + 10.0;
        out.text([x, 15.0], "", &notes.join("; "));
        self.axes(&mut out, &frame);
        self.best(&mut out, &frame);
        // Thin lines lie behind the others.
        for thin in [true, false] {
            for series in self.series.iter().filter(|series| series.thin == thin) {
                draw_line(&mut out, &frame, series);
            }
        }
        self.rings(&mut out, &frame);
        self.labels(&mut out, &frame);
        self.columns(&mut out, &frame);
        out
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let points = self.series.iter().flat_map(|series| &series.points);
        points.map(|(_, value)| *value)
    }

    fn frame(&self) -> Frame {
        let [w, h] = self.size;
        let bottom = h - BOTTOM;
        let wanted = ((bottom - TOP) / 38.0).round().max(2.0) as usize;
        let y = Scale::holding(self.values(), self.unit.limits(), [bottom, TOP], wanted);
        let ticks = y
            .ticks
            .iter()
            .map(|tick| width(&self.unit.tick(*tick), 11.0));
        let last = self.series.iter().flat_map(|series| &series.points);
        let labels = self.series.iter().filter_map(|series| {
            let value = self.unit.value(series.points.last()?.1);
            let named = width(series.label.as_ref()?, 11.0);
            Some(named.max(width(&value, 13.0)))
        });
        Frame {
            left: ticks.fold(14.0, f64::max) + 8.0,
            right: w - 14.0 - labels.fold(0.0, f64::max),
            bottom,
            last: last.map(|(epoch, _)| *epoch).max().unwrap_or(1),
            y,
        }
    }

    fn axes(&self, out: &mut Svg, frame: &Frame) {
        let Frame {
            left,
            right,
            bottom,
            ..
        } = *frame;
        for tick in &frame.y.ticks {
            let y = frame.y.place(*tick);
            out.line([left, y], [right, y], "grid");
            let text = self.unit.tick(*tick);
            out.text([left - 8.0, y + 4.0], "class=\"right\"", &text);
        }
        out.line([left, bottom], [right, bottom], "axis");
        let wanted = ((right - left) / 60.0) as u32;
        for epoch in scale::epochs(frame.last, wanted.max(2)) {
            let x = frame.x(epoch);
            out.line([x, bottom], [x, bottom + 4.0], "axis");
            out.text([x, bottom + 17.0], "class=\"middle\"", &epoch.to_string());
        }
        out.text([right + 14.0, bottom + 17.0], "", "epoch");
    }

    /// Where one run alone was best.
    fn best(&self, out: &mut Svg, frame: &Frame) {
        let marked = self
            .series
            .iter()
            .filter(|series| !series.thin && series.best.is_some());
        let [one] = marked.collect::<Vec<_>>()[..] else {
            return;
        };
        let epoch = one.best.expect("it has one");
        let x = frame.x(epoch);
        out.line([x, TOP - 6.0], [x, frame.bottom], "best");
        let text = format!("best: epoch {epoch}");
        let half = width(&text, 11.0) / 2.0;
        let middle = x.clamp(half, (self.size[0] - half).max(half));
        out.text([middle, TOP - 11.0], "class=\"middle\"", &text);
    }

    fn rings(&self, out: &mut Svg, frame: &Frame) {
        for series in self.series {
            let at = |best| series.points.iter().find(|point| point.0 == best);
            if let Some((epoch, value)) = series.best.and_then(at)
                && value.is_finite()
            {
                let class = format!("ring series-{}", series.colour);
                out.circle([frame.x(*epoch), frame.y.place(*value)], 4.2, &class);
            }
        }
    }

    /// Names and last values at the lines' ends, none over another.
    fn labels(&self, out: &mut Svg, frame: &Frame) {
        let last = |series: &Series| {
            let finite = |point: &&(u32, f64)| point.1.is_finite();
            series.points.iter().rfind(finite).copied()
        };
        let mut ends = Vec::new();
        for series in self.series {
            if let (Some(label), Some((epoch, value))) = (&series.label, last(series)) {
                ends.push((frame.y.place(value), epoch, value, label, series.colour));
            }
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let heights = ends.iter().map(|end| end.0).collect::<Vec<_>>();
        // Two lines of text each, one where there are many.
        let two = ends.len() <= 2;
        let apart = if two { 30.0 } else { 14.0 };
        let places = spread(
            &heights,
            apart,
            [TOP + 2.0, frame.bottom - if two { 14.0 } else { 2.0 }],
        );
        for ((y, epoch, value, label, colour), place) in ends.into_iter().zip(places) {
            let from = [frame.x(epoch) + 5.0, y];
            let to = frame.right + 10.0;
            if to - from[0] > 8.0 || (place - y).abs() > 6.0 {
                let class = format!("leader series-{colour}");
                out.polyline(&[from, [to - 2.0, place - 1.0]], &class);
            }
            out.text(
                [to + 4.0, place + 3.0],
                &format!("class=\"of-{colour}\""),
                label,
            );
            if two {
                let text = self.unit.value(value);
                out.text([to + 4.0, place + 16.0], "class=\"value\"", &text);
            }
        }
    }

    /// A column for each epoch, whose tooltip has every value.
    fn columns(&self, out: &mut Svg, frame: &Frame) {
        let every = frame.last.div_ceil(COLUMNS);
        let half = match frame.last {
            0 | 1 => 20.0,
            last => f64::from(every) * (frame.right - frame.left) / f64::from(last - 1) / 2.0,
        };
        for epoch in (1..=frame.last).step_by(every as usize) {
            let mut title = format!("epoch {epoch}");
            for series in self.series {
                let at = series.points.iter().find(|point| point.0 == epoch);
                if let Some((_, value)) = at {
                    title += &format!("\n{}: {}", series.name, self.unit.value(*value));
                }
            }
            let from = (frame.x(epoch) - half).max(frame.left - 4.0);
            let to = (frame.x(epoch) + half).min(frame.right + 6.0);
            let size = [to - from, frame.bottom - TOP];
            out.rect([from, TOP], size, "class=\"band\"", &title);
        }
    }
}

/// A line with gaps where values are not finite, and a cross above each gap.
fn draw_line(out: &mut Svg, frame: &Frame, series: &Series) {
    let thin = if series.thin { " thin" } else { "" };
    let class = format!("line series-{}{thin}", series.colour);
    let dotted = series.dotted && series.points.len() <= DOTTED;
    for part in series.points.split(|(_, value)| !value.is_finite()) {
        let place = |(epoch, value): &(u32, f64)| [frame.x(*epoch), frame.y.place(*value)];
        let places: Vec<[f64; 2]> = part.iter().map(place).collect();
        if places.len() > 1 && series.steps {
            out.polyline(&stairs(&places), &class);
        } else if places.len() > 1 {
            out.polyline(&places, &class);
        }
        if dotted || places.len() == 1 {
            let class = format!("dot of-{}", series.colour);
            places.iter().for_each(|at| out.circle(*at, 2.4, &class));
        }
    }
    let lost = series.points.iter().filter(|point| !point.1.is_finite());
    let places: Vec<f64> = lost.map(|(epoch, _)| frame.x(*epoch)).collect();
    let y = TOP + 6.0;
    for x in &places {
        out.line([x - 3.0, y - 3.0], [x + 3.0, y + 3.0], "lost");
        out.line([x - 3.0, y + 3.0], [x + 3.0, y - 3.0], "lost");
    }
    if let (Some(first), Some(last)) = (places.first(), places.last()) {
        let fits = last + 8.0 + width("not finite", 11.0) < frame.right;
        let (x, class) = match fits {
            true => (last + 8.0, "lost"),
            false => (first - 8.0, "lost right"),
        };
        out.text([x, y + 4.0], &format!("class=\"{class}\""), "not finite");
    }
}

/// The points with corners half-way between those of different height.
fn stairs(places: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut corners = vec![places[0]];
    for pair in places.windows(2) {
        let [[x1, y1], [x2, y2]] = [pair[0], pair[1]];
        if y1 != y2 {
            let middle = (x1 + x2) / 2.0;
            corners.extend([[middle, y1], [middle, y2]]);
        }
        corners.push(pair[1]);
    }
    corners
}

/// Places next to the wanted ones, which ascend, at least `apart` from each other and within `limits` if all fit.
fn spread(wanted: &[f64], apart: f64, limits: [f64; 2]) -> Vec<f64> {
    // Groups of labels that touch: the sum of where each would have the first of its group, and their number.
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let clamp = |first: f64, count: usize| {
        let below = limits[1] - apart * (count - 1) as f64;
        first.min(below).max(limits[0])
    };
    let first = |(sum, count): (f64, usize)| clamp(sum / count as f64, count);
    for want in wanted {
        let mut group = (*want, 1);
        while let Some(&above) = groups.last() {
            if first(above) + apart * above.1 as f64 <= first(group) {
                break;
            }
            groups.pop();
            let shifted = group.0 - apart * (above.1 * group.1) as f64;
            group = (above.0 + shifted, above.1 + group.1);
        }
        groups.push(group);
    }
    let of = |group: (f64, usize)| (0..group.1).map(move |i| first(group) + apart * i as f64);
    groups.into_iter().flat_map(of).collect()
}

/// Characters of a run's name at the end of its line.
const LABEL: usize = 17;

/// A name that fits at a line's end: its middle gives way, for names of runs end with what tells them apart.
pub fn label(name: &str) -> String {
    let count = name.chars().count();
    if count <= LABEL {
        return name.into();
    }
    let (head, tail) = (LABEL / 2, LABEL - LABEL / 2 - 1);
    let kept = name.chars().take(head).chain(['…']);
    kept.chain(name.chars().skip(count - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn labels_keep_apart_within_their_limits() {
        assert_eq!(spread(&[10.0, 90.0], 20.0, [0.0, 100.0]), [10.0, 90.0]);
        assert_eq!(spread(&[50.0, 50.0], 20.0, [0.0, 100.0]), [40.0, 60.0]);
        assert_eq!(
            spread(&[98.0, 99.0, 99.0], 20.0, [0.0, 100.0]),
            [60.0, 80.0, 100.0]
        );
        assert_eq!(
            spread(&[1.0, 15.0, 60.0], 20.0, [0.0, 100.0]),
            [0.0, 20.0, 60.0]
        );
        assert!(spread(&[], 20.0, [0.0, 100.0]).is_empty());
    }
}
