//! Times kernels: by the device's own clock around a pass, or by the host's around a submit.
//!
//! A kernel with its sets of buffers comes in, seconds of one dispatch go out. Every sample is a
//! submission of its own: submissions run one after the other, whereas dispatches that share no
//! buffer could overlap within one.

use super::Error;
use super::device::{Buffer, Gpu};
use super::kernel::{Bound, Checks, Kernel};
use crate::ops::{AnyOp, Step};
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// Samples that one query set holds.
const SAMPLES: u32 = 256;

/// A kernel bound to one or more sets of buffers, ready to be launched again and again.
pub struct Timed {
    kernel: Arc<Kernel>,
    groups: Vec<wgpu::BindGroup>,
    grid: [u32; 2],
}

/// One sample to take.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    pub kernel: &'a Timed,
    /// The first set of buffers; repeats take the next ones in turn.
    pub set: usize,
    /// Dispatches, of which one's share is reported.
    pub repeats: u32,
}

/// Takes samples, by one of two clocks.
pub struct Timer<'g> {
    gpu: &'g Gpu,
    device: Option<DeviceClock>,
}

/// Timestamps on the device, and their way to the host.
pub(super) struct DeviceClock {
    pub(super) queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    mapped: wgpu::Buffer,
    /// Seconds of a tick.
    pub(super) tick: f64,
}

impl Timed {
    /// Workgroups of a launch along x, y and z.
    pub fn workgroups(&self) -> [u32; 3] {
        [self.grid[0], self.grid[1], 1]
    }
}

impl Gpu {
    /// Compiles a kernel and binds it to each of `sets`.
    pub fn prepare(
        &self,
        op: &'static dyn AnyOp,
        variant: usize,
        params: &[u8],
        step: &Step,
        sets: &[Vec<Bound>],
    ) -> Result<Timed, Error> {
        let kernel = self.kernel(op, variant, Checks::Off)?;
        let params_buffer = self.uniform("params", params);
        let step_buffer = self.uniform("step", bytemuck::bytes_of(step));
        let (params_bound, step_bound) = (Bound::whole(&params_buffer), Bound::whole(&step_buffer));
        let bind = |set: &Vec<Bound>| self.bind(op, &kernel, params_bound, step_bound, set);
        let groups = sets.iter().map(bind).collect();
        let grid = self.grid(op.workgroups(variant, params));
        self.check(op.name())?;
        Ok(Timed {
            kernel,
            groups,
            grid,
        })
    }

    /// A copy of a range of a buffer, made on the device.
    pub fn duplicate(&self, label: &str, from: Bound) -> Result<Buffer, Error> {
        let copy = self.storage(label, from.bytes)?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&from.buffer.0, from.offset, &copy.0, 0, from.bytes);
        self.submit(encoder);
        Ok(copy)
    }
}

impl<'g> Timer<'g> {
    /// Times by the host's clock: a sample then includes its submission and the wait for it.
    pub fn host(gpu: &'g Gpu) -> Timer<'g> {
        Timer { gpu, device: None }
    }

    /// Times by the device's clock, if it has one.
    pub fn device(gpu: &'g Gpu) -> Result<Option<Timer<'g>>, Error> {
        let clock = DeviceClock::new(gpu, 2 * SAMPLES)?;
        Ok(clock.map(|clock| Timer {
            gpu,
            device: Some(clock),
        }))
    }

    /// Does the device's own clock count?
    pub fn is_device(&self) -> bool {
        self.device.is_some()
    }

    /// Seconds of one dispatch for each sample, taken in their order.
    pub fn time(&self, samples: &[Sample]) -> Result<Vec<f64>, Error> {
        let Some(clock) = &self.device else {
            return samples.iter().map(|s| self.by_host(s)).collect();
        };
        let mut seconds = Vec::with_capacity(samples.len());
        for some in samples.chunks(SAMPLES as usize) {
            for (i, sample) in some.iter().enumerate() {
                let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
                sample.encode(&mut encoder, clock.writes(2 * i as u32));
                self.gpu.submit(encoder);
            }
            let ticks = clock.read(self.gpu, 2 * some.len() as u32)?;
            let pairs = some.iter().zip(ticks.chunks(2));
            seconds.extend(pairs.map(|(sample, at)| {
                // A clock that runs backwards gives zero, which nobody takes for a time.
                let elapsed = at[1].saturating_sub(at[0]) as f64 * clock.tick;
                elapsed / sample.repeats as f64
            }));
        }
        Ok(seconds)
    }

    fn by_host(&self, sample: &Sample) -> Result<f64, Error> {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        sample.encode(&mut encoder, None);
        let begun = Instant::now();
        self.gpu.submit(encoder);
        self.gpu.wait("a timed kernel", None)?;
        Ok(begun.elapsed().as_secs_f64() / sample.repeats as f64)
    }
}

impl DeviceClock {
    /// Room for so many timestamps; none where the device has no clock.
    pub(super) fn new(gpu: &Gpu, count: u32) -> Result<Option<DeviceClock>, Error> {
        let tick = gpu.queue.get_timestamp_period() as f64 * 1e-9;
        let features = gpu.device.features();
        if !features.contains(wgpu::Features::TIMESTAMP_QUERY) || tick <= 0.0 {
            return Ok(None);
        }
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: 8 * count as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let mapped = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        gpu.check("the timestamps")?;
        Ok(Some(DeviceClock {
            queries,
            resolved,
            mapped,
            tick,
        }))
    }

    /// The first `count` timestamps, once all that was submitted is done.
    pub(super) fn read(&self, gpu: &Gpu, count: u32) -> Result<Vec<u64>, Error> {
        let what = "the timestamps";
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let bytes = 8 * count as u64;
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.mapped, 0, bytes);
        gpu.submit(encoder);
        let (send, receive) = mpsc::channel();
        let range = self.mapped.slice(0..bytes);
        range.map_async(wgpu::MapMode::Read, move |result| drop(send.send(result)));
        gpu.wait(what, None)?;
        let lost = |cause: &dyn ToString| gpu.lost(what, cause.to_string());
        receive
            .recv()
            .map_err(|e| lost(&e))?
            .map_err(|e| lost(&e))?;
        let ticks = {
            let view = range.get_mapped_range().map_err(|e| lost(&e))?;
            bytemuck::pod_collect_to_vec(&view)
        };
        self.mapped.unmap();
        Ok(ticks)
    }

    fn writes(&self, first: u32) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        })
    }
}

impl Sample<'_> {
    fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites>,
    ) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes,
        });
        let Timed {
            kernel,
            groups,
            grid,
        } = self.kernel;
        pass.set_pipeline(&kernel.pipeline);
        for repeat in 0..self.repeats as usize {
            pass.set_bind_group(0, &groups[(self.set + repeat) % groups.len()], &[]);
            pass.dispatch_workgroups(grid[0], grid[1], 1);
        }
    }
}
