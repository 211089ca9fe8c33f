//! The functions every Go template has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::function::{Function, Kind, Type};
use super::printf;
use super::value::{List, Value};
use crate::text::quote::quote;

pub(super) fn all<'a>() -> BTreeMap<&'static str, Function<'a>> {
    const ANY: &[Type] = &[Type::ANY];
    const TWO: &[Type] = &[Type::ANY, Type::ANY];
    let printer =
        |body: fn(&[Value]) -> Result<Value, String>| Function::variadic(&[], Type::ANY, body);
    let compare = |body: fn(&Value, &Value) -> Result<bool, String>| {
        Function::new(TWO, move |args| {
            body(at(args, 0), at(args, 1)).map(Value::Bool)
        })
    };
    BTreeMap::from([
        // `and` and `or` are evaluated by the engine, which stops early.
        (
            "and",
            Function::variadic(ANY, Type::ANY, |args| Ok(at(args, 0).clone())),
        ),
        (
            "or",
            Function::variadic(ANY, Type::ANY, |args| Ok(at(args, 0).clone())),
        ),
        (
            "not",
            Function::new(ANY, |args| Ok(Value::Bool(!at(args, 0).truth()))),
        ),
        (
            "call",
            Function::variadic(ANY, Type::ANY, |args| call(at(args, 0))),
        ),
        ("index", Function::variadic(ANY, Type::ANY, index)),
        ("slice", Function::variadic(ANY, Type::ANY, slice)),
        ("len", Function::new(ANY, |args| length(at(args, 0)))),
        (
            "print",
            printer(|args| printf::sprint(args).map(Value::from)),
        ),
        (
            "println",
            printer(|args| printf::sprintln(args).map(Value::from)),
        ),
        (
            "printf",
            Function::variadic(&[Type::STRING], Type::ANY, |args| {
                let format = super::function::text(args, 0);
                printf::sprintf(&format, args.get(1..).unwrap_or_default()).map(Value::from)
            }),
        ),
        (
            "html",
            printer(|args| joined(args).map(|text| Value::from(escape_html(&text)))),
        ),
        (
            "js",
            printer(|args| joined(args).map(|text| Value::from(escape_js(&text)))),
        ),
        (
            "urlquery",
            printer(|args| joined(args).map(|text| Value::from(escape_query(&text)))),
        ),
        (
            "eq",
            Function::variadic(ANY, Type::ANY, |args| {
                let (first, rest) = args.split_first().unwrap_or((&Value::Nil, &[]));
                equal_any(first, rest).map(Value::Bool)
            }),
        ),
        ("ne", compare(|a, b| equal(a, b).map(|equal| !equal))),
        ("lt", compare(less)),
        ("le", compare(|a, b| Ok(less(a, b)? || equal(a, b)?))),
        ("gt", compare(|a, b| Ok(!(less(a, b)? || equal(a, b)?)))),
        ("ge", compare(|a, b| Ok(!less(a, b)?))),
    ])
}

fn at(args: &[Value], at: usize) -> &Value {
    args.get(at).unwrap_or(&Value::Nil)
}

/// Stands for the text of the callee in an error of `call`.
pub(super) const CALLEE: &str = "\u{0}callee\u{0}";

fn call(function: &Value) -> Result<Value, String> {
    match function {
        Value::Nil => Err("call of nil".to_owned()),
        other => Err(format!(
            "non-function {CALLEE} of type {}",
            other.type_name()
        )),
    }
}

fn position(index: &Value, length: usize) -> Result<usize, String> {
    let wanted = match index {
        Value::Uint(v) => i64::try_from(*v).unwrap_or(i64::MAX),
        Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => other
            .as_int()
            .ok_or_else(|| format!("cannot index slice/array with type {}", other.type_name()))?,
    };
    usize::try_from(wanted)
        .ok()
        .filter(|wanted| *wanted <= length)
        .ok_or_else(|| format!("index out of range: {wanted}"))
}

fn index(args: &[Value]) -> Result<Value, String> {
    let (item, indices) = args.split_first().ok_or("index of untyped nil")?;
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut item = item.clone();
    for index in indices {
        item = index_once(&item, index)?;
    }
    Ok(item)
}

