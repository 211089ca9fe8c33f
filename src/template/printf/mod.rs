//! Go's `fmt`: `Sprint`, `Sprintln`, `Sprintf` on template values.

mod time;

use std::fmt::Write as _;

use super::function::Kind;
use super::value::Value;
use crate::text::gofmt::{self, special};
use crate::text::quote::quote;

/// The longest text one call may print; beyond it the call fails. Upstream has no such bound.
pub(super) const TEXT_MAX: usize = 4 << 20;

/// Prints as an action does: nil is `<no value>`.
pub(super) fn printable(value: &Value) -> Result<String, String> {
    match value {
        Value::Nil => Ok("<no value>".to_owned()),
        value => {
            let mut printer = Printer::default();
            printer.top(value, true);
            printer.finish()
        }
    }
}

/// `fmt.Sprint`: a space between operands when neither is a string.
pub fn sprint(args: &[Value]) -> Result<String, String> {
    print_all(Printer::default(), args)
}

/// As [`sprint`], pointers being followed first, as Go's templates do before they escape.
pub(super) fn sprint_printable(args: &[Value]) -> Result<String, String> {
    let printer = Printer {
        follow: true,
        ..Printer::default()
    };
    print_all(printer, args)
}

fn print_all(mut printer: Printer, args: &[Value]) -> Result<String, String> {
    let mut after_string = true;
    for arg in args {
        let is_string = matches!(arg, Value::String(_));
        if !after_string && !is_string {
            printer.push(" ");
        }
        printer.print(arg, 'v');
        after_string = is_string;
    }
    printer.finish()
}

/// `fmt.Sprintln`: spaces between all operands and a line feed.
pub(super) fn sprintln(args: &[Value]) -> Result<String, String> {
    let mut printer = Printer::default();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            printer.push(" ");
        }
        printer.print(arg, 'v');
    }
    printer.push("\n");
    printer.finish()
}

/// `fmt.Sprintf`.
pub fn sprintf(format: &str, args: &[Value]) -> Result<String, String> {
    let mut printer = Printer::default();
    printer.format(format, args);
    printer.finish()
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`.
    plus_v: bool,
    /// `%#v`.
    sharp_v: bool,
}

#[derive(Debug, Default)]
struct Printer {
    out: String,
    flags: Flags,
    overflow: bool,
    /// Whether pointers are followed.
    follow: bool,
    /// Whether this is the value in a complaint, which is printed without its methods.
    complains: bool,
}

/// Where a format stands among its arguments.
struct Cursor<'a> {
    args: &'a [Value],
    next: usize,
    reordered: bool,
    good_index: bool,
}

impl Printer {
    fn finish(self) -> Result<String, String> {
        if self.overflow {
            Err(format!("more than {TEXT_MAX} bytes"))
        } else {
            Ok(self.out)
        }
    }

    fn push(&mut self, text: &str) {
        if self.out.len() + text.len() > TEXT_MAX {
            self.overflow = true;
        } else {
            self.out.push_str(text);
        }
    }

