//! The dashboard's picture: a state in, widgets out.

use super::state::{Phase, State};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, BorderType, Chart, Dataset, Gauge, GraphType, Padding, Paragraph, Wrap,
};
use std::time::Duration;

/// The smallest terminal that shows all of it.
pub const LEAST: [u16; 2] = [60, 20];

// Seen on dark and on light terminals alike.
const TRAINING: Color = Color::Indexed(33);
const VALIDATION: Color = Color::Indexed(208);
const FRAME: Color = Color::Indexed(244);

/// A panel below this width says less.
const NARROW: u16 = 40;

/// Draws all of it. `told` are the last lines for the user, oldest first.
pub fn draw(frame: &mut Frame, state: &State, told: &[String], is_stopping: bool) {
    let area = frame.area();
    if area.width < LEAST[0] || area.height < LEAST[1] {
        return too_small(frame, area, is_stopping);
    }
    let notices = (area.height / 6).clamp(3, 8) + 1;
    let [top, curves, middle, bottom, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(6),
        Constraint::Length(7),
        Constraint::Length(notices),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, top, state, is_stopping);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(curves);
    chart(frame, left, state, &LOSS);
    chart(frame, right, state, &ACCURACY);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
    progress(frame, left, state);
    figures(frame, right, state);
    notes(frame, bottom, told);
    help(frame, keys, is_stopping);
}

fn too_small(frame: &mut Frame, area: Rect, is_stopping: bool) {
    let [width, height] = LEAST;
    let mut lines = vec![
        Line::from("The terminal is too small".bold()),
        Line::from(format!(
            "{}×{}, and {width}×{height} are needed.",
            area.width, area.height
        )),
    ];
    lines.push(Line::from(match is_stopping {
        true => "Finishing the step, then saving.",
        false => "Training goes on; q stops and saves.",
    }));
    let text = Paragraph::new(lines).alignment(Alignment::Center);
    frame.render_widget(text.wrap(Wrap { trim: true }), area);
}

fn header(frame: &mut Frame, area: Rect, state: &State, is_stopping: bool) {
    let phase = match (is_stopping, state.phase) {
        (true, _) => " stopping ".to_string(),
        (_, Phase::Opening) => " opening the device ".into(),
        (_, Phase::Importing { done, total }) => {
            format!(" importing, {} % ", 100 * done / total.max(1))
        }
        (_, Phase::Compiling { done, total }) => format!(" compiling kernels {done}/{total} "),
        (_, Phase::Checking) => " checking ".into(),
        (_, Phase::Training) => " training ".into(),
        (_, Phase::Validating) => " validating ".into(),
    };
    let colour = if is_stopping { VALIDATION } else { TRAINING };
    let phase = Span::styled(
        phase,
        Style::new().fg(Color::Indexed(231)).bg(colour).bold(),
    );
    let width = phase.width() as u16 + 1;
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]).areas(area);
    let title = Line::from(vec![
        " fer-gpu ".bold(),
        Span::from(state.model.as_str()).bold().fg(TRAINING),
        Span::from(format!("  {}", state.adapter)),
    ]);
    let data = Line::from(format!(" {}", state.data)).dim();
    frame.render_widget(Paragraph::new(vec![title, data]), left);
    frame.render_widget(Paragraph::new(phase).alignment(Alignment::Right), right);
}

/// Which of a run's figures a chart shows.
struct Figure {
    title: &'static str,
    training: fn(&crate::train::EpochRow) -> f64,
    validation: fn(&crate::train::EpochRow) -> f64,
    /// Its place in a point of the trail.
    index: usize,
    /// What it can be at most.
    most: f64,
}

const LOSS: Figure = Figure {
    title: "loss",
    training: |row| row.loss,
    validation: |row| row.val_loss,
    index: 1,
    most: f64::INFINITY,
};

const ACCURACY: Figure = Figure {
    title: "accuracy",
    training: |row| row.accuracy,
    validation: |row| row.val_accuracy,
    index: 2,
    most: 1.0,
};

fn framed(title: Line<'static>) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().fg(FRAME))
        .title(title.style(Style::reset()))
}

/// A chart's frame names its lines, in their colours.
fn chart_frame(figure: &Figure, width: u16) -> Block<'static> {
    let [training, validation] = match width < NARROW {
        true => ["train", "val "],
        false => ["training", "validation "],
    };
    framed(Line::from(vec![
        format!(" {}: ", figure.title).bold(),
        training.fg(TRAINING).bold(),
        ", ".into(),
        validation.fg(VALIDATION).bold(),
    ]))
}

