//! The rooms of `src/` are what they are said to be: the table in `src/lib.rs` lists them from the lowest to the
//! highest, each uses only those before it, and docs/architecture.svg shows just that.
//!
//! An order without an arrow up has no circle. Uses are found in the text, in bodies of functions too: what
//! stands behind `crate::`, and a chain of `super::` that leaves its room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rooms of the table in `src/lib.rs`, from the lowest to the highest.
fn table() -> Vec<String> {
    let text = read("src/lib.rs");
    let mut blocks = text.split("//! ```text\n");
    let table = blocks.nth(1).expect("a table").split("//! ```").next();
    let rooms = table.expect("its end").lines().flat_map(|line| {
        let (names, about) = line["//! ".len()..]
            .split_once("  ")
            .expect("names, then what");
        assert!(!about.trim().is_empty(), "{line}");
        names.split(", ").map(String::from).collect::<Vec<_>>()
    });
    rooms.collect()
}

/// The modules that `src/lib.rs` declares.
fn modules() -> BTreeSet<String> {
    let text = read("src/lib.rs");
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(String::from).collect()
}

/// Files of a folder and those in it.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The text without its comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        Some(at) => &line[..at],
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names of what stands behind a path's `::`: one, or those of a list in braces.
fn heads(behind: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let of_name = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '*';
        text.trim_start().chars().take_while(of_name).collect()
    };
    let Some(list) = behind.strip_prefix('{') else {
        return vec![name(behind)];
    };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(name(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// What a file of so many folders below `src/` uses of the whole crate. `super::` counts where the chain is
/// long enough to leave the room.
fn uses(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if whole {
            found.extend(heads(&code[at + "crate::".len()..]));
        }
    }
    let chain = "super::".repeat(depth);
    for (at, _) in code.match_indices(&chain) {
        let outermost = !code[..at].ends_with("super::");
        let behind = code[at..].trim_start_matches("super::");
        let names = heads(behind);
        found.extend(
            names
                .into_iter()
                .filter(|name| outermost && modules().contains(name)),
        );
    }
    found
}

/// (room, what it uses) -> a file that does.
fn arrows() -> BTreeMap<(String, String), PathBuf> {
    let (modules, src) = (modules(), Path::new(ROOT).join("src"));
    let mut found = Vec::new();
    files(&src, &mut found);
    let mut arrows = BTreeMap::new();
    for path in found {
        let inside = path.strip_prefix(&src).expect("under src");
        let parts: Vec<&str> = inside
            .iter()
            .map(|part| part.to_str().expect("utf-8"))
            .collect();
        let room = parts[0].trim_end_matches(".rs").to_string();
        // The command itself is no room, and lib.rs only lists them.
        if !modules.contains(&room) {
            continue;
        }
        let depth = parts.len() - usize::from(parts.last() == Some(&"mod.rs"));
        for used in uses(&code(&read(&path)), depth) {
            assert!(
                modules.contains(&used),
                "{}: crate::{used} is no room",
                path.display()
            );
            if used != room {
                arrows.entry((room.clone(), used)).or_insert(inside.into());
            }
        }
    }
    assert!(arrows.len() > 50, "{arrows:?}");
    arrows
}

#[test]
fn the_table_lists_every_room_once() {
    let table = table();
    let listed: BTreeSet<String> = table.iter().cloned().collect();
    assert_eq!(listed.len(), table.len(), "{table:?}");
    assert_eq!(listed, modules());
}

#[test]
fn a_room_uses_only_those_before_it() {
    let table = table();
    let floor = |room: &String| table.iter().position(|r| r == room).expect(room);
    let up = arrows()
        .into_iter()
        .filter(|((from, to), _)| floor(to) > floor(from));
    let up: Vec<_> = up.collect();
    assert!(up.is_empty(), "arrows that lead up: {up:#?}");
}

/// What a tag of the picture says of itself.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = tag.split_once(&format!(" {name}=\""))?;
    behind.split('"').next()
}

/// Every room is a box with a word on it, every arrow an import that leads down the page, and every import a
/// path of arrows.
#[test]
fn the_picture_agrees_with_the_imports() {
    let svg = read("docs/architecture.svg");
    let boxes: BTreeSet<&str> = svg
        .split("<g")
        .skip(1)
        .filter_map(|t| attribute(t, "id"))
        .collect();
    let table = table();
    assert_eq!(boxes, table.iter().map(String::as_str).collect());
    for room in &boxes {
        assert!(
            svg.contains(&format!("<title>{room}: ")),
            "{room} has no tooltip"
        );
    }
    let mut drawn = BTreeSet::new();
    for tag in svg.split("<path class=\"arrow\"").skip(1) {
        let said = |name| attribute(tag, name).expect(name).to_string();
        let (from, to, line) = (said("data-from"), said("data-to"), said("d"));
        let numbers = line.split(['M', 'C', ' ']).filter(|n| !n.is_empty());
        let numbers: Vec<f64> = numbers.map(|n| n.parse().expect("a number")).collect();
        assert!(
            numbers.last() > numbers.get(1),
            "{from} to {to} leads up the page"
        );
        drawn.insert((from, to));
    }
    let imports = arrows();
    for (from, to) in &drawn {
        let real = imports.contains_key(&(from.clone(), to.clone()));
        assert!(real, "{from} does not use {to}");
    }
    for ((from, to), file) in imports {
        let mut reached = BTreeSet::from([from.clone()]);
        // Nothing leads up: one walk down the table meets every room behind its users.
        for room in table.iter().rev().filter(|room| **room != from) {
            if drawn.iter().any(|(a, b)| b == room && reached.contains(a)) {
                reached.insert(room.clone());
            }
        }
        let file = file.display();
        assert!(
            reached.contains(&to),
            "no arrow leads from {from} to {to} ({file})"
        );
    }
}

#[test]
fn uses_are_found_wherever_they_stand() {
    let text = "use crate::{gpu, plan::{self, Plan}, data as d};\nfn f() { crate::ops::g(); super::super::feed::h() }";
    assert_eq!(uses(text, 2), ["gpu", "plan", "data", "ops", "feed"]);
    assert_eq!(uses("pub(in crate::train) fn f() {}", 1), ["train"]);
    assert!(uses("use super::super::feed; fer_crate::x();", 3).is_empty());
    assert_eq!(
        uses(&code("// crate::gpu\ncrate::cli::f(); // crate::plan"), 1),
        ["cli"]
    );
}
