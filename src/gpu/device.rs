//! An open device: buffers, uploads, downloads, and the place where driver errors surface.

use super::Error;
use super::adapter::{Adapter, Info, LimitChoice};
use super::kernel::{Kernel, KernelKey};
use crate::profile::Profile;
use std::collections::HashMap;
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

/// What the driver reported since the last look.
#[derive(Default)]
struct Faults {
    first: Option<wgpu::Error>,
    lost: Option<String>,
}

/// A device with its queue and the kernels compiled on it.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub info: Info,
    pub profile: Profile,
    pub(super) kernels: Mutex<HashMap<KernelKey, Arc<Kernel>>>,
    faults: Arc<Mutex<Faults>>,
}

impl Gpu {
    /// Opens a device with all limits of the adapter, or WebGPU's defaults.
    pub fn open(adapter: &Adapter, choice: LimitChoice) -> Result<Gpu, Error> {
        let optional = wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
        let (features, limits) = match choice {
            LimitChoice::Native => (adapter.inner.features() & optional, adapter.inner.limits()),
            LimitChoice::Webgpu => (wgpu::Features::empty(), webgpu_limits(adapter)),
        };
        let request = adapter.inner.request_device(&wgpu::DeviceDescriptor {
            label: Some("fer-gpu"),
            required_features: features,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).map_err(|cause| Error::Request {
            adapter: adapter.info.to_string(),
            cause: cause.to_string(),
        })?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let sink = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            sink.lock()
                .expect("no panic while locked")
                .first
                .get_or_insert(error);
        }));
        let sink = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            let text = if message.is_empty() {
                format!("{reason:?}")
            } else {
                message
            };
            sink.lock()
                .expect("no panic while locked")
                .lost
                .get_or_insert(text);
        });
        Ok(Gpu {
            device,
            queue,
            info: adapter.info.clone(),
            profile: adapter.profile(choice),
            kernels: Mutex::default(),
            faults,
        })
    }

    /// The first error that the driver reported since the last call, if any; `what` was being done.
    pub fn check(&self, what: &str) -> Result<(), Error> {
        let mut faults = self.faults.lock().expect("no panic while locked");
        let adapter = self.info.name.clone();
        if let Some(cause) = &faults.lost {
            return Err(Error::Lost {
                adapter,
                cause: cause.clone(),
            });
        }
        match faults.first.take() {
            None => Ok(()),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::OutOfMemory {
                adapter,
                what: format!(" ({what})"),
            }),
            Some(error) => {
                // wgpu explains over several lines; one will do.
                let text = error.to_string();
                let cause = text.split_whitespace().collect::<Vec<_>>().join(" ");
                Err(Error::Rejected {
                    adapter,
                    what: what.into(),
                    cause,
                })
            }
        }
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

    /// Waits for `bytes` at `offset` and hands them to `read`.
    pub fn download<T>(
        &self,
        buffer: &Buffer,
        offset: u64,
        bytes: u64,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("download"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&buffer.0, offset, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let (send, receive) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            drop(send.send(result))
        });
        self.wait()?;
        self.check("a download")?;
        let lost = |cause: String| Error::Lost {
            adapter: self.info.name.clone(),
            cause,
        };
        receive
            .recv()
            .map_err(|e| lost(e.to_string()))?
            .map_err(|e| lost(e.to_string()))?;
        let mapped = staging
            .get_mapped_range(..)
            .map_err(|e| lost(e.to_string()))?;
        Ok(read(&mapped))
    }

    /// Words of a buffer.
    pub fn words(&self, buffer: &Buffer, offset: u64, count: usize) -> Result<Vec<u32>, Error> {
        self.download(buffer, offset, 4 * count as u64, |bytes| {
            bytemuck::pod_collect_to_vec(bytes)
        })
    }

    /// Waits until the queue is empty.
    pub fn wait(&self) -> Result<(), Error> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.check("the queue")?;
        polled.map(drop).map_err(|cause| Error::Lost {
            adapter: self.info.name.clone(),
            cause: cause.to_string(),
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
