//! Mesa's drivers behind their drm shims: programs run on a GPU that is not there.
//!
//! program -> the unpacked loader, its libraries and the shim -> a manifest that names one driver -> what it says
//!
//! A process for each chip, because shim and driver read it from the environment. The program that asks for the
//! statistics is statistics.c; `fer-gpu` itself runs in the same way. Another architecture's drivers run through qemu.

use super::chips::{Chip, Vendor};
use crate::judge;
use crate::translate::Buffer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// SPIR-V, for [`Asker::reports`].
pub struct Shader<'a> {
    /// For the file, and in the answer.
    pub name: String,
    pub words: Vec<u32>,
    pub entry: &'a str,
    pub buffers: Vec<Buffer>,
}

/// What a driver said of one kernel.
#[derive(Debug, Default)]
pub struct Report {
    pub kernel: String,
    pub statistics: BTreeMap<String, f64>,
    /// The internal representation that was asked for, line by line.
    pub code: Vec<String>,
    /// Vulkan's result, where the kernel was refused.
    pub refused: Option<String>,
    /// Did the compiler take longer than the vendor's limit?
    pub slow: bool,
}

impl Report {
    /// A statistic, by the driver's name for it.
    pub fn count(&self, name: &str) -> u64 {
        let value = self.statistics.get(name);
        *value.unwrap_or_else(|| panic!("no statistic {name:?} among {:?}", self.statistics)) as u64
    }
}

/// What a process said: the driver's version, and its reports.
pub struct Answer {
    /// Of Mesa, such as `26.1.6-1~bpo13+1`.
    pub version: String,
    pub reports: Vec<Report>,
}

/// A vendor's drivers, unpacked, and the program that asks them.
pub struct Asker {
    vendor: &'static Vendor,
    root: PathBuf,
    libraries: PathBuf,
    manifest: PathBuf,
    folder: PathBuf,
}

impl Asker {
    /// Writes the vendor's manifest into a folder of its own.
    pub fn new(vendor: &'static Vendor, purpose: &str) -> Asker {
        let root = judge::installed(&format!("mesa/{}", vendor.architecture));
        let triple = match vendor.architecture {
            "arm64" => "aarch64-linux-gnu",
            _ => "x86_64-linux-gnu",
        };
        let libraries = root.join("usr/lib").join(triple);
        let folder = judge::folder(&format!("{purpose}.{}", vendor.name));
        let manifest = folder.join("driver.json");
        let library = libraries.join(&vendor.libraries()[0]).with_extension("so");
        judge::write(
            &manifest,
            serde_json::json!({
                "file_format_version": "1.0.1",
                "ICD": { "api_version": "1.3.0", "library_path": library },
            })
            .to_string(),
        );
        Asker {
            vendor,
            root,
            libraries,
            manifest,
            folder,
        }
    }

    /// A program that sees the chip and no other device; its arguments are still to come.
    pub fn command(&self, chip: &Chip, program: &Path) -> Command {
        let (loader, qemu) = match self.vendor.architecture {
            "arm64" => ("ld-linux-aarch64.so.1", Some("qemu-aarch64")),
            _ => ("ld-linux-x86-64.so.2", None),
        };
        let loader = self.libraries.join(loader);
        let mut command = match qemu {
            Some(qemu) => {
                let mut command = Command::new(qemu);
                command.arg(loader);
                command
            }
            None => Command::new(loader),
        };
        let shim = self.libraries.join(&self.vendor.libraries()[1]);
        command
            .arg("--library-path")
            .arg(&self.libraries)
            .arg("--preload")
            .arg(shim.with_extension("so"))
            .arg(program)
            .envs(chip.environment.iter().copied())
            .env("VK_DRIVER_FILES", &self.manifest)
            .env("VK_ICD_FILENAMES", &self.manifest)
            .env("MESA_SHADER_CACHE_DISABLE", "true");
        command
    }

    /// Builds statistics.c for the drivers' machine.
    pub fn build(&self) -> PathBuf {
        let program = self.folder.join("statistics");
        let compiler = match self.vendor.architecture {
            "arm64" => "aarch64-linux-gnu-gcc",
            _ => "cc",
        };
        let output = judge::run(
            Command::new(compiler)
                .args(["-O1", "-Wall", "-Wextra", "-Werror", "-I"])
                .arg(self.root.join("usr/include"))
                .arg("-o")
                .args([&program, &judge::source("mesa/statistics.c")])
                .arg("-L")
                .arg(&self.libraries)
                .args(["-l:libvulkan.so.1", "-Wl,--allow-shlib-undefined"]),
        );
        assert!(
            output.status.success(),
            "statistics.c does not compile: {}",
            judge::said(&output)
        );
        program
    }

    /// The program with a list of shaders, written beside it.
    fn asking(&self, chip: &Chip, program: &Path, list: &str, shaders: &[Shader]) -> Command {
        let list = self.folder.join(format!("{}.{list}", chip.name));
        let mut lines = String::new();
        for shader in shaders {
            let path = self
                .folder
                .join(format!("{}.{}.spv", chip.name, shader.name));
            judge::write(&path, bytemuck::cast_slice(&shader.words));
            let letter = |buffer: &Buffer| match buffer {
                Buffer::Uniform => 'u',
                Buffer::ReadOnly | Buffer::ReadWrite => 's',
            };
            let buffers: String = shader.buffers.iter().map(letter).collect();
            lines += &format!("{} {} {buffers}\n", path.display(), shader.entry);
        }
        judge::write(&list, lines);
        let mut command = self.command(chip, program);
        let access = if self.vendor.robust {
            "robust"
        } else {
            "plain"
        };
        command.arg(list).arg(access).args(self.vendor.code);
        command
    }

