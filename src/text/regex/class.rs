//! Character classes: brackets, `\d` and its like, `[:alpha:]`, `\pL`.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::RegexError;
use super::syntax::{Parser, escape};

const BAD_RANGE: &str = "invalid character class range";

/// `\d`, `\s`, `\w` know only ASCII.
const DIGIT: &[(char, char)] = &[('0', '9')];
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// The POSIX names inside brackets.
const POSIX: &[(&str, &[(char, char)])] = &[
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// A class with the text behind it.
pub(super) type Found<'a> = (ClassUnicode, &'a str);

fn class_of(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(
        ranges
            .iter()
            .map(|(from, to)| ClassUnicodeRange::new(*from, *to)),
    )
}

/// Adds the other cases of the letters, and turns the class over.
fn finished(mut class: ClassUnicode, fold: bool, negated: bool) -> ClassUnicode {
    if fold {
        // Fails only where Unicode tables were left out of the build.
        let _ = class.try_case_fold_simple();
    }
    if negated {
        class.negate();
    }
    class
}

/// The class of one character, with its other cases where case does not matter.
pub(super) fn char_class(c: char) -> ClassUnicode {
    finished(class_of(&[(c, c)]), true, false)
}

/// `\d`, `\D`, `\s`, `\S`, `\w`, `\W` at the start of `rest`.
pub(super) fn perl_class(rest: &str, fold: bool) -> Option<Found<'_>> {
    let mut chars = rest.strip_prefix('\\')?.chars();
    let letter = chars.next()?;
    let ranges = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        _ => return None,
    };
    let class = finished(class_of(ranges), fold, letter.is_ascii_uppercase());
    Some((class, chars.as_str()))
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}` at the start of `rest`.
pub(super) fn unicode_class(rest: &str, fold: bool) -> Result<Option<Found<'_>>, RegexError> {
    let (mut negated, body) = match rest.strip_prefix("\\p") {
        Some(body) => (false, body),
        None => match rest.strip_prefix("\\P") {
            Some(body) => (true, body),
            None => return Ok(None),
        },
    };
    let Some(first) = body.chars().next() else {
        return Ok(None);
    };
    let (name, tail) = if first == '{' {
        match body.get(1..).and_then(|b| b.split_once('}')) {
            Some(found) => found,
            None => return Err(RegexError::new(BAD_RANGE, rest)),
        }
    } else {
        body.split_at(first.len_utf8())
    };
    let written = rest.get(..rest.len() - tail.len()).unwrap_or_default();
    let name = match name.strip_prefix('^') {
        Some(name) => {
            negated = !negated;
            name
        }
        None => name,
    };
    let class = table(name).ok_or_else(|| RegexError::new(BAD_RANGE, written))?;
    Ok(Some((finished(class, fold, negated), tail)))
}

/// The category or script of that name.
fn table(name: &str) -> Option<ClassUnicode> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    ["gc", "sc"].into_iter().find_map(|property| {
        let hir = regex_syntax::parse(&format!("\\p{{{property}={name}}}")).ok()?;
        match hir.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(class),
            // A class of one character is a text to that library.
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).ok()?;
                let c = text.chars().next()?;
                Some(class_of(&[(c, c)]))
            }
            _ => None,
        }
    })
}

/// `[:alpha:]` at the start of `rest`, which stands in brackets.
fn posix_class(rest: &str, fold: bool) -> Result<Option<Found<'_>>, RegexError> {
    let Some((name, tail)) = rest.strip_prefix("[:").and_then(|b| b.split_once(":]")) else {
        return Ok(None);
    };
    let (negated, plain) = match name.strip_prefix('^') {
        Some(plain) => (true, plain),
        None => (false, name),
    };
    let Some((_, ranges)) = POSIX.iter().find(|(known, _)| *known == plain) else {
        return Err(RegexError::new(BAD_RANGE, &format!("[:{name}:]")));
    };
    Ok(Some((finished(class_of(ranges), fold, negated), tail)))
}

impl Parser<'_> {
    /// Reads brackets; `whole` begins with the opening one.
    pub(super) fn bracket_class<'a>(&mut self, whole: &'a str) -> Result<Found<'a>, RegexError> {
        let fold = self.flags.fold_case;
        let mut rest = whole.get(1..).unwrap_or_default();
        let negated = rest.starts_with('^');
        if negated {
            rest = rest.get(1..).unwrap_or_default();
        }
        let mut class = ClassUnicode::empty();
        let mut first = true;
        // A closing bracket that comes first is a character.
        while first || !rest.starts_with(']') {
            first = false;
            let found = match posix_class(rest, fold)? {
                Some(found) => Some(found),
                None => match unicode_class(rest, fold)? {
                    Some(found) => Some(found),
                    None => perl_class(rest, fold),
                },
            };
            if let Some((part, tail)) = found {
                self.count_ranges(part.ranges().len())?;
                class.union(&part);
                rest = tail;
                continue;
            }
            let before = rest;
            let (from, tail) = class_char(rest, whole)?;
            let mut to = from;
            rest = tail;
            if let Some(tail) = rest.strip_prefix('-')
                && !tail.is_empty()
                && !tail.starts_with(']')
            {
                (to, rest) = class_char(tail, whole)?;
                if to < from {
                    let range = before.get(..before.len() - rest.len()).unwrap_or_default();
                    return Err(RegexError::new(BAD_RANGE, range));
                }
            }
            self.count_ranges(1)?;
            if let Some(range) = scalar_range(from, to) {
                let part = ClassUnicode::new([range]);
                class.union(&finished(part, fold, false));
            }
        }
        Ok((
            finished(class, false, negated),
            rest.get(1..).unwrap_or_default(),
        ))
    }
}

/// One character in brackets, as a code point.
fn class_char<'a>(rest: &'a str, whole: &str) -> Result<(u32, &'a str), RegexError> {
    let mut chars = rest.chars();
    match chars.next() {
        None => Err(RegexError::new("missing closing ]", whole)),
        Some('\\') => escape(rest),
        Some(c) => Ok((u32::from(c), chars.as_str())),
    }
}

/// A range of code points without the surrogates at its ends, which no text holds.
fn scalar_range(from: u32, to: u32) -> Option<ClassUnicodeRange> {
    let from = if (0xd800..0xe000).contains(&from) {
        0xe000
    } else {
        from
    };
    let to = if (0xd800..0xe000).contains(&to) {
        0xd7ff
    } else {
        to
    };
    let (from, to) = (char::from_u32(from)?, char::from_u32(to)?);
    (from <= to).then(|| ClassUnicodeRange::new(from, to))
}
