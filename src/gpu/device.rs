//! An open device: buffers, uploads and downloads.

use super::Error;
use super::adapter::{Adapter, Info, LimitChoice};
use super::faults::{self, Faults};
use super::kernel::{Kernel, KernelKey};
use crate::profile::Profile;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::{Arc, Mutex, mpsc};

/// A buffer on the device; other rooms hold it without knowing wgpu.
#[derive(Clone, Debug)]
pub struct Buffer(pub(super) wgpu::Buffer);

impl Buffer {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.0.size()
    }
}

/// A device with its queue and the kernels compiled on it.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    /// Dropped with care.
    pub(super) queue: ManuallyDrop<wgpu::Queue>,
    pub info: Info,
    pub profile: Profile,
    pub(super) kernels: Mutex<HashMap<KernelKey, Arc<Kernel>>>,
    pub(super) faults: Arc<Mutex<Faults>>,
}

impl Gpu {
    /// Opens a device with all limits of the adapter, or WebGPU's defaults.
    pub fn open(adapter: &Adapter, choice: LimitChoice) -> Result<Gpu, Error> {
        let optional = wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        let (features, limits) = match choice {
            LimitChoice::Native => (adapter.inner.features() & optional, adapter.inner.limits()),
            LimitChoice::Webgpu => (wgpu::Features::empty(), webgpu_limits(adapter)),
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("fer-gpu"),
            required_features: features,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        faults::hush_expected_panics();
        let opened =
            faults::silently(|| pollster::block_on(adapter.inner.request_device(&descriptor)));
        let refused = |cause: &str| faults::refusal(&adapter.info, cause);
        let (device, queue) = opened
            .map_err(|panic| refused(&panic))?
            .map_err(|error| refused(&error.to_string()))?;
        let faults = faults::listen(&device);
        Ok(Gpu {
            device,
            queue: ManuallyDrop::new(queue),
            info: adapter.info.clone(),
            profile: adapter.profile(choice),
            kernels: Mutex::default(),
            faults,
        })
    }

    /// A zeroed storage buffer.
    pub fn storage(&self, label: &str, bytes: u64) -> Result<Buffer, Error> {
        let allowed = self.profile.limits.max_buffer_size;
        if bytes > allowed {
            let (adapter, what) = (self.info.name.clone(), label.to_string());
            return Err(Error::Limit {
                adapter,
                limit: "a buffer size",
                allowed,
                needed: bytes,
                what,
            });
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.next_multiple_of(4),
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.check(label)?;
        Ok(Buffer(buffer))
    }

    /// A uniform buffer that holds `bytes`.
    pub fn uniform(&self, label: &str, bytes: &[u8]) -> Buffer {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: (bytes.len() as u64).next_multiple_of(16).max(16),
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&buffer, 0, bytes);
        Buffer(buffer)
    }

    /// Copies `bytes` (a multiple of four) to `offset`, before whatever is submitted next.
    pub fn upload(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        self.queue.write_buffer(&buffer.0, offset, bytes);
    }

    /// Waits for `bytes` at `offset` and hands them to `read`; `what` they are is for errors.
    pub fn download<T>(
        &self,
        what: &str,
        buffer: &Buffer,
        offset: u64,
        bytes: u64,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        self.download_all(what, &[(buffer, offset..offset + bytes)], read)
    }

    /// Waits once for the bytes of all `places`, and hands them to `read` one behind the other.
    fn download_all<T>(
        &self,
        what: &str,
        places: &[(&Buffer, Range<u64>)],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("download"),
            size: places.iter().map(|(_, at)| at.end - at.start).sum(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut to = 0;
        for (buffer, at) in places {
            let bytes = at.end - at.start;
            encoder.copy_buffer_to_buffer(&buffer.0, at.start, &staging, to, bytes);
            to += bytes;
        }
        self.submit(encoder);
        let (send, receive) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            drop(send.send(result))
        });
        let what = format!("the download of {what}");
        self.wait(&what, None)?;
        let lost = |cause: &dyn ToString| self.lost(&what, cause.to_string());
        let received = receive.recv().map_err(|e| lost(&e))?;
        received.map_err(|e| lost(&e))?;
        let mapped = staging.get_mapped_range(..).map_err(|e| lost(&e))?;
        Ok(read(&mapped))
    }

    /// Words of a buffer.
    pub fn words(&self, buffer: &Buffer, offset: u64, count: usize) -> Result<Vec<u32>, Error> {
        self.download("words", buffer, offset, 4 * count as u64, |bytes| {
            bytemuck::pod_collect_to_vec(bytes)
        })
    }

    /// Words of several buffers, for a single wait: where they are few it takes longer than their copies.
    pub fn words_of(
        &self,
        what: &str,
        places: &[(&Buffer, Range<usize>)],
    ) -> Result<Vec<Vec<u32>>, Error> {
        let bytes = places.iter().map(|(buffer, words)| {
            let [start, end] = [words.start, words.end].map(|word| 4 * word as u64);
            (*buffer, start..end)
        });
        self.download_all(what, &bytes.collect::<Vec<_>>(), |mut rest| {
            let next = places.iter().map(|(_, words)| {
                let (own, others) = rest.split_at(4 * words.len());
                rest = others;
                bytemuck::pod_collect_to_vec(own)
            });
            next.collect()
        })
    }
}

/// WebGPU's defaults; what an adapter has less of stays as it is there.
fn webgpu_limits(adapter: &Adapter) -> wgpu::Limits {
    let mut limits = wgpu::Limits::defaults();
    let own = adapter.inner.limits();
    if !own.check_limits(&limits) {
        // GL lacks some limits of the graphics pipeline that nothing here uses.
        let compute = wgpu::Limits {
            max_storage_buffers_per_shader_stage: limits
                .max_storage_buffers_per_shader_stage
                .min(own.max_storage_buffers_per_shader_stage),
            max_storage_buffer_binding_size: limits
                .max_storage_buffer_binding_size
                .min(own.max_storage_buffer_binding_size),
            max_buffer_size: limits.max_buffer_size.min(own.max_buffer_size),
            max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
            max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_compute_workgroup_size_x: limits.max_compute_workgroup_size_x,
            max_compute_workgroup_size_y: limits.max_compute_workgroup_size_y,
            max_compute_workgroup_size_z: limits.max_compute_workgroup_size_z,
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            ..own
        };
        limits = compute;
    }
    limits
}
