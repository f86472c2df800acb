//! A verification as one JSON object.

use super::table::rerun;
use crate::gpu::Checks;
use crate::verify::{AdapterReport, Failure, Mismatch, Reason, Tally};
use clap::ValueEnum;
use serde_json::{Value, json};

pub fn json(reports: &[AdapterReport]) -> String {
    let value = json!({
        "fer_gpu": env!("CARGO_PKG_VERSION"),
        "passed": reports.iter().all(AdapterReport::passed),
        "adapters": reports.iter().map(adapter).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&value).expect("plain values") + "\n"
}

fn adapter(report: &AdapterReport) -> Value {
    let names = report.limits.iter().filter_map(|l| l.to_possible_value());
    json!({
        "index": report.index,
        "name": report.adapter.name,
        "kind": report.adapter.kind,
        "backend": report.adapter.backend,
        "driver": report.adapter.driver,
        "limits": names.map(|n| n.get_name().to_string()).collect::<Vec<_>>(),
        "passed": report.passed(),
        "results": report.tallies.iter().map(|t| tally(report, t)).collect::<Vec<_>>(),
    })
}

fn tally(report: &AdapterReport, tally: &Tally) -> Value {
    let list = |failures: &[Failure]| {
        failures
            .iter()
            .map(|f| failure(report, f))
            .collect::<Vec<_>>()
    };
    json!({
        "op": tally.subject,
        "runs": tally.runs,
        "worst_percent_of_bound": 100.0 * tally.worst,
        "seconds": tally.time.as_secs_f64(),
        "failures": list(&tally.failures),
        "known": list(&tally.known),
        "skipped": tally.skipped,
    })
}

fn failure(report: &AdapterReport, failure: &Failure) -> Value {
    let mut value = json!({
        "place": failure.place,
        "limits": failure.limits.to_possible_value().map(|v| v.get_name().to_string()),
        "runtime_checks": failure.checks.map(|c| c == Checks::On),
        "what": failure.reason.to_string(),
        "rerun": rerun(report, failure),
    });
    if let Reason::Wrong(outcome) = &failure.reason {
        value["wrong"] = outcome.wrong.into();
        value["elements"] = outcome.elements.into();
        value["first"] = json!(outcome.first.as_ref().map(mismatch));
        value["worst"] = json!(outcome.farthest.as_ref().map(mismatch));
    }
    value
}

fn mismatch(m: &Mismatch) -> Value {
    // JSON has no NaN.
    json!({
        "binding": m.binding, "element": m.element,
        "found": m.found.to_string(), "found_bits": format!("{:#010x}", m.found.to_bits()),
        "expected": m.expected.to_string(), "bound": m.bound,
    })
}
