//! The functions of notification templates.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use crate::template::function::{Function, FunctionSet, Type, text};
use crate::template::gotime::Time;
use crate::template::humanize;
use crate::template::printf::TEXT_MAX;
use crate::template::rules::{match_function, replace_function, safe_html};
use crate::template::value::{ANY_MAP, ANYS, DEPTH_MAX, List, Map, SafeKind, Value};
use crate::time::WallTime;

/// The functions of notification templates. `now` is what `now` yields and `since` counts from.
pub fn functions<'a>(now: WallTime) -> FunctionSet<'a> {
    let mut set = FunctionSet::new();
    insert_text_functions(&mut set);
    insert_list_functions(&mut set);
    insert_time_functions(&mut set, now);
    set
}

/// Refuses values that are nested too deep to be printed safely.
pub(in crate::template) fn bounded(value: Value) -> Result<Value, String> {
    if value.depth() > DEPTH_MAX {
        return Err(format!("lists and maps nested deeper than {DEPTH_MAX}"));
    }
    Ok(value)
}

fn insert_text_functions(set: &mut FunctionSet<'_>) {
    set.insert("toUpper", Function::text(str::to_uppercase));
    set.insert("toLower", Function::text(str::to_lowercase));
    set.insert("title", Function::text(title));
    set.insert("trimSpace", Function::text(|text| text.trim().to_owned()));
    set.insert("match", match_function());
    set.insert("reReplaceAll", replace_function());
    set.insert("safeHtml", safe_html());
    set.insert(
        "safeUrl",
        Function::new(&[Type::STRING], |args| {
            Ok(Value::Safe(SafeKind::Url, text(args, 0)))
        }),
    );
    set.insert(
        "urlUnescape",
        Function::new(&[Type::STRING], |args| {
            unescape_query(&text(args, 0)).map(Value::from)
        }),
    );
    set.insert(
        "join",
        Function::new(&[Type::STRING, Type::STRINGS], |args| {
            let Some(Value::List(list)) = args.get(1) else {
                return Ok(Value::from(""));
            };
            let separator = text(args, 0);
            let mut out = String::new();
            for (i, item) in list.items.iter().enumerate() {
                if i > 0 {
                    out.push_str(&separator);
                }
                out.push_str(&item.as_text().unwrap_or_else(|| Arc::from("")));
                if out.len() > TEXT_MAX {
                    return Err(format!("more than {TEXT_MAX} bytes"));
                }
            }
            Ok(Value::from(out))
        }),
    );
    set.insert(
        "base64encode",
        Function::text(|text| URL_SAFE.encode(text.as_bytes())),
    );
    set.insert(
        "base64decode",
        Function::new(&[Type::STRING], |args| {
            decode_base64(&text(args, 0)).map(Value::from)
        }),
    );
    set.insert(
        "toJson",
        Function::new(&[Type::ANY], |args| {
            crate::template::json::to_json(args.first().unwrap_or(&Value::Nil)).map(Value::from)
        }),
    );
}

/// Go's decoder ignores line ends and names the byte it stopped at.
fn decode_base64(text: &str) -> Result<String, String> {
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = URL_SAFE.decode(clean.as_bytes()).map_err(|_| {
        let at = clean
            .bytes()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=')))
            .unwrap_or(clean.len());
        format!("illegal base64 data at input byte {at}")
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn insert_list_functions(set: &mut FunctionSet<'_>) {
    set.insert(
        "stringSlice",
        Function::variadic(&[], Type::STRING, |args| {
            Ok(Value::List(List::strings(
                args.iter().filter_map(Value::as_text),
            )))
        }),
    );
    set.insert(
        "list",
        Function::variadic(&[], Type::ANY, |args| {
            bounded(Value::List(List::new(&ANYS, args.to_vec())))
        }),
    );
    set.insert(
        "append",
        Function::variadic(&[Type::ANYS], Type::ANY, |args| {
            let mut items = match args.first() {
                Some(Value::List(list)) => list.items.to_vec(),
                _ => Vec::new(),
            };
            items.extend(args.iter().skip(1).cloned());
            bounded(Value::List(List::new(&ANYS, items)))
        }),
    );
    set.insert(
        "dict",
        Function::variadic(&[], Type::ANY, |args| {
            if !args.len().is_multiple_of(2) {
                return Err("dict requires an even number of arguments".to_owned());
            }
            let mut entries = std::collections::BTreeMap::new();
            for pair in args.chunks_exact(2) {
                let [key, value] = pair else { continue };
                let Value::String(key) = key else {
                    return Err("dict keys must be strings".to_owned());
                };
                entries.insert(Arc::clone(key), value.clone());
            }
            bounded(Value::Map(Map::new(&ANY_MAP, entries)))
        }),
    );
}

fn time_arg(args: &[Value], at: usize) -> Time {
    match args.get(at) {
        Some(Value::Time(time)) => time.clone(),
        _ => Time::zero(),
    }
}

fn insert_time_functions(set: &mut FunctionSet<'_>, now: WallTime) {
    let now = Time::from(now);
    let clock = now.clone();
    set.insert(
        "now",
        Function::new(&[], move |_| Ok(Value::Time(clock.clone()))),
    );
    set.insert(
        "since",
        Function::new(&[Type::TIME], move |args| {
            Ok(Value::Duration(now.since(&time_arg(args, 0))))
        }),
    );
    set.insert(
        "date",
        Function::new(&[Type::STRING, Type::TIME], |args| {
            Ok(Value::from(time_arg(args, 1).format(&text(args, 0))))
        }),
    );
    set.insert(
        "tz",
        Function::new(&[Type::STRING, Type::TIME], |args| {
            time_arg(args, 1).in_zone(&text(args, 0)).map(Value::Time)
        }),
    );
    set.insert(
        "toDate",
        Function::new(&[Type::STRING, Type::STRING], |args| {
            let parsed = Time::parse(&text(args, 0), &text(args, 1));
            Ok(Value::Time(parsed.unwrap_or_else(|_| Time::zero())))
        }),
    );
    set.insert(
        "mustToDate",
        Function::new(&[Type::STRING, Type::STRING], |args| {
            Time::parse(&text(args, 0), &text(args, 1)).map(Value::Time)
        }),
    );
    set.insert(
        "humanizeDuration",
        Function::new(&[Type::ANY], |args| {
            let v = humanize::number(args.first().unwrap_or(&Value::Nil))?;
            Ok(Value::from(humanize::humanize_duration(v)))
        }),
    );
}

/// Title case as `golang.org/x/text` does it: the first letter of each word upper, the others lower.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    let chars: Vec<char> = text.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let letter = c.is_alphanumeric() || *c == '_';
        // An apostrophe or a dot between letters does not begin a new word.
        let joins = in_word
            && matches!(c, '\'' | '\u{2019}' | '.' | ':')
            && chars.get(i + 1).is_some_and(|next| next.is_alphabetic());
        if in_word {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        in_word = letter || joins;
    }
    out
}

/// `url.QueryUnescape`.
fn unescape_query(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let value = hex
                    .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                let Some(value) = value else {
                    let shown =
                        String::from_utf8_lossy(tail.get(..tail.len().min(2)).unwrap_or(tail));
                    return Err(format!(
                        "invalid URL escape {}",
                        crate::text::quote::quote(&format!("%{shown}"))
                    ));
                };
                out.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            byte => out.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
