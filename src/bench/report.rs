//! What a benchmark measured, as plain data: tables, files, comparisons and plots are made of it.

use super::Stats;
use crate::cards::Full;
use crate::gpu::adapter::{Info, Kind};
use serde::{Deserialize, Serialize};

/// Bytes of a dispatch below which its data may lie in a cache, and the ceiling of cached copies
/// counts too.
const CACHED: u64 = 32 << 20;

/// The kernels of one adapter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub adapter: AdapterLine,
    /// What was tuned before, and did the plan make.
    #[serde(default)]
    pub tuned: Option<String>,
    /// How time was measured, and why so.
    pub clock: Clock,
    pub rounds: usize,
    pub ceilings: Ceilings,
    /// Workgroups that fill the adapter.
    #[serde(default)]
    pub full: Option<Full>,
    pub kernels: Vec<Row>,
    /// Kernels that were not timed, since they are wrong.
    pub wrong: Vec<Wrong>,
    pub step: Option<Step>,
}

/// Which adapter it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterLine {
    pub name: String,
    pub backend: String,
    pub driver: String,
    pub software: bool,
}

impl From<&Info> for AdapterLine {
    fn from(info: &Info) -> AdapterLine {
        AdapterLine {
            name: info.name.clone(),
            backend: info.backend.into(),
            driver: info.driver.clone(),
            software: info.kind == Kind::Software,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Clock {
    /// The device's own, around each dispatch.
    Device,
    /// The host's: submission and wait are part of each time.
    Host { because: String },
}

/// The best that this adapter did in this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Operations a second.
    pub flops: Peak,
    /// Bytes a second, of a copy larger than the caches.
    pub bytes: Peak,
    /// Bytes a second, of a small copy done again and again.
    pub cached_bytes: Peak,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    pub variant: String,
    pub per_second: f64,
    /// Seconds of the dispatch that was timed.
    pub time: Stats,
}

/// One kernel at one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub op: String,
    pub pass: Pass,
    /// Its parameters, or the name of its test case.
    pub shape: String,
    pub variant: String,
    /// The first layer that it serves.
    pub layer: String,
    /// Does the plan run it? Else it is another variant, or a test case.
    pub planned: bool,
    /// Dispatches of a step that are alike.
    pub count: usize,
    /// Of a dispatch along x, y and z; zeros in files of before they were told.
    #[serde(default, rename = "workgroups")]
    pub grid: [u32; 3],
    pub flops: u64,
    pub bytes: u64,
    /// Seconds of one dispatch.
    pub time: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    Forward,
    Backward,
    Update,
}

impl Pass {
    pub fn name(self) -> &'static str {
        match self {
            Pass::Forward => "forward",
            Pass::Backward => "backward",
            Pass::Update => "update",
        }
    }
}

/// A kernel that disagrees with its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wrong {
    pub op: String,
    pub variant: String,
    pub what: String,
}

/// A whole training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub model: String,
    pub batch: u32,
    /// Dispatches of a step.
    pub dispatches: usize,
    /// Seconds from the upload until the metrics are on the host.
    pub time: Stats,
    /// Seconds of all its kernels, where all were timed.
    pub kernels: Option<f64>,
}

impl Row {
    /// Workgroups of a dispatch.
    pub fn workgroups(&self) -> u64 {
        groups(self.grid)
    }

    pub fn flops_per_second(&self) -> f64 {
        self.flops as f64 / self.time.median
    }

    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.time.median
    }

    /// Seconds in which the adapter's ceilings would do this work: the longer of the two.
    pub fn ideal(&self, ceilings: &Ceilings) -> f64 {
        let arithmetic = self.flops as f64 / ceilings.flops.per_second;
        arithmetic.max(self.bytes as f64 / ceilings.bytes_for(self.bytes))
    }

    /// Operations for each byte that it must move.
    pub fn intensity(&self) -> f64 {
        self.flops as f64 / self.bytes as f64
    }

    /// Share of the ceiling, the nearer of the two.
    pub fn of_ceiling(&self, ceilings: &Ceilings) -> f64 {
        self.ideal(ceilings) / self.time.median
    }

    /// Share of the measured step that its dispatches take.
    pub fn of_step(&self, step: &Step) -> f64 {
        self.count as f64 * self.time.median / step.time.median
    }
}

impl Ceilings {
    /// The ceiling that a kernel meets first.
    pub fn above(&self, row: &Row) -> &Peak {
        let arithmetic = row.flops as f64 / self.flops.per_second;
        if arithmetic >= row.ideal(self) {
            &self.flops
        } else if self.bytes_for(row.bytes) == self.bytes.per_second {
            &self.bytes
        } else {
            &self.cached_bytes
        }
    }

    /// Bytes a second that a kernel which moves so many could reach.
    pub fn bytes_for(&self, bytes: u64) -> f64 {
        if bytes <= CACHED {
            self.bytes.per_second.max(self.cached_bytes.per_second)
        } else {
            self.bytes.per_second
        }
    }
}

/// Workgroups of a grid.
pub fn groups(grid: [u32; 3]) -> u64 {
    grid.map(u64::from).iter().product()
}

impl Report {
    /// Kernels above 105 % of a ceiling: the ceiling is wrong then.
    pub fn above_ceiling(&self) -> impl Iterator<Item = &Row> {
        self.kernels
            .iter()
            .filter(|row| row.of_ceiling(&self.ceilings) > 1.05)
    }
}
