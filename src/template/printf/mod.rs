//! Go's `fmt`: `Sprint`, `Sprintln`, `Sprintf` on template values.

mod float;
mod format;
#[cfg(test)]
mod tests;
mod text;
mod time;

use super::function::Kind;
use super::value::Value;

pub(super) use float::float_general;
pub(super) use text::backquote;

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
}
