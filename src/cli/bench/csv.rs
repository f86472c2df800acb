//! Kernels as CSV: a line each, times in microseconds.

use crate::bench::Report;
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    adapter: &'a str,
    backend: &'a str,
    op: &'a str,
    pass: &'a str,
    shape: &'a str,
    variant: &'a str,
    workgroups: u64,
    layer: &'a str,
    planned: bool,
    times: usize,
    us: f64,
    minimum_us: f64,
    p95_us: f64,
    spread_percent: f64,
    samples: usize,
    gflops: f64,
    gb_per_s: f64,
    ceiling_percent: f64,
    step_percent: Option<f64>,
}

pub fn csv(reports: &[Report]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for report in reports {
        for row in &report.kernels {
            let step = report.step.as_ref().filter(|_| row.count > 0);
            let line = Line {
                adapter: &report.adapter.name,
                backend: &report.adapter.backend,
                op: &row.op,
                pass: row.pass.name(),
                shape: &row.shape,
                variant: &row.variant,
                workgroups: row.workgroups(),
                layer: &row.layer,
                planned: row.planned,
                times: row.count,
                us: 1e6 * row.time.median,
                minimum_us: 1e6 * row.time.minimum,
                p95_us: 1e6 * row.time.p95,
                spread_percent: 100.0 * row.time.spread,
                samples: row.time.samples,
                gflops: 1e-9 * row.flops_per_second(),
                gb_per_s: 1e-9 * row.bytes_per_second(),
                ceiling_percent: 100.0 * row.of_ceiling(&report.ceilings),
                step_percent: step.map(|step| 100.0 * row.of_step(step)),
            };
            writer.serialize(line).expect("memory takes everything");
        }
    }
    let bytes = writer.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("CSV of text is text")
}
