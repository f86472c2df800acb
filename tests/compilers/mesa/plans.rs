//! The dispatches that real adapters would get: `fer-gpu plan` behind the shims, which nothing executes.
//!
//! FER_GPU_BLESS=1 .ci/compilers   writes plans/VENDOR.txt anew

use super::chips::{AMD, APPLE, Chip, NVIDIA, QUALCOMM, Vendor};
use super::driver::Asker;
use crate::judge;
use fer_gpu::network::NETWORKS;
use fer_gpu::plan::{self, Source, Wanted};
use std::collections::BTreeSet;
use std::path::Path;

/// The ops and variants that plans of the box's networks have with these options, in training and in predictions.
pub fn chosen(options: &plan::Options) -> BTreeSet<(&'static str, &'static str)> {
    let mut chosen = BTreeSet::new();
    for network in NETWORKS.iter() {
        let model = network.build(7);
        let wanted = Wanted::training(64, [Source::Host; 2]);
        let plan = plan::plan(&model, &wanted, options).expect("a plan");
        let dispatches = plan.programs.iter().flat_map(|program| &program.dispatches);
        chosen.extend(dispatches.map(|d| (d.op.name(), d.variant_name())));
    }
    chosen
}

/// The chip of a vendor that people train on.
fn newest(vendor: &'static Vendor) -> &'static Chip {
    vendor.chips.last().expect("a chip")
}

/// The training program of a network: number, layer, kernel and variant of each dispatch.
fn dispatches(vendor: &'static Vendor, asker: &Asker, network: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_fer-gpu"));
    let home = judge::folder(&format!("plans.{}.home", vendor.name));
    let mut command = asker.command(newest(vendor), program);
    let output = judge::run(
        command
            .args(["plan", "--model", network, "--device", "vulkan"])
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("XDG_RUNTIME_DIR", &home)
            .env("XDG_DATA_HOME", &home)
            .env("XDG_CACHE_HOME", &home),
    );
    assert!(
        output.status.success(),
        "{}: {}",
        vendor.judge,
        judge::said(&output)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let training = text
        .split("\nOne validation batch")
        .next()
        .unwrap_or_default();
    let rows = training
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|cells| cells.first().is_some_and(|n| n.parse::<u32>().is_ok()));
    let rows: Vec<String> = rows.map(|cells| cells[..4].join(" ")).collect();
    assert!(
        !rows.is_empty(),
        "{}: no dispatches in {text}",
        vendor.judge
    );
    format!(
        "{network}, {} dispatches a step\n{}\n",
        rows.len(),
        rows.join("\n")
    )
}

fn hold(vendor: &'static Vendor) {
    let asker = Asker::new(vendor, "plans");
    let text = ["inception", "inception-gap"].map(|network| dispatches(vendor, &asker, network));
    let text = text.join("\n");
    let path = judge::source("plans").join(format!("{}.txt", vendor.name));
    if std::env::var_os("FER_GPU_BLESS").is_some() {
        judge::write(&path, &text);
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{}: another plan than {}\n{text}\nif this is meant: FER_GPU_BLESS=1 .ci/compilers",
        vendor.judge,
        path.display()
    );
}

#[test]
#[ignore = "needs Mesa's shims: run .ci/compilers"]
fn adapters_of_four_vendors_get_the_committed_plans() {
    for vendor in [&NVIDIA, &APPLE, &QUALCOMM, &AMD] {
        hold(vendor);
    }
    println!("plans: 4 accepted");
}
