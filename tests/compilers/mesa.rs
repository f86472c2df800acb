//! NVIDIA's, Apple's, Qualcomm's, AMD's and ARM's compilers in Mesa, against mesa.csv: registers, occupancy, spills,
//! cycles, and how much of NVIDIA's inner loops is arithmetic.
//!
//! kernels() -> SPIR-V of a release -> a process for each chip (driver) -> rows (chips, nak) -> the table
//!
//! FER_GPU_BLESS=1 writes a vendor's rows instead of comparing. Each chip is also handed a kernel that must spill
//! and one that must not compile. [`plans`] asks the same adapters for their plans.

mod chips;
mod driver;
mod nak;
mod plans;
mod table;

use crate::judge;
use crate::translate::{Buffer, Kernel, SpirvFor, kernels, spirv_of};
use chips::{AMD, APPLE, ARM, Chip, NVIDIA, QUALCOMM, Vendor};
use driver::{Asker, Shader};
use fer_gpu::plan;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use table::{Row, Table};

#[test]
#[ignore = "needs Mesa's shims: run .ci/compilers"]
fn nvidia_holds_the_table() {
    judge_all(&NVIDIA);
}

#[test]
#[ignore = "needs Mesa's shims: run .ci/compilers"]
fn apple_holds_the_table() {
    judge_all(&APPLE);
}

#[test]
#[ignore = "needs Mesa's shims: run .ci/compilers"]
fn qualcomm_holds_the_table() {
    judge_all(&QUALCOMM);
}

#[test]
#[ignore = "needs Mesa's shims: run .ci/compilers"]
fn amd_holds_the_table() {
    judge_all(&AMD);
}

#[test]
#[ignore = "needs qemu and Mesa's shims for arm64: run .ci/compilers-arm"]
fn arm_holds_the_table() {
    judge_all(&ARM);
}

/// One table for all vendors, whose tests run beside each other.
static TABLE: Mutex<()> = Mutex::new(());

fn judge_all(vendor: &'static Vendor) {
    let begin = Instant::now();
    let asker = Asker::new(vendor, "mesa");
    let program = asker.build();
    let mut found = std::thread::scope(|scope| {
        let (asker, program) = (&asker, &program);
        let chips = vendor.chips.iter();
        let chips = chips.map(|chip| scope.spawn(|| rows_of(vendor, asker, chip, program)));
        let chips: Vec<_> = chips.collect();
        let rows = chips
            .into_iter()
            .map(|chip| chip.join().expect("a chip's rows"));
        Table(rows.flatten().collect())
    });
    let path = judge::source("mesa.csv");
    let _held = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if std::env::var_os("FER_GPU_BLESS").is_some() {
        bless(vendor, &found);
    }
    let text = std::fs::read_to_string(&path).expect("mesa.csv");
    let mut committed = Table::parse(&text).expect("mesa.csv").of(vendor.name);
    if vendor.limit.is_some() {
        // Which kernels are slow depends on the machine.
        committed.0.retain(|kernel, _| found.0.contains_key(kernel));
        found.0.retain(|kernel, _| committed.0.contains_key(kernel));
    }
    compare(vendor, &committed, &found);
    let kernels = found.0.len();
    let seconds = begin.elapsed().as_secs_f64();
    println!("{}: {kernels} accepted in {seconds:.1} s", vendor.judge);
}

