//! Go's notation, read into the tree that automata are built from.

use std::collections::BTreeSet;

use regex_syntax::hir::{Capture, Class, ClassUnicode, Hir, Look, Repetition};

use super::RegexError;
use super::class::{char_class, perl_class, unicode_class};

/// The most repetitions, nested ones multiplied.
const MAX_REPEAT: u32 = 1000;

/// How deep a pattern may nest.
const MAX_HEIGHT: usize = 250;

/// How many ranges all classes together may have.
const MAX_RANGES: usize = 1 << 20;

/// A pattern as a tree.
pub(super) struct Parsed {
    pub(super) hir: Hir,
    pub(super) groups: u32,
}

/// The flags that `(?flags)` sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags {
    pub(super) fold_case: bool,
    dot_newline: bool,
    multi_line: bool,
    non_greedy: bool,
}

/// A part of a concatenation.
enum Atom {
    Char(char),
    Node(Node),
}

struct Node {
    hir: Hir,
    /// How high the tree is.
    height: usize,
    /// The largest product of nested repetitions.
    repeats: u32,
}

/// An open group.
struct Frame {
    /// The flags to return to.
    flags: Flags,
    /// Index and name, unless the group only groups.
    capture: Option<(u32, Option<Box<str>>)>,
    choices: Vec<Node>,
    atoms: Vec<Atom>,
}

pub(super) struct Parser<'p> {
    pattern: &'p str,
    pub(super) flags: Flags,
    frame: Frame,
    outer: Vec<Frame>,
    groups: u32,
    names: BTreeSet<Box<str>>,
    ranges: usize,
}

/// Parses a whole pattern.
pub(super) fn parse(pattern: &str, dot_newline: bool) -> Result<Parsed, RegexError> {
    let flags = Flags {
        fold_case: false,
        dot_newline,
        multi_line: false,
        non_greedy: false,
    };
    let mut parser = Parser {
        pattern,
        flags,
        frame: Frame::new(flags, None),
        outer: Vec::new(),
        groups: 0,
        names: BTreeSet::new(),
        ranges: 0,
    };
    let mut rest = pattern;
    // Where the repetition operator just read began: another one must not follow it.
    let mut last_repeat = None;
    while let Some(c) = rest.chars().next() {
        let before = rest;
        let repeated;
        (rest, repeated) = parser.step(c, rest, last_repeat)?;
        last_repeat = repeated.then_some(before);
    }
    if !parser.outer.is_empty() {
        return Err(RegexError::new("missing closing )", pattern));
    }
    let frame = std::mem::replace(&mut parser.frame, Frame::new(flags, None));
    let node = parser.close(frame)?;
    Ok(Parsed {
        hir: node.hir,
        groups: parser.groups,
    })
}

impl Frame {
    fn new(flags: Flags, capture: Option<(u32, Option<Box<str>>)>) -> Self {
        Self {
            flags,
            capture,
            choices: Vec::new(),
            atoms: Vec::new(),
        }
    }
}

