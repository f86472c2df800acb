//! Every command of the README runs as it stands there, in its order, in a folder that holds what they name: FER-2013's
//! CSV, folders of pictures, a face, all made from sample faces. What would take long is cut short by an option
//! behind it.
#![cfg(unix)]

#[path = "common/run.rs"]
mod run;

use fer_gpu::data::{Dataset, FER_CLASSES, Pixels, Split};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command says -> what it says here, where there are fewer images.
const FEWER: [(&str, &str); 1] = [("--rows 3589", "--rows 14")];

/// How a command begins -> what is put behind it.
const SHORTER: [(&str, &str); 7] = [
    (
        "fer-gpu train --data fer --model inception-gap --epochs 3 --out run",
        " --batch 16",
    ),
    (
        // The large network would leave a gigabyte behind.
        "fer-gpu train --data fer2013.csv",
        " --model inception-gap --batch 8 --steps 1",
    ),
    ("fer-gpu train --resume", " --steps 1"),
    ("fer-gpu train", " --batch 8 --steps 1"),
    ("fer-gpu verify", " --device 0 --op add"),
    (
        "fer-gpu bench",
        " --model inception-gap --batch 8 --min-time 0.01",
    ),
    (
        "fer-gpu tune",
        " --model inception-gap --batch 4 --min-time 0.01",
    ),
];

/// The commands in the README's blocks, without their comments.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("a README");
    let indented = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = indented.filter(|line| line.starts_with("fer-gpu"));
    let without = |line: &str| line.split(" #").next().expect("a line").trim().to_string();
    commands.map(without).collect()
}

fn pixels(split: &Split, row: usize) -> Vec<u8> {
    match &split.pixels {
        Pixels::U8(all) => all[row * 2304..(row + 1) * 2304].to_vec(),
        Pixels::F32(_) => panic!("faces are bytes"),
    }
}

fn picture(path: &Path, pixels: Vec<u8>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let image = image::GrayImage::from_raw(48, 48, pixels).expect("a face");
    image.save(path).expect("a picture");
}

/// What the commands name.
fn sources(folder: &Path) {
    let faces = Dataset::sample_faces(11, [70, 21]);
    let mut csv = "emotion,pixels,Usage\n".to_string();
    let parts = [
        ("train", "Training", &faces.train),
        ("test", "PublicTest", &faces.test),
    ];
    for (part, usage, split) in parts {
        for row in 0..split.rows() {
            let (label, pixels) = (split.labels[row], pixels(split, row));
            let words: Vec<String> = pixels.iter().map(u8::to_string).collect();
            csv += &format!("{label},{},{usage}\n", words.join(" "));
            let class = FER_CLASSES[label as usize];
            picture(
                &folder.join(format!("pictures/{part}/{class}/{row}.png")),
                pixels,
            );
        }
    }
    fs::write(folder.join("fer2013.csv"), csv).expect("written");
    picture(&folder.join("face.png"), pixels(&faces.test, 0));
    picture(&folder.join("faces/a.png"), pixels(&faces.test, 1));
    picture(&folder.join("faces/b.png"), pixels(&faces.test, 2));
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/networks/inception-gap.toml");
    fs::copy(network, folder.join("my.toml")).expect("copied");
    faces.write(&folder.join("arrays")).expect("written");
    fs::copy(folder.join("arrays/X_test.npy"), folder.join("X.npy")).expect("copied");
}

#[test]
fn every_command_of_the_readme_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    sources(folder.path());
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("made");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fer-gpu"), bin.join("fer-gpu")).expect("a link");
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").expect("a path")
    );
    let commands = commands();
    assert!(commands.len() > 25, "{commands:?}");
    let mut used = [false; SHORTER.len()];
    for (said, _) in FEWER {
        assert!(
            commands.iter().any(|command| command.contains(said)),
            "{said}"
        );
    }
    for command in &commands {
        let shorter = SHORTER
            .iter()
            .position(|(begins, _)| command.starts_with(begins));
        let behind = shorter.map_or("", |at| SHORTER[at].1);
        shorter.into_iter().for_each(|at| used[at] = true);
        let line = match command.split_once(" < ") {
            Some((before, file)) => format!("{before}{behind} < {file}"),
            None => format!("{command}{behind}"),
        };
        let line = FEWER
            .iter()
            .fold(line, |line, (said, here)| line.replace(said, here));
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("FER_GPU_CACHE", folder.path().join("cache"))
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{line}: {}", run::stderr(&output));
    }
    let idle: Vec<_> = SHORTER.iter().zip(used).filter(|(_, used)| !used).collect();
    assert!(idle.is_empty(), "no command begins so: {idle:?}");
}
