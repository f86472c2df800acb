//! The verifier verified: small faults are put into the kernels, and their cases must see them.
//!
//! ```text
//! line, faults   a line of WGSL -> every small fault that it can have
//! draw           all shaders -> a seeded choice of them
//! module         a fault -> the variants whose code it changes, and an op that runs them
//! verdict        cases of those variants until one fails, then the static check of their barriers
//! pool           many mutants in processes of their own
//! table          verdicts -> table.md, and back
//! ```
//!
//! The run is `cargo test --test mutation -- --ignored`; it writes table.md. FER_GPU_MUTANTS=conv2d_tile
//! runs the faults of files whose name holds that, and writes nothing. What survives needs a case that
//! kills it, or its reason in survivors.txt.

#[path = "../barriers/check/mod.rs"]
mod barriers;
#[path = "../common/mod.rs"]
mod common;
mod draw;
mod faults;
mod line;
mod module;
mod pool;
mod table;
mod verdict;

use draw::Mutant;
use fer_gpu::gpu::Adapter;
use fer_gpu::ops::REGISTRY;
use module::Target;
use std::collections::BTreeSet;
use table::{COMMAND, Row};
use verdict::{Bench, Verdict};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mutation");

fn file(name: &str) -> String {
    let path = format!("{FOLDER}/{name}");
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Survivors without a reason, reasons that are wrong or without a fault; empty where all is well.
fn complaints(rows: &[Row]) -> Vec<String> {
    let arguments = table::arguments(&file("survivors.txt"));
    let mut all = Vec::new();
    for row in rows {
        let about = |a: &table::Argument| a.is_about(&row.file, &row.original, &row.mutated);
        let argued = arguments.iter().any(about);
        let at = format!("{}:{} `{}`", row.file, row.line, row.mutated);
        // What merely went unseen here may be seen another time.
        let equivalent = |a: &table::Argument| about(a) && a.why.starts_with("equivalent");
        if row.killed() && arguments.iter().any(equivalent) {
            all.push(format!("{at} was killed: survivors.txt is wrong"));
        }
        if row.survived() || !row.killed() && !argued {
            all.push(format!("{at} survived, and survivors.txt does not say why"));
        }
    }
    for argument in &arguments {
        let (file, original, mutated) = (&argument.file, &argument.original, &argument.mutated);
        if !draw::could_draw(file, original, mutated) {
            all.push(format!(
                "survivors.txt: {file} has no such fault: {original} -> {mutated}"
            ));
        }
    }
    all
}

#[test]
fn the_table_is_of_todays_shaders_and_nearly_all_faults_are_seen() {
    let rows = table::read(&file("table.md"));
    let files = draw::files();
    for row in &rows {
        let (name, line) = (&row.file, row.line);
        let text = files.get(name.as_str()).map_or("", |shader| shader.text);
        assert_eq!(
            text.lines().nth(line - 1).map(str::trim),
            Some(row.original.as_str()),
            "{name}:{line} has changed since table.md was written: run `{COMMAND}` again"
        );
    }
    let of_rows: BTreeSet<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    let faulty = files.into_iter().filter(|(_, s)| draw::can_be_faulty(s));
    assert_eq!(of_rows, faulty.map(|f| f.0).collect(), "files with faults");
    for fault in faults::FAULTS {
        assert!(
            rows.iter().any(|row| row.kind == fault.name),
            "{}",
            fault.name
        );
    }
    // A workgroup of the shared kernels has several subgroups on the adapter of the run: the loss of any
    // one barrier shows there, and need not be looked up in the code.
    let barriers = |row: &&Row| row.kind == "barrier dropped";
    for row in rows.iter().filter(barriers) {
        let by_a_case = row.killed() && !row.verdict.contains("tests/barriers");
        assert!(by_a_case, "{}:{} {}", row.file, row.line, row.verdict);
    }
    let killed = rows.iter().filter(|row| row.killed()).count();
    let equivalent = rows.iter().filter(|row| row.equivalent()).count();
    let faults = rows.len() - equivalent;
    assert!(faults >= 150, "{faults} faults");
    assert!(killed * 100 >= faults * 95, "{killed} of {faults} killed");
    // An easy argument is no substitute for a case.
    assert!(equivalent * 10 <= rows.len(), "{equivalent} equivalent");
    let complaints = complaints(&rows);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_fault_is_seen_and_a_sound_kernel_is_not_blamed() {
    let shader = draw::files()["add.wgsl"];
    let find = |(_, line): &(usize, &str)| line.contains("params.y_first + channel");
    let (at, line) = shader.text.lines().enumerate().find(find).expect("it");
    let with = |mutated: String| Mutant {
        file: shader.file,
        line: at + 1,
        kind: "by hand",
        original: line.trim().into(),
        mutated,
    };
    let adapter = Adapter::all().into_iter().next().expect("an adapter");
    let mut bench = Bench::new(adapter);
    let mut compiler = module::Compiler::default();
    let faulty = with(line.replace("params.y_first + channel", "params.y_first"));
    let targets = compiler.targets(&faulty).expect("it compiles");
    assert_eq!(targets.len(), 4, "the variants of add alone use this file");
    let verdict = bench.examine(&faulty, &targets, |_| {});
    assert!(matches!(verdict, Verdict::Killed(_)), "{verdict:?}");
    // The same in other words: it would be discarded, and no case sees a fault.
    let sound = with(line.replace("params.y_first + channel", "(params.y_first) + channel"));
    assert_eq!(compiler.fate(&sound), draw::Fate::Identical);
    assert_eq!(bench.examine(&sound, &targets, |_| {}), Verdict::Survived);
}

#[test]
#[ignore = "takes a few minutes: the run's control"]
fn sound_kernels_survive_the_run() {
    let line = "return id.y * count.x + id.x;";
    let shader = draw::files()["common.wgsl"];
    let at = shader.text.lines().position(|l| l.trim() == line);
    let unchanged = Mutant {
        file: shader.file,
        line: at.expect("the line") + 1,
        kind: "none",
        original: line.into(),
        mutated: line.into(),
    };
    let mut all = Vec::new();
    for (op, any) in REGISTRY.iter().enumerate() {
        all.extend((0..any.variants().len()).map(|variant| Target { op, variant }));
    }
    let verdict = Bench::new(pool::adapter()).examine(&unchanged, &all, |_| {});
    assert_eq!(verdict, Verdict::Survived);
}

#[test]
#[ignore = "takes minutes: puts some 900 faults into the kernels, writes tests/mutation/table.md"]
fn every_fault_is_seen_or_argued() {
    let mut compiler = module::Compiler::default();
    let draw = draw::draw(|mutant| compiler.fate(mutant));
    let filter = std::env::var("FER_GPU_MUTANTS").unwrap_or_default();
    let chosen: Vec<usize> = (0..draw.mutants.len())
        .filter(|&i| draw.mutants[i].file.contains(&filter))
        .collect();
    let verdicts = pool::examine(&draw, &chosen);
    let arguments = table::arguments(&file("survivors.txt"));
    let row = |(i, verdict): &(usize, Verdict)| table::row(&draw.mutants[*i], verdict, &arguments);
    let rows: Vec<Row> = verdicts.iter().map(row).collect();
    if filter.is_empty() {
        let text = table::write(&rows, &draw, &pool::adapter().info.to_string());
        std::fs::write(format!("{FOLDER}/table.md"), text).expect("the table");
        let complaints = complaints(&rows);
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

#[test]
#[ignore = "a worker of the run, which starts it"]
fn worker() {
    pool::serve();
}
