//! A step of several shards: each leaves its gradients, which are added in one binary tree, and the last one finishes
//! the step. What is added depends on nothing but how many shards there are.

use super::executor::{Batch, Executor, IN_FLIGHT, STEP, Work};
use super::{Error, Metrics};
use crate::ops::softmax_cross_entropy::METRICS;
use crate::plan;

/// A step some of whose shards were submitted.
#[derive(Clone, Copy, Default)]
pub(super) struct Filling {
    slot: usize,
    shards: usize,
    rows: u32,
}

impl Executor<'_> {
    /// Submits a shard of a step, the first one or the next, `last` if none follows: its gradients are added to those
    /// of the shards before, in a tree that depends on nothing but how many there are. Behind the last one the step
    /// is finished, and the metrics of the oldest step in flight are returned once two are.
    pub fn submit_shard(&mut self, batch: &Batch, last: bool) -> Result<Option<Metrics>, Error> {
        let mut oldest = None;
        if self.filling.is_none() {
            if self.pending.len() == IN_FLIGHT {
                oldest = self.finish_oldest()?;
            }
            self.begin_shards();
        }
        self.upload(Work::GRADIENTS, batch);
        self.encode_all(Work::GRADIENTS);
        self.join_shard(batch, last);
        if last {
            self.encode_all(Work::FINISH);
            self.end_shards();
            self.gpu.check(STEP)?;
        }
        Ok(oldest)
    }

    /// Begins a step of several shards.
    pub(crate) fn begin_shards(&mut self) {
        let slot = self.free_slots.pop();
        self.filling = Some(Filling {
            slot: slot.expect("no more steps in flight than slots"),
            ..Filling::default()
        });
    }

    /// Adds the gradients that a shard has left to those of the shards before, or keeps them for the next ones: two
    /// neighbours are added, then two such sums, and so on.
    pub(crate) fn join_shard(&mut self, batch: &Batch, last: bool) {
        let mut filling = self.filling.expect("a step was begun");
        let offset = 4 * METRICS * self.plan.heads.len() * filling.shards;
        let metrics = self.metrics_of(Work::GRADIENTS).into_iter().enumerate();
        let place = |i: usize| (offset + 4 * METRICS * i) as u64;
        let slot = &self.slots[filling.slot];
        let mut copies: Vec<_> = metrics
            .map(|(i, buffer)| (&buffer.0, slot, place(i)))
            .collect();
        let levels = |level: &usize| filling.shards >> level & 1 == 1;
        let complete = filling.shards.trailing_ones() as usize;
        let added = 0..usize::BITS as usize;
        let added = added
            .filter(levels)
            .take_while(|&level| last || level < complete);
        for level in added {
            self.encode_all(Work::whole(plan::SUMS[level]));
        }
        if !last {
            for region in &self.plan.regions {
                let partial = region.gradient.zip(region.partials.get(complete));
                copies.extend(
                    partial.map(|(from, &to)| (&self.buffers[from].0, &self.buffers[to].0, 0)),
                );
            }
        }
        self.encode(&[], &copies);
        filling.shards += 1;
        filling.rows += batch.step.valid_rows;
        self.filling = Some(filling);
    }

    /// The step is submitted: its metrics are on their way.
    pub(crate) fn end_shards(&mut self) {
        let Filling { slot, shards, rows } = self.filling.take().expect("a step was begun");
        let submission = self.encode(&[], &[]);
        self.await_metrics(Work::TRAIN, slot, shards, rows, submission);
    }
}
