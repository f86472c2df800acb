//! The GPUs that Mesa can be asked about without one, and where its drivers tell what the table holds.
//!
//! A vendor's drivers have their own names for instructions, registers and spills, and units of their own for how
//! much of a core's width a kernel can fill ([`Vendor::occupancy`]): only rows of one vendor compare.

use super::driver::Report;
use super::table::Row;
use fer_gpu::ops::Family;
use fer_gpu::profile::{Class, Limits, Profile};
use std::time::Duration;

/// A driver of Mesa, and the shim that it takes for its kernel's half.
pub struct Vendor {
    /// In the table.
    pub name: &'static str,
    /// In messages, and where `.ci/compilers` looks for a verdict.
    pub judge: &'static str,
    /// Debian's architecture of the drivers that are asked.
    pub architecture: &'static str,
    driver: &'static str,
    shim: &'static str,
    /// Does wgpu ask this vendor's drivers for robust access to buffers? Through Vulkan it does, through Metal not.
    pub robust: bool,
    /// The internal representation that [`super::nak`] reads.
    pub code: Option<&'static str>,
    pub chips: &'static [Chip],
    /// Families of variants that are left out, because the compiler takes minutes for each.
    pub slow: &'static [Family],
    /// What the compiler may take for one kernel of the others, where that needs a limit: then each has a process.
    pub limit: Option<Duration>,
    /// Sums that live at once in the control: more than a lane has registers.
    pub sums: u32,
    /// What the table's occupancy counts.
    pub occupancy: &'static str,
    /// Is it only told where a plan chooses a kernel that spills?
    pub may_spill: bool,
    row: fn(&Report) -> Row,
}

/// A GPU.
pub struct Chip {
    pub name: &'static str,
    /// How the shim or the driver is told of it.
    pub environment: &'static [(&'static str, &'static str)],
    /// A part of the name that the driver then gives its device.
    pub device: &'static str,
    /// The width of its subgroups where wgpu sees but one.
    pub subgroup: Option<u32>,
    /// Occupancy where nothing limits it.
    pub full: u64,
}

pub static NVIDIA: Vendor = Vendor {
    name: "nvidia",
    judge: "NVIDIA",
    architecture: "amd64",
    driver: "nouveau",
    shim: "nouveau",
    robust: true,
    code: Some("NAK assembly"),
    chips: &[
        Chip {
            name: "turing",
            environment: &[("NOUVEAU_CHIPSET", "162")],
            device: "NVK",
            subgroup: Some(32),
            full: 32,
        },
        Chip {
            name: "ampere",
            environment: &[("NOUVEAU_CHIPSET", "172")],
            device: "NVK",
            subgroup: Some(32),
            full: 48,
        },
    ],
    slow: &[],
    limit: None,
    sums: 300,
    occupancy: "warps of a multiprocessor",
    may_spill: false,
    row: |report| Row {
        instructions: report.count("Instruction count"),
        registers: report.count("Number of GPRs"),
        occupancy: report.count("Max warps/SM"),
        spills: report.count("Spills to memory"),
        cycles: Some(report.count("Static cycle count")),
        ..Row::default()
    },
};

/// Registers are halves.
pub static APPLE: Vendor = Vendor {
    name: "apple",
    judge: "Apple",
    architecture: "amd64",
    driver: "asahi",
    shim: "asahi",
    robust: false,
    code: None,
    chips: &[Chip {
        name: "m1",
        environment: &[],
        device: "Apple M1",
        subgroup: Some(32),
        full: 1024,
    }],
    slow: &[],
    limit: None,
    sums: 300,
    occupancy: "threads of a core",
    // The dense tiles of 64 x 128 spill 4 and 5 halves of 255 on an M1: the halves of a step one after the other would
    // spare that, for 16 to 32 registers more on NVIDIA.
    may_spill: true,
    row: |report| Row {
        instructions: report.count("Instructions"),
        registers: report.count("GPRs"),
        occupancy: report.count("Threads"),
        spills: report.count("Spills"),
        cycles: Some(report.count("ALU")),
        ..Row::default()
    },
};

