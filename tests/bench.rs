//! The benchmark's own arithmetic, on plain data, and one quick run of the command. No test here
//! depends on how long anything takes.

#[path = "common/run.rs"]
mod run;

use fer_gpu::bench::Stats;
use fer_gpu::bench::compare::{Comparison, Verdict};
use fer_gpu::bench::report::{AdapterLine, Ceilings, Clock, Pass, Peak, Report, Row};
use run::{fer_gpu, stderr};
use serde_json::{Value, json};
use std::fs;

/// A report of three kernels; `slow` stretches every time, `spread` is that of each kernel.
fn report(slow: f64, spread: f64) -> Report {
    let time = |seconds: f64| Stats {
        samples: 9,
        median: slow * seconds,
        minimum: slow * seconds,
        p95: slow * seconds,
        spread,
    };
    let peak = |per_second: f64| Peak {
        variant: "best".into(),
        per_second: per_second / slow,
        time: Stats {
            spread: 0.01,
            ..time(0.02)
        },
    };
    let row = |op: &str, flops, bytes, seconds| Row {
        op: op.into(),
        pass: Pass::Forward,
        shape: "n=1".into(),
        variant: "naive".into(),
        layer: "layer".into(),
        planned: true,
        count: 1,
        grid: [64, 1, 1],
        flops,
        bytes,
        time: time(seconds),
    };
    Report {
        adapter: AdapterLine {
            name: "a GPU".into(),
            backend: "vulkan".into(),
            driver: String::new(),
            software: false,
        },
        tuned: None,
        clock: Clock::Device,
        rounds: 9,
        ceilings: Ceilings {
            flops: peak(1e12),
            bytes: peak(1e11),
            cached_bytes: peak(4e11),
        },
        full: None,
        kernels: vec![
            row("matmul", 1_000_000_000, 1_000_000, 2e-3),
            row("copy", 0, 100 << 20, 2e-3),
            row("small", 1_000, 4_000, 1e-5),
        ],
        wrong: vec![],
        step: None,
    }
}

fn verdicts(old: &Report, new: &Report, threshold: f64) -> Vec<Verdict> {
    let comparison = Comparison::of(old, new, threshold);
    comparison.changes.iter().map(|c| c.verdict).collect()
}

#[test]
fn samples_are_summed_up() {
    let stats = Stats::of(&[5.0, 1.0, 2.0, 4.0, 3.0]);
    assert_eq!((stats.samples, stats.median, stats.minimum), (5, 3.0, 1.0));
    assert!((stats.p95 - 4.8).abs() < 1e-12);
    assert!((stats.spread - 2.0 / 3.0).abs() < 1e-12);
    assert!(stats.is_wide());
    let one = Stats::of(&[7.0]);
    assert_eq!((one.median, one.p95, one.spread), (7.0, 7.0, 0.0));
    // One outlier among many is no spread.
    let mut calm = vec![1.0; 19];
    calm.push(100.0);
    assert!(!Stats::of(&calm).is_wide());
}

#[test]
fn the_nearer_ceiling_counts() {
    let report = report(1.0, 0.01);
    let share = |i: usize| report.kernels[i].of_ceiling(&report.ceilings);
    assert!((share(0) - 0.5).abs() < 1e-9);
    // 100 MiB do not fit a cache, 4 kB do.
    assert!((share(1) - (100 << 20) as f64 / 1e11 / 2e-3).abs() < 1e-9);
    assert!((share(2) - 4e3 / 4e11 / 1e-5).abs() < 1e-9);
    assert_eq!(report.above_ceiling().count(), 0);
    let above = |i: usize| report.ceilings.above(&report.kernels[i]).per_second;
    assert_eq!([above(0), above(1), above(2)], [1e12, 1e11, 4e11]);
}

#[test]
fn a_ceiling_that_is_too_low_is_seen() {
    let mut report = report(1.0, 0.01);
    report.kernels[0].time.median = 0.9e-3;
    let above: Vec<&str> = report.above_ceiling().map(|row| row.op.as_str()).collect();
    assert_eq!(above, ["matmul"]);
}

