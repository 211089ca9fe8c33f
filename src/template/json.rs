//! Go's `encoding/json`: field order as declared, maps sorted, `<`, `>` and `&` escaped.

use std::fmt::Write as _;

use super::value::Value;

/// The longest text one value may become.
const TEXT_MAX: usize = 4 << 20;

/// `json.Marshal` of a value.
pub fn to_json(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write(&mut out, value)?;
    Ok(out)
}

fn write(out: &mut String, value: &Value) -> Result<(), String> {
    if out.len() > TEXT_MAX {
        return Err(format!("json: more than {TEXT_MAX} bytes"));
    }
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(v) => {
            let _ = write!(out, "{v}");
        }
        Value::Int(v) | Value::Named(_, v, _) | Value::Duration(v) => {
            let _ = write!(out, "{v}");
        }
        Value::Uint(v) => {
            let _ = write!(out, "{v}");
        }
        Value::Float(v) => out.push_str(&float(*v)?),
        Value::String(text) | Value::Safe(_, text) => string(out, text),
        Value::Time(time) => string(out, &time.to_rfc3339()),
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item)?;
            }
            out.push(']');
        }
        Value::Map(map) if map.entries.is_none() => out.push_str("null"),
        Value::Map(map) => {
            object(out, map.iter().map(|(key, item)| (&**key, item)))?;
        }
        Value::Object(data) => {
            let fields = data.json_fields();
            object(out, fields.iter().map(|(key, item)| (*key, item)))?;
        }
    }
    Ok(())
}

fn object<'a>(
    out: &mut String,
    entries: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<(), String> {
    out.push('{');
    for (i, (key, item)) in entries.enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(out, key);
        out.push(':');
        write(out, item)?;
    }
    out.push('}');
    Ok(())
}

/// A string literal as Go writes it, with `<`, `>`, `&` and the line separators escaped.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = next_escaped(rest) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Bytes that are escaped, or may begin a character that is.
const SUSPECTS: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = true;
        at += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'&' as usize] = true;
    // The first byte of the line and paragraph separators.
    table[0xe2] = true;
    table
};

/// Where the first character stands that is escaped.
fn next_escaped(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let suspect = |b: &u8| SUSPECTS[usize::from(*b)];
        let at = from + bytes.get(from..)?.iter().position(suspect)?;
        let separator = matches!(bytes.get(at..at + 3), Some([0xe2, 0x80, 0xa8 | 0xa9]));
        if bytes[at] != 0xe2 || separator {
            return Some(at);
        }
        from = at + 1;
    }
}

/// A number as Go writes it: the exponent form below 1e-6 and from 1e21 on.
fn float(v: f64) -> Result<String, String> {
    if !v.is_finite() {
        return Err(format!(
            "json: unsupported value: {}",
            crate::text::gofmt::float_g(v)
        ));
    }
    let magnitude = v.abs();
    if v != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = crate::text::gofmt::float_e(v);
        return Ok(text.replace("e-0", "e-"));
    }
    Ok(crate::text::gofmt::shortest(v))
}
