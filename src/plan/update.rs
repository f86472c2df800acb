//! What a training step does with the gradients: L2 is added, they are clipped, weights decay, the rule is applied,
//! and what moves with the weights moves. Which of it is there follows from the options and from what each run of
//! the placement is.
//!
//! What stands before the rule is the same for weights whose gradients are kept over the step, run by run here, and
//! for those that are spent window by window ([`crate::graph::Emit::update`]).

use super::emitter::Emitter;
use super::placement::{Placement, Run, SHARED, Storage, Treatment};
use super::{
    BufferSpec, Clip, Dispatch, Error, Mode, Options, Program, Range, SUMS, Training, shares,
    variants,
};
use crate::graph::Place;
use crate::ops::Phase;
use crate::ops::decay::DecayWeights;
use crate::ops::moving_statistic::{Moving, MovingStatistic};
use crate::ops::norms::{ClipScale, L2Penalty, Norm, ScaleGradient, SquareSums};
use crate::ops::regularize::{Accumulate, ClipValue, L2Gradient};
use crate::ops::update::{BLOCK, Update, Weighted};
use crate::ops::weight_average::WeightAverage;

impl Training {
    /// Is there nothing to do with a weight but its rule?
    pub(super) fn is_plain(&self, treatment: &Treatment) -> bool {
        let alone = matches!(
            treatment,
            Treatment::Trained {
                l2: 0.0,
                decayed: false
            }
        );
        alone && self.clip.is_none()
    }
}

/// The gradient of the L2 penalty.
pub(super) fn add_l2(
    emitter: &mut Emitter,
    at: Place,
    count: u32,
    gradient: Place,
    treatment: Treatment,
) {
    if let Treatment::Trained { l2, .. } = treatment
        && l2 != 0.0
    {
        let factor = 2.0 * l2;
        emitter.push(&L2Gradient, &Weighted { count, factor }, &[gradient, at]);
    }
}

pub(super) fn clip_by_value(emitter: &mut Emitter, count: u32, gradient: Place) {
    if let Some(Clip::Value(factor)) = emitter.options.training.clip {
        emitter.push(&ClipValue, &Weighted { count, factor }, &[gradient]);
    }
}

pub(super) fn decay(emitter: &mut Emitter, at: Place, count: u32, treatment: Treatment) {
    if let Treatment::Trained { decayed: true, .. } = treatment {
        let flag = emitter.flag.expect("a training program has a flag");
        emitter.push(&DecayWeights, &Update { count }, &[flag, at]);
    }
}

/// Adds the L2 penalty of all weights to the main head's metrics.
pub(super) fn penalty(emitter: &mut Emitter, metrics: Place) {
    for run in emitter.placement.runs.clone() {
        let Treatment::Trained { l2, .. } = run.treatment else {
            continue;
        };
        if l2 != 0.0 {
            let blocks = blocks(&run);
            let params = Norm {
                blocks,
                first: 0,
                count: blocks,
                limit: l2,
            };
            let sums = emitter.transient("squares".into(), blocks as usize);
            let values = Place {
                buffer: emitter.values(run.region),
                offset: run.offset,
            };
            emitter.begin(0, "l2", Phase::Loss);
            emitter.push(&SquareSums, &params, &[values, sums]);
            emitter.push(&L2Penalty, &params, &[sums, metrics]);
        }
    }
}

/// What is left of a training step once all gradients that are kept are there.
pub(super) fn finish(emitter: &mut Emitter) {
    shares::finish(emitter);
    let kept = kept(emitter);
    emitter.begin(0, "parameters", Phase::Update);
    for Kept { run, at, gradient } in kept.clone() {
        add_l2(emitter, at, run.words, gradient, run.treatment);
    }
    clip_by_norm(emitter, &kept);
    for Kept { run, at, gradient } in kept.clone() {
        clip_by_value(emitter, run.words, gradient);
        decay(emitter, at, run.words, run.treatment);
    }
    apply_rule(emitter, &kept);
    emitter.begin(0, "state", Phase::Update);
    move_statistics(emitter);
    emitter.begin(0, "average", Phase::Update);
    move_averages(emitter);
}

/// A run of trained weights whose gradients are kept over the step.
#[derive(Clone, Copy)]
struct Kept {
    run: Run,
    at: Place,
    gradient: Place,
}

fn kept(emitter: &Emitter) -> Vec<Kept> {
    let placement = emitter.placement;
    let trained = |run: &&Run| matches!(run.treatment, Treatment::Trained { .. });
    let kept = |run: &Run| {
        let region = &placement.regions[run.region];
        let place = |buffer| Place {
            buffer,
            offset: run.offset,
        };
        Some(Kept {
            run: *run,
            at: place(region.values),
            gradient: place(region.gradient?),
        })
    };
    placement
        .runs
        .iter()
        .filter(trained)
        .filter_map(kept)
        .collect()
}

fn blocks(run: &Run) -> u32 {
    run.words / BLOCK as u32
}

/// One dispatch updates the whole shared region: its runs are its only parts that are treated apart before.
fn apply_rule(emitter: &mut Emitter, kept: &[Kept]) {
    let shared = |kept: &&Kept| kept.run.region == SHARED;
    let words = kept.iter().filter(shared).map(|kept| kept.run.words).sum();
    if let Some(first) = kept.iter().find(shared) {
        emitter.push_update(first.at, words, first.gradient);
    }
    for one in kept.iter().filter(|kept| kept.run.region != SHARED) {
        emitter.push_update(one.at, one.run.words, one.gradient);
    }
}

