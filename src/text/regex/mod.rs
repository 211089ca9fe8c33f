//! Regular expressions as Go's RE2 understands them.
//!
//! Patterns are read by a parser of their own (`syntax`), because the notations differ: `[a&&b]` is a
//! set of four characters, `\d` and `\b` know only ASCII, `{,3}` is text. The automaton comes from
//! `regex-automata`; plain texts, sets of texts and prefixes do without it.

mod class;
mod expand;
mod fast;
mod syntax;

use std::fmt;
use std::sync::Arc;

use regex_automata::meta;
use regex_syntax::hir::{Hir, Look};
use thiserror::Error;

use fast::Shape;

/// A compiled pattern may take this much memory.
const SIZE_LIMIT: usize = 16 << 20;

/// Why a pattern is not a regular expression; the text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("error parsing regexp: {0}")]
pub struct RegexError(pub String);

impl RegexError {
    fn new(problem: &str, excerpt: &str) -> Self {
        Self(format!("{problem}: `{excerpt}`"))
    }

    fn too_large(pattern: &str) -> Self {
        Self::new("expression too large", pattern)
    }
}

/// A compiled pattern, cheap to clone.
#[derive(Clone)]
pub struct Regex {
    inner: Arc<Inner>,
}

struct Inner {
    pattern: String,
    shape: Shape,
    /// Absent where the shape tells all and there are no groups.
    automaton: Option<meta::Regex>,
}

impl Regex {
    /// Compiles `pattern` fully anchored, with a dot that matches newlines, as label matchers and
    /// relabel rules use it (`^(?s:pattern)$`).
    pub fn anchored(pattern: &str) -> Result<Self, RegexError> {
        let parsed = syntax::parse(pattern, true)?;
        let shape = fast::shape(&parsed.hir);
        let automaton = if shape == Shape::Other || parsed.groups > 0 {
            let whole = Hir::concat(vec![
                Hir::look(Look::Start),
                parsed.hir,
                Hir::look(Look::End),
            ]);
            Some(compile(&whole, pattern)?)
        } else {
            None
        };
        Ok(Self::assemble(pattern, shape, automaton))
    }

    /// Compiles `pattern` as it stands, as template functions use it.
    pub fn unanchored(pattern: &str) -> Result<Self, RegexError> {
        let parsed = syntax::parse(pattern, false)?;
        let automaton = compile(&parsed.hir, pattern)?;
        Ok(Self::assemble(pattern, Shape::Other, Some(automaton)))
    }

    fn assemble(pattern: &str, shape: Shape, automaton: Option<meta::Regex>) -> Self {
        Self {
            inner: Arc::new(Inner {
                pattern: pattern.to_owned(),
                shape,
                automaton,
            }),
        }
    }

    /// The pattern as it was written, without the anchors.
    pub fn pattern(&self) -> &str {
        &self.inner.pattern
    }

    /// Whether `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        match self.inner.shape.is_match(text) {
            Some(answer) => answer,
            None => self
                .inner
                .automaton
                .as_ref()
                .is_some_and(|automaton| automaton.is_match(text)),
        }
    }

    /// The texts that an anchored pattern matches, sorted, when it matches nothing else: `a|b`, `x[12]`.
    /// An index looks them up one by one rather than trying every label value.
    pub fn literal_alternatives(&self) -> Option<&[String]> {
        match &self.inner.shape {
            Shape::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// The text that everything matched by an anchored pattern begins with, when the pattern is that
    /// text and `.*`.
    pub fn literal_prefix(&self) -> Option<&str> {
        match &self.inner.shape {
            Shape::Prefix(prefix) => Some(prefix),
            _ => None,
        }
    }

    /// Matches `text` and expands `template` with the groups (`$1`, `${name}`, `$$`) as Go's
    /// `Regexp.ExpandString` does. `None` when `text` does not match.
    pub fn expand(&self, text: &str, template: &str) -> Option<String> {
        let mut out = String::new();
        let Some(automaton) = &self.inner.automaton else {
            if !self.is_match(text) {
                return None;
            }
            expand::expand_into(&mut out, template, |name| {
                matches!(name.parse(), Ok(0_usize)).then_some(text)
            });
            return Some(out);
        };
        let mut captures = automaton.create_captures();
        automaton.captures(text, &mut captures);
        if !captures.is_match() {
            return None;
        }
        expand::expand_into(&mut out, template, |name| {
            expand::group(text, &captures, name)
        });
        Some(out)
    }

    /// Replaces every match in `text` by the expanded `template`, as Go's `ReplaceAllString` does.
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let Some(automaton) = &self.inner.automaton else {
            return self
                .expand(text, template)
                .unwrap_or_else(|| text.to_owned());
        };
        let mut out = String::new();
        let mut last = 0;
        for captures in automaton.captures_iter(text) {
            let Some(found) = captures.get_match() else {
                continue;
            };
            out.push_str(text.get(last..found.start()).unwrap_or_default());
            expand::expand_into(&mut out, template, |name| {
                expand::group(text, &captures, name)
            });
            last = found.end();
        }
        out.push_str(text.get(last..).unwrap_or_default());
        out
    }
}

fn compile(hir: &Hir, pattern: &str) -> Result<meta::Regex, RegexError> {
    meta::Regex::builder()
        .configure(meta::Regex::config().nfa_size_limit(Some(SIZE_LIMIT)))
        .build_from_hir(hir)
        .map_err(|_| RegexError::too_large(pattern))
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.inner.pattern)
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.inner.pattern == other.inner.pattern
    }
}

impl Eq for Regex {}

#[cfg(test)]
mod tests;
