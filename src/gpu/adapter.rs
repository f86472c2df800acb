//! Finds the adapters of this machine, ranks them, and says what a plan must know of each.

use super::{Error, Gpu};
use crate::profile::{Class, Limits, Profile};
use std::fmt;

/// An adapter, before a device is opened on it.
pub struct Adapter {
    pub(super) inner: wgpu::Adapter,
    /// Place in [`Adapter::all`].
    pub index: usize,
    pub info: Info,
}

/// What a person wants to know of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub name: String,
    pub kind: Kind,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: &'static str,
    pub driver: String,
    /// PCI numbers of the vendor and the device; 0 where the backend does not tell.
    pub pci: [u32; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Discrete,
    Integrated,
    /// A GPU behind a hypervisor, or one of which the driver says nothing.
    Virtual,
    Software,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Discrete => "discrete GPU",
            Kind::Integrated => "integrated GPU",
            Kind::Virtual => "virtual GPU",
            Kind::Software => "software, on the CPU",
        })
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.kind, self.backend)?;
        if self.driver.is_empty() {
            Ok(())
        } else {
            write!(f, ", {}", self.driver)
        }
    }
}

/// What `--device` says: a number of the list, or a part of a name or backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The first in the ranking.
    Default,
    Index(usize),
    Name(String),
}

impl std::str::FromStr for Selector {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Selector, Self::Err> {
        Ok(text
            .parse()
            .map_or_else(|_| Selector::Name(text.to_lowercase()), Selector::Index))
    }
}

/// What `--limits` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LimitChoice {
    /// All that the adapter has.
    Native,
    /// WebGPU's defaults and no optional feature.
    Webgpu,
}

impl Adapter {
    /// Every adapter of every backend that runs the kernels, best first: discrete, integrated,
    /// virtual, software; among the software ones lavapipe, then SwiftShader, then anything
    /// through GL.
    pub fn all() -> Vec<Adapter> {
        Adapter::found().0
    }

