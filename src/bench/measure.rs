//! Times everything in rounds: each runs every kernel once, the ceilings and a whole step, so that
//! whatever slows the machine for a while slows all alike.

use super::Error;
use super::ceiling::{Climbers, clock};
use super::report::{Report, Row, Step, Wrong};
use super::stats::Stats;
use super::subjects::{Sets, Subject, Subjects};
use crate::cards::full;
use crate::gpu::{Batch, Executor, Gpu, Sample, Timed, Timer, Work};
use std::time::{Duration, Instant};

/// Rounds that a median needs at least, and that nobody needs more of.
const ROUNDS: std::ops::Range<usize> = 5..1000;

/// A kernel that has its share of samples and took this much of the time is left out of the rest.
const GREEDY: f64 = 0.25;

/// By the host's clock a sample lasts at least so long, or its submission would weigh too much.
const HOST_SECONDS: f64 = 2e-3;
const HOST_REPEATS: f64 = 64.0;

/// Times the subjects that are not wrong for at least `min_time`. `observe` hears the seconds spent
/// and to spend.
pub fn measure(
    gpu: &Gpu,
    mut step: Option<(&mut Executor, &Batch)>,
    subjects: &Subjects,
    wrong: Vec<Wrong>,
    min_time: Duration,
    observe: &mut dyn FnMut(f64, f64),
) -> Result<Report, Error> {
    let (timer, clock) = clock(gpu)?;
    let climbers = Climbers::new(gpu, &timer)?;
    let sets = subjects.sets(gpu)?;
    let mut trials = trials(gpu, &timer, subjects, &sets, &wrong)?;
    let mut peaks = vec![vec![]; climbers.samples().len()];
    let mut steps = vec![];
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS.start || begun.elapsed() < min_time && rounds < ROUNDS.end {
        observe(begun.elapsed().as_secs_f64(), min_time.as_secs_f64());
        let most = GREEDY * min_time.as_secs_f64();
        let mut running: Vec<&mut Trial> = trials
            .iter_mut()
            .filter(|t| t.seconds.len() < ROUNDS.start || t.total() < most)
            .collect();
        let mut samples = climbers.samples();
        samples.extend(running.iter().map(|t| t.sample(rounds)));
        let seconds = timer.time(&samples)?;
        let (of_peaks, of_trials) = seconds.split_at(peaks.len());
        let each = peaks.iter_mut().zip(of_peaks);
        each.for_each(|(all, &one)| all.push(one));
        let each = running.iter_mut().zip(of_trials);
        each.for_each(|(trial, &one)| trial.seconds.push(one));
        if let Some((executor, batch)) = &mut step {
            steps.push(time_of(executor, Work::TRAIN, batch)?);
        }
        rounds += 1;
    }
    let kernels: Vec<Row> = trials.iter().map(Trial::row).collect();
    let complete = subjects.complete && wrong.is_empty();
    let step = step.map(|(executor, _)| Step {
        model: executor.plan.model.clone(),
        batch: executor.program(Work::TRAIN).batch,
        dispatches: executor.dispatches(Work::TRAIN).len(),
        time: Stats::of(&steps),
        kernels: complete.then(|| {
            let each = kernels.iter().map(|row| row.count as f64 * row.time.median);
            each.sum()
        }),
    });
    Ok(Report {
        adapter: (&gpu.info).into(),
        tuned: None,
        clock,
        rounds,
        ceilings: climbers.ceilings(&peaks),
        full: full(&gpu.info.name, gpu.profile.class),
        kernels,
        wrong,
        step,
    })
}

/// A kernel in all its rounds.
struct Trial<'a> {
    subject: &'a Subject,
    timed: Timed,
    repeats: u32,
    seconds: Vec<f64>,
}

/// Prepares and warms up what is to be timed.
fn trials<'a>(
    gpu: &Gpu,
    timer: &Timer,
    subjects: &'a Subjects,
    sets: &Sets,
    wrong: &[Wrong],
) -> Result<Vec<Trial<'a>>, Error> {
    let mut trials = Vec::new();
    for subject in &subjects.all {
        if is_wrong(subject, wrong) {
            continue;
        }
        let Subject {
            op,
            variant,
            params,
            step,
            ..
        } = subject;
        let mut trial = Trial {
            subject,
            timed: gpu.prepare(*op, *variant, params, step, &sets.bounds(subject))?,
            repeats: 1,
            seconds: Vec::new(),
        };
        // The first launch may compile.
        let seconds = timer.time(&[trial.sample(0), trial.sample(1)])?[1];
        if !timer.is_device() {
            trial.repeats = (HOST_SECONDS / seconds).clamp(1.0, HOST_REPEATS) as u32;
        }
        trials.push(trial);
    }
    Ok(trials)
}

/// Was this kernel found to disagree with its reference?
pub fn is_wrong(subject: &Subject, wrong: &[Wrong]) -> bool {
    let is_it = |w: &Wrong| w.op == subject.op.name() && w.variant == subject.variant_name();
    wrong.iter().any(is_it)
}

impl Trial<'_> {
    fn sample(&self, round: usize) -> Sample<'_> {
        Sample {
            kernel: &self.timed,
            set: round,
            repeats: self.repeats,
        }
    }

    /// Seconds spent so far.
    fn total(&self) -> f64 {
        self.repeats as f64 * self.seconds.iter().sum::<f64>()
    }

    fn row(&self) -> Row {
        let s = self.subject;
        let cost = s.op.cost(&s.params);
        Row {
            op: s.op.name().into(),
            pass: s.pass,
            shape: s.shape.clone(),
            variant: s.variant_name().into(),
            layer: s.layer.clone(),
            planned: s.planned,
            count: s.count,
            grid: self.timed.workgroups(),
            flops: cost.flops,
            bytes: cost.bytes,
            time: Stats::of(&self.seconds),
        }
    }
}

/// Seconds from a program's upload until its metrics are on the host.
pub fn time_of(executor: &mut Executor, program: Work, batch: &Batch) -> Result<f64, Error> {
    let begun = Instant::now();
    executor.submit(program, batch)?;
    executor.drain()?;
    Ok(begun.elapsed().as_secs_f64())
}
