//! The committed table: verdicts and arguments go in, Markdown comes out; read back, it is held
//! against today's shaders.

use crate::draw::{Draw, Mutant, SEED};
use crate::faults::FAULTS;
use crate::verdict::Verdict;
use std::collections::BTreeMap;

pub const COMMAND: &str = "cargo test --test mutation -- --ignored";
const KILLED: &str = "killed: ";
const EQUIVALENT: &str = "equivalent: ";
const UNSEEN: &str = "unseen: ";
const SURVIVED: &str = "SURVIVED";

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub file: String,
    pub line: usize,
    pub kind: String,
    pub original: String,
    pub mutated: String,
    pub verdict: String,
}

impl Row {
    pub fn killed(&self) -> bool {
        self.verdict.starts_with(KILLED)
    }
    pub fn equivalent(&self) -> bool {
        self.verdict.starts_with(EQUIVALENT)
    }
    pub fn survived(&self) -> bool {
        self.verdict == SURVIVED
    }
}

/// Why a mutant survives: it is equivalent, computing the same whatever the inputs, or it stays unseen
/// on the adapter of the run. Keyed by text, so that it moves with the line.
pub struct Argument {
    pub file: String,
    pub original: String,
    pub mutated: String,
    pub why: String,
}

impl Argument {
    pub fn is_about(&self, file: &str, original: &str, mutated: &str) -> bool {
        (&*self.file, &*self.original, &*self.mutated) == (file, original, mutated)
    }
}

/// Reads survivors.txt: blocks of a file name, `- line`, `+ line`, and the argument.
pub fn arguments(text: &str) -> Vec<Argument> {
    let block = |block: &str| {
        let mut lines = block.lines();
        let mut next = |prefix: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(prefix));
            let line = line.unwrap_or_else(|| panic!("survivors.txt: no `{prefix}` in\n{block}"));
            line.trim().to_string()
        };
        let (file, original, mutated) = (next(""), next("-"), next("+"));
        let why = lines.collect::<Vec<_>>().join(" ");
        let kinds = [EQUIVALENT, UNSEEN];
        assert!(
            kinds.iter().any(|kind| why.starts_with(kind)),
            "survivors.txt: no argument that begins with one of {kinds:?} in\n{block}"
        );
        Argument {
            file,
            original,
            mutated,
            why,
        }
    };
    let blocks = text.split("\n\n").map(str::trim);
    blocks.filter(|text| !text.is_empty()).map(block).collect()
}

/// The row of a mutant.
pub fn row(mutant: &Mutant, verdict: &Verdict, arguments: &[Argument]) -> Row {
    let argument = arguments
        .iter()
        .find(|a| a.is_about(mutant.file, &mutant.original, &mutant.mutated));
    let verdict = match (verdict, argument) {
        (Verdict::Killed(how), _) => format!("{KILLED}{how}"),
        (Verdict::Survived, Some(argument)) => argument.why.clone(),
        (Verdict::Survived, None) => SURVIVED.into(),
    };
    Row {
        file: mutant.file.into(),
        line: mutant.line,
        kind: mutant.kind.into(),
        original: mutant.original.clone(),
        mutated: mutant.mutated.clone(),
        verdict,
    }
}

/// The whole file.
pub fn write(rows: &[Row], draw: &Draw, adapter: &str) -> String {
    let kinds = FAULTS.iter().map(|fault| {
        let of: Vec<&Row> = rows.iter().filter(|row| row.kind == fault.name).collect();
        let killed = of.iter().filter(|row| row.killed()).count();
        format!("| {} | {} | {killed} |\n", fault.name, of.len())
    });
    let mut files: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        files.entry(&row.file).or_default().push(row);
    }
    let sections = files.iter().map(|(file, rows)| section(file, rows));
    std::iter::once(head(rows, draw, adapter))
        .chain(kinds)
        .chain(sections)
        .collect()
}

/// The command and the totals.
fn head(rows: &[Row], draw: &Draw, adapter: &str) -> String {
    let counted = rows.len();
    let killed = rows.iter().filter(|row| row.killed()).count();
    let equivalent = rows.iter().filter(|row| row.equivalent()).count();
    let unseen = counted - killed - equivalent;
    let drawn = counted + draw.refused + draw.identical;
    let (refused, identical) = (draw.refused, draw.identical);
    let share = |of: usize| 100.0 * killed as f64 / of as f64;
    let (of_all, of_faults) = (share(counted), share(counted - equivalent));
    format!(
        "# Faults in the kernels, and who saw them\n\n\
         Written by `{COMMAND}`: seed {SEED}, on {adapter}.\n\
         Each line below was put into its shader alone; the cases of the ops that it changed ran, cheap\n\
         ones first, until one failed; what they all missed, the static check of tests/barriers looked at.\n\n\
         | | |\n|---|---|\n\
         | drawn | {drawn} |\n\
         | refused by the compiler | {refused} |\n\
         | the same SPIR-V | {identical} |\n\
         | **counted** | **{counted}** |\n\
         | **killed** | **{killed}** ({of_all:.1} % of all, {of_faults:.1} % without the equivalent ones) |\n\
         | equivalent: no input can tell, with the argument | {equivalent} |\n\
         | unseen on this adapter, with the reason | {unseen} |\n\n\
         | fault | counted | killed |\n|---|---|---|\n"
    )
}

/// The faults of one file.
fn section(file: &str, rows: &[&Row]) -> String {
    let head = format!(
        "\n## {file}\n\n| line | fault | sound | faulty | verdict |\n|---|---|---|---|---|\n"
    );
    let code = |line: &str| match line {
        "" => "(gone)".to_string(),
        line => format!("`{}`", line.replace('|', "\\|")),
    };
    let line = |row: &&Row| {
        let (sound, faulty) = (code(&row.original), code(&row.mutated));
        let Row {
            line,
            kind,
            verdict,
            ..
        } = row;
        format!("| {line} | {kind} | {sound} | {faulty} | {verdict} |\n")
    };
    std::iter::once(head).chain(rows.iter().map(line)).collect()
}

/// The rows of a written table.
pub fn read(text: &str) -> Vec<Row> {
    let mut file = String::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            file = name.into();
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let code = |cell: &str| match cell {
            "(gone)" => String::new(),
            cell => cell.trim_matches('`').replace("\\|", "|"),
        };
        if let [number, kind, original, mutated, verdict] = cells[..]
            && let Ok(line) = number.parse()
        {
            rows.push(Row {
                file: file.clone(),
                line,
                kind: kind.into(),
                original: code(original),
                mutated: code(mutated),
                verdict: verdict.into(),
            });
        }
    }
    rows
}
