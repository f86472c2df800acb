//! Races in workgroup memory, on the compiler's view of every kernel: what no adapter here can show, since
//! the invocations of a subgroup run in step, is found in the code (check/mod.rs).

mod check;

use fer_gpu::ops::{REGISTRY, VariantInfo};
use std::collections::BTreeMap;

/// Every variant of every op that uses workgroup memory, by name.
fn variants() -> Vec<(String, VariantInfo)> {
    let mut all = Vec::new();
    for op in REGISTRY {
        let shares = |v: &VariantInfo| v.module().contains("var<workgroup>");
        let named = |v: VariantInfo| (format!("{} {}", op.name(), v.name), v);
        all.extend(op.variants().into_iter().filter(shares).map(named));
    }
    all
}

fn findings(text: &str, variant: &VariantInfo) -> Vec<check::Finding> {
    check::findings(text, variant.entry, variant.overrides()).expect("a module that naga takes")
}

#[test]
fn no_kernel_races() {
    let variants = variants();
    assert!(variants.len() >= 10, "kernels with workgroup memory");
    for (name, variant) in variants {
        let found = findings(&variant.module(), &variant);
        let lines: Vec<String> = found.iter().map(|f| f.to_string()).collect();
        assert!(found.is_empty(), "{name}:\n{}", lines.join("\n"));
    }
}

/// No barrier of any kernel is there for nothing, and the check misses none.
#[test]
fn every_barrier_is_missed_where_it_is_dropped() {
    let mut missed: BTreeMap<(&str, usize), bool> = BTreeMap::new();
    for (_, variant) in variants() {
        let text = variant.module();
        let lines: Vec<&str> = text.lines().collect();
        for (i, _) in text.lines().enumerate().filter(|(_, l)| is_barrier(l)) {
            let mut without = lines.clone();
            without[i] = "";
            let found = !findings(&without.join("\n"), &variant).is_empty();
            *missed.entry((variant.shader.file, i + 1)).or_default() |= found;
        }
    }
    assert!(missed.len() >= 16, "{} barriers", missed.len());
    let unseen: Vec<_> = missed.iter().filter(|(_, found)| !**found).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

fn is_barrier(line: &str) -> bool {
    line.trim() == "workgroupBarrier();"
}

/// A kernel of 64 invocations over two arrays in workgroup memory.
fn kernel(functions: &str, body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<uniform> count: u32;
        @group(0) @binding(1) var<storage, read_write> data: array<f32>;
        var<workgroup> tile: array<f32, 64>;
        var<workgroup> other: array<array<f32, 8>, 8>;
        var<workgroup> total: f32;
        {functions}
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) local: u32) {{
            {body}
        }}"
    )
}

fn in_kernel(functions: &str, body: &str) -> Vec<String> {
    let found = check::findings(&kernel(functions, body), "main", &[]);
    let found = found.unwrap_or_else(|e| panic!("{e}: {body}"));
    found.iter().map(|f| f.to_string()).collect()
}

const NEIGHBOUR: &str = "data[local] = tile[(local + 1u) % 64u];";

#[track_caller]
fn sound(functions: &str, body: &str) {
    assert_eq!(in_kernel(functions, body), Vec::<String>::new(), "{body}");
}

/// The check finds this, and on this line.
#[track_caller]
fn race(functions: &str, body: &str, what: &str, code: &str) {
    let found = in_kernel(functions, body);
    let named = found.iter().any(|f| f.contains(what) && f.contains(code));
    assert!(named, "{found:?} in {body}");
}

