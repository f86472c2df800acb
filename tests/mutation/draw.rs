//! Which faults are tried: every way to rewrite a line of every shader goes in, a seeded choice
//! comes out, the same on every machine.
//!
//! The order of a file's faults is a hash of seed and text, so that a change elsewhere in the
//! shaders leaves most of the choice alone. Files take turns; a turn goes to the kind that has had
//! the fewest so far, so that every file and every kind appears.

use crate::faults::{FAULTS, Fault};
use fer_gpu::ops::{REGISTRY, Shader};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub const SEED: u64 = 1;
/// Faults of one line, at most.
const PER_LINE: usize = 3;
/// Faults of a file: these, and one for each so many lines that can have any.
const PER_FILE: usize = 4;
const LINES_PER_FAULT: usize = 8;

/// One small fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    pub file: &'static str,
    /// From 1.
    pub line: usize,
    pub kind: &'static str,
    pub original: String,
    /// Empty where the line goes away.
    pub mutated: String,
}

/// What the compiler says of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The module is refused.
    Refused,
    /// The compiled code is the same.
    Identical,
    Counts,
}

/// What was drawn.
#[derive(Default)]
pub struct Draw {
    pub mutants: Vec<Mutant>,
    pub refused: usize,
    pub identical: usize,
}

/// Every file that some kernel is made of, by name.
pub fn files() -> BTreeMap<&'static str, &'static Shader> {
    let variants = REGISTRY.iter().flat_map(|op| op.variants());
    let shaders = variants.flat_map(|v| v.shader.shared.iter().copied().chain([v.shader]));
    shaders.map(|shader| (shader.file, shader)).collect()
}

/// Can this fault be drawn from today's shaders?
pub fn could_draw(file: &str, original: &str, mutated: &str) -> bool {
    let is_fault = |line: &str| {
        let rewrites = |fault: &Fault| fault.rewrite(line).iter().any(|new| new == mutated);
        line.trim() == original && FAULTS.iter().any(rewrites)
    };
    files()
        .get(file)
        .is_some_and(|shader| shader.text.lines().any(is_fault))
}

/// Is there a line that can have a fault? Declarations and mere lists of names cannot.
pub fn can_be_faulty(shader: &'static Shader) -> bool {
    !candidates(shader).is_empty()
}

/// The mutants of one file, in the order of their hashes.
fn candidates(shader: &'static Shader) -> Vec<Mutant> {
    let mut found = Vec::new();
    let mut occurrences: HashMap<&str, u64> = HashMap::new();
    let mut in_function = false;
    for (i, line) in shader.text.lines().enumerate() {
        // Faults belong into bodies: signatures and declarations are held by tests/shaders.rs.
        in_function |= line.ends_with('{') && (line.starts_with("fn ") || line.starts_with(") "));
        in_function &= !line.starts_with('}');
        if !in_function || line.starts_with("fn ") || line.starts_with(") ") {
            continue;
        }
        let original = line.trim();
        let occurrence = occurrences.entry(original).or_default();
        *occurrence += 1;
        let mut seen = BTreeSet::from([original.to_string()]);
        for fault in FAULTS {
            for mutated in fault.rewrite(line) {
                if seen.insert(mutated.clone()) {
                    let key = format!("{}\n{original}\n{mutated}\n{occurrence}", shader.file);
                    let mutant = Mutant {
                        file: shader.file,
                        line: i + 1,
                        kind: fault.name,
                        original: original.into(),
                        mutated,
                    };
                    found.push((xxh3_64_with_seed(key.as_bytes(), SEED), mutant));
                }
            }
        }
    }
    found.sort_by_key(|(hash, _)| *hash);
    found.into_iter().map(|(_, mutant)| mutant).collect()
}

/// Draws; `fate` says which count.
pub fn draw(mut fate: impl FnMut(&Mutant) -> Fate) -> Draw {
    let mut left: Vec<(usize, Vec<Mutant>)> = Vec::new();
    for shader in files().into_values() {
        let mutants = candidates(shader);
        let lines: BTreeSet<usize> = mutants.iter().map(|mutant| mutant.line).collect();
        left.push((PER_FILE + lines.len() / LINES_PER_FAULT, mutants));
    }
    let mut draw = Draw::default();
    let mut of_kind: HashMap<&str, usize> = HashMap::new();
    let mut of_line: HashMap<(&str, usize), usize> = HashMap::new();
    while left.iter().any(|(quota, _)| *quota > 0) {
        for (quota, mutants) in left.iter_mut().filter(|(quota, _)| *quota > 0) {
            *quota -= 1;
            while let Some(mutant) = take(mutants, &of_kind) {
                let of_line = of_line.entry((mutant.file, mutant.line)).or_default();
                if *of_line == PER_LINE {
                    continue;
                }
                match fate(&mutant) {
                    Fate::Refused => draw.refused += 1,
                    Fate::Identical => draw.identical += 1,
                    Fate::Counts => {
                        *of_line += 1;
                        *of_kind.entry(mutant.kind).or_default() += 1;
                        draw.mutants.push(mutant);
                        break;
                    }
                }
            }
        }
    }
    draw.mutants.sort_by_key(|m| (m.file, m.line));
    draw
}

/// The first mutant of the kind that has had the fewest.
fn take(mutants: &mut Vec<Mutant>, of_kind: &HashMap<&str, usize>) -> Option<Mutant> {
    let had = |mutant: &Mutant| of_kind.get(mutant.kind).copied().unwrap_or(0);
    let at = (0..mutants.len()).min_by_key(|&i| (had(&mutants[i]), i))?;
    Some(mutants.remove(at))
}