fn index_once(item: &Value, index: &Value) -> Result<Value, String> {
    match item {
        Value::Nil => Err("index of nil pointer".to_owned()),
        Value::List(list) => {
            let wanted = position(index, list.items.len())?;
            list.items
                .get(wanted)
                .cloned()
                .ok_or_else(|| "reflect: slice index out of range".to_owned())
        }
        Value::String(text) | Value::Safe(_, text) => {
            let wanted = position(index, text.len())?;
            text.as_bytes()
                .get(wanted)
                .map(|byte| Value::Uint(u64::from(*byte)))
                .ok_or_else(|| "reflect: string index out of range".to_owned())
        }
        Value::Map(map) => match index {
            Value::Nil => Err("value is nil; should be of type string".to_owned()),
            Value::String(key) => Ok(map.get(key).cloned().unwrap_or_else(|| map.zero())),
            other => Err(format!(
                "value has type {}; should be string",
                other.type_name()
            )),
        },
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(args: &[Value]) -> Result<Value, String> {
    let (item, indices) = args.split_first().ok_or("slice of untyped nil")?;
    if matches!(item, Value::Nil) {
        return Err("slice of untyped nil".to_owned());
    }
    if indices.len() > 3 {
        return Err(format!("too many slice indexes: {}", indices.len()));
    }
    let length = match item {
        Value::List(list) => list.items.len(),
        Value::String(_) | Value::Safe(..) if indices.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        Value::String(text) | Value::Safe(_, text) => text.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indices) {
        *bound = position(index, length)?;
    }
    let [from, to, cap] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if indices.len() == 3 && to > cap {
        return Err(format!("invalid slice index: {to} > {cap}"));
    }
    match item {
        Value::List(list) => Ok(Value::List(List::new(
            list.ty,
            list.items.get(from..to).unwrap_or_default().to_vec(),
        ))),
        other => {
            let text = other.as_text().unwrap_or_else(|| Arc::from(""));
            let bytes = text.as_bytes().get(from..to).unwrap_or_default();
            // A cut inside of a character leaves Go with broken UTF-8, which prints as U+FFFD.
            Ok(Value::from(String::from_utf8_lossy(bytes).into_owned()))
        }
    }
}

fn length(item: &Value) -> Result<Value, String> {
    let length = match item {
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.len(),
        Value::String(text) | Value::Safe(_, text) => text.len(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(length as i64))
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    )
}

fn equal_any(first: &Value, rest: &[Value]) -> Result<bool, String> {
    if rest.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in rest {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Uint(a), Value::Uint(b)) => Ok(a == b),
        (Value::Uint(u), other) | (other, Value::Uint(u)) if other.kind() == Kind::Int => {
            Ok(other.as_int().and_then(|v| u64::try_from(v).ok()) == Some(*u))
        }
        (Value::Time(a), Value::Time(b)) => Ok(a.since(b) == 0),
        _ => match (a.kind(), b.kind()) {
            (Kind::Int, Kind::Int) => Ok(a.as_int() == b.as_int()),
            (Kind::String, Kind::String) => Ok(a.as_text() == b.as_text()),
            (x, y) if x == y && !matches!(x, Kind::Bool | Kind::Float | Kind::Uint) => {
                let shown = |v: &Value| printf::sprint(std::slice::from_ref(v)).unwrap_or_default();
                Err(format!(
                    "non-comparable type {}: {}",
                    shown(b),
                    b.type_name()
                ))
            }
            _ => Err(incompatible(a, b)),
        },
    }
}

fn less(a: &Value, b: &Value) -> Result<bool, String> {
    const UNORDERED: &str = "invalid type for comparison";
    let orders = |v: &Value| {
        matches!(
            v.kind(),
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Float | Kind::String
        )
    };
    if !orders(a) || !orders(b) {
        return Err(UNORDERED.to_owned());
    }
    match (a, b) {
        (Value::Bool(_), Value::Bool(_)) => Err(UNORDERED.to_owned()),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Uint(a), Value::Uint(b)) => Ok(a < b),
        (Value::Uint(u), other) if other.kind() == Kind::Int => {
            let v = other.as_int().unwrap_or(0);
            Ok(u64::try_from(v).is_ok_and(|v| *u < v))
        }
        (other, Value::Uint(u)) if other.kind() == Kind::Int => {
            let v = other.as_int().unwrap_or(0);
            Ok(v < 0 || u64::try_from(v).is_ok_and(|v| v < *u))
        }
        _ => match (a.kind(), b.kind()) {
            (Kind::Int, Kind::Int) => Ok(a.as_int() < b.as_int()),
            (Kind::String, Kind::String) => Ok(a.as_text() < b.as_text()),
            _ => Err(incompatible(a, b)),
        },
    }
}

/// The arguments as `print` joins them; nil is `<no value>`.
pub(super) fn joined(args: &[Value]) -> Result<Arc<str>, String> {
    if let [single] = args
        && let Some(text) = single.as_text()
    {
        return Ok(text);
    }
    let args: Vec<Value> = args
        .iter()
        .map(|arg| match arg {
            Value::Nil => Value::from("<no value>"),
            other => other.clone(),
        })
        .collect();
    printf::sprint_printable(&args).map(Arc::from)
}

/// The `html` function.
pub(super) fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// The `js` function.
fn escape_js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' => out.push_str("\\u003C"),
            '>' => out.push_str("\\u003E"),
            '&' => out.push_str("\\u0026"),
            '=' => out.push_str("\\u003D"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c if !c.is_ascii() && quote(&c.to_string()).starts_with("\"\\") => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// `url.QueryEscape`, which is also the `urlquery` function.
pub(crate) fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