    fn format(&mut self, format: &str, args: &[Value]) {
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

    fn print(&mut self, value: &Value, verb: char) {
        match (verb, value) {
            ('T', value) => self.string(value.type_name(), 's'),
            ('v', Value::Nil) => self.pad("<nil>"),
            (_, Value::Nil) => self.bad_verb(value, verb),
            ('p' | 'w', _) => self.bad_verb(value, verb),
            ('v', value) => self.top(value, false),
            (verb, value) => self.value(value, verb, 0),
        }
    }

    /// `%v` at the top level; `indirect` follows a pointer first, as actions do.
    fn top(&mut self, value: &Value, indirect: bool) {
        self.value(value, 'v', usize::from(indirect));
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if self.overflow {
            return;
        }
        if !self.flags.sharp_v
            && !self.complains
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = value.stringer()
        {
            return self.string(&text, verb);
        }
        match value {
            Value::Nil => self.push("<nil>"),
            Value::Bool(v) => match verb {
                't' | 'v' => self.pad(if *v { "true" } else { "false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(v) | Value::Named(_, v, _) | Value::Duration(v) => {
                self.integer(value, v.unsigned_abs(), *v < 0, verb);
            }
            Value::Uint(v) => self.integer(value, *v, false, verb),
            Value::Float(v) => self.float(value, *v, verb),
            Value::String(text) | Value::Safe(_, text) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' => self.string(text, verb),
                _ => self.bad_verb(value, verb),
            },
            Value::Time(time) => self.time(time, verb),
            Value::List(list) => {
                if self.flags.sharp_v {
                    self.push(list.ty.name);
                }
                self.push(if self.flags.sharp_v { "{" } else { "[" });
                for (i, item) in list.items.iter().enumerate() {
                    if i > 0 {
                        self.push(if self.flags.sharp_v { ", " } else { " " });
                    }
                    self.value_or_nil(item, verb, depth + 1);
                }
                self.push(if self.flags.sharp_v { "}" } else { "]" });
            }
            Value::Map(map) => self.map(map, verb, depth),
            Value::Object(object) => {
                let name = object.type_name();
                if name.starts_with('*') && depth == 0 && !self.follow {
                    self.push("&");
                }
                if self.flags.sharp_v {
                    self.push(name.trim_start_matches('*'));
                }
                self.push("{");
                for (i, (field, item)) in object.fields().iter().enumerate() {
                    if i > 0 {
                        self.push(if self.flags.sharp_v { ", " } else { " " });
                    }
                    if self.flags.plus_v || self.flags.sharp_v {
                        self.push(field);
                        self.push(":");
                    }
                    self.value_or_nil(item, verb, depth + 1);
                }
                self.push("}");
            }
        }
    }

    fn map(&mut self, map: &super::value::Map, verb: char, depth: usize) {
        if self.flags.sharp_v {
            self.push(map.ty.name);
            if map.entries.is_none() {
                return self.push("(nil)");
            }
            self.push("{");
        } else {
            self.push("map[");
        }
        for (i, (key, item)) in map.iter().enumerate() {
            if i > 0 {
                self.push(if self.flags.sharp_v { ", " } else { " " });
            }
            self.value(&Value::from(std::sync::Arc::clone(key)), verb, depth + 1);
            self.push(":");
            self.value_or_nil(item, verb, depth + 1);
        }
        self.push(if self.flags.sharp_v { "}" } else { "]" });
    }

    /// An element of a list, map or struct: a nil interface prints as such whatever the verb.
    fn value_or_nil(&mut self, value: &Value, verb: char, depth: usize) {
        if matches!(value, Value::Nil) {
            let text = if self.flags.sharp_v {
                "interface {}(nil)"
            } else {
                "<nil>"
            };
            return self.push(text);
        }
        self.value(value, verb, depth);
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.push(&format!("%!{verb}("));
        if matches!(value, Value::Nil) {
            self.push("<nil>");
        } else {
            self.push(value.type_name());
            self.push("=");
            let outer = std::mem::replace(&mut self.complains, true);
            self.value(value, 'v', 0);
            self.complains = outer;
        }
        self.push(")");
    }

    fn pad(&mut self, text: &str) {
        let width = self.flags.width.unwrap_or(0);
        let missing = width.saturating_sub(text.chars().count());
        if missing == 0 {
            return self.push(text);
        }
        if self.flags.minus {
            self.push(text);
            self.push(&" ".repeat(missing));
        } else {
            let fill = if self.flags.zero { "0" } else { " " };
            self.push(&fill.repeat(missing));
            self.push(text);
        }
    }

    fn string(&mut self, text: &str, verb: char) {
        let cut = |text: &str, precision: Option<usize>| match precision {
            Some(p) => text.chars().take(p).collect(),
            None => text.to_owned(),
        };
        match verb {
            'v' if self.flags.sharp_v => {
                let quoted = quote(text);
                self.pad(&quoted);
            }
            'x' | 'X' => {
                let mut bytes = text.as_bytes();
                if let Some(p) = self.flags.precision {
                    bytes = &bytes[..p.min(bytes.len())];
                }
                let hex = self.hex_bytes(bytes, verb);
                self.pad(&hex);
            }
            'q' => {
                let text = cut(text, self.flags.precision);
                let quoted = if self.flags.sharp && backquotable(&text) {
                    format!("`{text}`")
                } else if self.flags.plus {
                    quote_ascii(&text)
                } else {
                    quote(&text)
                };
                self.pad(&quoted);
            }
            _ => {
                let text = cut(text, self.flags.precision);
                self.pad(&text);
            }
        }
    }

    fn hex_bytes(&self, bytes: &[u8], verb: char) -> String {
        let mut out = String::new();
        let prefix = if verb == 'x' { "0x" } else { "0X" };
        for (i, byte) in bytes.iter().enumerate() {
            if self.flags.space && i > 0 {
                out.push(' ');
            }
            if self.flags.sharp && (self.flags.space || i == 0) {
                out.push_str(prefix);
            }
            let _ = if verb == 'x' {
                write!(out, "{byte:02x}")
            } else {
                write!(out, "{byte:02X}")
            };
        }
        out
    }

    fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) {
        let digits = match verb {
            'v' if self.flags.sharp_v && value.kind() == Kind::Uint => format!("0x{magnitude:x}"),
            'v' | 'd' => magnitude.to_string(),
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            'c' | 'q' => return self.character(magnitude, negative, verb),
            'U' => return self.code_point(magnitude, negative),
            _ => return self.bad_verb(value, verb),
        };
        let mut digits = digits;
        if let Some(p) = self.flags.precision {
            if p == 0 && magnitude == 0 {
                let zero = std::mem::take(&mut self.flags.zero);
                self.pad("");
                self.flags.zero = zero;
                return;
            }
            digits = format!("{}{digits}", "0".repeat(p.saturating_sub(digits.len())));
        }
        let prefix = match verb {
            'O' if self.flags.sharp && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'b' if self.flags.sharp => "0b",
            'o' if self.flags.sharp && !digits.starts_with('0') => "0",
            'x' if self.flags.sharp => "0x",
            'X' if self.flags.sharp => "0X",
            _ => "",
        };
        let sign = if negative {
            "-"
        } else if self.flags.plus {
            "+"
        } else if self.flags.space {
            " "
        } else {
            ""
        };
        if self.flags.zero && !self.flags.minus && self.flags.precision.is_none() {
            let width = self.flags.width.unwrap_or(0);
            // compat: the zeros count towards the width with the sign, but not with the prefix.
            let missing = width.saturating_sub(digits.len() + sign.len());
            digits = format!("{}{digits}", "0".repeat(missing));
        }
        let text = format!("{sign}{prefix}{digits}");
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&text);
        self.flags.zero = zero;
    }

