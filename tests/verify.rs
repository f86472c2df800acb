//! The verifier itself: what it says of a kernel that is wrong, of known faults, and at the
//! command line.

mod common;
#[path = "common/run.rs"]
mod run;

use fer_gpu::gpu::LimitChoice;
use fer_gpu::ops::add::{Add, Sum};
use fer_gpu::ops::reference::Expected;
use fer_gpu::ops::{Binding, Case, Cost, Op, Step, Variant};
use fer_gpu::verify::{self, Device, KnownFault, Pattern, Reason, Subject};
use run::{fer_gpu, stderr};
use serde_json::Value;

/// An addition whose first sum should be one larger: its kernel is wrong.
struct Wrong;

impl Op for Wrong {
    type Params = Sum;
    const NAME: &'static str = "wrong_add";
    const BINDINGS: &'static [Binding] = Add::BINDINGS;
    const VARIANTS: &'static [Variant<Sum>] = Add::VARIANTS.split_at(1).0;

    fn lengths(p: &Sum) -> Vec<usize> {
        Add::lengths(p)
    }
    fn reference(p: &Sum, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        let mut expected = Add::reference(p, step, bindings);
        // Channels outside the kernel's range are no numbers.
        let first = expected[0].values.iter_mut().find(|v| v.is_finite());
        *first.expect("a sum") += 1.0;
        expected
    }
    fn cost(p: &Sum) -> Cost {
        Add::cost(p)
    }
    fn cases() -> Vec<Case<Sum>> {
        Add::cases().into_iter().take(1).collect()
    }
}

/// Runs the wrong addition on the first adapter, excusing what `known` lists.
fn verify_wrong(known: &[KnownFault]) -> verify::AdapterReport {
    let device = Device::open(&common::adapters()[0], LimitChoice::Native).expect("a device opens");
    let subjects = [Subject::Op(&Wrong), Subject::Op(&Add)];
    let mut reports = verify::run(
        &[device],
        &subjects,
        &Pattern::all(),
        known,
        &mut |_, _, _| (),
    );
    reports.swap_remove(0)
}

fn fault(adapter: &'static str, op: &'static str) -> KnownFault {
    KnownFault {
        adapter,
        op,
        reason: "made up",
        link: "https://example.com",
    }
}

#[test]
fn a_wrong_element_is_named_with_its_values() {
    let report = verify_wrong(&[]);
    assert!(!report.passed());
    assert_eq!(report.tallies[0].failures.len(), 2, "checks on and off");
    assert!(
        report.tallies[1].failures.is_empty(),
        "the real addition is right"
    );
    let failure = &report.tallies[0].failures[0];
    assert_eq!(
        failure.place,
        format!("wrong_add/naive/{}", Wrong::cases()[0].name)
    );
    assert_eq!(failure.rerun, failure.place);
    let Reason::Wrong(outcome) = &failure.reason else {
        panic!("{failure:?}")
    };
    assert_eq!(outcome.wrong, 1);
    let first = outcome.first.as_ref().expect("a first wrong element");
    assert_eq!(first.binding, "y");
    assert_eq!(first.found as f64 + 1.0, first.expected);
}

#[test]
fn known_faults_excuse_and_must_still_show() {
    let excused = verify_wrong(&[fault("*", "wrong_*")]);
    assert!(excused.passed());
    assert!(!excused.tallies[0].known.is_empty());

    let elsewhere = verify_wrong(&[fault("Another GPU*", "wrong_*")]);
    assert!(
        !elsewhere.passed(),
        "a fault of another adapter excuses nothing"
    );

    let gone = verify_wrong(&[fault("*", "wrong_*"), fault("*", "add/naive/*")]);
    let failures: Vec<_> = gone.failures().collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(matches!(failures[0].reason, Reason::FaultGone(_)));
}

#[test]
fn the_command_writes_a_table_json_and_markdown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, markdown) = (folder.path().join("v.json"), folder.path().join("v.md"));
    let mut command = fer_gpu();
    command
        .args(["verify", "--op", "softmax*", "--json"])
        .arg(&json);
    let output = command
        .arg("--markdown")
        .arg(&markdown)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).expect("utf-8");
    assert!(table.contains("softmax_cross_entropy"), "{table}");
    let text = std::fs::read_to_string(&json).expect("the JSON");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["passed"], true);
    let adapters = value["adapters"].as_array().expect("adapters");
    assert_eq!(adapters.len(), fer_gpu::gpu::Adapter::all().len());
    for adapter in adapters {
        let ops: Vec<&str> = adapter["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|r| r["op"].as_str().expect("a name"))
            .collect();
        assert_eq!(
            ops,
            [
                "softmax_forward",
                "softmax_backward",
                "softmax_cross_entropy"
            ]
        );
    }
    let text = std::fs::read_to_string(&markdown).expect("the Markdown");
    assert!(text.contains("| softmax_forward |"), "{text}");
    assert!(text.contains("- driver: "), "{text}");
}

#[test]
fn a_networks_step_is_checked_and_repeated() {
    let output = fer_gpu()
        .args(["verify", "--device", "0", "--limits", "webgpu"])
        .args(["--op", "*e*/inception-gap"])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).expect("utf-8");
    assert!(table.contains("step/inception-gap"), "{table}");
    assert!(table.contains("repeat/inception-gap"), "{table}");
}

#[test]
fn what_names_nothing_is_an_error() {
    let refused = |arguments: &[&str], says: &str| {
        let output = fer_gpu()
            .arg("verify")
            .args(arguments)
            .output()
            .expect("it runs");
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
        assert_eq!(text.trim().lines().count(), 1, "{arguments:?}: {text}");
    };
    refused(&["--op", "conv3d*"], "names nothing");
    refused(&["--op", "add/naive/no_such_case"], "names nothing");
    refused(&["--op", "add/naive/x/y"], "at most three parts");
    refused(&["--op", "add["], "--op add[");
    refused(&["--device", "no such GPU"], "no adapter matches");
    // No subgroups without optional features.
    refused(
        &["--op", "matmul_forward/subgroup*", "--limits", "webgpu"],
        "nothing that runs",
    );
}

#[test]
fn devices_are_listed() {
    let output = fer_gpu()
        .args(["devices", "--json"])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let list = list.as_array().expect("an array");
    assert_eq!(list.iter().filter(|d| d["default"] == true).count(), 1);
    for device in list {
        assert!(device["limits"]["max_storage_binding"].is_u64(), "{device}");
        let network = &device["seed_network"];
        assert!(
            network["fits"] == true || network["reason"].is_string(),
            "{device}"
        );
    }
    let output = fer_gpu().arg("devices").output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("utf-8");
    assert!(text.contains("(default)"), "{text}");
}
