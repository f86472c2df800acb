//! The kinds of fault, as data: each rewrites one line of WGSL in all the ways that it knows. What
//! does not compile or compiles to the same code is sorted out later.

use crate::line::Line;

pub struct Fault {
    pub name: &'static str,
    rewrite: fn(&Line) -> Vec<String>,
}

/// The special ones first: where two kinds write the same line, the first one names it.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "barrier dropped",
        rewrite: |line| match line.text {
            "workgroupBarrier();" => vec![String::new()],
            _ => Vec::new(),
        },
    },
    Fault {
        name: "last barriers dropped",
        rewrite: |line| match line.text {
            // Where a tree is what needs it: elsewhere there is no `half`.
            "workgroupBarrier();" => vec!["if half > 4u { workgroupBarrier(); }".into()],
            _ => Vec::new(),
        },
    },
    Fault {
        name: "NaN lost",
        rewrite: nan_lost,
    },
    Fault {
        name: "threshold moved",
        rewrite: |line| {
            let moved = |(zero, tiny): &(&str, &str)| {
                let rest = line.text.split_once(zero)?;
                Some(format!("{}{tiny}{}", rest.0, rest.1))
            };
            THRESHOLDS.iter().filter_map(moved).collect()
        },
    },
    Fault {
        name: "slight lead lost",
        rewrite: slight_lead_lost,
    },
    Fault {
        name: "epsilon dropped",
        rewrite: |line| match line.text.split_once(" + step.rule3") {
            Some((head, tail)) => vec![format!("{head}{tail}")],
            None => Vec::new(),
        },
    },
    Fault {
        name: "max for sum",
        rewrite: max_for_sum,
    },
    Fault {
        name: "wrong comparison",
        rewrite: wrong_comparison,
    },
    Fault {
        name: "index off by one",
        rewrite: off_by_one,
    },
    Fault {
        name: "dropped term",
        rewrite: dropped_term,
    },
    Fault {
        name: "wrong stride",
        rewrite: wrong_stride,
    },
    Fault {
        name: "dropped condition",
        rewrite: dropped_condition,
    },
    Fault {
        name: "lost sum",
        rewrite: lost_sum,
    },
    Fault {
        name: "wrong lane",
        rewrite: wrong_lane,
    },
    Fault {
        name: "wrong operator",
        rewrite: |line| exchange(line, OPERATORS),
    },
    Fault {
        name: "swapped choice",
        rewrite: swapped_choice,
    },
    Fault {
        name: "wrong loop start",
        rewrite: wrong_loop_start,
    },
    Fault {
        name: "wrong constant",
        rewrite: |line| exchange(line, CONSTANTS),
    },
    Fault {
        name: "dropped statement",
        rewrite: dropped_statement,
    },
];

const COMPARISONS: &[(&str, &str)] = &[
    ("<", "<="),
    ("<=", "<"),
    (">", ">="),
    (">=", ">"),
    ("==", "!="),
    ("!=", "=="),
];

/// Where a ReLU opens, and a little above.
const THRESHOLDS: &[(&str, &str)] = &[
    (" > 0.0", " > 1e-6"),
    (" > vec4<f32>()", " > vec4<f32>(1e-6)"),
];

const OPERATORS: &[(&str, &str)] = &[
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("/", "%"),
    ("%", "/"),
    ("&&", "||"),
];

const CONSTANTS: &[(&str, &str)] = &[("0.0", "1.0"), ("1.0", "0.0"), ("true", "false")];

/// Names that a tired mind takes for one another; both ways.
const SIBLINGS: &[(&str, &str)] = &[
    ("kh", "kw"),
    ("h_in", "w_in"),
    ("h_out", "w_out"),
    ("h_in", "h_out"),
    ("w_in", "w_out"),
    ("c_in", "c_out"),
    ("stride_h", "stride_w"),
    ("pad_top", "pad_left"),
    ("x_channels", "y_channels"),
    ("x_channels", "c_in"),
    ("y_channels", "c_out"),
    ("mask_channels", "c_in"),
    ("x_first", "y_first"),
    ("mask_first", "x_first"),
    ("a_channels", "y_channels"),
    ("b_channels", "a_channels"),
    ("a_first", "y_first"),
    ("b_first", "a_first"),
    ("c", "n"),
    ("m", "k"),
    ("k", "n"),
    ("k", "k_chunk"),
    ("rows", "classes"),
    ("pixels", "channels"),
    ("gain1", "gain2"),
    ("height", "width"),
    ("to_height", "height"),
    ("to_width", "width"),
    ("stored", "to_stored"),
    ("first", "to_first"),
    ("top", "left"),
    ("depth", "channels"),
    ("STRIDE", "DEPTH"),
    ("LINE_STRIDE", "DEPTH"),
    ("LINE_STRIDE", "CHANNEL_STRIDE"),
    ("images", "count"),
];

