//! Which anchored patterns need no automaton?

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

/// Combinations (`[ab][cd]`) are written out up to this many texts.
const MAX_COMBINATIONS: usize = 256;

/// Lists (`a|b`) are kept as texts up to this many.
const MAX_TEXTS: usize = 100_000;

/// All texts together may be this long.
const MAX_BYTES: usize = 4 << 20;

/// How deep a pattern is looked into.
const MAX_DEPTH: usize = 50;

/// What an anchored pattern comes down to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `.*`
    Anything,
    /// `.+`
    NotEmpty,
    /// One of these texts, sorted.
    Texts(Vec<String>),
    /// `text.*`
    Prefix(String),
    /// `.*text`
    Suffix(String),
    /// `.*text.*`
    Contains(String),
    /// Something that only an automaton knows.
    Other,
}

impl Shape {
    /// Whether `text` matches; `None` when an automaton must tell.
    pub(super) fn is_match(&self, text: &str) -> Option<bool> {
        Some(match self {
            Self::Anything => true,
            Self::NotEmpty => !text.is_empty(),
            Self::Texts(texts) => match texts.as_slice() {
                [one] => one == text,
                many => many.binary_search_by(|t| t.as_str().cmp(text)).is_ok(),
            },
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Contains(part) => {
                memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some()
            }
            Self::Other => return None,
        })
    }
}

/// Finds the shape of an anchored pattern.
pub(super) fn shape(hir: &Hir) -> Shape {
    let parts = inner_parts(hir);
    if let Some(shape) = around_dots(&parts) {
        return shape;
    }
    let Some(mut texts) = texts_of_parts(&parts, 0) else {
        return Shape::Other;
    };
    texts.sort();
    texts.dedup();
    Shape::Texts(texts)
}

/// The parts of a concatenation without the anchors at its ends, which say nothing new.
fn inner_parts(hir: &Hir) -> Vec<&Hir> {
    let mut parts: Vec<&Hir> = match hir.kind() {
        HirKind::Concat(parts) => parts.iter().collect(),
        HirKind::Empty => Vec::new(),
        _ => vec![hir],
    };
    if let Some(first) = parts.first()
        && matches!(first.kind(), HirKind::Look(Look::Start))
    {
        parts.remove(0);
    }
    if let Some(last) = parts.last()
        && matches!(last.kind(), HirKind::Look(Look::End))
    {
        parts.pop();
    }
    parts
}

fn around_dots(parts: &[&Hir]) -> Option<Shape> {
    let literal = |hir: &Hir| match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    };
    let dots = |hir: &Hir, least: u32| match without_group(hir).kind() {
        HirKind::Repetition(rep) => is_dots(rep, least),
        _ => false,
    };
    Some(match *parts {
        [only] if dots(only, 0) => Shape::Anything,
        [only] if dots(only, 1) => Shape::NotEmpty,
        [text, tail] if dots(tail, 0) => Shape::Prefix(literal(text)?),
        [head, text] if dots(head, 0) => Shape::Suffix(literal(text)?),
        [head, text, tail] if dots(head, 0) && dots(tail, 0) => Shape::Contains(literal(text)?),
        _ => return None,
    })
}

fn without_group(hir: &Hir) -> &Hir {
    match hir.kind() {
        HirKind::Capture(capture) => &capture.sub,
        _ => hir,
    }
}

/// Whether a repetition takes any characters at all, newlines included.
fn is_dots(rep: &Repetition, least: u32) -> bool {
    let HirKind::Class(Class::Unicode(class)) = rep.sub.kind() else {
        return false;
    };
    rep.min == least
        && rep.max.is_none()
        && matches!(class.ranges(), [all] if all.start() == '\0' && all.end() == char::MAX)
}

/// Every text that the pattern matches, if they are few enough.
fn texts_of(hir: &Hir, depth: usize) -> Option<Vec<String>> {
    if depth > MAX_DEPTH {
        return None;
    }
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?]),
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.iter().map(ClassUnicodeRange::len).sum();
            (count <= MAX_COMBINATIONS).then(|| {
                class
                    .iter()
                    .flat_map(|range| (range.start()..=range.end()).map(String::from))
                    .collect()
            })
        }
        HirKind::Capture(capture) => texts_of(&capture.sub, depth + 1),
        HirKind::Concat(parts) => {
            let parts: Vec<&Hir> = parts.iter().collect();
            texts_of_parts(&parts, depth + 1)
        }
        HirKind::Alternation(choices) => {
            let mut texts = Vec::new();
            for choice in choices {
                texts.extend(texts_of(choice, depth + 1)?);
                if texts.len() > MAX_TEXTS {
                    return None;
                }
            }
            Some(texts)
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

fn texts_of_parts(parts: &[&Hir], depth: usize) -> Option<Vec<String>> {
    let mut texts = vec![String::new()];
    for part in parts {
        let next = texts_of(part, depth)?;
        let combined = texts.len() * next.len();
        let bytes = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        let total = bytes(&texts) * next.len() + bytes(&next) * texts.len();
        let both = texts.len() > 1 && next.len() > 1;
        if (both && combined > MAX_COMBINATIONS) || combined > MAX_TEXTS || total > MAX_BYTES {
            return None;
        }
        texts = texts
            .iter()
            .flat_map(|head| next.iter().map(move |tail| format!("{head}{tail}")))
            .collect();
    }
    Some(texts)
}
