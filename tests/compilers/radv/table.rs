//! The committed table of what RADV made of each kernel, and what counts as worse.

use std::collections::BTreeMap;
use std::fmt;

/// Column of the table, and the statistic of the driver that it holds. `wave` is the width of a
/// wave in lanes; of waves of 64 lanes, RDNA's SIMDs of 32 count each twice.
pub const COLUMNS: [(&str, &str); 8] = [
    ("wave", "Wave size"),
    ("vgprs", "VGPRs"),
    ("sgprs", "SGPRs"),
    ("spilled_vgprs", "Spilled VGPRs"),
    ("spilled_sgprs", "Spilled SGPRs"),
    ("lds_bytes", "LDS size"),
    ("waves_per_simd", "Subgroups per SIMD"),
    ("instructions", "Instructions"),
];

const HEAD: &str = "\
# What AMD's compiler in Mesa (RADV) makes of every kernel that needs no subgroups, checks off.
# On this version of Mesa a new spill or fewer waves fail, on another a new spill alone; so does a
# kernel that is missing here. `.ci/compilers` tests it, `FER_GPU_BLESS=1 .ci/compilers` rewrites it.
";

/// The numbers of one kernel, in the order of [`COLUMNS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row(pub [u64; COLUMNS.len()]);

impl Row {
    pub fn get(&self, column: &str) -> u64 {
        let at = COLUMNS.iter().position(|(name, _)| *name == column);
        self.0[at.unwrap_or_else(|| panic!("no column {column}"))]
    }
}

/// "family,op,variant" -> numbers, for one version of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub driver: String,
    pub rows: BTreeMap<String, Row>,
}

impl Table {
    pub fn parse(text: &str) -> Result<Table, String> {
        let mut lines = text.lines().skip_while(|line| line.starts_with('#'));
        let driver = lines.next().ok_or("no driver")?.to_string();
        lines.next().ok_or("no names of columns")?;
        let rows = lines.map(parse_row).collect::<Result<_, _>>()?;
        Ok(Table { driver, rows })
    }

    /// What `found` has worse than this table; empty where all is well.
    pub fn regressions(&self, found: &Table) -> Vec<String> {
        let same_driver = self.driver == found.driver;
        let mut worse = Vec::new();
        for (kernel, row) in &found.rows {
            let Some(old) = self.rows.get(kernel) else {
                worse.push(format!("{kernel} is not in the table"));
                continue;
            };
            let mut compare = |column: &str, is_worse: fn(u64, u64) -> bool| {
                let (before, now) = (old.get(column), row.get(column));
                if is_worse(before, now) {
                    worse.push(format!("{kernel}: {column} {now}, was {before}"));
                }
            };
            compare("spilled_vgprs", |before, now| now > before);
            compare("spilled_sgprs", |before, now| now > before);
            if same_driver {
                compare("waves_per_simd", |before, now| now < before);
            }
        }
        let gone = self.rows.keys().filter(|k| !found.rows.contains_key(*k));
        worse.extend(gone.map(|kernel| format!("{kernel} is in the table alone")));
        worse
    }
}

fn parse_row(line: &str) -> Result<(String, Row), String> {
    let cells: Vec<&str> = line.split(',').collect();
    let (kernel, numbers) = cells.split_at_checked(3).ok_or("a short line")?;
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|n| n.parse().map_err(|e| format!("{line}: {e}")))
        .collect::<Result<_, String>>()?;
    let numbers = numbers
        .try_into()
        .map_err(|_| format!("{line}: not {} numbers", COLUMNS.len()))?;
    Ok((kernel.join(","), Row(numbers)))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEAD}{}\nfamily,op,variant", self.driver)?;
        for (name, _) in COLUMNS {
            write!(f, ",{name}")?;
        }
        writeln!(f)?;
        for (kernel, row) in &self.rows {
            let numbers = row.0.map(|n| n.to_string());
            writeln!(f, "{kernel},{}", numbers.join(","))?;
        }
        Ok(())
    }
}