    /// `U+00E9`, and with `#` the character itself if it can be seen.
    fn code_point(&mut self, magnitude: u64, negative: bool) {
        let number = if negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        };
        let digits = self.flags.precision.unwrap_or(0).max(4);
        let mut shown = format!("U+{number:0digits$X}");
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        if let Some(c) = c.filter(|c| self.flags.sharp && is_printable(*c)) {
            let _ = write!(shown, " '{c}'");
        }
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&shown);
        self.flags.zero = zero;
    }

    fn character(&mut self, magnitude: u64, negative: bool, verb: char) {
        let c = if negative {
            '\u{fffd}'
        } else {
            u32::try_from(magnitude)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or('\u{fffd}')
        };
        let text = if verb == 'c' {
            c.to_string()
        } else {
            match c {
                '\'' => "'\\''".to_owned(),
                '"' => "'\"'".to_owned(),
                c => {
                    let text = c.to_string();
                    let quoted = if self.flags.plus {
                        quote_ascii(&text)
                    } else {
                        quote(&text)
                    };
                    format!("'{}'", &quoted[1..quoted.len() - 1])
                }
            }
        };
        self.pad(&text);
    }

    fn float(&mut self, value: &Value, v: f64, verb: char) {
        let precision = self.flags.precision;
        let text = match verb {
            'v' | 'g' | 'G' => match precision {
                None if self.flags.sharp_v => sharp_float(v),
                None => gofmt::float_g(v),
                Some(p) => float_general(v, p),
            },
            'f' | 'F' => match special(v) {
                Some(text) => text.to_owned(),
                None => format!("{v:.*}", precision.unwrap_or(6)),
            },
            'e' | 'E' => match special(v) {
                Some(text) => text.to_owned(),
                None => exponent_form(v, precision.unwrap_or(6)),
            },
            'x' | 'X' => match special(v) {
                Some(text) => text.to_owned(),
                None => hex_form(v, precision),
            },
            'b' => match special(v) {
                Some(text) => text.to_owned(),
                None => binary_form(v),
            },
            _ => return self.bad_verb(value, verb),
        };
        let text = if self.flags.sharp && verb != 'b' && v.is_finite() {
            with_point(&text, verb, precision)
        } else {
            text
        };
        let text = match verb {
            'G' | 'E' => text.replace('e', "E"),
            'X' if v.is_finite() => text.to_uppercase(),
            _ => text,
        };
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (&text[..1], digits),
            None => ("+", text.as_str()),
        };
        let finite = v.is_finite();
        let shown_sign = if sign == "-" || self.flags.plus {
            sign
        } else if v.is_infinite() {
            // compat: an infinity keeps its plus sign.
            if self.flags.space { " " } else { "+" }
        } else if self.flags.space {
            " "
        } else {
            ""
        };
        let shown_sign = if v.is_nan() && !self.flags.plus && !self.flags.space {
            ""
        } else {
            shown_sign
        };
        let zeros = if self.flags.zero && finite && !self.flags.minus {
            self.flags
                .width
                .unwrap_or(0)
                .saturating_sub(digits.len() + shown_sign.len())
        } else {
            0
        };
        let text = format!("{shown_sign}{}{digits}", "0".repeat(zeros));
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&text);
        self.flags.zero = zero;
    }
}

