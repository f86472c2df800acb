//! What the plan must know of an adapter, as plain data: limits, subgroup width and kind.
//! The gpu room fills it in; a plan for a machine without an adapter assumes [`Profile::webgpu`].

use serde::{Deserialize, Serialize};

/// The limits that shape a plan. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_buffer_size: u64,
    pub max_storage_binding: u64,
    pub storage_offset_alignment: u64,
    pub max_workgroups_per_dimension: u32,
    pub max_invocations: u32,
    pub max_workgroup_memory: u32,
    pub max_storage_buffers: u32,
}

impl Limits {
    /// The limits that every WebGPU implementation grants (the specification's defaults).
    pub const WEBGPU: Limits = Limits {
        max_buffer_size: 256 << 20,
        max_storage_binding: 128 << 20,
        storage_offset_alignment: 256,
        max_workgroups_per_dimension: 65_535,
        max_invocations: 256,
        max_workgroup_memory: 16 << 10,
        max_storage_buffers: 8,
    };

    /// A grid of that many workgroups, folded into two dimensions where one is too short.
    pub fn grid(&self, workgroups: u64) -> [u32; 3] {
        let widest = u64::from(self.max_workgroups_per_dimension);
        if workgroups <= widest {
            return [workgroups as u32, 1, 1];
        }
        let rows = workgroups.div_ceil(widest);
        [workgroups.div_ceil(rows) as u32, rows as u32, 1]
    }
}

/// What kind of processor runs the kernels: it decides which family of kernels is fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Gpu,
    /// A CPU behind a GPU interface (lavapipe, llvmpipe, SwiftShader, WARP): barriers and
    /// loads by single lanes are dear, cache is plentiful.
    Software,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
    pub class: Class,
    pub limits: Limits,
    /// The width of a subgroup where the feature exists and the width is fixed.
    pub subgroup: Option<u32>,
}

impl Profile {
    /// Any WebGPU device at its defaults, no optional feature.
    pub fn webgpu(class: Class) -> Profile {
        Profile {
            name: "WebGPU defaults".into(),
            class,
            limits: Limits::WEBGPU,
            subgroup: None,
        }
    }

    /// Is `width` the width of every subgroup here?
    pub fn has_subgroup(&self, width: u32) -> bool {
        self.subgroup == Some(width)
    }
}
