//! Everything that can be wrong with a network's text, as it is told: beside each FAULT.toml of the folder `faults`
//! lies FAULT.txt.
//!
//! FER_GPU_BLESS=1 cargo test --test networks   writes them anew; the diff is what changed.

use fer_gpu::layers::LAYERS;
use fer_gpu::network::{Error, Network};
use miette::Diagnostic;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/networks/faults")
}

/// Every layer that a network can name, which are more from time to time.
fn layers() -> String {
    let names: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// An error and its help, as the command prints them.
fn told(error: &Error) -> String {
    let help = error.help().map(|help| format!("help: {help}\n"));
    let told = format!("error: {error}\n{}", help.unwrap_or_default());
    told.replace(&layers(), "LAYERS")
}

/// What is wrong with a text that is to be a network of seven classes.
fn fault(name: &str, text: &str) -> String {
    let read = Network::from_text(name, text);
    let built = read.and_then(|network| network.try_build_for(network.image, 7));
    told(&built.map(drop).expect_err(name))
}

#[test]
fn each_fault_is_told_with_its_place() {
    let bless = std::env::var_os("FER_GPU_BLESS").is_some();
    let mut seen = 0;
    for entry in fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        let name = path.file_name().expect("a name").to_string_lossy();
        let found = fault(&name, &text);
        let kept = path.with_extension("txt");
        if bless {
            fs::write(&kept, &found).expect("written");
        }
        let expected = fs::read_to_string(&kept).unwrap_or_default();
        assert_eq!(found, expected, "{name}");
        // A place and a caret.
        assert!(
            found.contains(&format!(" {name}:")) && found.contains('^'),
            "{found}"
        );
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}

/// What a user gets: the message as the error, a help behind it, and exit code 2.
#[test]
fn the_command_tells_it_and_ends_with_2() {
    let path = folder().join("unknown-layer.toml");
    for command in [
        &["summary", "--model"][..],
        &["plot-model", "-o", "-", "--model"],
        &["plan", "--model"],
        &["bench", "--train", "--model"],
        &["train", "--model"],
    ] {
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_fer-gpu"));
        let output = run.args(command).arg(&path).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.starts_with("error: there is no layer `Conv2d`\n"),
            "{said}"
        );
        assert!(said.contains("unknown-layer.toml:5:8"), "{said}");
        assert!(said.contains("^^^^^^^^ did you mean `Conv2D`?"), "{said}");
        assert!(said.contains("\nhelp: there are Activation, "), "{said}");
    }
}

#[test]
fn a_name_that_is_no_network_is_told_with_those_there_are() {
    let error = Network::named("inceptoin").expect_err("there is none");
    let said = told(&error);
    assert!(
        said.starts_with("error: no model `inceptoin`; there are: inception, "),
        "{said}"
    );
    assert!(said.ends_with("help: did you mean inception?\n"), "{said}");
    let error = Network::named("none.toml").expect_err("there is no such file");
    assert!(told(&error).contains("cannot read none.toml"), "{error}");
}

/// Whatever stands in a text, nothing panics and nothing takes long.
#[test]
fn no_text_harms() {
    let good = include_str!("../../networks/inception.toml");
    // Each byte left out, and each replaced by what TOML has a meaning for.
    for at in 0..good.len() {
        for with in ["", "\"", "[", "]", "=", "\n", "-", "9", ".", "{", "é"] {
            let text = format!("{}{with}{}", &good[..at], &good[at + 1..]);
            if let Ok(network) = Network::from_text("text", &text) {
                drop(network.try_build_for([8, 8, 1], 3));
            }
        }
    }
    let many = "[[layer]]\ntype = \"Flatten\"\n".repeat(10_000);
    let deep = format!("x = {}", "[".repeat(100_000));
    let long = "x".repeat(3 << 20);
    let head = "name = \"net\"\nimage = [12, 12, 1]\n";
    for text in [many, deep, long] {
        let error = Network::from_text("text", &format!("{head}{text}"));
        assert!(error.expect_err("it is refused").to_string().len() < 2000);
    }
}
