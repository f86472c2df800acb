//! Streams parameters between Keras's layout on the host and the plan's on the device, in
//! chunks of at most 32 MiB; packing is a kernel.

use super::Error;
use super::device::Gpu;
use super::executor::Executor;
use super::kernel::{Bound, Checks};
use crate::ops::Step;
use crate::ops::non_finite::{self, NonFinite};
use crate::ops::pack::{Pack, PackParams, Unpack};
use crate::plan::{PanelWindow, Storage};
use crate::random;
use crate::tensor::Shape;
use std::ops::Range;

/// Bytes that one chunk moves.
const CHUNK: u64 = 32 << 20;

/// Bytes that are looked at in one dispatch.
const LOOK: u64 = 128 << 20;

/// Which of a parameter's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Weights,
    Moment1,
    Moment2,
}

/// Share of the initial weights in the random streams of a seed.
const INITIAL: u64 = 0;

impl Executor<'_> {
    /// Draws kernels Glorot uniform (Keras's default), zeroes biases and Adam's moments.
    pub fn draw_parameters(&self, seed: u64) -> Result<(), Error> {
        self.zero_parameters();
        for (index, parameter) in self.plan.parameters.iter().enumerate() {
            if parameter.shape.0.len() == 1 {
                continue;
            }
            let stream = random::stream(&[seed, INITIAL, index as u64]);
            let limit = glorot_limit(&parameter.shape);
            self.write_parameter(index, Role::Weights, |range, values: &mut [f32]| {
                random::fill_uniform(stream, range.start as u64, limit, values);
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }

    /// Fills a parameter: `source` writes the elements of a range, in Keras's order.
    pub fn write_parameter<E: From<Error>>(
        &self,
        index: usize,
        role: Role,
        mut source: impl FnMut(Range<usize>, &mut [f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let parameter = &self.plan.parameters[index];
        match &parameter.storage {
            Storage::Flat { buffers, offset } => {
                let mut values = vec![0.0; parameter.shape.len()];
                source(0..values.len(), &mut values)?;
                self.gpu.upload(
                    self.buffer(buffers[role as usize]),
                    *offset,
                    bytemuck::cast_slice(&values),
                );
            }
            Storage::Panels {
                k,
                n,
                pixels,
                windows,
            } => {
                let rows = chunk_rows(*k, *n);
                let chunk = self
                    .gpu
                    .storage("rows to pack", 4 * rows as u64 * *n as u64)?;
                let mut values = Vec::new();
                for first in (0..*k).step_by(rows as usize) {
                    let count = rows.min(k - first);
                    let range = (first * n) as usize..((first + count) * n) as usize;
                    values.resize(range.len(), 0.0);
                    source(range, &mut values)?;
                    self.gpu.upload(&chunk, 0, bytemuck::cast_slice(&values));
                    for window in windows {
                        let params = pack_params(*k, *n, *pixels, first..first + count, window);
                        let panels = self.panels(window, &params, role);
                        let rows = Bound {
                            bytes: 4 * values.len() as u64,
                            ..Bound::whole(&chunk)
                        };
                        pack(self.gpu, &params, [rows, panels])?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a parameter: `sink` gets the elements of a range, in Keras's order.
    pub fn read_parameter<E: From<Error>>(
        &self,
        index: usize,
        role: Role,
        mut sink: impl FnMut(Range<usize>, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let parameter = &self.plan.parameters[index];
        match &parameter.storage {
            Storage::Flat { buffers, offset } => {
                let len = parameter.shape.len();
                let buffer = self.buffer(buffers[role as usize]);
                self.gpu.download(
                    &parameter.name,
                    buffer,
                    *offset,
                    4 * len as u64,
                    |bytes| sink(0..len, bytemuck::cast_slice(bytes)),
                )??;
            }
            Storage::Panels {
                k,
                n,
                pixels,
                windows,
            } => {
                let rows = chunk_rows(*k, *n);
                let chunk = self
                    .gpu
                    .storage("unpacked rows", 4 * rows as u64 * *n as u64)?;
                for first in (0..*k).step_by(rows as usize) {
                    let count = rows.min(k - first);
                    let range = (first * n) as usize..((first + count) * n) as usize;
                    let bytes = 4 * range.len() as u64;
                    for window in windows {
                        let params = pack_params(*k, *n, *pixels, first..first + count, window);
                        let panels = self.panels(window, &params, role);
                        let rows = Bound {
                            bytes,
                            ..Bound::whole(&chunk)
                        };
                        unpack(self.gpu, &params, [panels, rows])?;
                    }
                    self.gpu
                        .download(&parameter.name, &chunk, 0, bytes, |bytes| {
                            sink(range, bytemuck::cast_slice(bytes))
                        })??;
                }
            }
        }
        Ok(())
    }

    /// How many weights are infinite or NaN: counted on the device. A moment that is makes its
    /// weight so in the same step, or leaves it where it was.
    pub fn non_finite_weights(&self) -> Result<u64, Error> {
        let counts = self.gpu.storage("counts", 4 * non_finite::SHARES as u64)?;
        let largest = LOOK.min(self.gpu.profile.limits.max_storage_binding / 256 * 256);
        let mut found = 0.0;
        for buffer in self.plan.weight_buffers() {
            let buffer = self.buffer(buffer);
            for offset in (0..buffer.size()).step_by(largest as usize) {
                let bytes = largest.min(buffer.size() - offset);
                let params = NonFinite {
                    count: (bytes / 4) as u32,
                };
                let block = Bound {
                    buffer,
                    offset,
                    bytes,
                };
                let bound = [block, Bound::whole(&counts)];
                let params = bytemuck::bytes_of(&params);
                let step = Step::default();
                let op = &non_finite::Count;
                self.gpu
                    .run_once(op, 0, Checks::Off, params, &step, &bound)?;
                found +=
                    self.gpu
                        .download("counts", &counts, 0, counts.size(), |bytes| -> f64 {
                            let counts: &[f32] = bytemuck::cast_slice(bytes);
                            counts.iter().map(|&count| count as f64).sum()
                        })?;
            }
        }
        Ok(found as u64)
    }

    fn panels(&self, window: &PanelWindow, params: &PackParams, role: Role) -> Bound<'_> {
        let buffer = self.buffer(window.buffers[role as usize]);
        Bound {
            buffer,
            offset: window.offset,
            bytes: 4 * params.window_len() as u64,
        }
    }
}

/// sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010; Keras `GlorotUniform`).
fn glorot_limit(shape: &Shape) -> f64 {
    let (fan_in, fan_out) = shape.fans();
    (6.0 / (fan_in + fan_out) as f64).sqrt()
}

fn chunk_rows(k: u32, n: u32) -> u32 {
    ((CHUNK / (4 * n as u64)) as u32).clamp(1, k)
}

fn pack_params(k: u32, n: u32, pixels: u32, rows: Range<u32>, window: &PanelWindow) -> PackParams {
    let PanelWindow {
        first_panel,
        panels,
        ..
    } = *window;
    PackParams {
        k,
        n,
        first_row: rows.start,
        chunk_rows: rows.end - rows.start,
        first_panel,
        panels,
        pixels,
    }
}

fn pack(gpu: &Gpu, params: &PackParams, bound: [Bound; 2]) -> Result<(), Error> {
    gpu.run_once(
        &Pack,
        0,
        Checks::Off,
        bytemuck::bytes_of(params),
        &Step::default(),
        &bound,
    )
}

fn unpack(gpu: &Gpu, params: &PackParams, bound: [Bound; 2]) -> Result<(), Error> {
    gpu.run_once(
        &Unpack,
        0,
        Checks::Off,
        bytemuck::bytes_of(params),
        &Step::default(),
        &bound,
    )
}
