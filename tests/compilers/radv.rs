//! AMD's compiler in Mesa (RADV), for families of three generations, against radv.csv.
//!
//! kernels() -> SPIR-V of a release -> one process a family -> rows -> the table
//!
//! A process a family, because the driver reads its family from the environment: the test starts
//! itself again. FER_GPU_BLESS=1 rewrites the table instead of comparing.

mod driver;
mod table;

use crate::judge;
use crate::translate::{Buffer, SpirvFor, kernels, spirv_of};
use driver::Driver;
use std::ffi::CString;
use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use table::{Row, Table};

/// GCN (2016), RDNA 2 (2020), and RDNA 3 (2022), the newest that Mesa 22.3 knows.
const FAMILIES: [&str; 3] = ["polaris10", "navi21", "gfx1100"];

/// Set for the process of one family: where its rows go.
const ROWS: &str = "FER_GPU_RADV_ROWS";
const FAMILY: &str = "RADV_FORCE_FAMILY";
/// The row of a kernel that spills, in each family.
const CONTROL: &str = "control,spills";

/// 300 sums that all live through a loop: more than any wave has registers.
fn control() -> String {
    let mut text = String::from(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn control(@builtin(local_invocation_index) local: u32) {\n",
    );
    let all = |text: &mut String, line: fn(u32) -> String| {
        (0..300).for_each(|i| writeln!(text, "{}", line(i)).expect("a string grows"));
    };
    all(&mut text, |i| format!("var sum{i} = 0.0;"));
    text += "for (var k = local; k < arrayLength(&x); k += 64u) {\n";
    all(&mut text, |i| {
        format!("sum{i} += x[k + {i}u] * x[k * {i}u];")
    });
    text += "}\n";
    all(&mut text, |i| format!("y[local * 300u + {i}u] = sum{i};"));
    text + "}\n"
}

/// The process of one family: a table with its rows.
fn compile_all(family: &str) -> Table {
    let driver = Driver::open();
    let name = driver.name.to_lowercase();
    assert!(name.contains(family), "{FAMILY}={family} gives {name}");
    let row = |words: &[u32], entry: &str, buffers: &[Buffer]| -> Row {
        driver.compile(words, &CString::new(entry).expect("a name"), buffers)
    };
    let kernels = kernels().iter().filter(|kernel| !kernel.subgroups);
    let mut rows: Vec<(String, Row)> = kernels
        .map(|kernel| {
            let words = kernel.spirv(SpirvFor::Release).expect("SPIR-V");
            let name = format!("{family},{},{}", kernel.op.name(), kernel.variant.name);
            (name, row(&words, kernel.variant.entry, &kernel.buffers()))
        })
        .collect();
    let spilling = row(
        &spirv_of(&control(), "control"),
        "control",
        &[Buffer::ReadOnly, Buffer::ReadWrite],
    );
    rows.push((format!("{family},{CONTROL}"), spilling));
    Table {
        driver: driver.version.clone(),
        rows: rows.into_iter().collect(),
    }
}

/// RADV's manifest, so that no other driver answers.
fn manifest() -> PathBuf {
    let folder = Path::new("/usr/share/vulkan/icd.d");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let radv = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("radeon_icd")
    };
    files
        .map(|file| file.path())
        .find(radv)
        .expect("RADV is missing (Debian's mesa-vulkan-drivers): run .ci/compilers")
}

/// Starts this test again as the process of one family.
fn start(test: &str, family: &str, folder: &Path) -> Table {
    let rows = folder.join(format!("{family}.csv"));
    let manifest = manifest();
    let output = judge::run(
        Command::new(std::env::current_exe().expect("this program"))
            .args([test, "--exact", "--include-ignored", "--nocapture"])
            .env(ROWS, &rows)
            .env(FAMILY, family)
            .env("VK_DRIVER_FILES", &manifest)
            .env("VK_ICD_FILENAMES", &manifest)
            .env("RADV_DEBUG", "nocache")
            .env("MESA_SHADER_CACHE_DISABLE", "true"),
    );
    assert!(
        output.status.success(),
        "{family}: {}",
        judge::said(&output)
    );
    let text = std::fs::read_to_string(&rows).expect("the process of a family writes its rows");
    Table::parse(&text).expect("rows")
}

/// The control: a kernel that spills, in the place of one that does not.
fn complains_of_spills(family: &str, spilling: Row, committed: &Table) {
    let mut found = committed.clone();
    let prefix = format!("{family},");
    let (_, row) = found
        .rows
        .iter_mut()
        .find(|(kernel, _)| kernel.starts_with(&prefix))
        .expect("a row of the family");
    *row = spilling;
    let worse = committed.regressions(&found).join("\n");
    assert!(
        worse.contains("spilled_vgprs"),
        "{family}: 300 live sums do not spill: {spilling:?}"
    );
}

/// Past the capture of the test harness, since the table says little of another driver.
fn warn_of_another_driver(committed: &Table, found: &Table) {
    let (theirs, ours) = (&committed.driver, &found.driver);
    if theirs != ours {
        let line = format!("RADV: radv.csv is of {theirs}, this is {ours}: only spills fail\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("stderr");
    }
}

#[test]
#[ignore = "needs RADV: run .ci/compilers"]
fn radv_holds_the_table() {
    if let (Ok(rows), Ok(family)) = (std::env::var(ROWS), std::env::var(FAMILY)) {
        judge::write(Path::new(&rows), compile_all(&family).to_string());
        return;
    }
    let begin = Instant::now();
    let folder = judge::folder("radv");
    let mut tables = FAMILIES.map(|family| start("radv::radv_holds_the_table", family, &folder));
    let controls = [0, 1, 2].map(|i| {
        let key = format!("{},{CONTROL}", FAMILIES[i]);
        tables[i].rows.remove(&key).expect("the control's row")
    });
    let driver = tables[0].driver.clone();
    let rows = tables.into_iter().flat_map(|table| table.rows).collect();
    let found = Table { driver, rows };
    let kernels = kernels().iter().filter(|kernel| !kernel.subgroups).count();
    let expected = FAMILIES.len() * kernels;
    assert_eq!(found.rows.len(), expected, "RADV: kernels compiled");
    let path = judge::source("radv.csv");
    if std::env::var_os("FER_GPU_BLESS").is_some() {
        judge::write(&path, found.to_string());
    }
    let text = std::fs::read_to_string(&path).expect("radv.csv");
    let committed = Table::parse(&text).expect("radv.csv");
    for (family, spilling) in FAMILIES.into_iter().zip(controls) {
        complains_of_spills(family, spilling, &committed);
    }
    warn_of_another_driver(&committed, &found);
    let worse = committed.regressions(&found);
    assert!(
        worse.is_empty(),
        "RADV, {}:\n{}\nif this is meant: FER_GPU_BLESS=1 .ci/compilers",
        found.driver,
        worse.join("\n")
    );
    let seconds = begin.elapsed().as_secs_f64();
    println!("RADV: {expected} accepted in {seconds:.1} s");
}