    /// Hands shaders to a chip's driver; the process may end badly.
    pub fn ask(&self, chip: &Chip, program: &Path, list: &str, shaders: &[Shader]) -> Output {
        judge::run(&mut self.asking(chip, program, list, shaders))
    }

    /// The same for one shader, and no longer than that; none if it takes longer.
    fn ask_for(
        &self,
        limit: Duration,
        chip: &Chip,
        program: &Path,
        shader: &Shader,
    ) -> Option<Output> {
        let mut command = self.asking(chip, program, &shader.name, std::slice::from_ref(shader));
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .expect("qemu-aarch64: run .ci/compilers-arm");
        let begin = Instant::now();
        // What it prints of one kernel fits into a pipe.
        while child.try_wait().expect("a child").is_none() {
            if begin.elapsed() > limit {
                child.kill().expect("a child that runs");
                child.wait().expect("a child");
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(child.wait_with_output().expect("what it said"))
    }

    /// A process for each shader, as many at once as there are processors.
    fn one_by_one(
        &self,
        limit: Duration,
        chip: &Chip,
        program: &Path,
        shaders: &[Shader],
    ) -> Answer {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let next = AtomicUsize::new(0);
        let version = Mutex::new(None);
        let mut reports = std::thread::scope(|scope| {
            let worker = || {
                let mut reports = Vec::new();
                while let Some((at, shader)) = take(&next, shaders) {
                    let Some(output) = self.ask_for(limit, chip, program, shader) else {
                        let slow = true;
                        reports.push((
                            at,
                            Report {
                                slow,
                                ..Report::default()
                            },
                        ));
                        continue;
                    };
                    let mut answer = self.understood(chip, &output, 1);
                    reports.push((at, answer.reports.remove(0)));
                    *version.lock().expect("a version") = Some(answer.version);
                }
                reports
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            let reports = workers.into_iter().flat_map(|w| w.join().expect("reports"));
            reports.collect::<Vec<_>>()
        });
        reports.sort_by_key(|(at, _)| *at);
        let version = version.into_inner().expect("a version");
        Answer {
            version: version.expect("one kernel is not slow"),
            reports: reports.into_iter().map(|(_, report)| report).collect(),
        }
    }

    /// What a chip's driver says of shaders, one report each, in their order.
    pub fn reports(&self, chip: &Chip, program: &Path, list: &str, shaders: &[Shader]) -> Answer {
        let mut answer = match self.vendor.limit {
            Some(limit) => self.one_by_one(limit, chip, program, shaders),
            None => {
                let output = self.ask(chip, program, list, shaders);
                self.understood(chip, &output, shaders.len())
            }
        };
        for (report, shader) in answer.reports.iter_mut().zip(shaders) {
            report.kernel.clone_from(&shader.name);
        }
        answer
    }

    /// What a process said that ended well.
    fn understood(&self, chip: &Chip, output: &Output, shaders: usize) -> Answer {
        let vendor = self.vendor.name;
        assert!(
            output.status.success(),
            "{vendor} {}: {}",
            chip.name,
            tail(&judge::said(output))
        );
        let answer = read(&String::from_utf8_lossy(&output.stdout), chip);
        assert_eq!(answer.reports.len(), shaders, "{}: reports", chip.name);
        answer
    }
}

/// The next shader that nobody took, and its place.
fn take<'a, 'b>(next: &AtomicUsize, shaders: &'a [Shader<'b>]) -> Option<(usize, &'a Shader<'b>)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, shaders.get(at)?))
}

/// The end of a message: what went wrong stands there.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(2_000);
    let start = (start..text.len()).find(|&at| text.is_char_boundary(at));
    &text[start.unwrap_or(0)..]
}

/// What statistics.c printed.
fn read(text: &str, chip: &Chip) -> Answer {
    let mut version = None;
    let mut reports: Vec<Report> = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        match (cells.as_slice(), reports.last_mut()) {
            (["device", name, _, driver], _) => {
                let found = name.to_lowercase().contains(&chip.device.to_lowercase());
                assert!(found, "{} was wanted, {name} answers", chip.name);
                version = driver.strip_prefix("Mesa ").map(str::to_string);
            }
            (["kernel", file], _) => reports.push(Report {
                kernel: (*file).into(),
                ..Report::default()
            }),
            (["statistic", name, value], Some(report)) => {
                let value = value.parse().expect("a number");
                report.statistics.insert((*name).into(), value);
            }
            (["code", ..], Some(report)) => report.code.push(line[5..].into()),
            (["refused", result], Some(report)) => report.refused = Some((*result).into()),
            _ => panic!("statistics.c prints {line:?}"),
        }
    }
    Answer {
        version: version.expect("the driver is Mesa's and tells its version"),
        reports,
    }
}
