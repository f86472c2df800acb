//! What `--op` names: `OP`, `OP/VARIANT` or `OP/VARIANT/CASE`, each part a glob.

/// A pattern over op, variant and case.
#[derive(Clone, Debug)]
pub struct Pattern {
    parts: [Option<glob::Pattern>; 3],
}

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum BadPattern {
    #[error("--op {pattern}: a pattern has at most three parts, OP/VARIANT/CASE")]
    Parts { pattern: String },
    #[error("--op {pattern}")]
    Glob {
        pattern: String,
        source: glob::PatternError,
    },
}

impl Pattern {
    /// Everything.
    pub fn all() -> Pattern {
        Pattern {
            parts: [None, None, None],
        }
    }

    pub fn op(&self, op: &str) -> bool {
        self.matches(0, op)
    }

    pub fn variant(&self, op: &str, variant: &str) -> bool {
        self.op(op) && self.matches(1, variant)
    }

    pub fn case(&self, op: &str, variant: &str, case: &str) -> bool {
        self.variant(op, variant) && self.matches(2, case)
    }

    /// Does it say which variant of an op, or which network of a step?
    pub fn is_of_variants(&self) -> bool {
        self.parts[1].is_some()
    }

    fn matches(&self, part: usize, name: &str) -> bool {
        self.parts[part].as_ref().is_none_or(|p| p.matches(name))
    }
}

impl std::str::FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Pattern, BadPattern> {
        let mut parts = [None, None, None];
        for (i, part) in text.split('/').enumerate() {
            let slot = parts.get_mut(i).ok_or_else(|| BadPattern::Parts {
                pattern: text.into(),
            })?;
            let parsed = glob::Pattern::new(part).map_err(|source| BadPattern::Glob {
                pattern: text.into(),
                source,
            })?;
            *slot = Some(parsed);
        }
        Ok(Pattern { parts })
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn parts_left_out_match_everything() {
        let pattern: Pattern = "conv2d*".parse().expect("a pattern");
        assert!(pattern.case("conv2d_forward", "naive", "k3"));
        assert!(!pattern.op("matmul_forward"));
        let pattern: Pattern = "*/shared*/k?".parse().expect("a pattern");
        assert!(pattern.case("conv2d_forward", "shared10", "k3"));
        assert!(!pattern.case("conv2d_forward", "shared10", "k33"));
        assert!(!pattern.variant("conv2d_forward", "naive"));
    }

    #[test]
    fn bad_patterns_are_refused() {
        assert!("a/b/c/d".parse::<Pattern>().is_err());
        assert!("conv[".parse::<Pattern>().is_err());
    }
}
