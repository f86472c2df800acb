//! Tint, the WGSL compiler of Chrome, through Dawn's null backend: a device with the limits that
//! every WebGPU device has. It gets our WGSL as it is, bindings as the executor lays them out and
//! the constants of the variant; beyond naga it demands that barriers and subgroup operations lie
//! in uniform control flow.

use crate::judge::{self, Verdict};
use crate::translate::{Buffer, Kernel, kernels};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Instant;

/// Refused for its control flow alone: the barrier is reached by a part of the workgroup.
const CONTROL: &str = "
@group(0) @binding(0) var<uniform> params: vec4<u32>;
@compute @workgroup_size(64)
fn control(@builtin(local_invocation_index) local: u32) {
    if local < params.x {
        workgroupBarrier();
    }
}
";

fn buffer(kind: Buffer) -> &'static str {
    match kind {
        Buffer::Uniform => "uniform",
        Buffer::ReadOnly => "read-only-storage",
        Buffer::ReadWrite => "storage",
    }
}

fn job(kernel: &Kernel) -> Value {
    // naga knows no such directive, Tint demands it.
    let enable = if kernel.subgroups {
        "enable subgroups;\n"
    } else {
        ""
    };
    let constants: serde_json::Map<String, Value> = kernel
        .variant
        .overrides()
        .iter()
        .map(|&(name, value)| (name.into(), json!(value)))
        .collect();
    json!({
        "name": kernel.to_string(),
        "code": format!("{enable}{}", kernel.variant.module()),
        "entry": kernel.variant.entry,
        "constants": constants,
        "buffers": kernel.buffers().into_iter().map(buffer).collect::<Vec<_>>(),
    })
}

#[test]
#[ignore = "needs node and the npm package webgpu: run .ci/compilers"]
fn tint_accepts_every_variant() {
    let start = Instant::now();
    let folder = judge::folder("tint");
    let mut jobs: Vec<Value> = kernels().iter().map(job).collect();
    jobs.push(json!({
        "name": "control", "code": CONTROL, "entry": "control", "constants": {}, "buffers": ["uniform"],
    }));
    let (list, answers) = (folder.join("jobs.json"), folder.join("verdicts.json"));
    judge::write(&list, serde_json::to_vec(&jobs).expect("JSON"));
    let output = judge::run(
        Command::new("node")
            .arg(judge::source("tint.mjs"))
            .arg(judge::installed("node_modules/webgpu/index.js"))
            .args([&list, &answers]),
    );
    assert!(
        output.status.success(),
        "tint.mjs: {}",
        judge::said(&output)
    );
    let answers = std::fs::read(answers).expect("tint.mjs wrote its verdicts");
    let answers: Vec<(String, Vec<String>)> = serde_json::from_slice(&answers).expect("JSON");
    let mut verdicts: Vec<Verdict> = answers
        .into_iter()
        .map(|(shader, messages)| Verdict {
            shader,
            refusal: (!messages.is_empty()).then(|| messages.join("\n")),
        })
        .collect();
    let control = verdicts.pop().expect("a verdict on the control");
    judge::all_accepted("Tint", start, &verdicts, kernels().len());
    judge::refused("Tint", &control, "uniform control flow");
}
