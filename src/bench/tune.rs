//! The fastest variants and the fastest schedule for a network on one adapter.
//!
//! The kernels of a step race, variant against variant, each checked against its reference first. The
//! schedule is then improved one choice at a time: a step is the sum of its kernels, so another way
//! to cut the work needs no more than the times of the shapes that it brings along. At last whole
//! steps are timed, as the committed table and as the race have them.

use super::race::{self, Lap, race};
use super::report::Wrong;
use super::stats::Stats;
use super::subjects::Subjects;
use super::train::goes_on;
use super::{Error, check, first_batch, load, measure, resting};
use crate::data::Dataset;
use crate::gpu::{Executor, Gpu, Work};
use crate::network::Network;
use crate::ops::Step;
use crate::plan::{self, Options, Pins, Plan, Schedule};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

/// A variant must be so much faster than the committed one to take its place: less may be chance.
const MARGIN: f64 = 1.03;

/// Values of the schedule's numbers that are tried.
const IMAGES_PER_SPLIT: [u32; 5] = [1, 2, 4, 8, 16];
/// Workgroups of weight gradients whose shares are cut to make so many.
const WORKGROUPS: [u32; 3] = [256, 512, 1024];
const SPLIT_K: [u32; 4] = [1_440, 2_880, 5_760, 11_520];

/// What tuning found.
pub struct Outcome {
    pub model: String,
    pub batch: u32,
    /// Every shape of the best schedule, in the order of the step.
    pub shapes: Vec<Shape>,
    /// Every schedule that was tried, with the seconds of its kernels; the committed one first.
    pub schedules: Vec<(Schedule, f64)>,
    pub schedule: Schedule,
    pub winners: Pins,
    pub wrong: Vec<Wrong>,
    /// Seconds of a whole step by the committed table, and as tuned.
    pub steps: [Stats; 2],
}

/// The winner at one shape.
pub struct Shape {
    /// Kernel and shape, as [`plan::key`] has them.
    pub key: String,
    /// Dispatches of a step.
    pub count: usize,
    pub committed: &'static str,
    /// Seconds of the committed variant, if it was not left behind at the first look.
    pub committed_seconds: Option<f64>,
    pub winner: &'static str,
    pub seconds: f64,
}

/// What tuning is doing.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    Loading,
    /// So many kernels of so many.
    Checking(usize, usize),
    Race(race::Progress),
    /// Whole steps.
    Steps,
}

/// Tunes for at least `min_time`, plus what loading, checking and a first look take.
pub fn tune(
    gpu: &Gpu,
    network: &Network,
    batch: u32,
    min_time: Duration,
    observe: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let mut tuner = Tuner {
        gpu,
        network,
        batch,
        faces: Dataset::sample_faces(0, [batch as usize; 2]),
        min_time,
        observe,
        laps: BTreeMap::new(),
        wrong: Vec::new(),
    };
    let committed = Options::new(gpu.profile.clone());
    let (schedule, schedules) = tuner.best_schedule(&committed)?;
    let plan = tuner.plan(schedule)?;
    let shapes = tuner.shapes(&plan);
    // Those of the committed table too: what an earlier race said of these shapes is forgotten.
    let pairs = shapes.iter().map(|s| (s.key.clone(), s.winner.to_string()));
    let winners = Pins(pairs.collect());
    (tuner.observe)(Progress::Steps);
    let tuned = Options {
        schedule,
        tuned: winners.clone(),
        ..committed.clone()
    };
    let steps = [tuner.steps(&committed)?, tuner.steps(&tuned)?];
    Ok(Outcome {
        model: network.name.clone(),
        batch,
        shapes,
        schedules,
        schedule,
        winners,
        wrong: tuner.wrong,
        steps,
    })
}

/// A search on its way.
struct Tuner<'a> {
    gpu: &'a Gpu,
    network: &'a Network,
    batch: u32,
    faces: Dataset,
    min_time: Duration,
    observe: &'a mut dyn FnMut(Progress),
    /// The variants that raced at each shape.
    laps: BTreeMap<String, Vec<Lap>>,
    wrong: Vec<Wrong>,
}