/// Of each pair of kernels, one lacks a barrier that the other has.
#[test]
fn in_a_straight_line() {
    let with = |barrier| format!("tile[local] = data[local];\n{barrier}\n{NEIGHBOUR}");
    sound("", &with("workgroupBarrier();"));
    race("", &with(""), "tile is read", NEIGHBOUR);
    race("", &with("storageBarrier();"), "tile is read", NEIGHBOUR);
    // What was read by others may not be overwritten, nor what they wrote.
    let again = |barrier| {
        let read = with("workgroupBarrier();");
        format!("{read}\n{barrier}\ntile[local] = 1.0;")
    };
    sound("", &again("workgroupBarrier();"));
    race(
        "",
        &again(""),
        "tile is written, and no barrier since another invocation read",
        "= 1.0",
    );
    let twice = |barrier| format!("tile[local] = 1.0;\n{barrier}\ntile[63u - local] = 2.0;");
    sound("", &twice("workgroupBarrier();"));
    race("", &twice(""), "since another invocation wrote it", "= 2.0");
    race(
        "",
        "total = data[local];",
        "by several invocations at once",
        "total = ",
    );
    sound(
        "",
        "if local == 5u {\ntotal = data[local];\ndata[0] = total;\n}",
    );
}

/// An element of one's own needs no barrier; one that might be another's does.
#[test]
fn ones_own_elements() {
    sound(
        "",
        "tile[local] = data[local];\ntile[local] += 1.0;\ndata[local] = tile[local];",
    );
    sound(
        "",
        "let row = local / 8u;\ntile[row * 8u + local % 8u] = 1.0;",
    );
    race(
        "",
        "tile[local + u32(data[0])] = 1.0;",
        "by several",
        "tile[local",
    );
    // Rows of an array of arrays are whole elements here; an unknown row may be any.
    race(
        "",
        "other[u32(data[0])][local] = 1.0;",
        "by several",
        "other[",
    );
    race(
        "",
        "let all = tile;\ntile[local] = all[0];",
        "another invocation read it",
        "tile[local]",
    );
}

#[test]
fn in_loops() {
    let with = |first, last| {
        format!(
            "for (var i = 0u; i < count; i += 1u) {{
                tile[local] = data[i];
                {first}
                data[local] += tile[63u - local];
                {last}
            }}"
        )
    };
    let barrier = "workgroupBarrier();";
    sound("", &with(barrier, barrier));
    race("", &with("", barrier), "tile is read", "+= tile");
    // The last read of a turn meets the first write of the next.
    race(
        "",
        &with(barrier, ""),
        "another invocation read it",
        "= data[i]",
    );
    // A way around the barrier.
    let around = "if count > 7u {\ncontinue;\n}\nworkgroupBarrier();";
    race(
        "",
        &with(barrier, around),
        "another invocation read it",
        "= data[i]",
    );
    let out = "if count > 7u {\nbreak;\n}\nworkgroupBarrier();";
    sound("", &with(barrier, out));
    race(
        "",
        &format!("{}\ntile[local] = 0.0;", with(barrier, out)),
        "read it",
        "= 0.0",
    );
    // As many turns as there are known ones, and as many as may come.
    let loops = |end: &str, barrier: &str| {
        format!(
            "var i = 0u;
            loop {{
                tile[(local + i) % 64u] = 1.0;
                {barrier}
                continuing {{ i += 1u; break if i >= {end}; }}
            }}"
        )
    };
    sound("", &loops("1u", ""));
    sound("", &loops("9u", barrier));
    race("", &loops("2u", ""), "wrote it", "= 1.0");
    race("", &loops("count", ""), "wrote it", "= 1.0");
}

