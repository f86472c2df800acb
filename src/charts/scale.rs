//! From values to places on an axis, with round ticks.

/// Values spread further than this have a logarithmic axis: on a linear one the small ones lie on a line.
const WIDE: f64 = 40.0;

/// An axis: values from `low` to `high` lie between two places.
pub struct Scale {
    low: f64,
    high: f64,
    /// Are equal ratios equal distances?
    pub log: bool,
    places: [f64; 2],
    pub ticks: Vec<f64>,
}

impl Scale {
    /// An axis that holds all finite ones of these values, with about `wanted` ticks; `limits` are never passed.
    pub fn holding(
        values: impl Iterator<Item = f64>,
        limits: [f64; 2],
        places: [f64; 2],
        wanted: usize,
    ) -> Scale {
        let finite = values.filter(|value| value.is_finite());
        let (mut low, mut high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Logarithms, for the ratio may be beyond every number.
        if low > 0.0 && high.ln() - low.ln() > WIDE.ln() {
            return Scale::logarithmic(low, high, places, wanted);
        }
        if high - low <= 1e-9 * high.abs() {
            // One value: it lies in the middle.
            let around = if high == 0.0 { 1.0 } else { 0.5 * high.abs() };
            (low, high) = (
                (low - around).max(limits[0]),
                (high + around).min(limits[1]),
            );
        }
        // Halves, for two values may be further apart than the largest number.
        let step = round_step((high / 2.0 - low / 2.0) / (wanted as f64 / 2.0));
        let (from, to) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks = (0..=((to - from) as usize).min(4 * wanted)).map(|i| (from + i as f64) * step);
        let within =
            |tick: &f64| tick.is_finite() && (limits[0] - 1e-12..=limits[1] + 1e-12).contains(tick);
        Scale {
            low: (from * step).max(limits[0]).max(f64::MIN),
            high: (to * step).min(limits[1]).min(f64::MAX),
            log: false,
            places,
            ticks: ticks.filter(within).collect(),
        }
    }

    fn logarithmic(low: f64, high: f64, places: [f64; 2], wanted: usize) -> Scale {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let power = |e: i32| 10f64.powi(e);
        let every = ((last - first) as usize).div_ceil(wanted).max(1);
        let mut ticks: Vec<f64> = (first..=last).step_by(every).map(power).collect();
        ticks.retain(|tick| (low * 0.999..=high * 1.001).contains(tick));
        // Some room, so that no line runs along the edge.
        let room = (0.04 * (high.ln() - low.ln())).exp();
        Scale {
            low: (low / room).max(f64::MIN_POSITIVE.min(low)),
            high: (high * room).min(f64::MAX),
            log: true,
            places,
            ticks,
        }
    }

    /// Where a finite value lies.
    pub fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            // Halves again.
            (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
        };
        self.places[0] + share.clamp(0.0, 1.0) * (self.places[1] - self.places[0])
    }
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powi(step.log10().floor() as i32);
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let enough = |round: &f64| *round >= step * 0.999_999;
    rounds.into_iter().find(enough).unwrap_or(10.0 * power)
}

/// Epochs for ticks: the first, the last and round ones between that leave them room.
pub fn epochs(last: u32, wanted: u32) -> Vec<u32> {
    let step = round_step(f64::from(last) / f64::from(wanted)).max(1.0) as u32;
    let between = (1..).map(|i| i * step).take_while(|&tick| tick < last);
    let mut ticks = vec![1];
    ticks.extend(
        between.filter(|&tick| tick > 1 && 2 * (tick - 1) > step && 2 * (last - tick) > step),
    );
    if last > 1 {
        ticks.push(last);
    }
    ticks
}

/// A number as short as it can be told.
pub fn number(value: f64) -> String {
    if value != 0.0 && value.is_finite() && !(1e-5..1e6).contains(&value.abs()) {
        let text = format!("{value:.3e}");
        let (mantissa, exponent) = text.split_once('e').expect("an exponent");
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        return format!("{mantissa}e{exponent}");
    }
    // Six significant digits hide what sums of steps leave behind.
    let digits = match value {
        0.0 => 0,
        value => (5 - value.abs().log10().floor() as i32).max(0),
    };
    let text = format!("{value:.*}", digits as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}