#[test]
fn a_planted_slow_down_is_found() {
    let (old, mut new) = (report(1.0, 0.01), report(1.0, 0.01));
    new.kernels[0].time.median *= 1.3;
    new.kernels[0].time.minimum *= 1.29;
    use Verdict::{Same, Slower};
    assert_eq!(verdicts(&old, &new, 0.2), [Slower, Same, Same]);
    assert_eq!(verdicts(&old, &new, 0.4), [Same, Same, Same]);
    assert_eq!(Comparison::of(&old, &new, 0.2).slower(), 1);
    assert_eq!(
        verdicts(&new, &old, 0.2),
        [Verdict::Faster, Same, Same],
        "the other way round"
    );
}

#[test]
fn a_slow_day_is_no_slow_down() {
    let (old, new) = (report(1.0, 0.01), report(2.0, 0.01));
    assert_eq!(verdicts(&old, &new, 0.05), [Verdict::Same; 3]);
    // On a fast day a kernel that kept its time is not called slower.
    let mut new = report(0.5, 0.01);
    new.kernels[2].time.median = 1e-5;
    use Verdict::{Same, Undecided};
    assert_eq!(verdicts(&old, &new, 0.05), [Same, Same, Undecided]);
}

/// Arithmetic keeps its pace, memory needs 1.6 times as long: whatever lies between may be the machine's.
#[test]
fn a_day_of_slow_memory_is_no_slow_down() {
    let (old, mut new) = (report(1.0, 0.01), report(1.0, 0.01));
    new.ceilings.bytes.per_second /= 1.6;
    let mut slower_by = |time: f64| {
        let stats = &mut new.kernels[0].time;
        stats.median = time * old.kernels[0].time.median;
        stats.minimum = stats.median;
        verdicts(&old, &new, 0.2)[0]
    };
    use Verdict::{Same, Slower, Undecided};
    assert_eq!(slower_by(1.1), Same);
    assert_eq!(slower_by(1.5), Undecided);
    assert_eq!(slower_by(1.6 * 1.3), Slower);
}

/// All kernels of about one duration need half as long again: no one of them is to blame, and one that
/// needs twice as long is.
#[test]
fn what_kernels_of_like_duration_lose_is_no_slow_down() {
    let (mut old, mut new) = (report(1.0, 0.01), report(1.0, 0.01));
    for (report, slow) in [(&mut old, 1.0), (&mut new, 1.5)] {
        let small = report.kernels.pop().expect("the small kernel");
        for shape in ["n=1", "n=2", "n=3", "n=4", "n=5"] {
            let mut row = small.clone();
            row.shape = shape.into();
            row.time.median *= slow;
            row.time.minimum *= slow;
            report.kernels.push(row);
        }
    }
    use Verdict::{Same, Slower, Undecided};
    assert_eq!(verdicts(&old, &new, 0.2)[2..], [Undecided; 5]);
    new.kernels[4].time.median *= 1.4;
    let of_one = |new: &Report| verdicts(&old, new, 0.2)[4];
    // Its fastest sample is as fast as the others'.
    assert_eq!(of_one(&new), Undecided);
    new.kernels[4].time.minimum *= 1.4;
    assert_eq!(of_one(&new), Slower);
    assert_eq!(verdicts(&old, &new, 0.2)[..2], [Same, Same]);
}

#[test]
fn wide_spreads_decide_nothing() {
    let (old, mut new) = (report(1.0, 0.01), report(1.0, 0.5));
    new.kernels[0].time.median *= 1.3;
    new.kernels[1].time.median *= 2.0;
    new.kernels[1].time.minimum *= 1.5;
    use Verdict::{Slower, Undecided};
    // Twice the time is beyond the spread as well.
    assert_eq!(verdicts(&old, &new, 0.2), [Undecided, Slower, Undecided]);
    // So is a ceiling that wavers.
    let mut new = report(1.0, 0.01);
    new.ceilings.flops.time.spread = 0.4;
    assert_eq!(verdicts(&old, &new, 0.2)[0], Undecided);
}

#[test]
fn kernels_come_and_go() {
    let (old, mut new) = (report(1.0, 0.01), report(1.0, 0.01));
    new.kernels[2].variant = "shared".into();
    let comparison = Comparison::of(&old, &new, 0.1);
    assert_eq!((comparison.added, comparison.gone), (1, 1));
    assert_eq!(comparison.changes.len(), 2);
}

