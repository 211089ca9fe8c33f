//! The format: flags, widths, precisions, argument numbers, verbs.

use super::{Flags, Printer};
use crate::template::value::Value;

/// Where a format stands among its arguments.
struct Cursor<'a> {
    args: &'a [Value],
    next: usize,
    reordered: bool,
    good_index: bool,
}

impl Printer {
    pub(super) fn format(&mut self, format: &str, args: &[Value]) {
        let mut cursor = Cursor {
            args,
            next: 0,
            reordered: false,
            good_index: true,
        };
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            self.push(&rest[..at]);
            rest = self.verb(&rest[at + 1..], &mut cursor);
        }
        self.push(rest);
        if !cursor.reordered && cursor.next < args.len() {
            self.flags = Flags::default();
            self.push("%!(EXTRA ");
            for (i, arg) in args.iter().enumerate().skip(cursor.next) {
                if i > cursor.next {
                    self.push(", ");
                }
                if matches!(arg, Value::Nil) {
                    self.push("<nil>");
                } else {
                    self.push(arg.type_name());
                    self.push("=");
                    self.print(arg, 'v');
                }
            }
            self.push(")");
        }
    }

    /// One verb after its percent sign; what follows it.
    fn verb<'t>(&mut self, text: &'t str, cursor: &mut Cursor<'_>) -> &'t str {
        self.flags = Flags::default();
        cursor.good_index = true;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match c {
                '#' => self.flags.sharp = true,
                '0' => self.flags.zero = true,
                '+' => self.flags.plus = true,
                '-' => self.flags.minus = true,
                ' ' => self.flags.space = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        let mut after_index;
        (rest, after_index) = argument_index(rest, cursor);
        if let Some(tail) = rest.strip_prefix('*') {
            rest = tail;
            let width = cursor.take().and_then(Value::as_int);
            match width.filter(|w| w.unsigned_abs() <= 1_000_000) {
                Some(w) => {
                    self.flags.minus |= w < 0;
                    self.flags.zero &= w >= 0;
                    self.flags.width = Some(w.unsigned_abs() as usize);
                }
                None => self.push("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            let (number, tail) = leading_number(rest);
            self.flags.width = number;
            rest = tail;
            if after_index && number.is_some() {
                cursor.good_index = false;
            }
        }
        if let Some(tail) = rest.strip_prefix('.') {
            rest = tail;
            if after_index {
                cursor.good_index = false;
            }
            (rest, after_index) = argument_index(rest, cursor);
            if let Some(tail) = rest.strip_prefix('*') {
                rest = tail;
                let precision = cursor.take().and_then(Value::as_int);
                match precision.filter(|p| *p <= 1_000_000) {
                    Some(p) => self.flags.precision = usize::try_from(p).ok(),
                    None => self.push("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                let (number, tail) = leading_number(rest);
                self.flags.precision = Some(number.unwrap_or(0));
                rest = tail;
            }
        }
        if !after_index {
            (rest, _) = argument_index(rest, cursor);
        }
        let Some(verb) = rest.chars().next() else {
            self.push("%!(NOVERB)");
            return "";
        };
        rest = &rest[verb.len_utf8()..];
        match verb {
            '%' => self.push("%"),
            _ if !cursor.good_index => self.push(&format!("%!{verb}(BADINDEX)")),
            _ => match cursor.take() {
                None => self.push(&format!("%!{verb}(MISSING)")),
                Some(arg) => {
                    // compat: `%w` is none of our verbs, but takes its flags.
                    if matches!(verb, 'v' | 'w') {
                        self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                        self.flags.plus_v = std::mem::take(&mut self.flags.plus);
                    }
                    self.print(arg, verb);
                }
            },
        }
        rest
    }
}

impl<'a> Cursor<'a> {
    fn take(&mut self) -> Option<&'a Value> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        Some(arg)
    }
}

/// `[3]` before a verb, width or precision.
fn argument_index<'t>(text: &'t str, cursor: &mut Cursor<'_>) -> (&'t str, bool) {
    let Some(body) = text.strip_prefix('[') else {
        return (text, false);
    };
    cursor.reordered = true;
    let Some(end) = body.find(']') else {
        cursor.good_index = false;
        return (body, false);
    };
    match body[..end].parse::<usize>() {
        Ok(n) if n >= 1 && n <= cursor.args.len() => {
            cursor.next = n - 1;
            (&body[end + 1..], true)
        }
        _ => {
            cursor.good_index = false;
            (&body[end + 1..], true)
        }
    }
}

/// A decimal number and what follows; numbers beyond a million are none, as in Go.
fn leading_number(text: &str) -> (Option<usize>, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    (number.parse().ok().filter(|n| *n <= 1_000_000), rest)
}