impl<'p> Parser<'p> {
    /// Reads one thing; gives what follows it, and whether it was a repetition operator.
    fn step(
        &mut self,
        c: char,
        rest: &'p str,
        last_repeat: Option<&'p str>,
    ) -> Result<(&'p str, bool), RegexError> {
        let tail = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '(' if tail.starts_with('?') => return Ok((self.group_or_flags(rest)?, false)),
            '(' => self.open_capture(None)?,
            ')' => self.close_group()?,
            '|' => {
                let atoms = std::mem::take(&mut self.frame.atoms);
                let choice = self.concat(atoms)?;
                self.frame.choices.push(choice);
            }
            '^' if self.flags.multi_line => self.push_look(Look::StartLF),
            '^' => self.push_look(Look::Start),
            '$' if self.flags.multi_line => self.push_look(Look::EndLF),
            '$' => self.push_look(Look::End),
            '.' => self.push_dot(),
            '[' => {
                let (class, tail) = self.bracket_class(rest)?;
                self.push_class(class)?;
                return Ok((tail, false));
            }
            '*' => return self.repeat(0, None, rest, tail, last_repeat),
            '+' => return self.repeat(1, None, rest, tail, last_repeat),
            '?' => return self.repeat(0, Some(1), rest, tail, last_repeat),
            '{' => {
                if let Some((min, max, tail)) = counts(rest) {
                    let (min, max) =
                        checked_counts(min, max).ok_or_else(|| bad_count(rest, tail))?;
                    return self.repeat(min, max, rest, tail, last_repeat);
                }
                self.push_char('{');
            }
            '\\' => return Ok((self.backslash(rest)?, false)),
            c => self.push_char(c),
        }
        Ok((tail, false))
    }

    fn push(&mut self, hir: Hir) {
        self.frame.atoms.push(Atom::Node(Node {
            hir,
            height: 1,
            repeats: 1,
        }));
    }

    fn push_look(&mut self, look: Look) {
        self.push(Hir::look(look));
    }

    fn push_dot(&mut self) {
        let dot = if self.flags.dot_newline {
            regex_syntax::hir::Dot::AnyChar
        } else {
            regex_syntax::hir::Dot::AnyCharExceptLF
        };
        self.push(Hir::dot(dot));
    }

    fn push_char(&mut self, c: char) {
        if self.flags.fold_case {
            let class = char_class(c);
            if class.ranges().len() != 1 || class.iter().any(|range| range.len() != 1) {
                self.push(Hir::class(Class::Unicode(class)));
                return;
            }
        }
        self.frame.atoms.push(Atom::Char(c));
    }

    fn push_class(&mut self, class: ClassUnicode) -> Result<(), RegexError> {
        self.count_ranges(class.ranges().len())?;
        self.push(Hir::class(Class::Unicode(class)));
        Ok(())
    }

    /// Counts towards the size of all classes.
    pub(super) fn count_ranges(&mut self, ranges: usize) -> Result<(), RegexError> {
        self.ranges = self.ranges.saturating_add(ranges);
        if self.ranges > MAX_RANGES {
            return Err(RegexError::too_large(self.pattern));
        }
        Ok(())
    }

    fn too_deep(&self) -> RegexError {
        RegexError::new("expression nests too deeply", self.pattern)
    }

    fn open(&mut self, capture: Option<(u32, Option<Box<str>>)>) -> Result<(), RegexError> {
        if self.outer.len() >= MAX_HEIGHT {
            return Err(self.too_deep());
        }
        let frame = Frame::new(self.flags, capture);
        self.outer.push(std::mem::replace(&mut self.frame, frame));
        Ok(())
    }

    fn open_capture(&mut self, name: Option<Box<str>>) -> Result<(), RegexError> {
        self.groups += 1;
        // compat: of groups that share a name, the first has it.
        let name = name.filter(|name| self.names.insert(name.clone()));
        self.open(Some((self.groups, name)))
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        let Some(outer) = self.outer.pop() else {
            return Err(RegexError::new("unexpected )", self.pattern));
        };
        let frame = std::mem::replace(&mut self.frame, outer);
        self.flags = frame.flags;
        let node = self.close(frame)?;
        self.frame.atoms.push(Atom::Node(node));
        Ok(())
    }

    fn close(&self, frame: Frame) -> Result<Node, RegexError> {
        let last = self.concat(frame.atoms)?;
        let mut choices = frame.choices;
        let mut node = if choices.is_empty() {
            last
        } else {
            choices.push(last);
            let height = choices.iter().map(|c| c.height).max().unwrap_or(0) + 1;
            let repeats = choices.iter().map(|c| c.repeats).max().unwrap_or(1);
            Node {
                hir: Hir::alternation(choices.into_iter().map(|c| c.hir).collect()),
                height,
                repeats,
            }
        };
        if let Some((index, name)) = frame.capture {
            node.height += 1;
            node.hir = Hir::capture(Capture {
                index,
                name,
                sub: Box::new(node.hir),
            });
        }
        if node.height > MAX_HEIGHT {
            return Err(self.too_deep());
        }
        Ok(node)
    }

    fn concat(&self, atoms: Vec<Atom>) -> Result<Node, RegexError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let (mut height, mut repeats) = (0, 1);
        for atom in atoms {
            match atom {
                Atom::Char(c) => text.push(c),
                Atom::Node(node) => {
                    if !text.is_empty() {
                        parts.push(Hir::literal(std::mem::take(&mut text).into_bytes()));
                    }
                    height = height.max(node.height);
                    repeats = repeats.max(node.repeats);
                    parts.push(node.hir);
                }
            }
        }
        if !text.is_empty() {
            parts.push(Hir::literal(text.into_bytes()));
        }
        if height >= MAX_HEIGHT {
            return Err(self.too_deep());
        }
        Ok(Node {
            hir: Hir::concat(parts),
            height: height + 1,
            repeats,
        })
    }

    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        rest: &'p str,
        tail: &'p str,
        last_repeat: Option<&'p str>,
    ) -> Result<(&'p str, bool), RegexError> {
        let (lazy, tail) = match tail.strip_prefix('?') {
            Some(tail) => (true, tail),
            None => (false, tail),
        };
        if let Some(last) = last_repeat {
            let both = last.get(..last.len() - tail.len()).unwrap_or_default();
            return Err(RegexError::new("invalid nested repetition operator", both));
        }
        let written = rest.get(..rest.len() - tail.len()).unwrap_or_default();
        let Some(atom) = self.frame.atoms.pop() else {
            return Err(RegexError::new(
                "missing argument to repetition operator",
                written,
            ));
        };
        let inner = match atom {
            Atom::Char(c) => Node {
                hir: Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes()),
                height: 1,
                repeats: 1,
            },
            Atom::Node(node) => node,
        };
        let counted = rest.starts_with('{');
        let repeats = match (counted, max.unwrap_or(min)) {
            (true, 0) if max == Some(0) => 1,
            (true, count) if count > 0 => inner.repeats.saturating_mul(count),
            _ => inner.repeats,
        };
        if counted && max.unwrap_or(min) >= 2 && repeats > MAX_REPEAT {
            return Err(RegexError::new("invalid repeat count", written));
        }
        let height = inner.height + 1;
        if height > MAX_HEIGHT {
            return Err(self.too_deep());
        }
        self.frame.atoms.push(Atom::Node(Node {
            hir: Hir::repetition(Repetition {
                min,
                max,
                greedy: lazy == self.flags.non_greedy,
                sub: Box::new(inner.hir),
            }),
            height,
            repeats,
        }));
        Ok((tail, true))
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` or `(?flags:`.
    fn group_or_flags(&mut self, rest: &'p str) -> Result<&'p str, RegexError> {
        let body = rest
            .strip_prefix("(?P<")
            .or_else(|| rest.strip_prefix("(?<"));
        if let Some(body) = body.filter(|body| !body.is_empty()) {
            let Some((name, tail)) = body.split_once('>') else {
                return Err(RegexError::new("invalid named capture", rest));
            };
            let valid = |c: char| c == '_' || c.is_ascii_alphanumeric();
            if name.is_empty() || !name.chars().all(valid) {
                let written = rest.get(..rest.len() - tail.len()).unwrap_or_default();
                return Err(RegexError::new("invalid named capture", written));
            }
            self.open_capture(Some(name.into()))?;
            return Ok(tail);
        }
        let mut flags = self.flags;
        let (mut on, mut seen) = (true, false);
        let mut chars = rest.get(2..).unwrap_or_default().chars();
        while let Some(c) = chars.next() {
            match c {
                'i' => flags.fold_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.non_greedy = on,
                '-' if on => {
                    on = false;
                    seen = false;
                    continue;
                }
                ':' | ')' if on || seen => {
                    if c == ':' {
                        self.open(None)?;
                    }
                    self.flags = flags;
                    return Ok(chars.as_str());
                }
                _ => break,
            }
            seen = true;
        }
        let written = rest
            .get(..rest.len() - chars.as_str().len())
            .unwrap_or_default();
        Err(RegexError::new(
            "invalid or unsupported Perl syntax",
            written,
        ))
    }

    fn backslash(&mut self, rest: &'p str) -> Result<&'p str, RegexError> {
        let mut chars = rest.chars();
        chars.next();
        let look = match chars.next() {
            Some('A') => Some(Look::Start),
            Some('z') => Some(Look::End),
            Some('b') => Some(Look::WordAscii),
            Some('B') => Some(Look::WordAsciiNegate),
            Some('C') => return Err(RegexError::new("invalid escape sequence", "\\C")),
            Some('Q') => {
                let body = chars.as_str();
                let (text, tail) = body.split_once("\\E").unwrap_or((body, ""));
                for c in text.chars() {
                    self.push_char(c);
                }
                return Ok(tail);
            }
            _ => None,
        };
        if let Some(look) = look {
            self.push_look(look);
            return Ok(chars.as_str());
        }
        let fold = self.flags.fold_case;
        let class = match unicode_class(rest, fold)? {
            Some(found) => Some(found),
            None => perl_class(rest, fold),
        };
        if let Some((class, tail)) = class {
            self.push_class(class)?;
            return Ok(tail);
        }
        let (code, tail) = escape(rest)?;
        match char::from_u32(code) {
            Some(c) => self.push_char(c),
            // A surrogate, which no text holds.
            None => self.push(Hir::fail()),
        }
        Ok(tail)
    }
}

/// An escaped character as a code point, and what follows it. `rest` begins with the backslash.
pub(super) fn escape(rest: &str) -> Result<(u32, &str), RegexError> {
    let mut chars = rest.get(1..).unwrap_or_default().chars();
    let Some(c) = chars.next() else {
        return Err(RegexError::new(
            "trailing backslash at end of expression",
            "",
        ));
    };
    let plain = |code: char, tail| Ok((u32::from(code), tail));
    let tail = chars.as_str();
    let octal_follows = tail.starts_with(|c: char| c.is_digit(8));
    match c {
        '0'..='7' if c == '0' || octal_follows => {
            let digits: u32 = tail
                .chars()
                .take(2)
                .take_while(|c| c.is_digit(8))
                .count()
                .try_into()
                .unwrap_or(0);
            let (octal, tail) = tail.split_at(digits as usize);
            let code = octal
                .chars()
                .fold(u32::from(c) - u32::from('0'), |code, c| {
                    code * 8 + c.to_digit(8).unwrap_or(0)
                });
            Ok((code, tail))
        }
        'x' => hexadecimal(rest, tail),
        'a' => plain('\x07', tail),
        'f' => plain('\x0c', tail),
        'n' => plain('\n', tail),
        'r' => plain('\r', tail),
        't' => plain('\t', tail),
        'v' => plain('\x0b', tail),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => plain(c, tail),
        _ => Err(bad_escape(rest, tail)),
    }
}

/// `\x41` or `\x{1F600}`; `tail` begins behind the `x`.
fn hexadecimal<'a>(rest: &'a str, tail: &'a str) -> Result<(u32, &'a str), RegexError> {
    let mut chars = tail.chars();
    let Some(first) = chars.next() else {
        return Err(bad_escape(rest, tail));
    };
    if first != '{' {
        let second = chars.next();
        return match (first.to_digit(16), second.and_then(|c| c.to_digit(16))) {
            (Some(high), Some(low)) => Ok((high * 16 + low, chars.as_str())),
            _ => Err(bad_escape(rest, chars.as_str())),
        };
    }
    let (mut code, mut digits) = (0_u32, 0);
    loop {
        match chars.next() {
            Some('}') if digits > 0 => return Ok((code, chars.as_str())),
            Some(c) => match c.to_digit(16) {
                Some(digit) if code * 16 + digit <= 0x10_ffff => {
                    code = code * 16 + digit;
                    digits = 1;
                }
                _ => return Err(bad_escape(rest, chars.as_str())),
            },
            None => return Err(bad_escape(rest, "")),
        }
    }
}

fn bad_escape(rest: &str, tail: &str) -> RegexError {
    let written = rest.get(..rest.len() - tail.len()).unwrap_or_default();
    RegexError::new("invalid escape sequence", written)
}

fn bad_count(rest: &str, tail: &str) -> RegexError {
    let written = rest.get(..rest.len() - tail.len()).unwrap_or_default();
    RegexError::new("invalid repeat count", written)
}

/// How often, as written: `None` for a number that is far too large.
type Count = Option<u32>;

/// `{min}`, `{min,}` or `{min,max}` at the start of `rest`; anything else is text.
fn counts(rest: &str) -> Option<(Count, Option<Count>, &str)> {
    let (min, tail) = count(rest.strip_prefix('{')?)?;
    if let Some(tail) = tail.strip_prefix('}') {
        return Some((min, Some(min), tail));
    }
    let tail = tail.strip_prefix(',')?;
    if let Some(tail) = tail.strip_prefix('}') {
        return Some((min, None, tail));
    }
    let (max, tail) = count(tail)?;
    Some((min, Some(max), tail.strip_prefix('}')?))
}

fn count(text: &str) -> Option<(Count, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, tail) = text.split_at(digits);
    // compat: no leading zeros.
    if digits == 0 || (digits > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().ok(), tail))
}

fn checked_counts(min: Count, max: Option<Count>) -> Option<(u32, Option<u32>)> {
    let min = min.filter(|min| *min <= MAX_REPEAT)?;
    match max {
        None => Some((min, None)),
        Some(max) => {
            let max = max.filter(|max| (min..=MAX_REPEAT).contains(max))?;
            Some((min, Some(max)))
        }
    }
}
