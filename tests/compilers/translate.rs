//! Every (op, variant) as wgpu 30 hands it to a driver's compiler.
//!
//! registry -> WGSL -> naga validation -> overrides resolved -> SPIR-V, HLSL, GLSL ES, MSL
//!
//! The writers' options are those of wgpu-hal 30 in a release build; with checks off they are what
//! training uses, with checks on what tests and `--check` use (bounds, loops, division, zeroed
//! workgroup memory). Bindings are numbered as its pipeline layouts number them.

use fer_gpu::gpu::Checks;
use fer_gpu::ops::{Access, AnyOp, REGISTRY, VariantInfo};
use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ResourceBinding, ShaderStage};
use std::fmt;
use std::sync::OnceLock;

/// How a kernel sees a buffer, in the order of its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    Uniform,
    ReadOnly,
    ReadWrite,
}

/// An entry point with its constants in place.
pub struct Kernel {
    pub op: &'static dyn AnyOp,
    pub variant: VariantInfo,
    /// Does it need subgroups?
    pub subgroups: bool,
    module: Module,
    info: ModuleInfo,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.name(), self.variant.name)?;
        write!(f, " ({}, {})", self.variant.entry, self.variant.shader.file)
    }
}

/// The drivers that get different SPIR-V.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpirvFor {
    /// Vulkan 1.3, checks off: training on a current driver.
    Release,
    /// Vulkan 1.3, checks on.
    Checked,
    /// Vulkan 1.1, checks on: the oldest with subgroups; workgroup memory is zeroed by code.
    CheckedOld,
}

impl SpirvFor {
    pub const ALL: [SpirvFor; 3] = [SpirvFor::Release, SpirvFor::Checked, SpirvFor::CheckedOld];
}

/// HLSL and the name of its entry point.
pub struct Hlsl {
    pub text: String,
    pub entry: String,
}

/// Every variant of every op, translated once a process.
pub fn kernels() -> &'static [Kernel] {
    static KERNELS: OnceLock<Vec<Kernel>> = OnceLock::new();
    KERNELS.get_or_init(|| {
        let variants = REGISTRY
            .iter()
            .flat_map(|&op| op.variants().into_iter().map(move |v| (op, v)));
        let (kernels, failures): (Vec<_>, Vec<_>) = variants
            .map(|(op, variant)| resolve(op, variant))
            .partition(Result::is_ok);
        let failures: Vec<String> = failures.into_iter().filter_map(Result::err).collect();
        assert!(failures.is_empty(), "naga refuses\n{}", failures.join("\n"));
        kernels.into_iter().filter_map(Result::ok).collect()
    })
}

fn resolve(op: &'static dyn AnyOp, variant: VariantInfo) -> Result<Kernel, String> {
    let text = variant.module();
    let what = format!("{} {} ({})", op.name(), variant.name, variant.shader.file);
    let module = naga::front::wgsl::parse_str(&text)
        .map_err(|e| format!("{what}: {}", e.emit_to_string(&text)))?;
    let subgroups = variant.name.starts_with("subgroup");
    let info = validate(&module, subgroups, &text).map_err(|e| format!("{what}: {e}"))?;
    let constants: PipelineConstants = variant
        .overrides()
        .iter()
        .map(|&(name, value)| (name.to_string(), value))
        .collect();
    let entry = Some((ShaderStage::Compute, variant.entry));
    let (module, _) = pipeline_constants::process_overrides(&module, &info, entry, &constants)
        .map_err(|e| format!("{what}, constants {:?}: {e}", variant.constants))?;
    let module = module.into_owned();
    let info = validate(&module, subgroups, &text)
        .map_err(|e| format!("{what}, constants {:?}: {e}", variant.constants))?;
    Ok(Kernel {
        op,
        variant,
        subgroups,
        module,
        info,
    })
}

/// No optional feature of WebGPU but subgroups, and those only where they are said to be needed.
fn validate(module: &Module, subgroups: bool, text: &str) -> Result<ModuleInfo, String> {
    let mut allowed = Capabilities::empty();
    allowed.set(Capabilities::SUBGROUP, subgroups);
    Validator::new(ValidationFlags::all(), allowed)
        .validate(module)
        .map_err(|e| e.emit_to_string(text))
}