    /// The adapters that run the kernels, as [`Adapter::all`] ranks them, and the others with what
    /// they lack.
    pub fn found() -> (Vec<Adapter>, Vec<(Info, String)>) {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::all();
        descriptor.flags = wgpu::InstanceFlags::from_build_config().with_env();
        let instance = wgpu::Instance::new(descriptor);
        let (mut adapters, mut incapable) = (Vec::new(), Vec::new());
        for inner in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
            let info = describe(&inner.get_info());
            match lack(&inner) {
                Some(lacks) => incapable.push((info, lacks)),
                None => adapters.push(Adapter {
                    inner,
                    index: 0,
                    info,
                }),
            }
        }
        adapters.sort_by_key(|adapter| rank(&adapter.info));
        for (index, adapter) in adapters.iter_mut().enumerate() {
            adapter.index = index;
        }
        (adapters, incapable)
    }

    /// For each adapter the better-ranked one that is the same device through another backend.
    pub fn duplicates(all: &[Adapter]) -> Vec<Option<usize>> {
        let infos: Vec<&Info> = all.iter().map(|a| &a.info).collect();
        duplicates(&infos)
    }

    /// The adapters that a user asked for, of which `all` means every one that gives a device: `refused` hears
    /// of the others. (NVIDIA's GL is listed and gives none.)
    ///
    /// # Errors
    /// If there is none.
    pub fn selected(
        selector: &Selector,
        refused: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Adapter>, Error> {
        if *selector != Selector::Name("all".into()) {
            return Ok(vec![Adapter::select(selector)?]);
        }
        let (mut adapters, mut last) = (Vec::new(), Error::NoAdapter);
        for adapter in Adapter::all() {
            match Gpu::open(&adapter, LimitChoice::Native) {
                Err(error @ Error::Request { .. }) => {
                    refused(&error);
                    last = error;
                }
                Ok(_) | Err(_) => adapters.push(adapter),
            }
        }
        match adapters.is_empty() {
            true => Err(last),
            false => Ok(adapters),
        }
    }

    /// The adapter that a user asked for.
    pub fn select(selector: &Selector) -> Result<Adapter, Error> {
        let (mut all, incapable) = Adapter::found();
        let matches = |adapter: &Adapter| match selector {
            Selector::Default => true,
            Selector::Index(index) => adapter.index == *index,
            Selector::Name(name) => adapter.info.is_called(name),
        };
        if let Some(at) = all.iter().position(matches) {
            return Ok(all.swap_remove(at));
        }
        let meant = |(info, _): &&(Info, String)| match selector {
            Selector::Name(name) => info.is_called(name),
            _ => all.is_empty(),
        };
        if let Some((info, lacks)) = incapable.iter().find(meant) {
            return Err(Error::Incapable {
                adapter: info.to_string(),
                lacks: lacks.clone(),
            });
        }
        let wanted = match selector {
            _ if all.is_empty() => return Err(Error::NoAdapter),
            Selector::Index(index) => index.to_string(),
            Selector::Name(name) => name.clone(),
            Selector::Default => unreachable!("the default matches any adapter"),
        };
        let list = all
            .iter()
            .map(|a| format!("{} {} ({})", a.index, a.info.name, a.info.backend));
        Err(Error::UnknownDevice {
            wanted,
            present: list.collect::<Vec<_>>().join("; "),
        })
    }

    /// What the plan must know, under the limits that the user chose.
    pub fn profile(&self, choice: LimitChoice) -> Profile {
        let class = if self.info.kind == Kind::Software {
            Class::Software
        } else {
            Class::Gpu
        };
        if choice == LimitChoice::Webgpu {
            return Profile {
                name: self.info.name.clone(),
                ..Profile::webgpu(class)
            };
        }
        let limits = self.inner.limits();
        let info = self.inner.get_info();
        let subgroups = self.inner.features().contains(wgpu::Features::SUBGROUP);
        let fixed = subgroups && info.subgroup_min_size == info.subgroup_max_size;
        Profile {
            name: self.info.name.clone(),
            class,
            limits: Limits {
                max_buffer_size: limits.max_buffer_size,
                max_storage_binding: limits.max_storage_buffer_binding_size,
                storage_offset_alignment: limits.min_storage_buffer_offset_alignment as u64,
                max_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
                max_invocations: limits.max_compute_invocations_per_workgroup,
                max_workgroup_memory: limits.max_compute_workgroup_storage_size,
                max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            },
            subgroup: fixed.then_some(info.subgroup_min_size),
        }
    }

    /// Widths that a subgroup can have; none without the feature.
    pub fn subgroups(&self) -> Option<[u32; 2]> {
        let info = self.inner.get_info();
        let has = self.inner.features().contains(wgpu::Features::SUBGROUP);
        has.then_some([info.subgroup_min_size, info.subgroup_max_size])
    }

    /// Can it time kernels by its own clock?
    pub fn timestamps(&self) -> bool {
        let features = self.inner.features();
        features.contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Can it time kernels within a step?
    pub fn inner_timestamps(&self) -> bool {
        let features = self.inner.features();
        features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES)
    }
}

impl Info {
    /// Are these one device, seen through two backends?
    fn same_device(&self, other: &Info) -> bool {
        if self.backend == other.backend {
            return false;
        }
        let known = self.pci[0] != 0 && self.pci[1] != 0;
        // GL's names carry the bus and more: `NVIDIA GeForce RTX 3060/PCIe/SSE2`.
        let (a, b) = (self.name.to_lowercase(), other.name.to_lowercase());
        known && self.pci == other.pci || a.starts_with(&b) || b.starts_with(&a)
    }

    /// Does a part of its name or backend, in lower case, or its nickname say so?
    fn is_called(&self, name: &str) -> bool {
        let text = format!("{} {}", self.name, self.backend).to_lowercase();
        text.contains(name) || self.nickname() == name
    }

