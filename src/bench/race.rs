//! Which variant of each kernel is the fastest? A look at every one, then rounds of those that may
//! win, so that whatever slows the machine for a while slows all alike.

use super::ceiling::clock;
use super::report::Wrong;
use super::stats::Stats;
use super::subjects::{Subject, Subjects};
use super::{Error, measure};
use crate::gpu::{Gpu, Sample, Timed};
use crate::plan;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Rounds of those that may win.
const ROUNDS: usize = 7;

/// Who takes this much longer than the best so far of its shape is out after the first look.
const BEHIND: f64 = 2.0;

/// Who takes this much longer at its first launch, which may compile, and this many seconds, is not
/// launched again.
const HOPELESS: f64 = 8.0;
const LONG: f64 = 1.0;

/// A variant at one shape.
#[derive(Clone, Debug)]
pub struct Lap {
    /// Kernel and shape, as [`plan::key`] has them.
    pub key: String,
    pub variant: &'static str,
    pub time: Stats,
}

/// What a race is doing.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// So many variants of so many.
    Looking(usize, usize),
    /// So many seconds of so many, with so many variants left.
    Racing(f64, f64, usize),
}

/// A variant on the track.
struct Racer<'a> {
    key: String,
    subject: &'a Subject,
    timed: Timed,
    seconds: Vec<f64>,
}

impl Racer<'_> {
    fn sample(&self, set: usize) -> Sample<'_> {
        Sample {
            kernel: &self.timed,
            set,
            repeats: 1,
        }
    }
}

/// Times the variants that are not wrong, for at least `min_time` where there is a choice.
pub fn race(
    gpu: &Gpu,
    subjects: &Subjects,
    wrong: &[Wrong],
    min_time: Duration,
    observe: &mut dyn FnMut(Progress),
) -> Result<Vec<Lap>, Error> {
    let (timer, _) = clock(gpu)?;
    let sets = subjects.sets(gpu)?;
    let mut best: BTreeMap<String, f64> = BTreeMap::new();
    let mut racers = Vec::new();
    let right = |s: &&Subject| !measure::is_wrong(s, wrong);
    let mut order: Vec<&Subject> = subjects.all.iter().filter(right).collect();
    // What the plan would run sets the pace; the naive kernels, which come first, are last.
    order.sort_by_key(|s| (!s.planned, usize::MAX - s.variant));
    for (done, subject) in order.iter().enumerate() {
        observe(Progress::Looking(done, order.len()));
        let Subject {
            op,
            variant,
            params,
            step,
            ..
        } = *subject;
        let mut racer = Racer {
            key: plan::key(*op, params),
            subject,
            timed: gpu.prepare(*op, *variant, params, step, &sets.bounds(subject))?,
            seconds: Vec::new(),
        };
        let pace = best.get(&racer.key).copied().unwrap_or(f64::INFINITY);
        let first = timer.time(&[racer.sample(0)])?[0];
        if first > LONG && first > HOPELESS * pace {
            continue;
        }
        let seconds = timer.time(&[racer.sample(1)])?[0];
        if seconds <= BEHIND * pace {
            racer.seconds.push(seconds);
            best.insert(racer.key.clone(), pace.min(seconds));
            racers.push(racer);
        }
    }
    racers.retain(|racer| racer.seconds[0] <= BEHIND * best[&racer.key]);
    let round: f64 = racers.iter().map(|racer| racer.seconds[0]).sum();
    let expected = (ROUNDS as f64 * round).max(min_time.as_secs_f64());
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS || begun.elapsed() < min_time {
        let spent = begun.elapsed().as_secs_f64();
        observe(Progress::Racing(spent, expected, racers.len()));
        let samples: Vec<Sample> = racers.iter().map(|racer| racer.sample(rounds)).collect();
        let seconds = timer.time(&samples)?;
        let each = racers.iter_mut().zip(seconds);
        each.for_each(|(racer, seconds)| racer.seconds.push(seconds));
        rounds += 1;
    }
    let lap = |racer: Racer| Lap {
        key: racer.key,
        variant: racer.subject.variant_name(),
        time: Stats::of(&racer.seconds),
    };
    Ok(racers.into_iter().map(lap).collect())
}
