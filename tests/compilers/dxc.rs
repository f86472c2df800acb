//! DXC, Microsoft's HLSL compiler, with its own validation of the DXIL that it makes: the library
//! for Windows from the npm package webgpu, called by dxc.c under wine.

use crate::judge::{self, Verdict};
use crate::translate::{Hlsl, kernels};
use fer_gpu::gpu::Checks;
use naga::back::hlsl::ShaderModel;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The oldest that wgpu accepts with DXC, as trained and as tested, and a current one.
const MODES: [(ShaderModel, Checks); 3] = [
    (ShaderModel::V6_0, Checks::Off),
    (ShaderModel::V6_0, Checks::On),
    (ShaderModel::V6_7, Checks::Off),
];

const CONTROL: &str = "
RWByteAddressBuffer words : register(u0);
[numthreads(1, 1, 1)]
void control() { words.Store(0, undeclared); }
";

/// wine's loader, by its name or where Debian keeps it.
fn wine() -> PathBuf {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::split_paths(&places).flat_map(|p| [p.join("wine64"), p.join("wine")]);
    named
        .chain([PathBuf::from("/usr/lib/wine/wine64")])
        .find(|path| path.is_file())
        .expect("wine64 is missing: run .ci/compilers")
}

fn build(folder: &Path) -> PathBuf {
    let program = folder.join("dxc.exe");
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    let output = judge::run(
        compiler
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&program, &judge::source("dxc.c")]),
    );
    assert!(
        output.status.success(),
        "dxc.c does not compile: {}",
        judge::said(&output)
    );
    program
}

/// Runs every shader of the list through one process. Its streams go to files: wine's server
/// outlives it and would hold a pipe open.
fn compile(folder: &Path, program: &Path, list: &str) -> Vec<Verdict> {
    judge::write(&folder.join("list"), list);
    let library = judge::installed("node_modules/webgpu/dist/win32-x64/dxcompiler.dll");
    let log = File::create(folder.join("wine.log")).expect("a log");
    let mut command = Command::new(wine());
    command
        .current_dir(folder)
        .arg(program)
        .arg(format!("Z:{}", library.display()).replace('/', "\\"))
        .arg("list")
        .env("WINEPREFIX", folder.with_file_name("wine"))
        .env("WINEDEBUG", "-all")
        .env("WINEDLLOVERRIDES", "mscoree=;mshtml=;winemenubuilder.exe=")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log);
    let status = command.status().expect("wine starts");
    let said = std::fs::read(folder.join("wine.log")).expect("a log");
    let said = String::from_utf8_lossy(&said);
    assert!(status.success(), "dxc.exe under wine: {status}: {said}");
    let verdicts = std::fs::read_to_string(folder.join("list.verdicts")).expect("verdicts");
    let verdict = |line: &str| {
        let (word, name) = line.split_once(' ').expect("a word and a name");
        let log = std::fs::read(folder.join(format!("{name}.log"))).expect("a log");
        Verdict {
            shader: name.into(),
            refusal: (word != "accepted").then(|| message(&log)),
        }
    };
    verdicts.lines().map(verdict).collect()
}

/// The compiler's text without the zero at its end.
fn message(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    text.trim_end_matches(['\0', '\n']).to_string()
}

#[test]
#[ignore = "needs wine, mingw and the npm package webgpu: run .ci/compilers"]
fn dxc_accepts_every_variant() {
    let start = Instant::now();
    let folder = judge::folder("dxc");
    let program = build(&folder);
    let mut list = String::new();
    for (model, checks) in MODES {
        for kernel in kernels() {
            let Hlsl { text, entry } = kernel.hlsl(model, checks).expect("HLSL");
            let profile = format!("cs_{}", model.to_str());
            let name = format!("{}.{profile}.{}.hlsl", kernel.file(), judge::mode(checks));
            judge::write(&folder.join(&name), text);
            list += &format!("{name} {entry} {profile}\n");
        }
    }
    judge::write(&folder.join("control.hlsl"), CONTROL);
    list += "control.hlsl control cs_6_0\n";
    let mut verdicts = compile(&folder, &program, &list);
    let control = verdicts.pop().expect("a verdict on the control");
    judge::all_accepted("DXC", start, &verdicts, MODES.len() * kernels().len());
    judge::refused("DXC", &control, "undeclared identifier");
}
