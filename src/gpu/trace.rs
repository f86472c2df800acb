//! Timestamps inside the pass of a step: when each dispatch began and ended, in the step's own order and submits,
//! with its own barriers.
//!
//! A timestamp is written once all before it is done. Between two dispatches wgpu puts the barrier before the second,
//! behind any timestamp; so a launch of no workgroups goes first and draws the barrier, and the time that a dispatch
//! begins is told behind it. What lies between the end of one and that is the gap. Dispatches that overlap are told
//! apart by their ends: the later one shows what it adds.

use super::executor::{Batch, Executor, Work};
use super::timing::DeviceClock;
use super::{Error, Gpu};

/// Timestamps that a query set may hold.
const MOST: usize = wgpu::QUERY_SET_MAX_QUERIES as usize;

/// Which timestamps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Around every dispatch.
    Each,
    /// Before the first and behind the last: the step runs as it always does.
    Ends,
}

/// Room for the timestamps of a program.
pub struct Tracer<'g> {
    gpu: &'g Gpu,
    clock: DeviceClock,
}

impl Gpu {
    /// Why a program of so many dispatches cannot be traced here, if so.
    pub fn untraceable(&self, dispatches: usize) -> Option<String> {
        let features = self.device.features();
        if !features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES) {
            return Some("it has no timestamps inside a pass".into());
        }
        (2 * dispatches > MOST).then(|| {
            let most = MOST / 2;
            format!("timestamps are had for {most} dispatches, and there are {dispatches}")
        })
    }
}

impl<'g> Tracer<'g> {
    /// Room for so many dispatches; none where they are [`Gpu::untraceable`].
    pub fn new(gpu: &'g Gpu, dispatches: usize) -> Result<Option<Tracer<'g>>, Error> {
        if gpu.untraceable(dispatches).is_some() {
            return Ok(None);
        }
        let clock = DeviceClock::new(gpu, 2 * dispatches.max(1) as u32)?;
        Ok(clock.map(|clock| Tracer { gpu, clock }))
    }

    /// Seconds of the first timestamps, in pairs, from the first one on.
    fn seconds(&self, pairs: usize) -> Result<Vec<[f64; 2]>, Error> {
        let ticks = self.clock.read(self.gpu, 2 * pairs as u32)?;
        let first = ticks.first().copied().unwrap_or(0);
        // A clock that runs backwards gives zero, which nobody takes for a time.
        let since = |tick: u64| tick.saturating_sub(first) as f64 * self.clock.tick;
        let pairs = ticks.as_chunks::<2>().0.iter();
        Ok(pairs.map(|pair| pair.map(since)).collect())
    }
}

impl Executor<'_> {
    /// Runs a work, waits for it, and returns seconds from its first timestamp on: when each dispatch began and
    /// ended, or by [`Marks::Ends`] all of them together.
    pub fn trace(
        &mut self,
        tracer: &Tracer,
        work: Work,
        batch: &Batch,
        marks: Marks,
    ) -> Result<Vec<[f64; 2]>, Error> {
        self.upload(work, batch);
        for part in self.submits(work) {
            self.encode_marked(work, part, tracer, marks);
        }
        self.metrics(work, batch.step.valid_rows)?;
        match marks {
            Marks::Each => tracer.seconds(self.launches(work).len()),
            Marks::Ends => tracer.seconds(1),
        }
    }

    /// Submits launches with the timestamps before and behind them.
    fn encode_marked(
        &self,
        work: Work,
        part: std::ops::Range<usize>,
        tracer: &Tracer,
        marks: Marks,
    ) {
        let launches = self.launches(work);
        let queries = &tracer.clock.queries;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for index in part {
            let launch = &launches[index];
            pass.set_pipeline(&launch.kernel.pipeline);
            pass.set_bind_group(0, &launch.group, &[]);
            match marks {
                Marks::Each => {
                    pass.dispatch_workgroups(0, 0, 0);
                    pass.write_timestamp(queries, 2 * index as u32);
                }
                Marks::Ends if index == 0 => pass.write_timestamp(queries, 0),
                Marks::Ends => {}
            }
            pass.dispatch_workgroups(launch.grid[0], launch.grid[1], 1);
            match marks {
                Marks::Each => pass.write_timestamp(queries, 2 * index as u32 + 1),
                Marks::Ends if index + 1 == launches.len() => pass.write_timestamp(queries, 1),
                Marks::Ends => {}
            }
        }
        drop(pass);
        self.gpu.submit(encoder);
    }
}
