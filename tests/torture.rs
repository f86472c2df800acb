//! A run among everything that can happen to one: kills, stops, double signals, full disks,
//! flipped bits, a second process, a folder that is replaced, a diverged resume, a lost device.
//! Whatever ends well must be bit-equal to a run that nobody disturbed; whatever is refused must
//! say why, and leave a run that goes on.
//!
//! `cargo test --test torture` runs a minute of it; `cargo test --test torture -- --ignored
//! --nocapture` an hour, or FER_GPU_TORTURE_SECONDS, with the seed FER_GPU_TORTURE_SEED.
#![cfg(unix)]

#[path = "common/run.rs"]
mod run;

use run::{bytes, faces, fer_gpu, same, stderr, succeed, train};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

const EPOCHS: &str = "5";
const FILES: [&str; 6] = [
    "resume.safetensors",
    "config.json",
    "steps.csv",
    "best.safetensors",
    "last.safetensors",
    "history.csv",
];

/// No command here takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn milliseconds(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

type Disturb = fn(&mut Torture);

/// What is done to a run.
const DISTURBANCES: &[(&str, Disturb)] = &[
    ("killed", Torture::kill),
    ("killed at a write", Torture::kill_at_a_write),
    ("stopped", Torture::stop),
    ("stopped by two signals", Torture::stop_twice),
    ("disk full at some files", Torture::fill_the_disk),
    ("files limited in size", Torture::limit_files),
    ("bit flipped", Torture::flip),
    ("two at once", Torture::two_at_once),
    ("folder replaced", Torture::replace_the_folder),
    ("diverged", Torture::diverge),
    ("device lost", Torture::lose_the_device),
    ("a few steps", Torture::some_steps),
];

struct Torture {
    random: Random,
    folder: tempfile::TempDir,
    data: PathBuf,
    /// The run that nobody disturbed.
    whole: PathBuf,
    /// The run that is disturbed, and its number.
    out: PathBuf,
    number: u32,
    /// Its best weights could not be kept, as it said.
    lost_best: bool,
    counts: BTreeMap<&'static str, u32>,
}

impl Torture {
    fn new(seed: u64) -> Torture {
        let folder = tempdir().expect("a folder");
        let data = faces(folder.path(), 36, 9);
        let whole = folder.path().join("whole");
        let mut command = train(&data, &["--epochs", EPOCHS, "--log-steps", "--out"]);
        command.arg(&whole);
        succeed(command);
        Torture {
            random: Random(seed),
            out: folder.path().join("run-0"),
            folder,
            data,
            whole,
            number: 0,
            lost_best: false,
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Begins the run or goes on with it.
    fn command(&self, extra: &[&str]) -> Command {
        let mut command = if self.out.join("resume.safetensors").exists() {
            let mut command = fer_gpu();
            command
                .args(["train", "--json", "--no-report", "--resume"])
                .arg(&self.out);
            command
        } else {
            let mut command = train(&self.data, &["--epochs", EPOCHS, "--out"]);
            command.arg(&self.out);
            command
        };
        command
            .args(["--log-steps", "--checkpoint-minutes", "0.0003"])
            .args(extra)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Waits for a process that must end, and looks at how it did.
    fn ended(&mut self, mut child: Child, codes: &[i32]) -> Output {
        let begun = Instant::now();
        while child.try_wait().expect("a child").is_none() {
            assert!(begun.elapsed() < PATIENCE, "it hangs");
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().expect("a child");
        self.judge(&output, codes);
        output
    }

    fn judge(&mut self, output: &Output, codes: &[i32]) {
        let text = stderr(output);
        assert!(!text.contains("panicked"), "{text}");
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{}: {text}",
            output.status
        );
        if code == Some(0) || code == Some(130) {
            return;
        }
        let last = text.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: "), "{text}");
    }

    /// Drafts are left by kills alone.
    fn no_drafts(&self) {
        for entry in fs::read_dir(&self.out).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            assert!(!path.to_string_lossy().ends_with(".partial"), "{path:?}");
        }
    }

    fn output(&mut self, mut command: Command, codes: &[i32]) -> Output {
        let child = command.spawn().expect("the command runs");
        let output = self.ended(child, codes);
        self.lost_best |= stderr(&output).contains("could not be saved");
        output
    }

    fn kill(&mut self) {
        let mut child = self.command(&[]).spawn().expect("the command runs");
        std::thread::sleep(self.random.milliseconds(1800));
        child.kill().expect("a child");
        child.wait().expect("a child");
    }

    fn kill_at_a_write(&mut self) {
        let at = 1 + self.random.below(60);
        let mut command = self.command(&[]);
        command.env("FER_GPU_KILL_AT", at.to_string());
        let output = command.output().expect("the command runs");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }

    fn send(child: &Child, signal: &str) {
        let process = child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &process])
            .stderr(Stdio::null())
            .status();
        sent.expect("kill runs");
    }

