//! A network's content as Graphviz text: the same leaves, blocks, edges and tooltips.

use super::content::{Block, Content, Item, Leaf, What, all_extents, extents, grouped, short};
use super::palette::{Look, Style};
use std::fmt::Write;

/// The whole text.
pub(super) fn dot(content: &Content, shapes: bool) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&content.title));
    out.push_str(
        "  graph [rankdir=TB, fontname=\"Helvetica\", labelloc=t, labeljust=l, style=rounded, color=\"#d3cfc4\", nodesep=0.3, ranksep=0.35];\n",
    );
    out.push_str(
        "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n",
    );
    out.push_str("  edge [color=\"#98a2af\", arrowsize=0.6];\n");
    let title = format!("{}\n{}", content.title, content.about);
    let _infallible = writeln!(out, "  label={};", quoted(&title));
    items(content, &content.network, shapes, 1, &mut out);
    for (to, leaf) in content.leaves.iter().enumerate() {
        for from in &leaf.inputs {
            let _infallible = writeln!(out, "  n{from} -> n{to};");
        }
    }
    out.push_str("}\n");
    out
}

fn items(content: &Content, block: &Block, shapes: bool, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for item in &block.items {
        let _infallible = match item {
            Item::Leaf(number) => {
                let leaf = &content.leaves[*number];
                writeln!(
                    out,
                    "{indent}n{number} [{}];",
                    node(leaf, &block.name, shapes)
                )
            }
            Item::Block(inner) => {
                let name = quoted(&format!("cluster {}", inner.name));
                let label = quoted(short(&inner.name, &block.name));
                let _infallible =
                    writeln!(out, "{indent}subgraph {name} {{\n{indent}  label={label};");
                items(content, inner, shapes, depth + 1, out);
                writeln!(out, "{indent}}}")
            }
        };
    }
}

/// The attributes of a box.
fn node(leaf: &Leaf, block: &str, shapes: bool) -> String {
    let name = short(&leaf.name, block);
    match &leaf.what {
        What::Head { weight } => {
            let weight = weight.map(|weight| format!("\nloss × {weight}"));
            let label = quoted(&format!("{name}{}", weight.unwrap_or_default()));
            let [fill, ink] = [Style::Head, Style::HeadName].map(|style| light(style.look()));
            format!("label={label}, fillcolor=\"{fill}\", color=\"{fill}\", fontcolor=\"{ink}\"")
        }
        What::Layer(layer) => {
            let mut label = format!("{name}\n{} {}", layer.kind, layer.detail)
                .trim_end()
                .to_string();
            if shapes {
                if !layer.takes.is_empty() {
                    let _infallible = write!(label, "\nin {}", all_extents(&layer.takes));
                }
                let _infallible = write!(label, "\nout {}", extents(&layer.makes));
                if layer.parameters > 0 {
                    let _infallible = write!(label, "\n{} parameters", grouped(layer.parameters));
                }
            }
            let look = Style::Box(layer.family).look();
            let border = look
                .stroke
                .map_or_else(|| light(look), |[light, _]| format!("#{light:06x}"));
            let tooltip = quoted(&format!(
                "{}: {}({})",
                leaf.name,
                layer.kind,
                layer.arguments.join(", ")
            ));
            format!(
                "label={}, fillcolor=\"{}\", color=\"{border}\", tooltip={tooltip}",
                quoted(&label),
                light(look),
            )
        }
    }
}

/// What a style is filled with on light paper.
fn light(look: Look) -> String {
    format!("#{:06x}", look.fill.map_or(0, |[light, _]| light))
}

/// A string of Graphviz: quotes and backslashes are escaped, so that no name is an escape of Graphviz's.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            _ if letter.is_control() => {}
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"b\\N\n\u{7}]"), r#""a\"b\\N\n]""#);
    }
}
