//! Cards: what is wrong with a file is told with its place (beside each FAULT.toml of the folder `cards/faults` lies
//! FAULT.txt), and `plan --on` prints a line a dispatch, with its floor, for each card of the box and for a file.
//!
//! FER_GPU_BLESS=1 cargo test --test cards   writes the faults anew; the diff is what changed.

#[path = "common/run.rs"]
mod run;

use fer_gpu::cards::{CARDS, Card};
use fer_gpu::network::Network;
use fer_gpu::plan::{self, Options, Source, Wanted};
use miette::Diagnostic;
use run::{fer_gpu, stderr};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A card of one's own, without what may be left out.
const OWN: &str = "name = \"my card\"\nfp32_tflops = 10.0\nmemory_gb_s = 400\ncompute_units = 40\nlaunch_us = 4\n";

#[test]
fn each_fault_is_told_with_its_place() {
    let bless = std::env::var_os("FER_GPU_BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards/faults");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let name = path.file_name().expect("a name").to_string_lossy();
        let error = Card::read(&path).expect_err(&name);
        let help = error.help().map(|help| format!("help: {help}\n"));
        let found = format!("error: {error}\n{}", help.unwrap_or_default());
        let found = found.replace(&path.display().to_string(), &name);
        let kept = path.with_extension("txt");
        if bless {
            fs::write(&kept, &found).expect("written");
        }
        let expected = fs::read_to_string(&kept).unwrap_or_default();
        assert_eq!(found, expected, "{name}");
        assert!(
            found.contains(&format!(" {name}:")) && found.contains('^'),
            "{found}"
        );
        seen += 1;
    }
    assert!(seen >= 16, "{seen}");
}

/// What `plan` prints.
fn plan(arguments: &[&str]) -> String {
    let output = fer_gpu()
        .args(["plan", "--quiet"])
        .args(arguments)
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("utf-8")
}

#[test]
fn every_card_gets_a_line_a_dispatch_and_a_floor() {
    for card in CARDS.iter() {
        let text = plan(&["--on", &card.key, "--model", "inception-gap"]);
        let model = Network::find("inception-gap").expect("a network").build(7);
        let wanted = Wanted::training(64, [Source::Host; 2]);
        let options = Options::new(card.profile.clone());
        let expected = plan::plan(&model, &wanted, &options).expect("a plan");
        let numbers = text.lines().filter_map(|line| {
            let number = line.split_whitespace().next()?;
            number.parse::<usize>().ok()
        });
        // The training program first, each numbered from 0.
        let programs = expected.programs.iter();
        let counted: Vec<usize> = programs.flat_map(|p| 0..p.dispatches.len()).collect();
        let numbers: Vec<usize> = numbers.collect();
        assert_eq!(numbers, counted, "{text}");
        assert!(text.contains(&card.profile.name), "{text}");
        assert!(text.contains("a floor, not a prediction"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 106),
            "{text}"
        );
        for (dispatch, line) in expected.programs[0]
            .dispatches
            .iter()
            .zip(text.lines().skip(5))
        {
            let floor = card.floor(dispatch.cost());
            assert!(line.contains(dispatch.op.name()), "{line}");
            assert!(line.ends_with(floor.bound.name()), "{line}");
        }
    }
}

#[test]
fn json_says_of_each_dispatch_what_it_launches_and_must_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("my.toml");
    fs::write(&file, OWN).expect("written");
    let file = file.to_str().expect("utf-8");
    let text = plan(&["--on", file, "--model", "inception-gap", "--json"]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["card"]["name"], "my card");
    assert_eq!(document["card"]["compute_units"], 40);
    assert_eq!(document["card"]["full_workgroups"], 80);
    let train = &document["programs"][0];
    assert_eq!(train["name"], "train");
    let dispatches = train["dispatches"].as_array().expect("a list");
    let mut sum = 0.0;
    for (number, dispatch) in dispatches.iter().enumerate() {
        assert_eq!(dispatch["number"], number);
        let count = |key: &str| dispatch[key].as_f64().expect(key);
        let (arithmetic, bytes) = (count("flops") / 10e12, count("bytes") / 400e9);
        let floor = 1e6 * arithmetic.max(bytes).max(4e-6);
        assert!((count("floor_us") / floor - 1.0).abs() < 1e-9, "{dispatch}");
        assert_eq!(dispatch["workgroups"].as_array().map(Vec::len), Some(3));
        assert!(dispatch["workgroups"][0].as_u64() >= Some(1), "{dispatch}");
        for word in ["op", "variant", "label", "shape", "phase", "bound"] {
            assert!(dispatch[word].is_string(), "{word}: {dispatch}");
        }
        sum += floor;
    }
    let total = train["floor_us"].as_f64().expect("a sum");
    assert!((total / sum - 1.0).abs() < 1e-9, "{total} {sum}");
    // For an adapter of this machine there is no floor.
    let text = plan(&["--model", "inception-gap", "--batch", "2", "--json"]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert!(document["card"].is_null());
    assert!(document["programs"][0]["dispatches"][0]["floor_us"].is_null());
}

#[test]
fn what_is_no_card_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("no.toml");
    fs::write(&file, OWN.replace("launch_us", "launchus")).expect("written");
    let file = file.to_str().expect("utf-8");
    let refused = |arguments: &[&str], says: &str| {
        let mut command = fer_gpu();
        command.arg("plan").args(arguments);
        let output = command.output().expect("the command runs");
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    };
    refused(&["--on", "h10"], "did you mean h100?");
    refused(
        &["--on", "no such card"],
        "there are: a770, adreno740, h100",
    );
    refused(&["--on", "no such file.toml"], "cannot read");
    refused(&["--on", file], "did you mean `launch_us`?");
    refused(&["--on", "h100", "--device", "0"], "--device");
    refused(&["--on", "h100", "--limits", "webgpu"], "--limits");
}
