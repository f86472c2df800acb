//! Streams parameters between Keras's layout on the host and the plan's on the device, in
//! chunks of at most 32 MiB; packing is a kernel.

use super::Error;
use super::device::{Buffer, Gpu};
use super::executor::Executor;
use super::kernel::{Bound, Checks};
use crate::graph::Init;
use crate::ops::Step;
use crate::ops::non_finite::{self, NonFinite};
use crate::ops::pack::{Pack, PackParams, Unpack};
use crate::plan::{ColumnRange, PanelWindow, Parameter, Storage};
use crate::random;
use std::ops::Range;

/// Bytes that one chunk moves.
const CHUNK: u64 = 32 << 20;

/// Bytes that are looked at in one dispatch.
const LOOK: u64 = 128 << 20;

/// Which of a parameter's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tensor {
    Values,
    /// What the optimiser's rule keeps for it, by the number of the slot.
    Slot(usize),
    /// Its average over the steps, where one is kept.
    Average,
}

/// Share of the initial weights in the random streams of a seed.
const INITIAL: u64 = 0;

impl Executor<'_> {
    /// Begins all parameters as their layers declare it, and zeroes the optimiser's slots. What is drawn is
    /// drawn by the tensor's name: another layer beside it changes nothing.
    pub fn draw_parameters(&self, seed: u64) -> Result<(), Error> {
        self.zero_parameters();
        for (index, parameter) in self.plan.parameters.iter().enumerate() {
            let name = xxhash_rust::xxh3::xxh3_64(parameter.name.as_bytes());
            let stream = random::stream(&[seed, INITIAL, name]);
            if parameter.init != Init::Zeros {
                self.write_parameter(index, Tensor::Values, |range, values: &mut [f32]| {
                    draw(parameter.init, stream, range.start as u64, values);
                    Ok::<(), Error>(())
                })?;
            }
        }
        self.begin_averages();
        Ok(())
    }

    /// Fills a parameter: `source` writes the elements of a range, in Keras's order.
    pub fn write_parameter<E: From<Error>>(
        &self,
        index: usize,
        which: Tensor,
        mut source: impl FnMut(Range<usize>, &mut [f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.weights_changed();
        let parameter = &self.plan.parameters[index];
        match &parameter.storage {
            Storage::Flat { region, offset } => {
                let mut values = vec![0.0; parameter.shape.len()];
                source(0..values.len(), &mut values)?;
                self.gpu.upload(
                    self.held(*region, which),
                    *offset,
                    bytemuck::cast_slice(&values),
                );
            }
            Storage::Columns(range) => {
                let mut values = vec![0.0; parameter.shape.len()];
                source(0..values.len(), &mut values)?;
                let mut matrix = self.matrix(range, parameter, which)?;
                let own = parameter.shape.columns() as usize;
                for (to, from) in rows(&mut matrix, range, own).zip(values.chunks(own)) {
                    to.copy_from_slice(bytemuck::cast_slice(from));
                }
                let buffer = self.held(range.region, which);
                self.gpu
                    .upload(buffer, range.offset, bytemuck::cast_slice(&matrix));
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
                        let panels = self.panels(window, &params, which);
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
        which: Tensor,
        mut sink: impl FnMut(Range<usize>, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let parameter = &self.plan.parameters[index];
        match &parameter.storage {
            Storage::Flat { region, offset } => {
                let len = parameter.shape.len();
                let buffer = self.held(*region, which);
                self.gpu.download(
                    &parameter.name,
                    buffer,
                    *offset,
                    4 * len as u64,
                    |bytes| sink(0..len, bytemuck::cast_slice(bytes)),
                )??;
            }
            Storage::Columns(range) => {
                let mut matrix = self.matrix(range, parameter, which)?;
                let own = parameter.shape.columns() as usize;
                let values: Vec<u32> = rows(&mut matrix, range, own)
                    .flat_map(|row| row.to_vec())
                    .collect();
                sink(0..values.len(), bytemuck::cast_slice(&values))?;
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
                        let panels = self.panels(window, &params, which);
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

    /// Begins the averages over the steps with what the weights are now; where the plan keeps none, nothing happens.
    pub fn begin_averages(&self) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for region in &self.plan.regions {
            if let Some(average) = region.average {
                let [from, to] = [region.values, average].map(|id| &self.buffer(id).0);
                encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size());
            }
        }
        self.gpu.submit(encoder);
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

    /// The words of the matrix in which a parameter has columns.
    fn matrix(
        &self,
        range: &ColumnRange,
        parameter: &Parameter,
        which: Tensor,
    ) -> Result<Vec<u32>, Error> {
        let rows = parameter.shape.len() / parameter.shape.columns() as usize;
        let words = rows * range.columns as usize;
        let buffer = self.held(range.region, which);
        self.gpu.words(buffer, range.offset, words)
    }

    /// The buffer of a region's values or of a slot.
    fn held(&self, region: usize, which: Tensor) -> &Buffer {
        let region = &self.plan.regions[region];
        self.buffer(match which {
            Tensor::Values => region.values,
            Tensor::Slot(slot) => region.slots[slot],
            Tensor::Average => region.average.expect("the plan keeps an average"),
        })
    }

    fn panels(&self, window: &PanelWindow, params: &PackParams, which: Tensor) -> Bound<'_> {
        let buffer = self.held(window.region, which);
        Bound {
            buffer,
            offset: window.offset,
            bytes: 4 * params.window_len() as u64,
        }
    }
}

/// Element `first` of a tensor that begins so, and those behind it.
fn draw(init: Init, stream: u64, first: u64, values: &mut [f32]) {
    let uniform = |scale: f64, fans: u64| (3.0 * scale / fans as f64).sqrt();
    let normal = |scale: f64, fans: u64| (scale / fans as f64).sqrt();
    match init {
        Init::Zeros => values.fill(0.0),
        Init::Ones => values.fill(1.0),
        // Keras's scale is 1 by the mean of both fans, or 2 by one.
        Init::GlorotUniform { fan_in, fan_out } => {
            random::fill_uniform(stream, first, uniform(2.0, fan_in + fan_out), values);
        }
        Init::HeUniform { fan_in } => {
            random::fill_uniform(stream, first, uniform(2.0, fan_in), values);
        }
        Init::GlorotNormal { fan_in, fan_out } => {
            random::fill_normal(stream, first, normal(2.0, fan_in + fan_out), values);
        }
        Init::HeNormal { fan_in } => {
            random::fill_normal(stream, first, normal(2.0, fan_in), values);
        }
    }
}

/// What `own` columns from the first of a range on have of each row of its matrix.
fn rows<'m>(
    matrix: &'m mut [u32],
    range: &ColumnRange,
    own: usize,
) -> impl Iterator<Item = &'m mut [u32]> {
    let first = range.first as usize;
    let rows = matrix.chunks_mut(range.columns as usize);
    rows.map(move |row| &mut row[first..first + own])
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
