//! Regular expressions as Go's RE2 understands them.
//!
//! Patterns are read by a parser of their own (`syntax`), because the notations differ: `[a&&b]` is a
//! set of four characters, `\d` and `\b` know only ASCII, `{,3}` is text. The automaton comes from
//! `regex-automata`; plain texts, sets of texts and prefixes do without it.

mod class;
mod expand;
mod fast;
mod syntax;
mod weight;

use std::fmt;
use std::sync::{Arc, OnceLock};

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
    /// Whether the empty text matches, where the pattern tells without an automaton: label matchers are
    /// asked that more often than anything else.
    empty: Option<bool>,
    /// Absent where the shape tells all and there are no groups.
    automaton: Option<Automaton>,
}

/// An automaton that is built when something is first matched: who only checks expressions, as rule
/// files are checked, never pays for it.
enum Automaton {
    Built(meta::Regex),
    /// That of a pattern which is too light to fail.
    Later(OnceLock<Option<meta::Regex>>),
}

impl Inner {
    fn automaton(&self) -> Option<&meta::Regex> {
        match self.automaton.as_ref()? {
            Automaton::Built(automaton) => Some(automaton),
            Automaton::Later(cell) => cell
                .get_or_init(|| {
                    let parsed = syntax::parse(&self.pattern, true).ok()?;
                    compile_anchored(parsed.hir, &self.pattern).ok()
                })
                .as_ref(),
        }
    }
}

impl Regex {
    /// Compiles `pattern` fully anchored, with a dot that matches newlines, as label matchers and
    /// relabel rules use it (`^(?s:pattern)$`).
    pub fn anchored(pattern: &str) -> Result<Self, RegexError> {
        let parsed = syntax::parse(pattern, true)?;
        let shape = fast::shape(&parsed.hir);
        let properties = parsed.hir.properties();
        let looks_around = !properties.look_set().is_empty();
        let empty = (!looks_around).then(|| properties.minimum_len() == Some(0));
        let automaton = if shape != Shape::Other && parsed.groups == 0 {
            None
        } else if weight::is_light(&parsed.hir) {
            Some(Automaton::Later(OnceLock::new()))
        } else {
            Some(Automaton::Built(compile_anchored(parsed.hir, pattern)?))
        };
        Ok(Self::assemble(pattern, shape, empty, automaton))
    }

    /// Compiles `pattern` as it stands, as template functions use it.
    pub fn unanchored(pattern: &str) -> Result<Self, RegexError> {
        let parsed = syntax::parse(pattern, false)?;
        let automaton = Automaton::Built(compile(&parsed.hir, pattern)?);
        Ok(Self::assemble(pattern, Shape::Other, None, Some(automaton)))
    }

    fn assemble(
        pattern: &str,
        shape: Shape,
        empty: Option<bool>,
        automaton: Option<Automaton>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                pattern: pattern.to_owned(),
                shape,
                empty,
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
        if let Some(empty) = self.inner.empty
            && text.is_empty()
        {
            return empty;
        }
        match self.inner.shape.is_match(text) {
            Some(answer) => answer,
            None => self
                .inner
                .automaton()
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
        let Some(automaton) = self.inner.automaton() else {
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
        let Some(automaton) = self.inner.automaton() else {
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

fn compile_anchored(hir: Hir, pattern: &str) -> Result<meta::Regex, RegexError> {
    let whole = vec![Hir::look(Look::Start), hir, Hir::look(Look::End)];
    compile(&Hir::concat(whole), pattern)
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