impl Fault {
    /// Every way to put this fault into a line of a function's body.
    pub fn rewrite(&self, text: &str) -> Vec<String> {
        (self.rewrite)(&Line::new(text))
    }
}

/// Each binary operator or literal replaced by its neighbour.
fn exchange(line: &Line, pairs: &[(&str, &str)]) -> Vec<String> {
    let at = |i: usize| {
        let token = line.token(i);
        let literal = !token.contains(|c: char| c.is_ascii_punctuation() && c != '.');
        let of_token = pairs
            .iter()
            .filter(move |(from, _)| *from == token && (literal || line.is_binary(i)));
        of_token.map(move |(_, to)| line.with(i..i + 1, to))
    };
    (0..line.len()).flat_map(at).collect()
}

/// A ReLU as the maximum that most GPUs have, and that does not know NaN.
fn nan_lost(line: &Line) -> Vec<String> {
    let mut all = Vec::new();
    for i in 0..line.len() {
        let zero = match line.token(i) {
            "relu" => "0.0",
            "relu4" => "vec4<f32>()",
            // That of the function itself.
            "select" if line.text.contains("bitcast") && line.before(i) == "return" => {
                let arguments = line
                    .text
                    .split_once("(x, ")
                    .and_then(|(_, rest)| rest.split_once(", "));
                all.extend(arguments.map(|(zero, _)| format!("return max(x, {zero});")));
                continue;
            }
            _ => continue,
        };
        if let Some(close) = line.close(i + 1) {
            let max = line.insert(close, &format!(", {zero}"));
            let (head, tail) = max.split_at(line.start(i));
            all.push(format!("{head}max{}", &tail[line.token(i).len()..]));
        }
    }
    all
}

/// `a > b` as `a > b + 1e-6`; u32 takes no such term.
fn slight_lead_lost(line: &Line) -> Vec<String> {
    let lead = |i: usize| {
        let next = line.token(i + 1);
        let bare = next.starts_with(|c: char| c.is_alphabetic()) && !next.starts_with("vec");
        let end = line.product_end(i + 1)?;
        (line.token(i) == ">" && line.is_binary(i) && bare).then(|| match line.token(end) {
            ")" | "," | ";" => line.insert(end, " + 1e-6"),
            _ => line.insert(end, "+ 1e-6 "),
        })
    };
    (1..line.len()).filter_map(lead).collect()
}

/// `x[i]` as `x[i + 1u]`, and an offset of N as N + 1.
fn off_by_one(line: &Line) -> Vec<String> {
    let mut all = Vec::new();
    for i in 1..line.len() {
        if line.token(i) == "["
            && let Some(close) = line.close(i)
        {
            all.push(line.insert(close, " + 1u"));
        }
        if matches!(line.before(i), "+" | "-")
            && let Some(n) = unsigned(line.token(i))
        {
            all.push(line.with(i..i + 1, &format!("{}u", n + 1)));
        }
    }
    all
}

fn unsigned(token: &str) -> Option<u32> {
    token.strip_suffix('u')?.parse().ok()
}

/// `a + b` as `a`.
fn dropped_term(line: &Line) -> Vec<String> {
    let drop = |i: usize| {
        let end = line.product_end(i + 1)?;
        (matches!(line.token(i), "+" | "-") && line.is_binary(i)).then(|| line.with(i..end, ""))
    };
    (1..line.len()).filter_map(drop).collect()
}

/// A size, stride or channel count where its sibling belongs, and a factor off by one.
fn wrong_stride(line: &Line) -> Vec<String> {
    let mut all = Vec::new();
    for i in 1..line.len() {
        let (before, token) = (line.before(i), line.token(i));
        if before == "." || token.ends_with("STRIDE") || token == "DEPTH" {
            for &(a, b) in SIBLINGS {
                if token == a {
                    all.push(line.with(i..i + 1, b));
                } else if token == b {
                    all.push(line.with(i..i + 1, a));
                }
            }
        }
        if matches!(before, "*" | "/" | "%")
            && let Some(n @ 2..) = unsigned(token)
        {
            all.push(line.with(i..i + 1, &format!("{}u", n - 1)));
        }
    }
    all
}

/// `a && b` as `a`, and as `b`.
fn dropped_condition(line: &Line) -> Vec<String> {
    let mut all = Vec::new();
    for i in 1..line.len() {
        if line.token(i) == "&&" {
            let (left, right) = line.conditions(i);
            all.push(line.with(i..right.end, ""));
            all.push(line.with(left.start..right.end, line.span(right)));
        }
    }
    all
}

