//! A line of WGSL cut into tokens, and the ways to write it anew: text goes in, a changed line comes
//! out. It knows brackets and products, and nothing of types.

use std::ops::Range;

/// One line without its comment and indentation.
pub struct Line<'a> {
    pub text: &'a str,
    tokens: Vec<Range<usize>>,
}

const PAIRS: [&str; 12] = [
    "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "&=", "->",
];

impl<'a> Line<'a> {
    pub fn new(line: &'a str) -> Line<'a> {
        let text = line.split("//").next().unwrap_or("").trim();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let number = first.is_ascii_digit();
            let len = if word(first) {
                rest.find(|c| !(word(c) || number && c == '.'))
                    .unwrap_or(rest.len())
            } else if PAIRS.iter().any(|pair| rest.starts_with(pair)) {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(at..at + len);
            }
            at += len;
        }
        Line { text, tokens }
    }

    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A token, or nothing outside the line: `token(i.wrapping_sub(1))` is the one before.
    pub fn token(&self, i: usize) -> &'a str {
        self.tokens
            .get(i)
            .map_or("", |range| &self.text[range.clone()])
    }

    /// Where a token begins.
    pub fn start(&self, i: usize) -> usize {
        self.tokens[i].start
    }

    pub fn before(&self, i: usize) -> &'a str {
        self.token(i.wrapping_sub(1))
    }

    /// The line with these tokens, and the space before them where they go away, replaced.
    pub fn with(&self, tokens: Range<usize>, new: &str) -> String {
        let start = self.tokens[tokens.start].start;
        let end = self.tokens[tokens.end - 1].end;
        let head = &self.text[..start];
        let head = if new.is_empty() {
            head.trim_end()
        } else {
            head
        };
        format!("{head}{new}{}", &self.text[end..])
    }

    /// The text of these tokens.
    pub fn span(&self, tokens: Range<usize>) -> &'a str {
        &self.text[self.tokens[tokens.start].start..self.tokens[tokens.end - 1].end]
    }

    /// The line with a text put before a token.
    pub fn insert(&self, i: usize, new: &str) -> String {
        let at = self.tokens[i].start;
        format!("{}{new}{}", &self.text[..at], &self.text[at..])
    }

    /// Is this an operator between two operands? Rust-like spacing tells it from a sign and from
    /// the brackets of a type.
    pub fn is_binary(&self, i: usize) -> bool {
        let Range { start, end } = self.tokens[i];
        self.text[..start].ends_with(' ') && self.text[end..].starts_with(' ')
    }

    /// The bracket that closes the one at `open`, if it is on this line.
    pub fn close(&self, open: usize) -> Option<usize> {
        let mut depth = 0;
        (open..self.len()).find(|&i| {
            match self.token(i) {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// Where the product that begins at token `i` ends.
    pub fn product_end(&self, mut i: usize) -> Option<usize> {
        loop {
            i = self.operand_end(i)?;
            if !matches!(self.token(i), "*" | "/" | "%") {
                return Some(i);
            }
            i += 1;
        }
    }

    /// Where a name, number or bracket with everything applied to it ends.
    fn operand_end(&self, start: usize) -> Option<usize> {
        let mut i = match self.token(start) {
            "(" => self.close(start)? + 1,
            word if word.starts_with(|c: char| c.is_alphanumeric()) => start + 1,
            _ => return None,
        };
        loop {
            i = match self.token(i) {
                "." => i + 2,
                "(" | "[" => self.close(i)? + 1,
                _ => return Some(i),
            };
        }
    }

    /// The tokens of each condition of the chain of `&&` that the one at `i` belongs to: (left, right).
    pub fn conditions(&self, i: usize) -> (Range<usize>, Range<usize>) {
        let stops = ["&&", "||", ",", ";", "{", "=", "(", ")", "if", "return"];
        let mut depth = 0;
        let mut end = i + 1;
        while end < self.len() && !(depth == 0 && stops[..5].contains(&self.token(end))) {
            depth += match self.token(end) {
                "(" | "[" => 1,
                ")" | "]" if depth == 0 => break,
                ")" | "]" => -1,
                _ => 0,
            };
            end += 1;
        }
        let mut start = i;
        while start > 0 && !(depth == 0 && stops.contains(&self.before(start))) {
            depth += match self.before(start) {
                ")" | "]" => 1,
                "(" | "[" => -1,
                _ => 0,
            };
            start -= 1;
        }
        (start..i, i + 1..end)
    }

    /// The arguments of the call whose bracket is at `open`.
    pub fn arguments(&self, open: usize) -> Option<Vec<Range<usize>>> {
        let close = self.close(open)?;
        let mut all = Vec::new();
        let (mut depth, mut start) = (0, open + 1);
        for i in open + 1..=close {
            match self.token(i) {
                "(" | "[" => depth += 1,
                "," | ")" if depth == 0 => {
                    if i > start {
                        all.push(start..i);
                    }
                    start = i + 1;
                }
                ")" | "]" => depth -= 1,
                _ => {}
            }
        }
        Some(all)
    }
}
