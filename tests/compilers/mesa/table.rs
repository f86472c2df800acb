//! The committed table of what Mesa's compilers made of each kernel, and what counts as worse.

use super::nak::Loop;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

const HEAD: &str = "\
# What the compilers in Mesa make of every kernel that a plan can choose there, checks off: `.ci/compilers` and
# `.ci/compilers-arm` test it, with FER_GPU_BLESS=1 before them they write it. On the same version of Mesa a new spill
# fails, and a share of FFMA that is lower by 3 points; the rest is told, and on another version all is.
# occupancy: nvidia warps of a multiprocessor (all: 32 turing, 48 ampere); apple threads of a core (1024); qualcomm waves
# of a core (16); amd waves of a SIMD (10 polaris10, else 32); arm halves of a core's threads (2). registers: apple
# halves, qualcomm vectors. loop: instructions of the loop that adds and of the one around it; ffma: FFMA's percent of the
# loop that adds; per_term: instructions for a term of the sums that an invocation owns, the loop around included.
";

const COLUMNS: &str = "mesa,vendor,chip,op,variant,invocations,instructions,registers,occupancy,spills,cycles,ffma,loop,per_term";

/// The numbers of one kernel on one chip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The version of Mesa.
    pub mesa: String,
    /// Of a workgroup.
    pub invocations: u64,
    pub instructions: u64,
    pub registers: u64,
    pub occupancy: u64,
    /// To memory.
    pub spills: u64,
    pub cycles: Option<u64>,
    /// Where the code was read.
    pub hot: Option<Loop>,
}

/// A share of FFMA that is lower by so many tenths of a percent fails.
const LOWER: u64 = 30;

/// "vendor,chip,op,variant" -> numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub BTreeMap<String, Row>);

impl Table {
    pub fn parse(text: &str) -> Result<Table, String> {
        let mut lines = text.lines().skip_while(|line| line.starts_with('#'));
        if lines.next() != Some(COLUMNS) {
            return Err(format!("the columns are not {COLUMNS}"));
        }
        let row = |line: &str| parse_row(line).map_err(|what| format!("{line}: {what}"));
        Ok(Table(lines.map(row).collect::<Result<_, _>>()?))
    }

    /// The rows of a vendor.
    pub fn of(&self, vendor: &str) -> Table {
        let prefix = format!("{vendor},");
        let rows = self
            .0
            .iter()
            .filter(|(kernel, _)| kernel.starts_with(&prefix));
        Table(
            rows.map(|(kernel, row)| (kernel.clone(), row.clone()))
                .collect(),
        )
    }

    /// The version of Mesa that all rows are of.
    pub fn version(&self) -> Option<&str> {
        self.0.values().next().map(|row| row.mesa.as_str())
    }

    /// What `found` has worse than this table, of one vendor both; on another version that is nothing to fail for.
    pub fn worse(&self, found: &Table) -> Vec<String> {
        let mut worse = Vec::new();
        for (kernel, row) in &found.0 {
            let Some(old) = self.0.get(kernel) else {
                worse.push(format!("{kernel} is not in the table"));
                continue;
            };
            if row.spills > old.spills {
                let (before, now) = (old.spills, row.spills);
                worse.push(format!("{kernel}: {now} spills to memory, {before} before"));
            }
            let (before, now) = (old.ffma(), row.ffma());
            if now + LOWER <= before {
                let (before, now) = (percent(before), percent(now));
                worse.push(format!(
                    "{kernel}: FFMA {now} % of the loop, {before} % before"
                ));
            }
        }
        let gone = self.0.keys().filter(|k| !found.0.contains_key(*k));
        worse.extend(gone.map(|kernel| format!("{kernel} is in the table alone")));
        worse
    }

    /// What else is not as it was, in a line for each chip, the first kernels by name.
    pub fn changes(&self, found: &Table) -> Vec<String> {
        let mut chips: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (kernel, row) in &found.0 {
            let (chip, name) = split(kernel);
            if let Some(told) = self.0.get(kernel).and_then(|old| row.change(old)) {
                chips
                    .entry(chip)
                    .or_default()
                    .push(format!("{name} {told}"));
            }
        }
        let line = |(chip, told): (&str, Vec<String>)| {
            let more = told.len().saturating_sub(SHOWN);
            let shown = told[..told.len() - more].join("; ");
            let more = if more > 0 {
                format!("; {more} more")
            } else {
                String::new()
            };
            format!("{chip}: {} kernels changed: {shown}{more}", told.len())
        };
        chips.into_iter().map(line).collect()
    }
}

/// Changed kernels that a report names.
const SHOWN: usize = 6;

/// "vendor,chip" and "op,variant".
fn split(kernel: &str) -> (&str, &str) {
    let second = kernel.match_indices(',').nth(1).expect("four names").0;
    (&kernel[..second], &kernel[second + 1..])
}