/// SPIR-V of a module that is no kernel of ours: for the controls.
pub fn spirv_of(text: &str, entry: &str) -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(text).expect("WGSL");
    let info = validate(&module, false, text).expect("a valid module");
    let entry = spv::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: entry.into(),
    };
    spv::write_vec(&module, &info, &spv::Options::default(), Some(&entry)).expect("SPIR-V")
}

fn policies(buffers: BoundsCheckPolicy) -> BoundsCheckPolicies {
    BoundsCheckPolicies {
        index: buffers,
        buffer: buffers,
        image_load: buffers,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}

fn policies_with(checks: Checks) -> BoundsCheckPolicies {
    policies(match checks {
        Checks::On => BoundsCheckPolicy::Restrict,
        Checks::Off => BoundsCheckPolicy::Unchecked,
    })
}

fn at(binding: usize) -> ResourceBinding {
    ResourceBinding {
        group: 0,
        binding: binding as u32,
    }
}

impl Kernel {
    /// A name for files: unique among the kernels.
    pub fn file(&self) -> String {
        format!("{}.{}", self.op.name(), self.variant.name)
    }

    /// Of a workgroup.
    pub fn invocations(&self) -> u64 {
        let mut entries = self.module.entry_points.iter();
        let entry = entries.find(|entry| entry.name == self.variant.entry);
        let [x, y, z] = entry.expect("its entry point").workgroup_size;
        u64::from(x) * u64::from(y) * u64::from(z)
    }

    /// The buffers, in binding order: uniforms first.
    pub fn buffers(&self) -> Vec<Buffer> {
        let uniforms = 1 + usize::from(self.op.uses_step());
        let storage = self.op.bindings().iter().map(|b| match b.access {
            Access::Read => Buffer::ReadOnly,
            Access::InOut | Access::Out => Buffer::ReadWrite,
        });
        std::iter::repeat_n(Buffer::Uniform, uniforms)
            .chain(storage)
            .collect()
    }

    pub fn spirv(&self, target: SpirvFor) -> Result<Vec<u32>, String> {
        use spv::ZeroInitializeWorkgroupMemoryMode::{Native, None, Polyfill};
        let (lang_version, checks, zeroed) = match target {
            SpirvFor::Release => ((1, 6), Checks::Off, None),
            SpirvFor::Checked => ((1, 6), Checks::On, Native),
            SpirvFor::CheckedOld => ((1, 3), Checks::On, Polyfill),
        };
        let bind = |binding| spv::BindingInfo {
            descriptor_set: 0,
            binding: binding as u32,
            binding_array_size: Option::None,
        };
        let options = spv::Options {
            lang_version,
            flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
            fake_missing_bindings: false,
            binding_map: (0..self.buffers().len())
                .map(|b| (at(b), bind(b)))
                .collect(),
            capabilities: Some(self.spirv_capabilities().into_iter().collect()),
            bounds_check_policies: policies_with(checks),
            zero_initialize_workgroup_memory: zeroed,
            force_loop_bounding: checks == Checks::On,
            use_storage_input_output_16: false,
            emit_int_div_checks: checks == Checks::On,
            ..Default::default()
        };
        let entry = spv::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: self.variant.entry.into(),
        };
        spv::write_vec(&self.module, &self.info, &options, Some(&entry)).map_err(|e| e.to_string())
    }

    /// What wgpu allows a module on a device without optional features, or with subgroups alone.
    fn spirv_capabilities(&self) -> Vec<spv::Capability> {
        use spv::Capability as C;
        let mut allowed = vec![C::Shader, C::Matrix, C::ImageQuery, C::DerivativeControl];
        if self.subgroups {
            allowed.extend([
                C::GroupNonUniform,
                C::GroupNonUniformVote,
                C::GroupNonUniformArithmetic,
                C::GroupNonUniformBallot,
                C::GroupNonUniformShuffle,
                C::GroupNonUniformShuffleRelative,
                C::GroupNonUniformQuad,
            ]);
        }
        allowed
    }

    /// Registers are counted apart for uniforms (b), read-only (t) and writable buffers (u); the
    /// size of the grid comes in a constant buffer behind the uniforms.
    pub fn hlsl(&self, shader_model: hlsl::ShaderModel, checks: Checks) -> Result<Hlsl, String> {
        let buffers = self.buffers();
        let before = |at: usize| buffers[..at].iter().filter(|&&b| b == buffers[at]).count();
        let target = |register| hlsl::BindTarget {
            register: register as u32,
            ..Default::default()
        };
        let uniforms = buffers.iter().filter(|&&b| b == Buffer::Uniform).count();
        let options = hlsl::Options {
            shader_model,
            binding_map: (0..buffers.len())
                .map(|b| (at(b), target(before(b))))
                .collect(),
            fake_missing_bindings: false,
            special_constants_binding: Some(target(uniforms)),
            zero_initialize_workgroup_memory: checks == Checks::On,
            restrict_indexing: checks == Checks::On,
            force_loop_bounding: checks == Checks::On,
            ..Default::default()
        };
        let entry = hlsl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, self.variant.entry.into())),
        };
        let mut text = String::new();
        let mut names = hlsl::Writer::new(&mut text, &options, &entry)
            .write(&self.module, &self.info, None)
            .map_err(|e| e.to_string())?
            .entry_point_names;
        let entry = names.pop().ok_or("no entry point was written")?;
        let entry = entry.map_err(|e| e.to_string())?;
        Ok(Hlsl { text, entry })
    }

    /// GLSL ES 3.1; its writer knows no checks but zeroed workgroup memory.
    pub fn glsl(&self, checks: Checks) -> Result<String, String> {
        let buffers = self.buffers();
        let uniform = |b: usize| buffers[b] == Buffer::Uniform;
        let slot = |b: usize| (0..b).filter(|&other| uniform(other) == uniform(b)).count() as u8;
        let options = glsl::Options {
            version: glsl::Version::Embedded {
                version: 310,
                is_webgl: false,
            },
            writer_flags: glsl::WriterFlags::ADJUST_COORDINATE_SPACE
                | glsl::WriterFlags::FORCE_POINT_SIZE,
            binding_map: (0..buffers.len()).map(|b| (at(b), slot(b))).collect(),
            zero_initialize_workgroup_memory: checks == Checks::On,
        };
        let entry = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: self.variant.entry.into(),
            multiview: None,
        };
        let unchecked = policies(BoundsCheckPolicy::Unchecked);
        let mut text = String::new();
        glsl::Writer::new(
            &mut text,
            &self.module,
            &self.info,
            &options,
            &entry,
            unchecked,
        )
        .and_then(|mut writer| writer.write())
        .map_err(|e| e.to_string())?;
        Ok(text)
    }

    /// MSL 2.4 (macOS 12): the oldest system that current Metal tools still target. Buffers are
    /// numbered in binding order; their sizes come in one behind them.
    pub fn msl(&self, checks: Checks) -> Result<String, String> {
        let buffers = self.buffers();
        let target = |b: usize| msl::BindTarget {
            buffer: Some(b as u8),
            mutable: buffers[b] == Buffer::ReadWrite,
            ..Default::default()
        };
        let resources = msl::EntryPointResources {
            resources: (0..buffers.len()).map(|b| (at(b), target(b))).collect(),
            sizes_buffer: Some(buffers.len() as u8),
            ..Default::default()
        };
        let options = msl::Options {
            lang_version: (2, 4),
            per_entry_point_map: [(self.variant.entry.to_string(), resources)].into(),
            fake_missing_bindings: false,
            bounds_check_policies: policies_with(checks),
            zero_initialize_workgroup_memory: checks == Checks::On,
            force_loop_bounding: checks == Checks::On,
            emit_int_div_checks: checks == Checks::On,
            ..Default::default()
        };
        let entry = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, self.variant.entry.into())),
            allow_and_force_point_size: false,
            vertex_pulling_transform: true,
            vertex_buffer_mappings: Vec::new(),
            binding_array_length_map: Default::default(),
        };
        let (text, written) = msl::write_string(&self.module, &self.info, &options, &entry)
            .map_err(|e| e.to_string())?;
        // A missing binding is reported here, not as an error.
        for name in written.entry_point_names {
            name.map_err(|e| e.to_string())?;
        }
        Ok(text)
    }
}