/// Puts a vendor's rows in the place of its old ones.
fn bless(vendor: &Vendor, found: &Table) {
    let path = judge::source("mesa.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut table = Table::parse(&text).unwrap_or_default();
    let prefix = format!("{},", vendor.name);
    table.0.retain(|kernel, _| !kernel.starts_with(&prefix));
    table.0.extend(found.0.clone());
    judge::write(&path, table.to_string());
}

/// Tells what changed; on the table's version of Mesa fails for what is worse.
fn compare(vendor: &Vendor, committed: &Table, found: &Table) {
    let judge = vendor.judge;
    let worse = committed.worse(found);
    for line in committed.changes(found) {
        println!("{judge}: {line} (occupancy: {})", vendor.occupancy);
    }
    let (ours, theirs) = (committed.version(), found.version());
    if ours.is_some() && ours != theirs {
        let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        println!(
            "{judge}: mesa.csv is of Mesa {ours}, this is {theirs}: nothing fails; worse are {}",
            worse.len()
        );
        return;
    }
    assert!(
        worse.is_empty(),
        "{judge}, Mesa {}:\n{}\nif this is meant: FER_GPU_BLESS=1 .ci/compilers (ARM: .ci/compilers-arm)",
        theirs.unwrap_or_default(),
        worse.join("\n")
    );
    let spilling = chosen(vendor, found, |_, row| row.spills > 0);
    let text = format!(
        "{judge}: plans choose kernels that spill: {}",
        spilling.join(", ")
    );
    match vendor.may_spill {
        true if !spilling.is_empty() => println!("{text}"),
        _ => assert!(spilling.is_empty(), "{text}"),
    }
    let low = chosen(vendor, found, |chip, row| 3 * row.occupancy < chip.full);
    if !low.is_empty() {
        println!(
            "{judge}: chosen and below a third of the {}: {}",
            vendor.occupancy,
            low.join(", ")
        );
    }
}

/// Can a plan for the chip choose the kernel for any of its cases?
fn can_be_chosen(kernel: &Kernel, vendor: &Vendor, chip: &Chip) -> bool {
    if vendor.slow.contains(&kernel.variant.family) {
        return false;
    }
    let variants = kernel.op.variants();
    let variant = variants.iter().position(|v| v.name == kernel.variant.name);
    let (variant, profile) = (variant.expect("a variant of its op"), chip.profile());
    let mut cases = kernel.op.cases().into_iter();
    cases.any(|case| kernel.op.supports(variant, &case.params, &profile))
}

/// The rows of one chip, whose controls have failed as they should.
fn rows_of(vendor: &Vendor, asker: &Asker, chip: &Chip, program: &Path) -> Vec<(String, Row)> {
    let chosen: Vec<&Kernel> = kernels()
        .iter()
        .filter(|kernel| can_be_chosen(kernel, vendor, chip))
        .collect();
    assert!(!chosen.is_empty(), "{}: no kernel", chip.name);
    let shader = |kernel: &&Kernel| Shader {
        name: kernel.file(),
        words: kernel.spirv(SpirvFor::Release).expect("SPIR-V"),
        entry: kernel.variant.entry,
        buffers: kernel.buffers(),
    };
    let mut shaders: Vec<Shader> = chosen.iter().map(shader).collect();
    shaders.push(spilling(vendor.sums));
    let mut answer = asker.reports(chip, program, "kernels", &shaders);
    let control = answer.reports.pop().expect("the control's report");
    let refused = answer
        .reports
        .iter()
        .filter(|report| report.refused.is_some());
    let refused: Vec<&str> = refused.map(|report| report.kernel.as_str()).collect();
    assert!(
        refused.is_empty(),
        "{} {} refuses {refused:?}",
        vendor.judge,
        chip.name
    );
    let spills = vendor.row(&control).spills;
    assert!(
        spills > 0,
        "{}: the control does not spill: {control:?}",
        chip.name
    );
    assert_refused(asker, chip, program, chosen[0]);
    let judged = chosen.iter().zip(&answer.reports);
    let (slow, judged): (Vec<_>, Vec<_>) = judged.partition(|(_, report)| report.slow);
    for (kernel, _) in slow {
        let (vendor, chip) = (vendor.judge, chip.name);
        println!("{vendor} {chip}: left out, its compiler is too slow for {kernel}");
    }
    let rows = judged.into_iter().map(|(kernel, report)| {
        let (op, variant) = (kernel.op.name(), kernel.variant.name);
        let row = Row {
            mesa: answer.version.clone(),
            invocations: kernel.invocations(),
            hot: nak::Loop::hot(&report.code),
            ..vendor.row(report)
        };
        (format!("{},{},{op},{variant}", vendor.name, chip.name), row)
    });
    rows.collect()
}

/// The kernels that plans choose on the vendor's chips and of which something holds.
fn chosen(vendor: &Vendor, found: &Table, holds: fn(&Chip, &Row) -> bool) -> Vec<String> {
    let mut kernels = Vec::new();
    for chip in vendor.chips {
        for (op, variant) in plans::chosen(&plan::Options::new(chip.profile())) {
            let kernel = format!("{},{},{op},{variant}", vendor.name, chip.name);
            let row = found.0.get(&kernel);
            let judged = row.is_some() || vendor.limit.is_some();
            assert!(judged, "{kernel} is chosen and was not judged");
            if row.is_some_and(|row| holds(chip, row)) {
                kernels.push(format!("{} {op} {variant}", chip.name));
            }
        }
    }
    kernels
}

/// The control of spills: sums that all live through a loop.
fn spilling(sums: u32) -> Shader<'static> {
    let mut text = String::from(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn control(@builtin(local_invocation_index) local: u32) {\n",
    );
    let all = |text: &mut String, line: fn(u32) -> String| {
        (0..sums).for_each(|i| writeln!(text, "{}", line(i)).expect("a string grows"));
    };
    all(&mut text, |i| format!("var sum{i} = 0.0;"));
    text += "for (var k = local; k < arrayLength(&x); k += 64u) {\nlet factor = x[k];\n";
    all(&mut text, |i| format!("sum{i} = sum{i} * factor + {i}.0;"));
    text += "}\n";
    all(&mut text, |i| format!("y[local * 300u + {i}u] = sum{i};"));
    Shader {
        name: "control.spills".into(),
        words: spirv_of(&(text + "}\n"), "control"),
        entry: "control",
        buffers: vec![Buffer::ReadOnly, Buffer::ReadWrite],
    }
}

/// The other control: a kernel that was just accepted, where the type of an addition is replaced by its operand. A driver
/// refuses it without a word or, where it takes valid SPIR-V for granted, ends the process over it.
fn assert_refused(asker: &Asker, chip: &Chip, program: &Path, kernel: &Kernel) {
    let mut words = kernel.spirv(SpirvFor::Release).expect("SPIR-V");
    let addition = |word: &u32| *word == (5 << 16 | 128);
    let at = words.iter().position(addition).expect("an OpIAdd");
    words[at + 1] = words[at + 3];
    let broken = Shader {
        name: "control.broken".into(),
        words,
        entry: kernel.variant.entry,
        buffers: kernel.buffers(),
    };
    let output = asker.ask(chip, program, "broken", &[broken]);
    let said = judge::said(&output);
    let begun = said.contains("kernel\t");
    let refused = said.contains("refused\t") || output.status.signal().is_some();
    assert!(
        begun && refused,
        "{}: a broken kernel compiles: {said}",
        chip.name
    );
}