/// `a += b;` as `a = max(a, b);`, and max, min and + for one another.
fn max_for_sum(line: &Line) -> Vec<String> {
    let mut all = Vec::new();
    if let Some((sum, term)) = line.text.split_once(" += ")
        && let Some(term) = term.strip_suffix(';')
    {
        all.push(format!("{sum} = max({sum}, {term});"));
    }
    for i in 1..line.len() {
        let other = match line.token(i) {
            "max" => "min",
            "min" => "max",
            _ => continue,
        };
        all.push(line.with(i..i + 1, other));
        if let Some([a, b]) = line.arguments(i + 1).as_deref() {
            let sum = format!("({} + {})", line.span(a.clone()), line.span(b.clone()));
            all.push(line.with(i..b.end + 1, &sum));
        }
    }
    all
}

/// `a += b;` as `a = b;`; loops keep theirs.
fn lost_sum(line: &Line) -> Vec<String> {
    let statement = line.token(0) != "for" && line.text.ends_with(';');
    let at = (1..line.len()).find(|&i| statement && line.token(i) == "+=");
    at.map(|i| line.with(i..i + 1, "=")).into_iter().collect()
}

/// The component after this one, or the next of a family such as r0, r1.
fn next_name(token: &str) -> Option<String> {
    let component = |from| "xyzwx".split_once(from)?.1.chars().next();
    if token.len() == 1 {
        return component(token).map(String::from);
    }
    let (family, digit) = token.split_at_checked(1)?;
    let letter = family.chars().all(char::is_alphabetic);
    let digit: u32 = digit.parse().ok().filter(|_| letter)?;
    Some(format!("{family}{}", digit + 1))
}

/// The next component, member of a family, or number of a lane.
fn wrong_lane(line: &Line) -> Vec<String> {
    let mut all = Vec::new();
    for i in 1..line.len() {
        let (before, token, after) = (line.before(i), line.token(i), line.token(i + 1));
        let argument = token.len() == 2 && matches!(after, ")" | "," | ";");
        if (before == "." || argument)
            && let Some(next) = next_name(token)
        {
            all.push(line.with(i..i + 1, &next));
        }
    }
    for i in 1..line.len() {
        if line.before(i) == ","
            && line.token(i + 1) == ")"
            && let Some(n) = unsigned(line.token(i))
        {
            all.push(line.with(i..i + 1, &format!("{}u", n + 1)));
        }
    }
    all
}

/// `select(a, b, c)` as `select(b, a, c)`.
fn swapped_choice(line: &Line) -> Vec<String> {
    let swap = |i: usize| match line.arguments(i + 1).as_deref() {
        Some([a, b, c]) if line.token(i) == "select" => {
            let spans = [b, a, c].map(|range| line.span(range.clone()));
            Some(line.with(a.start..c.end, &spans.join(", ")))
        }
        _ => None,
    };
    (0..line.len()).filter_map(swap).collect()
}

/// A comparison that has its end or lacks it; not where that makes a loop without end.
fn wrong_comparison(line: &Line) -> Vec<String> {
    let mut all = exchange(line, COMPARISONS);
    all.retain(|text| !text.contains(" >= 0u; "));
    all
}

/// A loop that begins one later.
fn wrong_loop_start(line: &Line) -> Vec<String> {
    let first = line
        .text
        .strip_prefix("for (var ")
        .and_then(|rest| rest.split_once(" = "))
        .and_then(|(_, rest)| rest.split_once(';'))
        .map(|(first, _)| first);
    let later = first.map(|first| {
        let next = match first {
            "0u" => "1u".to_string(),
            other => format!("{other} + 1u"),
        };
        let (from, to) = (format!("= {first};"), format!("= {next};"));
        line.text.replacen(&from, &to, 1)
    });
    later.into_iter().collect()
}

/// A statement that does something, gone: an assignment, or a plain call. Calls that are a whole
/// kernel stay.
fn dropped_statement(line: &Line) -> Vec<String> {
    let keeps = ["let", "var", "return", "for", "if"];
    let balanced = line.text.matches('(').count() == line.text.matches(')').count();
    let call = line.token(1) == "(" && line.text.matches('(').count() == 1;
    let assignment = line.text.contains('=');
    let whole = line.text.ends_with(';') && balanced;
    if whole && (call || assignment) && !keeps.contains(&line.token(0)) {
        vec![String::new()]
    } else {
        Vec::new()
    }
}
