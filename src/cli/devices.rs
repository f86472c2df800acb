//! `fer-gpu devices`: the adapters of this machine, what they allow, and whether the seed
//! network fits.

use super::{Error, output, print};
use crate::gpu::adapter::Info;
use crate::gpu::{Adapter, Gpu, LimitChoice};
use crate::network::Network;
use crate::plan::{self, Options, Plan, Source, Wanted};
use crate::profile::Profile;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// The network and batch whose fit is told.
const MODEL: &str = "inception";
const BATCH: u32 = 64;
const CLASSES: u32 = 7;

#[derive(Args)]
pub struct Devices {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> Result<ExitCode, Error> {
        let (all, incapable) = Adapter::found();
        if all.is_empty() && incapable.is_empty() {
            return Err(crate::gpu::Error::NoAdapter.into());
        }
        let twins = Adapter::duplicates(&all);
        let listed = all
            .iter()
            .zip(&twins)
            .map(|(a, twin)| Listed::new(a, *twin));
        if self.json {
            let mut list: Vec<Value> = listed.map(|l| l.json()).collect();
            list.extend(incapable.iter().map(|(info, lacks)| lacking(info, lacks)));
            print(serde_json::to_string_pretty(&list).expect("plain values"));
        } else {
            for listed in listed {
                print(listed.text());
            }
            for (info, lacks) in incapable {
                print(format_args!(
                    "-  {info}\n   cannot run the kernels: it lacks {lacks}\n"
                ));
            }
        }
        if !self.json {
            output::next(&["fer-gpu verify", "fer-gpu train"]);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One adapter with all that is told of it.
struct Listed<'a> {
    adapter: &'a Adapter,
    profile: Profile,
    /// The same device through a better backend.
    twin: Option<usize>,
    fit: Fit,
}

/// Does the seed network fit?
enum Fit {
    /// Bytes of device memory that it takes.
    Yes(u64),
    /// Bytes that it would take, where they are known, and why not.
    No(Option<u64>, String),
    /// The adapter gives no device at all.
    Closed(String),
}

impl<'a> Listed<'a> {
    fn new(adapter: &'a Adapter, twin: Option<usize>) -> Listed<'a> {
        let profile = adapter.profile(LimitChoice::Native);
        let fit = fit(adapter, &profile);
        Listed {
            adapter,
            profile,
            twin,
            fit,
        }
    }

    fn text(&self) -> String {
        let Adapter { index, info, .. } = self.adapter;
        let limits = &self.profile.limits;
        let mut lines = vec![format!(
            "{index}  {}{}",
            info.name,
            if *index == 0 { "  (default)" } else { "" }
        )];
        let mut add = |name: &str, text: String| lines.push(format!("   {name:10} {text}"));
        add("kind", info.kind.to_string());
        add("backend", format!("{}  {}", info.backend, info.driver));
        if let Some(twin) = self.twin {
            add("same as", format!("{twin}, through another backend"));
        }
        add(
            "memory",
            format!(
                "buffers up to {}, bindings up to {} at multiples of {} B",
                bytes(limits.max_buffer_size),
                bytes(limits.max_storage_binding),
                limits.storage_offset_alignment
            ),
        );
        add(
            "workgroup",
            format!(
                "{} invocations, {} of memory, {} storage buffers",
                limits.max_invocations,
                bytes(limits.max_workgroup_memory as u64),
                limits.max_storage_buffers
            ),
        );
        let subgroups = match self.adapter.subgroups() {
            None => "no subgroups".into(),
            Some([a, b]) if a == b => format!("subgroups of {a}"),
            Some([a, b]) => format!("subgroups of {a} to {b}"),
        };
        let clock = match (self.adapter.timestamps(), self.adapter.inner_timestamps()) {
            (true, true) => "timestamps, inside passes too",
            (true, false) => "timestamps around passes",
            (false, _) => "no timestamps",
        };
        add("features", format!("{subgroups}, {clock}"));
        add(
            MODEL,
            match &self.fit {
                Fit::Yes(needed) => format!("fits at batch {BATCH}, with {}", bytes(*needed)),
                Fit::No(Some(needed), why) => {
                    format!(
                        "does not fit at batch {BATCH}, it needs {}: {why}",
                        bytes(*needed)
                    )
                }
                Fit::No(None, why) => format!("does not fit at batch {BATCH}: {why}"),
                Fit::Closed(why) => format!("cannot run: {why}"),
            },
        );
        lines.push(String::new());
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let Adapter { index, info, .. } = self.adapter;
        let (fits, needed, why) = match &self.fit {
            Fit::Yes(needed) => (true, Some(*needed), None),
            Fit::No(needed, why) => (false, *needed, Some(why)),
            Fit::Closed(why) => (false, None, Some(why)),
        };
        json!({
            "index": index,
            "default": *index == 0,
            "name": info.name,
            "kind": info.kind,
            "backend": info.backend,
            "driver": info.driver,
            "same_as": self.twin,
            "limits": self.profile.limits,
            "subgroup_sizes": self.adapter.subgroups(),
            "timestamps": self.adapter.timestamps(),
            "inner_timestamps": self.adapter.inner_timestamps(),
            "seed_network": {
                "model": MODEL, "batch": BATCH, "fits": fits, "needed_bytes": needed, "reason": why,
            },
        })
    }
}

/// An adapter that cannot be used.
fn lacking(info: &Info, lacks: &str) -> Value {
    json!({
        "index": null, "default": false, "name": info.name, "kind": info.kind,
        "backend": info.backend, "driver": info.driver, "lacks": lacks,
    })
}

/// Plans the seed network and takes its memory for a moment.
fn fit(adapter: &Adapter, profile: &Profile) -> Fit {
    let network = Network::find(MODEL).expect("the seed network");
    let wanted = Wanted::training(BATCH, [Source::Host; 2]);
    let options = Options::new(profile.clone());
    let plan = match plan::plan(&network.build(CLASSES), &wanted, &options) {
        Ok(plan) => plan,
        Err(error) => return Fit::No(None, error.to_string()),
    };
    let needed = plan.device_bytes();
    match take(adapter, &plan) {
        Ok(()) => Fit::Yes(needed),
        Err(error @ crate::gpu::Error::Request { .. }) => Fit::Closed(error.to_string()),
        Err(error) => Fit::No(Some(needed), error.to_string()),
    }
}

fn take(adapter: &Adapter, plan: &Plan) -> Result<(), crate::gpu::Error> {
    let gpu = Gpu::open(adapter, LimitChoice::Native)?;
    let buffers = plan.buffers.iter();
    let taken = buffers.map(|spec| gpu.storage(&spec.name, spec.bytes.max(4)));
    taken.collect::<Result<Vec<_>, _>>().map(drop)
}

/// 1234567890 as `1.15 GiB`.
fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
