//! What is wrong with a text, where, and how that is shown: as rustc does, with the file, the line and
//! a caret.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

/// Bytes of the text.
pub type Span = Range<usize>;

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Fault(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    message: String,
    at: Span,
    /// Stands beside the caret.
    label: String,
    /// Another place that has to do with it, and what.
    beside: Option<(Span, String)>,
    help: Option<String>,
}

impl Fault {
    pub fn new(message: impl Into<String>, at: &Span) -> Fault {
        Fault(Box::new(Told {
            message: message.into(),
            at: at.clone(),
            label: String::new(),
            beside: None,
            help: None,
        }))
    }

    pub fn label(mut self, label: impl Into<String>) -> Fault {
        self.0.label = label.into();
        self
    }

    pub fn beside(mut self, at: &Span, what: impl Into<String>) -> Fault {
        self.0.beside = Some((at.clone(), what.into()));
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.0.help = Some(help.into());
        self
    }

    /// Asks whether one of `known` was meant.
    pub fn meant<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Fault {
        match nearest(word, known) {
            Some(near) => self.label(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// As text, whose first line is the message.
    pub fn render(&self, origin: &str, text: &str) -> String {
        let told = &self.0;
        let mut snippet = Snippet::source(text)
            .path(origin)
            .annotation(primary(&within(&told.at, text), &told.label));
        if let Some((at, what)) = &told.beside {
            let context = AnnotationKind::Context.span(within(at, text));
            snippet = snippet.annotation(context.label(what));
        }
        let title = Level::ERROR.primary_title(&told.message);
        let rendered = Renderer::plain().render(&[title.element(snippet)]);
        // Whoever prints an error says that it is one.
        let bare = rendered.strip_prefix("error: ").unwrap_or(&rendered);
        bare.to_string()
    }

    /// How it can be mended, where that is known.
    pub fn remedy(self) -> Option<String> {
        self.0.help
    }
}

fn primary<'a>(at: &Span, label: &'a str) -> annotate_snippets::Annotation<'a> {
    let caret = AnnotationKind::Primary.span(at.clone());
    match label {
        "" => caret,
        label => caret.label(label),
    }
}

/// The part of a span's first line: what stands in several lines is shown by its head.
fn within(at: &Span, text: &str) -> Span {
    let start = at.start.min(text.len());
    let end = at.end.clamp(start, text.len());
    let line = text[start..end].find('\n').map_or(end, |n| start + n);
    start..line
}

/// The one of `known` that a mistyped word most likely was, in rustc's measure: a third of its letters may be
/// wrong.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |other: &&str| strsim::damerau_levenshtein(&lower, &other.to_lowercase());
    let near = known.into_iter().min_by_key(distance)?;
    let allowed = word.chars().count().max(3) / 3;
    (distance(&near) <= allowed).then_some(near)
}
