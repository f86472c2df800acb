//! What `fer-gpu tune` keeps, and who uses it. No test depends on which kernel is the fastest.

#[path = "common/run.rs"]
mod run;

use fer_gpu::files;
use fer_gpu::files::CACHE;
use fer_gpu::gpu::{Adapter, Selector};
use fer_gpu::plan::{Pins, Schedule};
use fer_gpu::tuned::Tuned;
use run::{fer_gpu, stderr};
use std::path::{Path, PathBuf};
use std::process::Output;

/// Where the file of the default adapter lies in a folder.
fn file_in(folder: &Path) -> PathBuf {
    let adapter = Adapter::select(&Selector::Default).unwrap_or_else(|e| panic!("{e}"));
    folder.join(Tuned::file_name(&adapter.info))
}

fn with_cache(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = fer_gpu();
    command.env(CACHE, folder).args(arguments);
    command.output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

const PLAN: [&str; 5] = ["plan", "--model", "inception-gap", "--batch", "2"];

/// A kernel of that plan, and whether the printed plan shows it as some variant.
const KERNEL: &str = "matmul_forward m=2 k=150 n=7 panels=1 splits=1 k_chunk=150";

fn is_planned(text: &str, variant: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| {
        line.contains("output") && line.contains("matmul_forward") && line.contains(variant)
    })
}

#[test]
fn what_was_tuned_is_used_and_told_and_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = stdout(&with_cache(folder.path(), &PLAN));
    assert!(
        is_planned(&before, "naive") && !before.contains("as tuned"),
        "{before}"
    );

    let mut tuned = Tuned::default();
    let winners = Pins([(KERNEL.to_string(), "shared".to_string())].into());
    let schedule = Schedule {
        fuse_update: false,
        join_products: false,
        join_siblings: false,
        join_branches: false,
        whole_dense: false,
        images_per_split: 2,
        workgroups: None,
        split_k: 5_760,
    };
    tuned.learn("inception-gap", 2, schedule, winners);
    let file = file_in(folder.path());
    std::fs::write(&file, files::sealed_json(&tuned)).expect("written");
    let after = stdout(&with_cache(folder.path(), &PLAN));
    assert!(is_planned(&after, "shared"), "{after}");
    assert!(after.contains("kernels as tuned in"), "{after}");

    let out = folder.path().join("run");
    let train = [
        "train",
        "--model",
        "inception-gap",
        "--batch",
        "2",
        "--steps",
        "1",
        "--out",
    ];
    let train = [&train[..], &[out.to_str().expect("UTF-8")]].concat();
    let trained = with_cache(folder.path(), &train);
    assert!(trained.status.success(), "{}", stderr(&trained));
    assert!(
        stderr(&trained).contains("kernels as tuned in"),
        "{}",
        stderr(&trained)
    );

    let forgotten = with_cache(folder.path(), &["tune", "--forget"]);
    assert!(
        stdout(&forgotten).contains("is removed"),
        "{}",
        stdout(&forgotten)
    );
    assert!(!file.exists());
    assert_eq!(stdout(&with_cache(folder.path(), &PLAN)), before);
}

#[test]
fn a_winner_that_does_not_run_here_and_a_broken_file_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = stdout(&with_cache(folder.path(), &PLAN));
    let tuned = Tuned {
        winners: Pins([(KERNEL.to_string(), "subgroup8".to_string())].into()),
        ..Tuned::default()
    };
    let file = file_in(folder.path());
    std::fs::write(&file, files::sealed_json(&tuned)).expect("written");
    // k = 150 is no multiple of 4, which that variant wants.
    let after = stdout(&with_cache(folder.path(), &PLAN));
    assert!(is_planned(&after, "naive"), "{after}");

    std::fs::write(&file, "{").expect("written");
    let after = stdout(&with_cache(folder.path(), &PLAN));
    assert!(
        after.contains("is not used") && after.contains("fer-gpu tune"),
        "{after}"
    );
    assert!(after.ends_with(&before), "{after}");
}

#[test]
fn tuning_tries_checks_and_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let tune = [
        "tune",
        "--model",
        "inception-gap",
        "--batch",
        "2",
        "--min-time",
        "0",
    ];
    let output = with_cache(folder.path(), &tune);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for told in [
        "may win",
        "schedule: ",
        "A step of inception-gap at batch 2",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let kept = text.contains("Kept in");
    assert!(kept != text.contains("Nothing is kept"), "{text}");
    let file = file_in(folder.path());
    assert_eq!(file.exists(), kept);
    if kept {
        let read: Tuned =
            serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
        assert!(read.schedules.contains_key("inception-gap 2"));
    }
}
