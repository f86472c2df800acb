//! Dispatches of a plan become launches: pipelines, parameter blocks and bind groups, resolved once for all steps.

use super::Error;
use super::device::{Buffer, Gpu};
use super::estimate::predicted_seconds;
use super::kernel::{Bound, Checks, Kernel};
use crate::plan::Dispatch;
use std::sync::Arc;

/// Uniform blocks begin at multiples of this.
const UNIFORM_ALIGNMENT: usize = 256;

/// A kernel launch, resolved.
pub(super) struct Launch {
    pub(super) kernel: Arc<Kernel>,
    pub(super) group: wgpu::BindGroup,
    pub(super) grid: [u32; 2],
    /// Predicted seconds.
    pub(super) seconds: f64,
}

/// Turns dispatches into launches.
pub(super) struct Resolver<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) buffers: &'a [Buffer],
    /// What each step uploads for all kernels.
    pub(super) step: &'a Buffer,
    pub(super) checks: Checks,
}

impl Resolver<'_> {
    /// Those of a program, one for each dispatch; their parameter blocks lie in one buffer.
    pub(super) fn program(&self, dispatches: &[Dispatch]) -> Result<Vec<Launch>, Error> {
        let mut blocks = Vec::new();
        let mut starts = Vec::new();
        for dispatch in dispatches {
            starts.push(blocks.len());
            blocks.extend_from_slice(&dispatch.params);
            blocks.resize(blocks.len().next_multiple_of(UNIFORM_ALIGNMENT), 0);
        }
        let uniforms = self.gpu.uniform("parameter blocks", &blocks);
        let resolve = |(dispatch, start): (&Dispatch, usize)| {
            let kernel = self
                .gpu
                .kernel(dispatch.op, dispatch.variant, self.checks)?;
            let bytes = (dispatch.params.len() as u64).next_multiple_of(16);
            let params = Bound {
                buffer: &uniforms,
                offset: start as u64,
                bytes,
            };
            let storage: Vec<Bound> = dispatch
                .bindings
                .iter()
                .map(|range| Bound {
                    buffer: &self.buffers[range.buffer],
                    offset: range.offset,
                    bytes: range.bytes,
                })
                .collect();
            let group = self.gpu.bind(
                dispatch.op,
                &kernel,
                params,
                Bound::whole(self.step),
                &storage,
            );
            let grid = self
                .gpu
                .grid(dispatch.op.workgroups(dispatch.variant, &dispatch.params));
            let seconds = predicted_seconds(dispatch, self.gpu.profile.class);
            self.gpu
                .check(&format!("{} {}", dispatch.label, dispatch.op.name()))?;
            Ok(Launch {
                kernel,
                group,
                grid,
                seconds,
            })
        };
        dispatches.iter().zip(starts).map(resolve).collect()
    }
}