fn percent(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

impl Row {
    /// Tenths of a percent; 0 where no loop adds.
    fn ffma(&self) -> u64 {
        self.hot.and_then(|hot| hot.ffma).unwrap_or(0)
    }

    /// Instructions and occupancy where they are others than before.
    fn change(&self, old: &Row) -> Option<String> {
        let mut told = Vec::new();
        let mut compare = |what: &str, before: u64, now: u64| {
            if before != now {
                told.push(format!("{what} {before} to {now}"));
            }
        };
        compare("instructions", old.instructions, self.instructions);
        compare("occupancy", old.occupancy, self.occupancy);
        compare("spills", old.spills, self.spills);
        (!told.is_empty()).then(|| told.join(", "))
    }
}

fn parse_row(line: &str) -> Result<(String, Row), String> {
    let cells: Vec<&str> = line.split(',').collect();
    let &[mesa, vendor, chip, op, variant, ref numbers @ ..] = cells.as_slice() else {
        return Err("names are missing".into());
    };
    let number = |cell: &str| cell.parse::<u64>().map_err(|e| format!("{cell:?}: {e}"));
    let scaled = |cell: &str, scale: f64| match cell.parse::<f64>() {
        Ok(value) => Ok((value * scale).round() as u64),
        Err(e) => Err(format!("{cell:?}: {e}")),
    };
    let given = |cell: &str| (!cell.is_empty()).then_some(());
    let &[
        invocations,
        instructions,
        registers,
        occupancy,
        spills,
        cycles,
        ffma,
        of_loop,
        per_term,
    ] = numbers
    else {
        return Err(format!("{} numbers", numbers.len()));
    };
    let hot = || -> Result<Loop, String> {
        Ok(Loop {
            ffma: given(ffma).map(|()| scaled(ffma, 10.0)).transpose()?,
            instructions: number(of_loop)?,
            per_term: scaled(per_term, 100.0)?,
        })
    };
    let row = Row {
        mesa: mesa.into(),
        invocations: number(invocations)?,
        instructions: number(instructions)?,
        registers: number(registers)?,
        occupancy: number(occupancy)?,
        spills: number(spills)?,
        cycles: given(cycles).map(|()| number(cycles)).transpose()?,
        hot: given(of_loop).map(|()| hot()).transpose()?,
    };
    Ok(([vendor, chip, op, variant].join(","), row))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{COLUMNS}")?;
        for (kernel, row) in &self.0 {
            let (mesa, invocations) = (&row.mesa, row.invocations);
            let mut line = format!("{mesa},{kernel},{invocations}");
            for number in [row.instructions, row.registers, row.occupancy, row.spills] {
                write!(line, ",{number}")?;
            }
            let cycles = row.cycles.map(|cycles| cycles.to_string());
            let ffma = row.hot.and_then(|hot| hot.ffma).map(percent);
            let of_loop = row.hot.map(|hot| hot.instructions.to_string());
            let per_term = row
                .hot
                .map(|hot| format!("{:.2}", hot.per_term as f64 / 100.0));
            for cell in [cycles, ffma, of_loop, per_term] {
                write!(line, ",{}", cell.unwrap_or_default())?;
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Two rows, one with a loop.
#[cfg(test)]
fn example() -> Table {
    let text = format!(
        "{COLUMNS}\n\
         26.1.6,amd,navi21,add,naive,256,90,12,16,0,40,,,\n\
         26.1.6,nvidia,ampere,matmul_forward,shared,128,1615,80,24,0,19702,62.7,259,64.00\n"
    );
    Table::parse(&text).expect("a table")
}

#[test]
fn the_table_is_written_as_it_is_read() {
    let table = example();
    assert_eq!(Table::parse(&table.to_string()), Ok(table.clone()));
    assert_eq!(table.of("amd").0.len(), 1);
    assert_eq!(table.of("amd").version(), Some("26.1.6"));
    assert!(Table::parse(&table.to_string().replace(",62.7", ",much")).is_err());
}

#[test]
fn a_spill_and_a_lower_share_of_ffma_are_worse_and_the_rest_is_told() {
    let committed = example();
    let changed = |change: fn(&mut Row)| {
        let mut found = committed.clone();
        change(
            found
                .0
                .get_mut("nvidia,ampere,matmul_forward,shared")
                .expect("a row"),
        );
        found
    };
    let ffma = |row: &mut Row, tenths: u64| row.hot.as_mut().expect("a loop").ffma = Some(tenths);
    let worse = committed.worse(&changed(|row| row.spills = 3));
    let kernel = "nvidia,ampere,matmul_forward,shared";
    assert_eq!(worse, [format!("{kernel}: 3 spills to memory, 0 before")]);
    let mut found = committed.clone();
    ffma(found.0.get_mut(kernel).expect("a row"), 597);
    let lower = format!("{kernel}: FFMA 59.7 % of the loop, 62.7 % before");
    assert_eq!(committed.worse(&found), [lower]);
    ffma(found.0.get_mut(kernel).expect("a row"), 598);
    assert!(committed.worse(&found).is_empty());
    let found = changed(|row| (row.instructions, row.occupancy) = (1700, 20));
    assert!(committed.worse(&found).is_empty());
    let told = "nvidia,ampere: 1 kernels changed: matmul_forward,shared instructions 1615 to 1700, occupancy 24 to 20";
    assert_eq!(committed.changes(&found), [told]);
    assert_eq!(committed.worse(&Table::default()).len(), 2);
    assert_eq!(Table::default().worse(&committed).len(), 2);
}