impl Tuner<'_> {
    /// Improves the schedule one choice at a time; all that were tried, with their seconds.
    fn best_schedule(
        &mut self,
        committed: &Options,
    ) -> Result<(Schedule, Vec<(Schedule, f64)>), Error> {
        let mut best = committed.schedule;
        let mut tried = vec![(best, self.seconds(best)?)];
        let mut seen = vec![self.keys(best)?];
        let choices: [&dyn Fn(Schedule) -> Vec<Schedule>; 8] = [
            &|s| {
                let fuse_update = !s.fuse_update;
                vec![Schedule { fuse_update, ..s }]
            },
            &|s| {
                let join_siblings = !s.join_siblings;
                vec![Schedule { join_siblings, ..s }]
            },
            &|s| {
                let join_branches = !s.join_branches;
                vec![Schedule { join_branches, ..s }]
            },
            &|s| {
                let whole_dense = !s.whole_dense;
                vec![Schedule { whole_dense, ..s }]
            },
            &|s| {
                let join_products = !s.join_products;
                vec![Schedule { join_products, ..s }]
            },
            &|s| {
                let all = IMAGES_PER_SPLIT.into_iter();
                all.map(|images_per_split| Schedule {
                    images_per_split,
                    ..s
                })
                .collect()
            },
            &|s| match s.workgroups {
                Some(_) => WORKGROUPS
                    .map(|workgroups| Schedule {
                        workgroups: Some(workgroups),
                        ..s
                    })
                    .into(),
                None => Vec::new(),
            },
            &|s| {
                let all = SPLIT_K.into_iter();
                all.map(|split_k| Schedule { split_k, ..s }).collect()
            },
        ];
        for choice in choices {
            for schedule in choice(best) {
                // A network without large dense layers, say, is the same under many schedules.
                let keys = self.keys(schedule)?;
                if !seen.contains(&keys) {
                    tried.push((schedule, self.seconds(schedule)?));
                    seen.push(keys);
                }
            }
            let standing = tried.iter().find(|(s, _)| *s == best).expect("was tried");
            let fastest = tried.iter().min_by(|a, b| a.1.total_cmp(&b.1));
            let fastest = fastest.expect("the committed one at least");
            if MARGIN * fastest.1 < standing.1 {
                best = fastest.0;
            }
        }
        Ok((best, tried))
    }

    fn options(&self, schedule: Schedule) -> Options {
        Options {
            schedule,
            ..Options::new(self.gpu.profile.clone())
        }
    }

    fn load(&self, options: Options) -> Result<Executor<'_>, Error> {
        load(self.gpu, self.network, self.batch, &self.faces, options)
    }

    /// The plan of a schedule, as the committed table has its variants.
    fn plan(&self, schedule: Schedule) -> Result<Plan, Error> {
        let options = self.options(schedule);
        super::plan(self.network, self.batch, &self.faces, &options)
    }

    /// Kernels and shapes of a step.
    fn keys(&self, schedule: Schedule) -> Result<Vec<String>, Error> {
        let plan = self.plan(schedule)?;
        let key = |d: &plan::Dispatch| plan::key(d.op, &d.params);
        Ok(step(&plan).iter().map(key).collect())
    }

    /// Seconds of all kernels of a schedule, each as its fastest variant; shapes that were not seen
    /// before race first.
    fn seconds(&mut self, schedule: Schedule) -> Result<f64, Error> {
        let keys = self.keys(schedule)?;
        let unknown: HashSet<String> = keys
            .iter()
            .filter(|key| !self.laps.contains_key(*key))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            self.race(schedule, &unknown)?;
        }
        let seconds = |key: &String| self.laps[key].iter().map(|lap| lap.time.median);
        let fastest = keys
            .iter()
            .map(|key| seconds(key).fold(f64::INFINITY, f64::min));
        Ok(fastest.sum())
    }

    fn race(&mut self, schedule: Schedule, shapes: &HashSet<String>) -> Result<(), Error> {
        (self.observe)(Progress::Loading);
        let first = self.laps.is_empty();
        let options = self.options(schedule);
        let executor = load(self.gpu, self.network, self.batch, &self.faces, options)?;
        let mut batches = first_batch(&self.faces, self.batch, Some(&executor));
        let batch = batches.get(0, Step::new(1, 0, resting(Some(&executor))));
        let wanted = |d: &plan::Dispatch, _: usize| shapes.contains(&plan::key(d.op, &d.params));
        let subjects = Subjects::of_step(&executor, &batch, &wanted)?;
        let observe = &mut *self.observe;
        let wrong = check::check(self.gpu, &subjects.all, &mut |done, of| {
            observe(Progress::Checking(done, of))
        })?;
        // The other schedules bring only a few shapes along.
        let min_time = if first { self.min_time } else { Duration::ZERO };
        let laps = race(self.gpu, &subjects, &wrong, min_time, &mut |progress| {
            observe(Progress::Race(progress))
        })?;
        for lap in laps {
            self.laps.entry(lap.key.clone()).or_default().push(lap);
        }
        if let Some(key) = shapes.iter().find(|key| !self.laps.contains_key(*key)) {
            return Err(Error::AllWrong(key.clone()));
        }
        self.wrong.extend(wrong);
        Ok(())
    }

    /// The winners at each shape of a plan.
    fn shapes(&self, plan: &Plan) -> Vec<Shape> {
        let mut shapes: Vec<Shape> = Vec::new();
        for dispatch in step(plan) {
            let key = plan::key(dispatch.op, &dispatch.params);
            if let Some(seen) = shapes.iter_mut().find(|s| s.key == key) {
                seen.count += 1;
                continue;
            }
            let laps = &self.laps[&key];
            let committed = dispatch.variant_name();
            let standing = laps.iter().find(|lap| lap.variant == committed);
            let fastest = laps
                .iter()
                .min_by(|a, b| a.time.median.total_cmp(&b.time.median));
            let fastest = fastest.expect("someone raced at every shape");
            let keeps = |lap: &&Lap| lap.time.median <= MARGIN * fastest.time.median;
            let winner = standing.filter(keeps).unwrap_or(fastest);
            shapes.push(Shape {
                key,
                count: 1,
                committed,
                committed_seconds: standing.map(|lap| lap.time.median),
                winner: winner.variant,
                seconds: winner.time.median,
            });
        }
        shapes
    }

    /// Seconds of whole steps.
    fn steps(&self, options: &Options) -> Result<Stats, Error> {
        let mut executor = self.load(options.clone())?;
        let mut batches = first_batch(&self.faces, self.batch, Some(&executor));
        let batch = batches.get(0, Step::new(1, 0, resting(Some(&executor))));
        measure::time_of(&mut executor, Work::TRAIN, &batch)?;
        let mut seconds = Vec::new();
        let begun = Instant::now();
        while goes_on(seconds.len(), begun, self.min_time / 4) {
            seconds.push(measure::time_of(&mut executor, Work::TRAIN, &batch)?);
        }
        Ok(Stats::of(&seconds))
    }
}

/// The dispatches of a training step.
fn step(plan: &Plan) -> &[plan::Dispatch] {
    let program = plan.program(plan::TRAIN);
    &program.expect("a plan to train with").dispatches
}