#[test]
fn in_one_branch() {
    let with = |branch: &str| format!("tile[local] = data[local];\n{branch}\n{NEIGHBOUR}");
    let both = "if count > 1u {\nworkgroupBarrier();\n} else {\nworkgroupBarrier();\n}";
    sound("", &with(both));
    race(
        "",
        &with("if count > 1u {\nworkgroupBarrier();\n}"),
        "tile is read",
        NEIGHBOUR,
    );
    race(
        "",
        &with("if count > 1u {\nworkgroupBarrier();\n} else {\ndata[0] = 1.0;\n}"),
        "tile is read",
        NEIGHBOUR,
    );
    let switched = |last: &str| {
        format!("switch count {{\ncase 1u: {{ workgroupBarrier(); }}\ndefault: {{ {last} }}\n}}")
    };
    sound("", &with(&switched("workgroupBarrier();")));
    race("", &with(&switched("")), "tile is read", NEIGHBOUR);
    race(
        "",
        &with(&switched("if count > 3u { break; } workgroupBarrier();")),
        "tile is read",
        NEIGHBOUR,
    );
    // Some invocations in one branch, some in the other.
    let split = |condition| {
        format!(
            "if {condition} {{\ntile[local] = 1.0;\n}} else {{\ndata[0] = tile[local - 32u];\n}}"
        )
    };
    race("", &split("local < 32u"), "tile is read", "local - 32u");
    race(
        "",
        &split("data[local] > 0.0"),
        "tile is read",
        "local - 32u",
    );
    race(
        "",
        "if local < 32u {\nworkgroupBarrier();\n}",
        "not all invocations reach",
        "workgroupBarrier",
    );
}

/// Down to the last step, where one invocation adds what another has summed.
#[test]
fn in_the_last_steps_of_a_tree() {
    let tree = |barrier: &str| {
        format!(
            "tile[local] = data[local];
            workgroupBarrier();
            for (var half = 32u; half > 0u; half /= 2u) {{
                if local < half {{
                    tile[local] += tile[local + half];
                }}
                {barrier}
            }}
            if count > 0u && local == 0u {{
                data[0] = tile[0];
            }}"
        )
    };
    sound("", &tree("workgroupBarrier();"));
    race("", &tree(""), "tile is read", "+= tile");
    for last in ["1u", "2u", "4u", "8u", "16u"] {
        let barrier = format!("if half > {last} {{\nworkgroupBarrier();\n}}");
        let body = tree(&barrier);
        // Invocation 0 sums the last two itself.
        if last == "1u" {
            sound("", &body);
        } else {
            race("", &body, "tile is read", "+= tile");
        }
        let by_all = body.replace("count > 0u && local == 0u", "count > 0u");
        race("", &by_all, "tile is read", "data[0] = tile[0]");
    }
    // A sum of neighbours too far apart.
    let wrong = tree("workgroupBarrier();").replace("local < half", "local <= half");
    race("", &wrong, "tile", "+= tile");
}

#[test]
fn in_called_functions() {
    let functions = |barrier: &str| {
        format!(
            "fn put(i: u32, value: f32) {{ tile[i] = value; }}
            fn fetch(i: u32) -> f32 {{ {barrier} return tile[i]; }}
            fn other_of(i: u32) -> u32 {{ if i == 63u {{ return 0u; }} return i + 1u; }}
            fn add(sum: ptr<function, f32>, i: u32) {{ *sum += tile[i]; }}
            fn next(i: ptr<function, u32>) {{ *i += 1u; }}"
        )
    };
    let body = "put(local, data[local]);\ndata[local] = fetch(other_of(local));";
    sound(&functions("workgroupBarrier();"), body);
    race(&functions(""), body, "tile is read", "return tile[i]");
    sound(&functions(""), "put(other_of(local), 1.0);");
    sound(
        &functions(""),
        "put(local, 1.0);\ndata[local] = fetch(local);",
    );
    let added = "var sum = 0.0;\nput(local, 1.0);\nadd(&sum, 63u - local);\ndata[local] = sum;";
    race(&functions(""), added, "tile is read", "*sum +=");
    // A variable that a function may have changed is known no longer.
    let moved = "var i = local;\nput(i, 1.0);\nnext(&i);\ndata[local] = fetch(i);";
    race(&functions(""), moved, "tile is read", "return tile[i]");
}

#[test]
fn uniform_loads_are_barriers() {
    let body = "if local == 0u {
            total = 1.0;
        }
        let t = workgroupUniformLoad(&total);
        if local == 0u {
            total = t;
        }";
    sound("", body);
    race(
        "",
        &body.replace("workgroupUniformLoad(&total)", "total"),
        "total is read",
        "let t",
    );
}