/// The epochs' values. While they are no line yet, the course of the current one; then, once half of it is over,
/// where it is: the mean of a few steps says little.
fn training_line(state: &State, figure: &Figure) -> Vec<(f64, f64)> {
    let rows = state.history.iter();
    let mut line: Vec<(f64, f64)> = rows
        .map(|row| (f64::from(row.epoch), (figure.training)(row)))
        .collect();
    let begun = |point: &&[f64; 3]| line.is_empty() || point[0].fract() > 0.1;
    let points = state.trail.iter().filter(begun);
    let trail: Vec<(f64, f64)> = points
        .map(|point| (point[0], point[figure.index]))
        .collect();
    match line.len() {
        0 | 1 => line.extend(trail),
        _ if 2 * state.batch > state.batches => line.extend(trail.last()),
        _ => {}
    }
    line
}

fn chart(frame: &mut Frame, area: Rect, state: &State, figure: &Figure) {
    let rows = state.history.iter();
    let mut validation: Vec<(f64, f64)> = rows
        .map(|row| (f64::from(row.epoch), (figure.validation)(row)))
        .collect();
    let mut training = training_line(state, figure);
    for line in [&mut training, &mut validation] {
        line.retain(|(_, y)| y.is_finite());
    }
    let all = || training.iter().chain(&validation);
    if all().next().is_none() {
        let waiting = Paragraph::new("from the first step on")
            .dim()
            .alignment(Alignment::Center);
        return frame.render_widget(waiting.block(chart_frame(figure, area.width)), area);
    }
    let [low, high] = bounds(all().map(|(_, y)| *y), figure.most);
    let begin = all().map(|(x, _)| *x).fold(f64::INFINITY, f64::min).floor();
    let end = all()
        .map(|(x, _)| *x)
        .fold(0.0, f64::max)
        .ceil()
        .max(begin + 1.0);
    let line = |name, colour| {
        let line = Dataset::default().name(name).marker(Marker::Braille);
        line.graph_type(GraphType::Line)
            .style(Style::new().fg(colour))
    };
    let mut lines = vec![line("training", TRAINING).data(&training)];
    if !validation.is_empty() {
        // A first point alone is no line.
        let kind = if validation.len() == 1 {
            GraphType::Scatter
        } else {
            GraphType::Line
        };
        lines.push(
            line("validation", VALIDATION)
                .graph_type(kind)
                .data(&validation),
        );
    }
    let axis = |bounds: [f64; 2], labels: Vec<String>| {
        let axis = Axis::default().style(Style::new().fg(FRAME)).bounds(bounds);
        axis.labels(labels.into_iter().map(Line::from))
    };
    let digits = if high - low < 0.05 { 4 } else { 2 };
    let y = [low, (low + high) / 2.0, high].map(|y| format!("{y:.digits$}"));
    let x = [format!("{begin:.0}"), format!("epoch {end:.0}")];
    let chart = Chart::new(lines)
        .block(chart_frame(figure, area.width))
        .x_axis(axis([begin, end], x.to_vec()))
        .y_axis(axis([low, high], y.to_vec()))
        .legend_position(None);
    frame.render_widget(chart, area);
}

/// A little more than what is shown, within 0 and `most`.
fn bounds(values: impl Iterator<Item = f64>, most: f64) -> [f64; 2] {
    let join = |[low, high]: [f64; 2], y: f64| [low.min(y), high.max(y)];
    let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], join);
    let room = ((high - low) * 0.08).max(high.abs() * 1e-3).max(1e-6);
    [(low - room).max(0.0), (high + room).min(most.max(high))]
}

