//! A model of a training step on GPUs that nobody here has: `cargo bench --bench model`. It measures nothing.
//!
//! plan -> workgroups, terms and bytes of each dispatch; tests/compilers/mesa.csv -> instructions and occupancy
//!      -> the longest of issue, memory, cache and latency -> a table for each network
//!
//! What is modelled: a multiprocessor's four schedulers start one instruction of a warp each clock when enough warps
//! are resident ([`per_clock`]); NVIDIA's instruction counts stand for all vendors, occupancy is each vendor's own where
//! a compiler tells it; bytes move once, from memory where their buffer does not fit into half the cache. What is
//! not: conflicts of banks, loads that a tile repeats, clocks that fall under load, dispatches that overlap.

use fer_gpu::network::Network;
use fer_gpu::ops::Access;
use fer_gpu::plan::{self, Dispatch, Options, Plan, Source, Wanted};
use fer_gpu::profile::{Class, Limits, Profile};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A card, as a GPU of multiprocessors of 128 lanes.
struct Card {
    name: &'static str,
    /// Vendor and chip of mesa.csv whose occupancy is nearest, and the most that it can be.
    like: ([&'static str; 2], f64),
    multiprocessors: f64,
    /// GHz under load.
    clock: f64,
    /// GB/s that copies reach.
    memory: f64,
    /// GB/s, and MB.
    cache: (f64, f64),
    /// Between two dispatches that depend on each other, in microseconds.
    gap: f64,
    /// Clocks from a load to its value.
    latency: f64,
}

const fn card(
    name: &'static str,
    like: ([&'static str; 2], f64),
    [multiprocessors, clock]: [f64; 2],
    [memory, cache, megabytes]: [f64; 3],
    [gap, latency]: [f64; 2],
) -> Card {
    Card {
        name,
        like,
        multiprocessors,
        clock,
        memory,
        cache: (cache, megabytes),
        gap,
        latency,
    }
}

const AMPERE: ([&str; 2], f64) = (["nvidia", "ampere"], 48.0);

/// The first was measured (docs/performance.md); memory and clock of the others are what such cards are known to reach, gaps
/// and latencies estimates.
static CARDS: [Card; 7] = [
    card(
        "H200",
        AMPERE,
        [132.0, 1.98],
        [3940.0, 5500.0, 50.0],
        [3.0, 300.0],
    ),
    card(
        "H100",
        AMPERE,
        [132.0, 1.75],
        [2900.0, 5500.0, 50.0],
        [3.0, 300.0],
    ),
    card(
        "RTX 4070",
        AMPERE,
        [46.0, 2.5],
        [450.0, 1800.0, 36.0],
        [2.5, 280.0],
    ),
    card(
        "7900 XTX",
        (["amd", "gfx1100"], 32.0),
        [96.0, 1.5],
        [830.0, 3000.0, 96.0],
        [3.0, 350.0],
    ),
    card(
        "A770",
        AMPERE,
        [32.0, 2.3],
        [430.0, 1500.0, 16.0],
        [6.0, 400.0],
    ),
    card(
        "Iris Xe",
        AMPERE,
        [6.0, 1.35],
        [55.0, 150.0, 3.8],
        [8.0, 400.0],
    ),
    card(
        "M2",
        (["apple", "m1"], 1024.0),
        [10.0, 1.4],
        [85.0, 250.0, 8.0],
        [6.0, 400.0],
    ),
];

/// What an H200 took on the device for a step of each network, in milliseconds (docs/performance.md).
const MEASURED: [(&str, f64); 2] = [("inception", 1.65), ("inception-gap", 0.31)];

const BATCH: u32 = 64;

/// A row of tests/compilers/mesa.csv.
#[derive(Deserialize)]
struct Row {
    vendor: String,
    chip: String,
    op: String,
    variant: String,
    invocations: f64,
    instructions: f64,
    occupancy: f64,
    ffma: Option<f64>,
    #[serde(rename = "loop")]
    of_loop: Option<f64>,
    per_term: Option<f64>,
}

type Rows = BTreeMap<[String; 4], Row>;

fn rows() -> Rows {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compilers/mesa.csv");
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader
        .comment(Some(b'#'))
        .from_path(path)
        .expect("mesa.csv");
    let rows = reader
        .deserialize()
        .map(|row| row.expect("a row of mesa.csv"));
    rows.map(|row: Row| {
        (
            [&row.vendor, &row.chip, &row.op, &row.variant].map(String::clone),
            row,
        )
    })
    .collect()
}

fn row<'a>(rows: &'a Rows, [vendor, chip]: [&str; 2], dispatch: &Dispatch) -> &'a Row {
    let key = [vendor, chip, dispatch.op.name(), dispatch.variant_name()].map(str::to_string);
    rows.get(&key)
        .unwrap_or_else(|| panic!("mesa.csv has no {key:?}: FER_GPU_BLESS=1 .ci/compilers"))
}

/// Instructions that a scheduler starts each clock, by the warps that it has to choose from: set by what the H200 took for
/// convolutions' weight gradients (half a warp) and dense_1's forward pass (two).
fn per_clock(warps: f64) -> f64 {
    const CURVE: [(f64, f64); 8] = [
        (0.0, 0.0),
        (0.5, 0.21),
        (1.0, 0.40),
        (2.0, 0.66),
        (3.0, 0.78),
        (4.0, 0.85),
        (6.0, 0.90),
        (16.0, 0.92),
    ];
    let pairs = CURVE.iter().zip(&CURVE[1..]);
    let mut above = pairs.filter(|(_, (end, _))| warps <= *end);
    above.next().map_or(0.92, |((x, low), (end, high))| {
        low + (high - low) * (warps - x) / (end - x)
    })
}

/// Bytes that a dispatch moves, from memory and from the cache.
fn bytes(dispatch: &Dispatch, plan: &Plan, card: &Card) -> [f64; 2] {
    let mut moved = [0.0; 2];
    let lengths = dispatch.op.lengths(&dispatch.params);
    let bindings = dispatch.op.bindings().iter().zip(&dispatch.bindings);
    for ((binding, range), elements) in bindings.zip(lengths) {
        let times = if binding.access == Access::InOut {
            2.0
        } else {
            1.0
        };
        let fits = (plan.buffers[range.buffer].bytes as f64) < card.cache.1 * 1e6 / 2.0;
        moved[usize::from(fits)] += times * 4.0 * elements as f64;
    }
    moved
}

/// Microseconds of a dispatch.
fn microseconds(dispatch: &Dispatch, plan: &Plan, rows: &Rows, card: &Card) -> f64 {
    let code = row(rows, AMPERE.0, dispatch);
    let groups = dispatch.op.workgroups(dispatch.variant, &dispatch.params) as f64;
    let terms = dispatch.op.chain(dispatch.variant, &dispatch.params) as f64;
    let looped = code.of_loop.zip(code.per_term);
    let instructions = looped.map_or(code.instructions, |(of_loop, per_term)| {
        code.instructions - of_loop + terms * per_term
    });
    let warps = (code.invocations / 32.0).ceil();
    let most = 48.0 * row(rows, card.like.0, dispatch).occupancy / card.like.1;
    // The busiest multiprocessor.
    let own = (groups / card.multiprocessors).ceil();
    let resident = own.min((most / warps).floor().max(1.0));
    let clocks = own * warps * instructions / 4.0 / per_clock(resident * warps / 4.0);
    let issue = clocks / card.clock / 1e3;
    let [memory, cache] = bytes(dispatch, plan, card);
    let (memory, cache) = (memory / card.memory / 1e3, cache / card.cache.0 / 1e3);
    // Without products the terms are loads, each of which is waited for.
    let waited = if code.ffma.is_none() && looped.is_some() {
        terms
    } else {
        1.0
    };
    let latency = waited * card.latency / card.clock / 1e3;
    issue.max(memory).max(cache).max(latency) + 0.25 * issue.min(memory)
}

fn plan_of(network: &str) -> Plan {
    let profile = Profile {
        name: "a GPU".into(),
        class: Class::Gpu,
        limits: Limits {
            max_buffer_size: 4 << 30,
            max_storage_binding: 2 << 30,
            ..Limits::WEBGPU
        },
        subgroup: Some(32),
    };
    let model = Network::find(network)
        .expect("a network of the box")
        .build(7);
    let wanted = Wanted::training(BATCH, [Source::Host; 2]);
    plan::plan(&model, &wanted, &Options::new(profile)).expect("a plan")
}

fn print(network: &str, measured: f64, rows: &Rows) {
    let plan = plan_of(network);
    let step = &plan
        .program(plan::TRAIN)
        .expect("a training program")
        .dispatches;
    println!(
        "{network}, batch {BATCH}, {} dispatches a step: a model's figures, nothing was timed\n",
        step.len()
    );
    println!(
        "{:34} {:>10} {:>9} {:>9}",
        "ms a step", "kernels", "gaps", "step"
    );
    for card in &CARDS {
        let kernels: f64 = step
            .iter()
            .map(|d| microseconds(d, &plan, rows, card))
            .sum();
        let (kernels, gaps) = (kernels / 1e3, step.len() as f64 * card.gap / 1e3);
        let whole = kernels + gaps;
        print!("{:34} {kernels:10.2} {gaps:9.2} {whole:9.2}", card.name);
        match card.name {
            "H200" => println!(
                "   measured on the device: {measured}, {:.2} x",
                whole / measured
            ),
            _ => println!(),
        }
    }
    print!("\n{:>3} {:46} {:>10}", "#", "microseconds", "workgroups");
    CARDS.iter().for_each(|card| print!(" {:>8}", card.name));
    println!();
    for (at, dispatch) in step.iter().enumerate() {
        let what = format!(
            "{} {} {}",
            dispatch.label,
            dispatch.op.name(),
            dispatch.variant_name()
        );
        let groups = dispatch.op.workgroups(dispatch.variant, &dispatch.params);
        print!("{at:3} {what:46.46} {groups:10}");
        CARDS
            .iter()
            .for_each(|card| print!(" {:8.1}", microseconds(dispatch, &plan, rows, card)));
        println!();
    }
    println!();
}

fn main() {
    let rows = rows();
    for (network, measured) in MEASURED {
        print(network, measured, &rows);
    }
}