/// Each tensor, or all together, to a norm of at most the limit.
fn clip_by_norm(emitter: &mut Emitter, kept: &[Kept]) {
    let (limit, global) = match emitter.options.training.clip {
        Some(Clip::Norm(limit)) => (limit, false),
        Some(Clip::GlobalNorm(limit)) => (limit, true),
        Some(Clip::Value(_)) | None => return,
    };
    let total: u32 = kept.iter().map(|kept| blocks(&kept.run)).sum();
    if total == 0 {
        return;
    }
    let sums = emitter.transient("squares".into(), total as usize);
    let scale = emitter.transient("scale".into(), total as usize);
    let of = |first, count| Norm {
        blocks: total,
        first,
        count,
        limit,
    };
    let mut firsts = Vec::new();
    let mut first = 0;
    for Kept { run, gradient, .. } in kept {
        firsts.push(first);
        emitter.push(&SquareSums, &of(first, blocks(run)), &[*gradient, sums]);
        first += blocks(run);
    }
    let ranges = match global {
        true => vec![(0, total)],
        false => tensors(emitter, kept, &firsts),
    };
    for (first, count) in ranges {
        emitter.push(&ClipScale, &of(first, count), &[sums, scale]);
    }
    for (Kept { run, gradient, .. }, first) in kept.iter().zip(firsts) {
        emitter.push(&ScaleGradient, &of(first, blocks(run)), &[*gradient, scale]);
    }
}

/// (first block, blocks) of each trained tensor, where the runs begin at the blocks `firsts`.
fn tensors(emitter: &Emitter, kept: &[Kept], firsts: &[u32]) -> Vec<(u32, u32)> {
    let block = BLOCK as u64 * 4;
    let first_of = |region: usize, offset: u64| {
        let runs = kept.iter().zip(firsts);
        let mut inside = runs.filter(|(kept, _)| {
            let Run {
                offset: start,
                words,
                ..
            } = kept.run;
            kept.run.region == region && (start..start + 4 * words as u64).contains(&offset)
        });
        let (kept, first) = inside.next()?;
        Some((kept, first + ((offset - kept.run.offset) / block) as u32))
    };
    let range = |parameter: &super::Parameter| {
        let pieces = parameter.storage.pieces();
        let (region, offset) = pieces[0];
        let (_, first) = first_of(region, offset)?;
        let count = match (&parameter.storage, &pieces[..]) {
            // Each window of a large kernel is a run of its own, one behind the other.
            (Storage::Panels { .. }, [_, _, ..]) => pieces
                .iter()
                .filter_map(|&(region, offset)| first_of(region, offset))
                .map(|(kept, _)| blocks(&kept.run))
                .sum(),
            (storage, _) => storage.words(parameter.shape.len()).div_ceil(BLOCK) as u32,
        };
        Some((first, count))
    };
    let parameters = emitter.placement.parameters.iter();
    let trained = parameters.filter(|parameter| parameter.is_trained());
    trained.filter_map(range).collect()
}

/// What layers keep of the batches' statistics.
fn move_statistics(emitter: &mut Emitter) {
    let flag = emitter.flag.expect("a training program has a flag");
    for run in emitter.placement.runs.clone() {
        let Treatment::Averaged { momentum } = run.treatment else {
            continue;
        };
        let region = &emitter.placement.regions[run.region];
        let place = |buffer| Place {
            buffer,
            offset: run.offset,
        };
        let statistic = place(region.gradient.expect("it trains"));
        let state = place(region.values);
        let params = Moving {
            count: run.words,
            momentum,
            gain: 1.0 - momentum,
        };
        emitter.push(&MovingStatistic, &params, &[statistic, flag, state]);
    }
}

/// The averages over the steps, of weights and of what layers keep.
fn move_averages(emitter: &mut Emitter) {
    let flag = emitter.flag.expect("a training program has a flag");
    for run in emitter.placement.runs.clone() {
        let region = &emitter.placement.regions[run.region];
        let place = |buffer| Place {
            buffer,
            offset: run.offset,
        };
        if let Some(average) = region.average {
            let places = [place(region.values), flag, place(average)];
            emitter.push(&WeightAverage, &Update { count: run.words }, &places);
        }
    }
}

/// The programs that add the gradients of shards: level by level, region by region.
pub(super) fn sums(
    placement: &Placement,
    options: &Options,
    buffers: &[BufferSpec],
    batch: u32,
) -> Result<Vec<Program>, Error> {
    let levels = options.training.shards.ilog2() as usize;
    let program = |level: usize| {
        let mut dispatches = Vec::new();
        for region in &placement.regions {
            let Some(gradient) = region.gradient else {
                continue;
            };
            let bytes = buffers[gradient].bytes;
            // Windows that any binding can cover, and that begin where bindings may.
            let largest = options.profile.limits.max_storage_binding / 256 * 256;
            for offset in (0..bytes).step_by(largest as usize) {
                let range = |buffer| Range {
                    buffer,
                    offset,
                    bytes: largest.min(bytes - offset),
                };
                let bindings = vec![range(gradient), range(region.partials[level])];
                dispatches.push(accumulate(options, &region.name, bindings)?);
            }
        }
        Ok(Program {
            name: SUMS[level],
            mode: Mode::Train,
            batch,
            ports: Vec::new(),
            dispatches,
        })
    };
    (0..levels).map(program).collect()
}

fn accumulate(options: &Options, label: &str, bindings: Vec<Range>) -> Result<Dispatch, Error> {
    let count = (bindings[0].bytes / 4) as u32;
    let params = bytemuck::bytes_of(&Weighted { count, factor: 1.0 }).to_vec();
    Ok(Dispatch {
        op: &Accumulate,
        variant: variants::choose(&Accumulate, &params, Mode::Train, options)?,
        label: label.into(),
        phase: Phase::Update,
        params,
        bindings,
    })
}
