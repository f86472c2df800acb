//! Compiled kernels: one pipeline for each variant of an op, with or without run-time checks.
//!
//! The bind group layout is made from the op's own list of bindings, so nothing is typed twice.

use super::Error;
use super::device::{Buffer, Gpu};
use crate::ops::{Access, AnyOp, Shader, Step, VariantInfo};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// Does the compiler add bounds checks and loop bounding to a shader? Never to one whose loops are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checks {
    On,
    /// What training uses: 5 to 42 % faster.
    Off,
}

impl Checks {
    /// What this shader is compiled with.
    fn of(self, shader: &Shader) -> Checks {
        match shader.written_out {
            true => Checks::Off,
            false => self,
        }
    }
}

/// (op, variant, checks).
pub(super) type KernelKey = (&'static str, usize, Checks);

/// A compiled kernel.
pub struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// A range of a buffer, bound to a kernel.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    pub buffer: &'a Buffer,
    pub offset: u64,
    pub bytes: u64,
}

impl<'a> Bound<'a> {
    pub fn whole(buffer: &'a Buffer) -> Bound<'a> {
        Bound {
            buffer,
            offset: 0,
            bytes: buffer.size(),
        }
    }

    fn resource(self) -> wgpu::BindingResource<'a> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer.0,
            offset: self.offset,
            size: wgpu::BufferSize::new(self.bytes),
        })
    }
}

impl Gpu {
    /// The kernel of a variant, compiled on first use.
    pub fn kernel(
        &self,
        op: &'static dyn AnyOp,
        variant: usize,
        checks: Checks,
    ) -> Result<Arc<Kernel>, Error> {
        let checks = checks.of(op.variants()[variant].shader);
        let key = (op.name(), variant, checks);
        if let Some(kernel) = self
            .kernels
            .lock()
            .expect("no panic while locked")
            .get(&key)
        {
            return Ok(kernel.clone());
        }
        let kernel = Arc::new(self.compile(op, variant, checks)?);
        self.kernels
            .lock()
            .expect("no panic while locked")
            .insert(key, kernel.clone());
        Ok(kernel)
    }

    /// Compiles the kernels of these variants side by side, telling `progress` how many of how many are there.
    pub(super) fn compile_all(
        &self,
        wanted: &[(&'static dyn AnyOp, usize)],
        checks: Checks,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), Error> {
        let next = AtomicUsize::new(0);
        let (done, ready) = mpsc::channel();
        let take = || wanted.get(next.fetch_add(1, Ordering::Relaxed));
        thread::scope(|scope| {
            for _ in 0..self.compilers().min(wanted.len()) {
                let done = done.clone();
                scope.spawn(move || {
                    while let Some(&(op, variant)) = take() {
                        if done.send(self.kernel(op, variant, checks)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(done);
            // Where one fails, `ready` is dropped and the threads end.
            for (i, kernel) in ready.into_iter().enumerate() {
                kernel?;
                progress(i + 1, wanted.len());
            }
            Ok(())
        })
    }

    /// Threads that compile: one on GL, whose context is one thread's at a time.
    fn compilers(&self) -> usize {
        match self.info.backend {
            "gl" => 1,
            _ => thread::available_parallelism().map_or(1, NonZero::get),
        }
    }

    fn compile(
        &self,
        op: &'static dyn AnyOp,
        variant: usize,
        checks: Checks,
    ) -> Result<Kernel, Error> {
        let chosen = op.variants()[variant];
        let file = chosen.shader.file;
        self.checked(
            &format!("kernel {} ({}, {file})", op.name(), chosen.name),
            || self.pipeline(op, &chosen, checks),
        )
    }

    fn pipeline(&self, op: &'static dyn AnyOp, chosen: &VariantInfo, checks: Checks) -> Kernel {
        let text = chosen.module();
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(chosen.shader.file),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        let module = match checks {
            Checks::On => self.device.create_shader_module(descriptor),
            // SAFETY: by its own text every kernel ends its loops and stays inside its bindings: it clamps indices, or
            // guards by the sizes what they reach. The tests run each case twice, with guard words inside the bound
            // ranges and behind them, the first time with checks where the shader takes them. What these words cannot
            // show, a read whose value is thrown away, robust access keeps inside where wgpu gets it, as on Vulkan.
            Checks::Off => unsafe {
                self.device.create_shader_module_trusted(
                    descriptor,
                    wgpu::ShaderRuntimeChecks::unchecked(),
                )
            },
        };
        let layout = self.bind_group_layout(op);
        let pipeline_layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(op.name()),
                bind_group_layouts: &[Some(&layout)],
                ..Default::default()
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(op.name()),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(chosen.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: chosen.overrides(),
                    zero_initialize_workgroup_memory: checks == Checks::On,
                },
                cache: None,
            });
        Kernel { pipeline, layout }
    }

    fn bind_group_layout(&self, op: &'static dyn AnyOp) -> wgpu::BindGroupLayout {
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let uniforms = 1 + u32::from(op.uses_step());
        let mut entries: Vec<_> = (0..uniforms)
            .map(|i| entry(i, wgpu::BufferBindingType::Uniform))
            .collect();
        for (i, binding) in op.bindings().iter().enumerate() {
            let read_only = binding.access == Access::Read;
            entries.push(entry(
                uniforms + i as u32,
                wgpu::BufferBindingType::Storage { read_only },
            ));
        }
        self.device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(op.name()),
                entries: &entries,
            })
    }

    /// Binds uniforms and storage ranges to a kernel.
    pub(super) fn bind(
        &self,
        op: &dyn AnyOp,
        kernel: &Kernel,
        params: Bound,
        step: Bound,
        storage: &[Bound],
    ) -> wgpu::BindGroup {
        let uniforms = if op.uses_step() {
            vec![params, step]
        } else {
            vec![params]
        };
        let entries: Vec<_> = uniforms
            .into_iter()
            .chain(storage.iter().copied())
            .enumerate()
            .map(|(i, bound)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: bound.resource(),
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(op.name()),
            layout: &kernel.layout,
            entries: &entries,
        })
    }

    /// A grid of that many workgroups, folded into two dimensions where one is too short.
    pub(super) fn grid(&self, workgroups: u64) -> [u32; 2] {
        let [x, y, _] = self.profile.limits.grid(workgroups);
        [x, y]
    }

    /// Runs one kernel once and waits for it: for tests, checks and packing.
    pub fn run_once(
        &self,
        op: &'static dyn AnyOp,
        variant: usize,
        checks: Checks,
        params: &[u8],
        step: &Step,
        storage: &[Bound],
    ) -> Result<(), Error> {
        self.submit_once(op, variant, checks, params, step, storage)?;
        self.wait(op.name(), None)
    }

    /// Hands a device one kernel; whoever waits for what it writes waits for it.
    pub fn submit_once(
        &self,
        op: &'static dyn AnyOp,
        variant: usize,
        checks: Checks,
        params: &[u8],
        step: &Step,
        storage: &[Bound],
    ) -> Result<(), Error> {
        let kernel = self.kernel(op, variant, checks)?;
        let params_buffer = self.uniform("params", params);
        let step_buffer = self.uniform("step", bytemuck::bytes_of(step));
        let group = self.bind(
            op,
            &kernel,
            Bound::whole(&params_buffer),
            Bound::whole(&step_buffer),
            storage,
        );
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y] = self.grid(op.workgroups(variant, params));
            pass.dispatch_workgroups(x, y, 1);
        }
        self.submit(encoder);
        Ok(())
    }
}