/// `#` on a float: there is a decimal point, and trailing zeros stay where `%g` and `%x` drop them.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let exponent = if matches!(verb, 'x' | 'X') { 'p' } else { 'e' };
    let (number, tail) = rest.split_at(rest.find(exponent).unwrap_or(rest.len()));
    let wanted = match verb {
        'v' | 'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    // compat: what counts begins with the first character that is no zero, be it the x of 0x.
    let from = number.find(|c| !matches!(c, '0' | '.'));
    let counted = from.map_or(0, |from| {
        number[from..].chars().filter(|c| *c != '.').count()
    });
    let has_point = number.contains('.');
    let counted = counted + usize::from(!has_point && number == "0");
    let point = if has_point { "" } else { "." };
    let zeros = "0".repeat(wanted.saturating_sub(counted));
    format!("{sign}{number}{point}{zeros}{tail}")
}

/// compat: `strconv.IsPrint`; what it quotes as itself.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\\') || quote(&c.to_string()) == format!("\"{c}\"")
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

/// The mantissa with its leading one, and the exponent of its last bit.
fn parts(v: f64) -> (u64, i32) {
    let bits = v.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) as i32 & 0x7ff {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

/// `-4503599627370496p-52`.
fn binary_form(v: f64) -> String {
    let (mantissa, exponent) = parts(v);
    let sign = if v.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// `0x1.8p+01`, rounded to so many digits, halves to even.
fn hex_form(v: f64, precision: Option<usize>) -> String {
    const DIGITS: usize = 13;
    let sign = if v.is_sign_negative() { "-" } else { "" };
    let (mut mantissa, mut exponent) = parts(v);
    if mantissa != 0 {
        // Small numbers too begin with a one.
        let shift = mantissa.leading_zeros() as i32 - 11;
        mantissa <<= shift;
        exponent += 52 - shift;
    } else {
        exponent = 0;
    }
    if let Some(digits) = precision.filter(|digits| *digits < DIGITS) {
        let dropped = 4 * (DIGITS - digits);
        let (rest, half) = (mantissa & ((1 << dropped) - 1), 1_u64 << (dropped - 1));
        mantissa >>= dropped;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) if digits <= DIGITS => fraction[..digits].to_owned(),
        Some(digits) => format!("{fraction:0<digits$}"),
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{sign}0x{}{dot}{fraction}p{exponent_sign}{:02}",
        mantissa >> 52,
        exponent.abs()
    )
}

/// Go's `%e`: at least two exponent digits.
fn exponent_form(v: f64, precision: usize) -> String {
    let text = format!("{v:.precision$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Go's `%.Ng`: N significant digits, without trailing zeros, in the shorter of two forms.
pub(super) fn float_general(v: f64, precision: usize) -> String {
    if let Some(text) = special(v) {
        return text.to_owned();
    }
    let precision = precision.max(1);
    if v == 0.0 {
        return if v.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{v:.*e}", precision - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = digits.trim_end_matches('0');
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent + 1;
    let mut limit = i32::try_from(precision).unwrap_or(i32::MAX);
    if limit > count && count >= point {
        limit = count;
    }
    if exponent < -4 || exponent >= limit {
        let (head, tail) = digits.split_at(1.min(digits.len()));
        let dot = if tail.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{sign}{head}{dot}{tail}e{exponent_sign}{:02}",
            exponent.unsigned_abs()
        );
    }
    if point <= 0 {
        return format!(
            "{sign}0.{}{digits}",
            "0".repeat(point.unsigned_abs() as usize)
        );
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

/// `%#v` of a float: the exponent form begins only at 1e21.
fn sharp_float(v: f64) -> String {
    let magnitude = v.abs();
    if v.is_finite() && v != 0.0 && (1e-4..1e21).contains(&magnitude) {
        gofmt::shortest(v)
    } else {
        gofmt::float_g(v)
    }
}

fn backquotable(text: &str) -> bool {
    let good = |c: char| c == '\t' || (c >= ' ' && !matches!(c, '`' | '\u{7f}' | '\u{feff}'));
    text.chars().all(good)
}

/// As Go's packages quote in their complaints: in backquotes where that can be.
pub(super) fn backquote(text: &str) -> String {
    if backquotable(text) {
        format!("`{text}`")
    } else {
        quote(text)
    }
}

/// `strconv.QuoteToASCII`.
fn quote_ascii(text: &str) -> String {
    let mut out = String::new();
    for c in quote(text).chars() {
        if c.is_ascii() {
            out.push(c);
        } else if u32::from(c) < 0x1_0000 {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            let _ = write!(out, "\\U{:08x}", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::value::List;

    fn p(format: &str, args: &[Value]) -> String {
        sprintf(format, args).unwrap()
    }

    #[test]
    fn floats_show_their_bits_as_in_go() {
        for (format, v, want) in [
            ("%x", 1e3, "0x1.f4p+09"),
            ("%X", -1.5, "-0X1.8P+00"),
            ("%.0x", 1.5, "0x1p+01"),
            ("%.3x", 1.0, "0x1.000p+00"),
            ("%x", 0.0, "0x0p+00"),
            ("%x", 5e-324, "0x1p-1074"),
            ("%b", 1.0, "4503599627370496p-52"),
            ("%x", f64::INFINITY, "+Inf"),
            ("% x", 2.0, " 0x1p+01"),
        ] {
            assert_eq!(p(format, &[Value::Float(v)]), want, "{format}");
        }
    }

    /// As amtool 0.33 prints them.
    #[test]
    fn flags_print_as_in_go() {
        let list = Value::List(List::strings(["a"]));
        for (format, v, want) in [
            ("%+v", Value::Int(5), "5"),
            ("%#g", Value::Float(2.5), "2.50000"),
            ("%#.3x", Value::Float(1.0), "0x1.000p+00"),
            ("%#x", Value::Float(2.5), "0x1.4000p+01"),
            ("%#.0f", Value::Float(-3.0), "-3."),
            ("%#g", Value::Float(0.0), "0.00000"),
            ("%#g", Value::Float(1e21), "1.00000e+21"),
            ("%#d", Value::Float(2.5), "%!d(float64=2.50000)"),
            ("%#O", Value::Int(-5), "-0o05"),
            ("%U", Value::Int(-5), "U+FFFFFFFFFFFFFFFB"),
            ("%#.6U", Value::Int(0xe9), "U+0000E9 'é'"),
            ("%#U", Value::Int(1), "U+0001"),
            ("%08U", Value::Int(1), "  U+0001"),
            ("%+q", Value::Int(0xe9), r"'\u00e9'"),
            ("%.2T", Value::Int(1), "in"),
            ("%w", list, "%!w([]string=[a])"),
            ("%5z", Value::Duration(1), "%!z(time.Duration=    1)"),
        ] {
            assert_eq!(p(format, &[v]), want, "{format}");
        }
    }

    #[test]
    fn verbs_print_as_in_go() {
        let s = Value::from("hi");
        let n = Value::Int(42);
        let f = Value::Float(3.24159);
        for (format, arg, want) in [
            ("%d", &n, "42"),
            ("%5d|", &n, "   42|"),
            ("%-5d|", &n, "42   |"),
            ("%05d", &n, "00042"),
            ("%+d", &n, "+42"),
            ("%x", &n, "2a"),
            ("%#x", &n, "0x2a"),
            ("%b", &n, "101010"),
            ("%c", &n, "*"),
            ("%q", &n, "'*'"),
            ("%U", &n, "U+002A"),
            ("%s", &n, "%!s(int=42)"),
            ("%d", &s, "%!d(string=hi)"),
            ("%q", &s, "\"hi\""),
            ("%x", &s, "6869"),
            ("%5s|", &s, "   hi|"),
            ("%-5s|", &s, "hi   |"),
            ("%.1s", &s, "h"),
            ("%f", &f, "3.241590"),
            ("%.2f", &f, "3.24"),
            ("%05.2f", &Value::Float(-1.5), "-1.50"),
            ("%08.2f", &f, "00003.24"),
            ("%e", &f, "3.241590e+00"),
            ("%g", &Value::Float(1e6), "1e+06"),
            ("%.3g", &Value::Float(1234.0), "1.23e+03"),
            ("%v", &Value::Float(f64::INFINITY), "+Inf"),
            ("%f", &Value::Float(f64::NAN), "NaN"),
            ("%t", &Value::Bool(true), "true"),
            ("%T", &f, "float64"),
            ("%v", &Value::Nil, "<nil>"),
            ("%s", &Value::Nil, "%!s(<nil>)"),
            ("%d%%", &n, "42%"),
            ("%", &n, "%!(NOVERB)%!(EXTRA int=42)"),
            ("%d %d", &n, "42 %!d(MISSING)"),
            ("%[2]d", &n, "%!d(BADINDEX)"),
            ("%[1]d %[1]x", &n, "42 2a"),
            ("%#v", &s, "\"hi\""),
        ] {
            assert_eq!(p(format, std::slice::from_ref(arg)), want, "{format}");
        }
        assert_eq!(p("%*d", &[Value::Int(4), n.clone()]), "  42");
        assert_eq!(p("x", &[n, s]), "x%!(EXTRA int=42, string=hi)");
        assert_eq!(
            p(
                "%v %d",
                &[Value::Duration(1_500_000_000), Value::Duration(5)]
            ),
            "1.5s 5"
        );
    }

    #[test]
    fn significant_digits_choose_the_form() {
        for (v, want) in [
            (100_000.0, "1e+05"),
            (1000.0, "1000"),
            (0.12, "0.12"),
            (1234.5, "1234"),
            (0.00001, "1e-05"),
            (-12.345, "-12.35"),
        ] {
            assert_eq!(float_general(v, 4), want);
        }
    }

    #[test]
    fn operands_are_separated_as_sprint_does() {
        let args = [
            Value::Int(1),
            Value::Int(2),
            Value::from("a"),
            Value::Int(3),
        ];
        assert_eq!(sprint(&args).unwrap(), "1 2a3");
    }
}