    /// The name that CI and tests use for the software adapters.
    pub fn nickname(&self) -> &'static str {
        if self.backend == "gl" {
            "gl"
        } else if self.name.contains("SwiftShader") {
            "swiftshader"
        } else if self.name.contains("llvmpipe") {
            "lavapipe"
        } else {
            "gpu"
        }
    }
}

/// Of two equal cards the first through one backend is the first through another.
fn duplicates(infos: &[&Info]) -> Vec<Option<usize>> {
    let mut twins: Vec<Option<usize>> = Vec::new();
    for (i, info) in infos.iter().enumerate() {
        let free = |j: &usize| {
            let taken = |k: usize| infos[k].backend == info.backend && twins[k] == Some(*j);
            twins[*j].is_none() && infos[*j].same_device(info) && !(0..i).any(taken)
        };
        let twin = (0..i).find(free);
        twins.push(twin);
    }
    twins
}

/// What an adapter lacks of that which every kernel may use; nothing if it can train.
fn lack(adapter: &wgpu::Adapter) -> Option<String> {
    let flags = adapter.get_downlevel_capabilities().flags;
    if !flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
        return Some("compute shaders".into());
    }
    let limits = adapter.limits();
    let needs = [
        (
            8,
            limits.max_storage_buffers_per_shader_stage,
            "storage buffers in a shader",
        ),
        (
            128,
            limits.max_compute_invocations_per_workgroup,
            "invocations in a workgroup",
        ),
        (
            16 << 10,
            limits.max_compute_workgroup_storage_size,
            "bytes of workgroup memory",
        ),
    ];
    let (needed, has, of) = needs.into_iter().find(|(needed, has, _)| has < needed)?;
    Some(format!("{needed} {of} (it has {has})"))
}

fn describe(info: &wgpu::AdapterInfo) -> Info {
    let software = ["llvmpipe", "SwiftShader", "softpipe", "Basic Render"];
    let kind = match info.device_type {
        wgpu::DeviceType::Cpu => Kind::Software,
        _ if software.iter().any(|name| info.name.contains(name)) => Kind::Software,
        wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
        wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
        _ => Kind::Virtual,
    };
    let backend = match info.backend {
        wgpu::Backend::Vulkan => "vulkan",
        wgpu::Backend::Metal => "metal",
        wgpu::Backend::Dx12 => "dx12",
        wgpu::Backend::Gl => "gl",
        _ => "other",
    };
    let driver = format!("{} {}", info.driver, info.driver_info)
        .trim()
        .to_string();
    Info {
        name: info.name.clone(),
        kind,
        backend,
        driver,
        pci: [info.vendor, info.device],
    }
}

/// Lower is better; GL comes last among its kind, since its drivers lack most features.
fn rank(info: &Info) -> (Kind, bool, u32) {
    let software = match info.nickname() {
        "lavapipe" => 0,
        "swiftshader" => 1,
        _ => 2,
    };
    (info.kind, info.backend == "gl", software)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, backend: &'static str, pci: [u32; 2]) -> Info {
        Info {
            name: name.into(),
            kind: Kind::Discrete,
            backend,
            driver: String::new(),
            pci,
        }
    }

    #[test]
    fn one_device_through_two_backends_is_seen() {
        let card = "NVIDIA GeForce RTX 3060";
        let all = [
            info(card, "vulkan", [0x10DE, 0x2503]),
            info(card, "vulkan", [0x10DE, 0x2503]),
            info(card, "dx12", [0x10DE, 0x2503]),
            info(card, "dx12", [0x10DE, 0x2503]),
            info("NVIDIA GeForce RTX 3060/PCIe/SSE2", "gl", [0x10DE, 0]),
            info("AMD Radeon Graphics", "vulkan", [0x1002, 0x15BF]),
        ];
        let twins = duplicates(&all.iter().collect::<Vec<_>>());
        assert_eq!(twins, [None, None, Some(0), Some(1), Some(0), None]);
    }
}