    /// A child that hears signals: it has said something.
    fn running(&mut self) -> Child {
        let child = self.command(&[]).spawn().expect("the command runs");
        std::thread::sleep(Duration::from_millis(250));
        child
    }

    fn stop(&mut self) {
        let child = self.running();
        std::thread::sleep(self.random.milliseconds(1500));
        let signal = ["INT", "TERM", "HUP"][self.random.below(3) as usize];
        Torture::send(&child, signal);
        self.ended(child, &[0, 130]);
        self.no_drafts();
    }

    fn stop_twice(&mut self) {
        let child = self.running();
        std::thread::sleep(self.random.milliseconds(1500));
        for _ in 0..2 {
            let signal = ["INT", "TERM", "HUP"][self.random.below(3) as usize];
            Torture::send(&child, signal);
            std::thread::sleep(self.random.milliseconds(2));
        }
        self.ended(child, &[0, 130]);
        self.no_drafts();
    }

    fn fill_the_disk(&mut self) {
        let first = 1 + self.random.below(40);
        let last = first + self.random.below(8);
        let mut command = self.command(&[]);
        command.env("FER_GPU_DISK_FULL", format!("{first}-{last}"));
        self.output(command, &[0, 2]);
        self.no_drafts();
    }

    fn limit_files(&mut self) {
        let blocks = 1 + self.random.below(200);
        let command = self.command(&[]);
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &format!("ulimit -f {blocks} && exec \"$0\" \"$@\"")])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.output(limited, &[0, 2]);
        self.no_drafts();
    }

    fn flip(&mut self) {
        let name = FILES[self.random.below(FILES.len() as u64) as usize];
        let path = self.out.join(name);
        let Ok(good) = fs::read(&path) else { return };
        let bit = self.random.below(8 * good.len() as u64) as usize;
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bad).expect("written");
        if name.starts_with("best") || name.starts_with("last") {
            let out = self.folder.path().join("from-flipped");
            let mut command = train(&self.data, &["--steps", "1", "--init-from"]);
            command.arg(&path).arg("--out").arg(&out);
            let output = command.output().expect("the command runs");
            self.judge(&output, &[2]);
            assert!(stderr(&output).contains(name), "{}", stderr(&output));
            fs::write(&path, &good).expect("written");
            self.count("flips refused");
            return;
        }
        // Those that a resumed run reads, if there is something to do.
        let output = self.output(self.command(&["--steps", "1"]), &[0, 2]);
        if output.status.code() == Some(2) {
            assert!(stderr(&output).contains(name), "{}", stderr(&output));
            assert!(bad == bytes(&self.out, name), "{name} was touched");
            fs::write(&path, &good).expect("written");
            self.count("flips refused");
        } else {
            // Only where it cannot change a result: the comparison at the end will tell.
            assert!(name != "resume.safetensors", "bit {bit} was accepted");
            if stderr(&output).contains("nothing to do") && name != "history.csv" {
                assert!(bad == bytes(&self.out, name), "{name} was touched");
                fs::write(&path, &good).expect("written");
            }
            self.count("flips without effect");
        }
    }

    fn two_at_once(&mut self) {
        let first = self.running();
        std::thread::sleep(self.random.milliseconds(1500));
        let second = self.command(&[]).output().expect("the command runs");
        self.judge(&second, &[0, 2]);
        let text = stderr(&second);
        let told = ["in use by process", "nothing to do", "holds a run already"];
        if second.status.code() == Some(2) {
            assert!(told.iter().any(|told| text.contains(told)), "{text}");
            self.count("second processes refused");
        }
        self.ended(first, &[0, 2]);
        self.no_drafts();
    }

    fn replace_the_folder(&mut self) {
        if !self.out.join("resume.safetensors").exists() {
            return;
        }
        let child = self.running();
        std::thread::sleep(self.random.milliseconds(900));
        let away = self.folder.path().join("away");
        fs::rename(&self.out, &away).expect("renamed");
        fs::create_dir(&self.out).expect("a folder");
        let output = self.ended(child, &[0, 2]);
        let strangers = fs::read_dir(&self.out).expect("a folder").count();
        let text = stderr(&output);
        // It may have ended before, or have been about to take the folder's place.
        if strangers > 0 {
            assert!(!text.contains("done "), "{text}");
        }
        fs::remove_dir_all(&self.out).expect("removed");
        fs::rename(&away, &self.out).expect("renamed");
        if output.status.code() == Some(2) {
            self.count("replaced folders noticed");
        }
    }

    fn diverge(&mut self) {
        if !self.out.join("resume.safetensors").exists() {
            return;
        }
        let before = self.folder.path().join("before");
        copy(&self.out, &before);
        let output = self.output(self.command(&["--lr", "1e36"]), &[0, 2, 3]);
        let text = stderr(&output);
        match output.status.code() {
            Some(3) => {
                self.count("divergences kept out");
                assert!(
                    text.contains("go on with: fer-gpu train --resume"),
                    "{text}"
                );
                // A resume without --lr must go on from a point that has the old rate.
            }
            // Weights of 1e36 whose losses are finite are another run, not a broken one.
            _ if !text.contains("nothing to do") => {
                fs::remove_dir_all(&self.out).expect("removed");
                fs::rename(&before, &self.out).expect("renamed");
                return;
            }
            _ => {}
        }
        fs::remove_dir_all(&before).expect("removed");
    }

    fn lose_the_device(&mut self) {
        let at = 1 + self.random.below(400);
        let mut command = self.command(&[]);
        command.env("FER_GPU_LOSE_DEVICE_AT", at.to_string());
        self.output(command, &[0, 1]);
        self.no_drafts();
    }

    fn some_steps(&mut self) {
        let steps = (1 + self.random.below(6)).to_string();
        self.output(self.command(&["--steps", &steps]), &[0]);
        self.no_drafts();
    }

    /// Ends the run undisturbed and holds it against the whole one.
    fn finish(&mut self) {
        self.output(self.command(&[]), &[0]);
        self.no_drafts();
        if self.lost_best {
            for name in ["last.safetensors", "steps.csv"] {
                assert!(bytes(&self.whole, name) == bytes(&self.out, name), "{name}");
            }
            self.count("survivors, bit-equal but for the best weights, which they said");
        } else {
            same(&self.whole, &self.out);
            self.count("survivors, bit-equal");
        }
        fs::remove_dir_all(&self.out).expect("removed");
        self.number += 1;
        self.out = self.folder.path().join(format!("run-{}", self.number));
        self.lost_best = false;
    }

    fn go_on_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            for _ in 0..1 + self.random.below(6) {
                let which = self.random.below(DISTURBANCES.len() as u64) as usize;
                let (name, disturb) = DISTURBANCES[which];
                println!("run {}: {name}", self.number);
                disturb(self);
                self.count(name);
            }
            self.finish();
        }
        let seconds = begun.elapsed().as_secs();
        println!("{seconds} s: {:#?}", self.counts);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn a_minute_of_torture() {
    Torture::new(1).go_on_for(Duration::from_secs(60));
}

#[test]
#[ignore = "an hour: see the head of this file"]
fn torture() {
    let seconds = number("FER_GPU_TORTURE_SECONDS", 3600);
    let mut torture = Torture::new(number("FER_GPU_TORTURE_SEED", 2));
    torture.go_on_for(Duration::from_secs(seconds));
}