fn progress(frame: &mut Frame, area: Rect, state: &State) {
    let block = framed(" progress ".bold().into()).padding(Padding::horizontal(1));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [epochs, run, _, steps, epoch] = Layout::vertical([Constraint::Length(1); 5]).areas(inner);
    let (done, of) = match state.phase {
        Phase::Compiling { done, total } => (done as f64, total as f64),
        Phase::Importing { done, total } => (done as f64, total as f64),
        _ => (f64::from(state.batch), f64::from(state.batches)),
    };
    let within = if of > 0.0 {
        (done / of).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let through = match state.phase {
        Phase::Training | Phase::Validating => within,
        _ => 0.0,
    };
    let finished = state.history.len() as f64;
    let current = if state.trail.is_empty() { 0.0 } else { through };
    let whole = ((finished + current) / f64::from(state.epochs.max(1))).clamp(0.0, 1.0);
    let left = state.left();
    let eta = |i: usize| left.map_or(String::new(), |left| format!("{} left", clock(left[i])));
    let line = |what: String, eta: String, area: Rect, frame: &mut Frame| {
        frame.render_widget(Paragraph::new(what), area);
        frame.render_widget(Paragraph::new(eta).alignment(Alignment::Right), area);
    };
    line(
        format!("epoch {} of {}", state.epoch, state.epochs),
        eta(1),
        epochs,
        frame,
    );
    frame.render_widget(gauge(whole), run);
    let what = match state.phase {
        Phase::Compiling { done, total } => format!("kernel {done} of {total}"),
        Phase::Importing { done, total } => format!("{} % read", 100 * done / total.max(1)),
        _ => format!("step {} of {}", state.batch, state.batches),
    };
    line(what, eta(0), steps, frame);
    frame.render_widget(gauge(within), epoch);
}

fn gauge(ratio: f64) -> Gauge<'static> {
    Gauge::default()
        .gauge_style(Style::new().fg(TRAINING).bg(Color::Indexed(238)))
        .label(Span::styled(
            format!("{:.0} %", 100.0 * ratio),
            Style::new()
                .fg(Color::Indexed(231))
                .add_modifier(Modifier::BOLD),
        ))
        .use_unicode(true)
        .ratio(ratio)
}

fn figures(frame: &mut Frame, area: Rect, state: &State) {
    let is_narrow = area.width < NARROW;
    let pair = |loss: f64, accuracy: f64| match is_narrow {
        true => format!("loss {loss:.3}, acc {accuracy:.2}"),
        false => format!("loss {loss:.4}, accuracy {accuracy:.4}"),
    };
    let speed = state.images_per_second().zip(state.step_time());
    let speed = speed.map(|(rate, step)| {
        let ms = 1e3 * step.as_secs_f64();
        match is_narrow {
            true => format!("{rate:.0} images/s"),
            false => format!("{rate:.0} images/s, {ms:.1} ms a step"),
        }
    });
    let best = |(loss, epoch): (f64, u32)| match is_narrow {
        true => format!("loss {loss:.3}, epoch {epoch}"),
        false => format!("loss {loss:.4} in epoch {epoch}"),
    };
    let last = state.history.last();
    let rows = [
        ("speed", speed),
        (
            "now",
            (state.batch > 0).then(|| pair(state.loss, state.accuracy)),
        ),
        ("val", last.map(|row| pair(row.val_loss, row.val_accuracy))),
        ("best", state.best().map(best)),
        (
            "memory",
            (state.device_bytes > 0).then(|| {
                let mib = state.device_bytes as f64 / f64::from(1 << 20);
                format!("{mib:.1} MiB planned")
            }),
        ),
    ];
    let line = |(name, value): (&'static str, Option<String>)| {
        let value = value.unwrap_or_else(|| "–".into());
        Line::from(vec![format!("{name:<7}").fg(FRAME), value.into()])
    };
    let text = Paragraph::new(rows.map(line).to_vec());
    let block = framed(" figures ".bold().into()).padding(Padding::left(1));
    frame.render_widget(text.block(block), area);
}

fn notes(frame: &mut Frame, area: Rect, told: &[String]) {
    let rows = usize::from(area.height.saturating_sub(2));
    let last = &told[told.len().saturating_sub(rows)..];
    let mut lines: Vec<Line> = last.iter().map(|line| line.as_str().into()).collect();
    if lines.is_empty() {
        lines.push("none so far".dim().into());
    }
    let block = framed(" notices ".bold().into()).padding(Padding::horizontal(1));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn help(frame: &mut Frame, area: Rect, is_stopping: bool) {
    let line = match is_stopping {
        false => Line::from(vec![
            " q".bold(),
            " or ".dim(),
            "Ctrl-C".bold(),
            " stops and saves".dim(),
        ]),
        true => Line::from(vec![
            " finishing the step, then saving; ".into(),
            "Ctrl-C".bold(),
            " again quits without saving".into(),
        ]),
    };
    frame.render_widget(Paragraph::new(line), area);
}

/// `45 s`, `12:07` minutes or `3:05:09` hours.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}
