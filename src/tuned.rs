//! What `fer-gpu tune` measured on this machine before, one file for each adapter: which variants
//! were the fastest, and which schedules. A new run, a benchmark and a printed plan ask here; a
//! change of the adapter, of its driver or of any shader makes another file, so nothing is stale.

use crate::files::{self, Sealed};
use crate::gpu::adapter::Info;
use crate::ops::REGISTRY;
use crate::plan::{Options, Pins, Schedule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The winners on one adapter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Adapter and driver, for whoever reads the file.
    pub adapter: String,
    /// Kernel and shape -> the fastest variant.
    pub winners: Pins,
    /// `<network> <batch>` -> the fastest schedule.
    pub schedules: BTreeMap<String, Schedule>,
}

/// What became of a look for an adapter's file.
pub enum Found {
    Nothing,
    /// The winners, and where they are written.
    Tuned(Box<Tuned>, PathBuf),
    /// The file that is no such file, and why.
    Unreadable(PathBuf, String),
}

impl Tuned {
    /// The file of an adapter, or none where the system names no folder for caches.
    pub fn path(adapter: &Info) -> Option<PathBuf> {
        Some(files::cache_folder()?.join(Tuned::file_name(adapter)))
    }

    /// Adapter, driver and shaders in short.
    pub fn file_name(adapter: &Info) -> String {
        let key = format!("{adapter} {:?} {:016x}", adapter.pci, shaders());
        let hash = xxh3_64(key.as_bytes());
        format!("tuned-{hash:016x}.json")
    }

    /// What was measured on an adapter.
    pub fn find(adapter: &Info) -> Found {
        let Some(path) = Tuned::path(adapter) else {
            return Found::Nothing;
        };
        let read = match std::fs::read_to_string(&path) {
            Ok(text) => Tuned::of_text(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(tuned) => Found::Tuned(tuned, path),
            Err(why) => Found::Unreadable(path, why),
        }
    }

    fn of_text(text: &str) -> Result<Box<Tuned>, String> {
        match Sealed::of(text.as_bytes()) {
            Err(damaged) => Err(damaged.to_string()),
            Ok(Sealed::Never) => Err("it has no hash".into()),
            Ok(Sealed::Unchanged) => serde_json::from_str(text).map_err(|error| error.to_string()),
        }
    }

    /// Lets a plan of `network` for `batch` images use the winners.
    pub fn apply(&self, options: &mut Options, network: &str, batch: u32) {
        options.tuned = self.winners.clone();
        if let Some(schedule) = self.schedules.get(&schedule_key(network, batch)) {
            options.schedule = *schedule;
        }
    }

    /// Adds what was found for a network and a batch, in place of what was known of its shapes.
    pub fn learn(&mut self, network: &str, batch: u32, schedule: Schedule, winners: Pins) {
        self.winners.0.extend(winners.0);
        self.schedules
            .insert(schedule_key(network, batch), schedule);
    }
}

impl Found {
    /// The winners if there are any; a line to tell if there is something to tell.
    pub fn apply(&self, options: &mut Options, network: &str, batch: u32) -> Option<String> {
        match self {
            Found::Nothing => None,
            Found::Tuned(tuned, path) => {
                tuned.apply(options, network, batch);
                Some(format!("kernels as tuned in {}", path.display()))
            }
            Found::Unreadable(path, why) => Some(format!(
                "{} is not used: {why}; `fer-gpu tune` writes it anew",
                path.display()
            )),
        }
    }
}

fn schedule_key(network: &str, batch: u32) -> String {
    format!("{network} {batch}")
}

/// A fingerprint of every kernel.
fn shaders() -> u64 {
    let mut hash = Xxh3::new();
    for op in REGISTRY {
        for variant in op.variants() {
            hash.update(variant.module().as_bytes());
            hash.update(format!("{} {:?}", variant.entry, variant.constants).as_bytes());
        }
    }
    hash.digest()
}