/// Registers are vectors of four. Spills are stores of private memory.
pub static QUALCOMM: Vendor = Vendor {
    name: "qualcomm",
    judge: "Qualcomm",
    architecture: "amd64",
    driver: "freedreno",
    shim: "freedreno",
    robust: true,
    code: None,
    chips: &[Chip {
        name: "a740",
        environment: &[("FD_GPU_ID", "740")],
        device: "740",
        subgroup: None,
        full: 16,
    }],
    slow: &[],
    limit: None,
    sums: 300,
    occupancy: "waves of a core",
    may_spill: false,
    row: |report| Row {
        instructions: report.count("Instruction Count"),
        registers: report.count("Registers used"),
        occupancy: report.count("Max Waves Per Core"),
        spills: report.count("STP Count"),
        cycles: None,
        ..Row::default()
    },
};

/// Registers are a lane's. Scalar registers spill into lanes of others, which counts as well. Cycles are a wave's share of
/// a SIMD that others keep as busy.
pub static AMD: Vendor = Vendor {
    name: "amd",
    judge: "AMD",
    architecture: "amd64",
    driver: "radeon",
    shim: "amdgpu",
    robust: true,
    code: None,
    chips: &[
        Chip {
            name: "polaris10",
            environment: &[("AMDGPU_GPU_ID", "polaris10")],
            device: "POLARIS10",
            subgroup: None,
            full: 10,
        },
        Chip {
            name: "navi21",
            environment: &[("AMDGPU_GPU_ID", "navi21")],
            device: "NAVI21",
            subgroup: None,
            full: 32,
        },
        Chip {
            name: "gfx1100",
            environment: &[("AMDGPU_GPU_ID", "navi31")],
            device: "NAVI31",
            subgroup: None,
            full: 32,
        },
        Chip {
            name: "gfx1201",
            environment: &[("AMDGPU_GPU_ID", "gfx1201")],
            device: "GFX1201",
            subgroup: None,
            full: 32,
        },
    ],
    slow: &[],
    limit: None,
    sums: 300,
    occupancy: "waves of a SIMD",
    may_spill: false,
    row: |report| Row {
        instructions: report.count("Instructions"),
        registers: report.count("VGPRs"),
        occupancy: report.count("Subgroups per SIMD"),
        spills: report.count("Spilled VGPRs") + report.count("Spilled SGPRs"),
        cycles: Some(report.count("Inverse Throughput")),
        ..Row::default()
    },
};

/// Kernels of more than 32 registers leave room for half the threads, and none has more than 64. The largest tiles are too
/// large for that.
pub static ARM: Vendor = Vendor {
    name: "arm",
    judge: "ARM",
    architecture: "arm64",
    driver: "panfrost",
    shim: "panfrost",
    robust: true,
    code: None,
    chips: &[Chip {
        name: "g610",
        environment: &[
            ("PAN_GPU_ID", "a867"),
            ("PAN_I_WANT_A_BROKEN_VULKAN_DRIVER", "1"),
        ],
        device: "Mali-G610",
        subgroup: Some(16),
        full: 2,
    }],
    slow: &[Family::Registers],
    limit: Some(Duration::from_secs(180)),
    sums: 80,
    occupancy: "halves of a core's threads",
    may_spill: true,
    row: |report| Row {
        instructions: report.count("Instructions"),
        registers: report.count("Registers used"),
        occupancy: report.count("Threads"),
        spills: report.count("Spills"),
        cycles: Some(report.count("Cycles")),
        ..Row::default()
    },
};

impl Vendor {
    /// The names of the driver's and the shim's libraries, without their endings.
    pub fn libraries(&self) -> [String; 2] {
        let shim = self.shim;
        [
            format!("libvulkan_{}", self.driver),
            format!("lib{shim}_noop_drm_shim"),
        ]
    }

    /// What the table holds of a report.
    pub fn row(&self, report: &Report) -> Row {
        (self.row)(report)
    }
}

impl Chip {
    /// An adapter of that kind, as far as the choice of a variant goes.
    pub fn profile(&self) -> Profile {
        Profile {
            name: self.name.into(),
            class: Class::Gpu,
            limits: Limits {
                max_buffer_size: 4 << 30,
                max_storage_binding: 2 << 30,
                ..Limits::WEBGPU
            },
            subgroup: self.subgroup,
        }
    }
}