/// A run of a second, its files, and a comparison with itself and with a faster past.
#[test]
fn the_command_writes_what_it_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let bench = |extra: &[&str]| {
        let mut command = fer_gpu();
        command
            .args(["bench", "--kernels", "--model", "inception-gap"])
            .args(["--batch", "2", "--op", "softmax*", "--min-time", "0"])
            .args(extra)
            .current_dir(folder.path());
        command.output().expect("it runs")
    };
    let output = bench(&["--json", "a.json", "--csv", "a.csv", "--plot", "a.svg"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).expect("utf-8");
    for column in [
        "op", "pass", "shape", "variant", "groups", "us", "GFLOP/s", "GB/s",
    ] {
        assert!(table.contains(column), "{column} is not in {table}");
    }
    assert!(table.contains("A step of inception-gap"), "{table}");
    let text = fs::read_to_string(path("a.json")).expect("JSON is written");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    let row = &value["kernels"][0]["kernels"][0];
    assert_eq!(row["op"], "softmax_cross_entropy");
    assert!(row["time"]["median"].as_f64().expect("a time") > 0.0);
    assert_eq!(row["workgroups"], json!([1, 1, 1]));
    let csv = fs::read_to_string(path("a.csv")).expect("CSV is written");
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.starts_with("adapter,backend,op,pass,shape,variant,workgroups,layer"));
    let svg = fs::read_to_string(path("a.svg")).expect("SVG is written");
    assert!(svg.contains("operations per byte"), "{svg}");

    // A past a million times as fast: whatever the spread, this is slower.
    let row = &mut value["kernels"][0]["kernels"][0]["time"];
    row["median"] = json!(1e-6 * row["median"].as_f64().expect("a time"));
    row["spread"] = json!(0.0);
    value.as_object_mut().expect("an object").remove("xxh3-128");
    fs::write(path("fast.json"), fer_gpu::files::sealed_json(&value)).expect("written");
    let output = bench(&["--compare", "fast.json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = bench(&["--compare", "fast.json", "--fail-above", "20"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

/// A traced step has a line for each dispatch, in order; an adapter without such timestamps is told on a line.
#[test]
fn a_step_is_traced_dispatch_by_dispatch() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = fer_gpu()
        .args(["bench", "--trace", "--model", "inception-gap"])
        .args(["--batch", "2", "--min-time", "0", "--json", "trace.json"])
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    if output.status.code() == Some(2) {
        let text = stderr(&output);
        assert!(text.contains("cannot be traced"), "{text}");
        assert_eq!(text.trim().lines().count(), 1, "{text}");
        return;
    }
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).expect("utf-8");
    for column in ["groups", "start us", "gap us", "us", "% step"] {
        assert!(table.contains(column), "{column} is not in {table}");
    }
    let text = fs::read_to_string(folder.path().join("trace.json")).expect("JSON is written");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let trace = &value["trace"][0];
    let dispatches = trace["dispatches"].as_array().expect("a list");
    assert!(dispatches.len() > 20, "{trace}");
    let mut before = 0.0;
    for (number, dispatch) in dispatches.iter().enumerate() {
        let figure = |of: &Value| of.as_f64().expect("a figure");
        assert_eq!(dispatch["number"], number);
        assert!(table.contains(dispatch["op"].as_str().expect("a name")));
        // Medians of figures that each lie in order.
        let start = figure(&dispatch["start"]);
        assert!(start >= before, "{dispatch}");
        assert!(figure(&dispatch["gap"]) >= 0.0, "{dispatch}");
        assert!(figure(&dispatch["time"]["median"]) >= 0.0, "{dispatch}");
        before = start;
    }
    let traced = trace["traced"]["median"].as_f64().expect("a span");
    assert!(before <= traced, "{before} {traced}");
}

#[test]
fn bad_input_is_refused_on_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("no.json");
    fs::write(&file, "{}").expect("written");
    let refused = |arguments: &[&str], says: &str| {
        let output = fer_gpu()
            .args(["bench", "--kernels"])
            .args(arguments)
            .output()
            .expect("it runs");
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
        assert_eq!(text.trim().lines().count(), 1, "{arguments:?}: {text}");
    };
    refused(&["--op", "add["], "--op add[");
    refused(&["--model", "no such network"], "no model");
    refused(&["--device", "no such GPU"], "no adapter matches");
    refused(&["--compare", "no such file"], "cannot read");
    let file = file.to_str().expect("utf-8");
    refused(&["--compare", file], "is no JSON of");
    let none = ["--model", "inception-gap", "--batch", "2", "--op", "conv9*"];
    refused(&none, "names nothing");
}
