//! How fast a run goes: the times at which losses reached the host.

use std::time::{Duration, Instant};

/// Intervals that are kept for the median.
const INTERVALS: usize = 10_000;

/// Steps that the median leaves out: the first ones wait for compilers.
const DROPPED: usize = 3;

pub(super) struct Pace {
    started: Instant,
    first: Option<Duration>,
    last: Option<Instant>,
    /// Seconds between losses.
    intervals: Vec<f32>,
}

impl Pace {
    /// A run whose process began then.
    pub fn new(started: Instant) -> Pace {
        Pace {
            started,
            first: None,
            last: None,
            intervals: Vec::new(),
        }
    }

    /// A loss has arrived.
    pub fn tick(&mut self) {
        let now = Instant::now();
        self.first.get_or_insert(now - self.started);
        if let Some(before) = self.last.replace(now)
            && self.intervals.len() < INTERVALS
        {
            self.intervals.push((now - before).as_secs_f32());
        }
    }

    /// Something else than steps comes now: the time until the next loss is none of a step.
    pub fn pause(&mut self) {
        self.last = None;
    }

    /// Milliseconds from the start of the process to the first loss; 0 before it.
    pub fn first_ms(&self) -> f64 {
        self.first.map_or(0.0, |first| first.as_secs_f64() * 1e3)
    }

    /// Median milliseconds between losses; none where too few came.
    pub fn median_ms(&self) -> Option<f64> {
        let mut kept = self.intervals.get(DROPPED..)?.to_vec();
        kept.sort_by(f32::total_cmp);
        let median = kept.get(kept.len() / 2)?;
        Some(*median as f64 * 1e3)
    }
}
