//! The state machine: how text changes the context.

use super::context::{Attr, Context, Delim, Element, Slash, State, UrlPart};
use super::{css, js};
use crate::text::quote::quote;

/// The context after some text was read, and how many bytes that were; or Go's words for what is wrong.
pub(super) type Step = Result<(Context, usize), String>;

/// Consumes some of `s` in context `c`.
pub(super) fn after_text(c: Context, s: &[u8]) -> Step {
    if c.delim == Delim::None {
        let end = special_tag_end(c, s);
        return match end {
            Some(0) => Ok((Context::default(), 0)),
            Some(end) => step(c, &s[..end]),
            None => step(c, s),
        };
    }
    let end = index_any(s, c.delim.ends()).unwrap_or(s.len());
    if c.delim == Delim::SpaceOrTagEnd
        && let Some(at) = index_any(&s[..end], b"\"'<=`")
    {
        return Err(format!(
            "{} in unquoted attr: {}",
            quoted(&s[at..=at]),
            quoted(&s[..end])
        ));
    }
    if end == s.len() {
        // The value goes on; it is read as the browser will read it, without entities.
        let value = unescape_entities(s);
        let (mut c, mut rest) = (c, &value[..]);
        while !rest.is_empty() {
            let (next, read) = step(c, rest)?;
            if read == 0 && next == c {
                break;
            }
            c = next;
            rest = &rest[read.min(rest.len())..];
        }
        return Ok((c, s.len()));
    }
    let mut element = c.element;
    if c.state == State::Attr
        && element == Element::Script
        && c.attr == Attr::ScriptType
        && !js::is_script_type(&String::from_utf8_lossy(&s[..end]))
    {
        element = Element::None;
    }
    let quote_length = usize::from(c.delim != Delim::SpaceOrTagEnd);
    Ok((
        Context {
            state: State::Tag,
            element,
            ..Context::default()
        },
        end + quote_length,
    ))
}

/// One transition.
pub(super) fn step(c: Context, s: &[u8]) -> Step {
    match c.state {
        State::Text => Ok(text(c, s)),
        State::Tag => tag(c, s),
        State::AttrName => attr_name(c, s),
        State::AfterName => Ok(after_name(c, s)),
        State::BeforeValue => Ok(before_value(c, s)),
        State::HtmlComment => Ok(match find(s, b"-->") {
            Some(at) => (Context::default(), at + 3),
            None => (c, s.len()),
        }),
        State::Rcdata => Ok(match special_tag_end(c, s) {
            Some(at) => (Context::default(), at),
            None => (c, s.len()),
        }),
        State::Attr | State::Dead => Ok((c, s.len())),
        State::Url | State::Srcset => Ok((url(c, s), s.len())),
        State::Js => js_code(c, s),
        State::JsDoubleQuoted | State::JsSingleQuoted | State::JsTemplate | State::JsRegexp => {
            js_delimited(c, s)
        }
        State::JsBlockComment | State::CssBlockComment => Ok(block_comment(c, s)),
        State::JsLineComment
        | State::JsHtmlOpenComment
        | State::JsHtmlCloseComment
        | State::CssLineComment => Ok(line_comment(c, s)),
        State::Css => Ok(css_code(c, s)),
        State::CssDoubleQuoted
        | State::CssSingleQuoted
        | State::CssDoubleQuotedUrl
        | State::CssSingleQuotedUrl
        | State::CssUrl => css_string(c, s),
    }
}

fn find(s: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(s, needle)
}

pub(super) fn index_any(s: &[u8], set: &[u8]) -> Option<usize> {
    s.iter().position(|b| set.contains(b))
}

fn quoted(s: &[u8]) -> String {
    quote(&String::from_utf8_lossy(s))
}

/// Go's `%.32q`.
fn quoted_short(s: &[u8]) -> String {
    let text = String::from_utf8_lossy(s);
    quote(&text.chars().take(32).collect::<String>())
}

fn blanks(s: &[u8], from: usize) -> usize {
    let is_blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r');
    s[from..]
        .iter()
        .position(|b| !is_blank(b))
        .map_or(s.len(), |at| from + at)
}

fn text(c: Context, s: &[u8]) -> (Context, usize) {
    let mut from = 0;
    loop {
        let Some(at) = s[from..]
            .iter()
            .position(|b| *b == b'<')
            .map(|at| from + at)
        else {
            return (c, s.len());
        };
        if at + 1 == s.len() {
            return (c, s.len());
        }
        if s[at..].starts_with(b"<!--") {
            return (Context::of(State::HtmlComment), at + 4);
        }
        let mut name = at + 1;
        let closes = s[name] == b'/';
        if closes {
            if name + 1 == s.len() {
                return (c, s.len());
            }
            name += 1;
        }
        let (end, element) = tag_name(s, name);
        if end != name {
            let element = if closes { Element::None } else { element };
            let next = Context {
                state: State::Tag,
                element,
                ..Context::default()
            };
            return (next, end);
        }
        from = end;
    }
}

/// The end of a tag's name and the element it names.
fn tag_name(s: &[u8], from: usize) -> (usize, Element) {
    if !s.get(from).is_some_and(u8::is_ascii_alphabetic) {
        return (from, Element::None);
    }
    let mut end = from + 1;
    while let Some(b) = s.get(end) {
        if b.is_ascii_alphanumeric() {
            end += 1;
        } else if matches!(b, b':' | b'-') && s.get(end + 1).is_some_and(u8::is_ascii_alphanumeric)
        {
            // Names with a prefix: `x-y`, `x:y`.
            end += 2;
        } else {
            break;
        }
    }
    let element = match s[from..end].to_ascii_lowercase().as_slice() {
        b"script" => Element::Script,
        b"style" => Element::Style,
        b"textarea" => Element::Textarea,
        b"title" => Element::Title,
        _ => Element::None,
    };
    (end, element)
}

fn tag(c: Context, s: &[u8]) -> Step {
    let at = blanks(s, 0);
    if at == s.len() {
        return Ok((c, s.len()));
    }
    if s[at] == b'>' {
        let next = Context {
            state: c.element.content(),
            element: c.element,
            ..Context::default()
        };
        return Ok((next, at + 1));
    }
    let end = eat_attr_name(s, at)?;
    if at == end {
        return Err(format!(
            "expected space, attr name, or end of tag, but got {}",
            quoted(&s[at..])
        ));
    }
    let name = String::from_utf8_lossy(&s[at..end]).to_lowercase();
    let attr = if c.element == Element::Script && name == "type" {
        Attr::ScriptType
    } else {
        match super::url::attr_type(&name) {
            super::url::AttrType::Url => Attr::Url,
            super::url::AttrType::Css => Attr::Style,
            super::url::AttrType::Js => Attr::Script,
            super::url::AttrType::Srcset => Attr::Srcset,
            _ => Attr::None,
        }
    };
    let state = if end == s.len() {
        State::AttrName
    } else {
        State::AfterName
    };
    let next = Context {
        state,
        attr,
        element: c.element,
        ..Context::default()
    };
    Ok((next, end))
}

fn eat_attr_name(s: &[u8], from: usize) -> Result<usize, String> {
    for (at, b) in s.iter().enumerate().skip(from) {
        match b {
            b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | b'=' | b'>' => return Ok(at),
            b'\'' | b'"' | b'<' => {
                return Err(format!(
                    "{} in attribute name: {}",
                    quoted(&s[at..=at]),
                    quoted_short(s)
                ));
            }
            _ => {}
        }
    }
    Ok(s.len())
}

fn attr_name(mut c: Context, s: &[u8]) -> Step {
    let end = eat_attr_name(s, 0)?;
    if end != s.len() {
        c.state = State::AfterName;
    }
    Ok((c, end))
}

fn after_name(mut c: Context, s: &[u8]) -> (Context, usize) {
    let at = blanks(s, 0);
    match s.get(at) {
        None => (c, s.len()),
        Some(b'=') => {
            c.state = State::BeforeValue;
            (c, at + 1)
        }
        Some(_) => {
            c.state = State::Tag;
            (c, at)
        }
    }
}

fn before_value(mut c: Context, s: &[u8]) -> (Context, usize) {
    let at = blanks(s, 0);
    let Some(b) = s.get(at) else {
        return (c, s.len());
    };
    let (delim, at) = match b {
        b'\'' => (Delim::Single, at + 1),
        b'"' => (Delim::Double, at + 1),
        _ => (Delim::SpaceOrTagEnd, at),
    };
    c.state = c.attr.start_state();
    c.delim = delim;
    (c, at)
}

/// Where the end tag of the element we are in begins.
fn special_tag_end(c: Context, s: &[u8]) -> Option<usize> {
    if c.element == Element::None || c.state.is_in_tag() {
        return None;
    }
    // compat: what looks like the end of a script inside of its literals and comments is none.
    if c.element == Element::Script && (c.state.is_script_literal() || c.state.is_comment()) {
        return None;
    }
    let name = c.element.name().as_bytes();
    let mut from = 0;
    while let Some(at) = find(&s[from..], b"</").map(|at| from + at) {
        let tail = &s[at + 2..];
        if tail.len() >= name.len()
            && tail[..name.len()].eq_ignore_ascii_case(name)
            && tail
                .get(name.len())
                .is_some_and(|b| b"> \t\n\x0c/".contains(b))
        {
            return Some(at);
        }
        from = at + 2;
    }
    None
}

fn url(mut c: Context, s: &[u8]) -> Context {
    if index_any(s, b"#?").is_some() {
        c.url_part = UrlPart::QueryOrFragment;
    } else if blanks(s, 0) != s.len() && c.url_part == UrlPart::None {
        c.url_part = UrlPart::PreQuery;
    }
    c
}

fn js_code(mut c: Context, s: &[u8]) -> Step {
    let Some(at) = index_any(s, b"\"`'/<-#") else {
        c.slash = js::next_slash(s, c.slash);
        return Ok((c, s.len()));
    };
    c.slash = js::next_slash(&s[..at], c.slash);
    let here = &s[at..];
    let mut end = at;
    match s[at] {
        b'"' => (c.state, c.slash) = (State::JsDoubleQuoted, Slash::Regexp),
        b'\'' => (c.state, c.slash) = (State::JsSingleQuoted, Slash::Regexp),
        b'`' => (c.state, c.slash) = (State::JsTemplate, Slash::Regexp),
        b'/' if here.starts_with(b"//") => {
            c.state = State::JsLineComment;
            end += 1;
        }
        b'/' if here.starts_with(b"/*") => {
            c.state = State::JsBlockComment;
            end += 1;
        }
        b'/' => match c.slash {
            Slash::Regexp => c.state = State::JsRegexp,
            Slash::Division => c.slash = Slash::Regexp,
            Slash::Unknown => {
                return Err(format!(
                    "'/' could start a division or regexp: {}",
                    quoted_short(here)
                ));
            }
        },
        b'<' if here.starts_with(b"<!--") => {
            c.state = State::JsHtmlOpenComment;
            end += 3;
        }
        b'-' if here.starts_with(b"-->") => {
            c.state = State::JsHtmlCloseComment;
            end += 2;
        }
        b'#' if here.starts_with(b"#!") => {
            c.state = State::JsLineComment;
            end += 1;
        }
        _ => {}
    }
    Ok((c, end + 1))
}

fn js_delimited(mut c: Context, s: &[u8]) -> Step {
    let specials: &[u8] = match c.state {
        State::JsSingleQuoted => b"\\'",
        State::JsTemplate => b"`\\",
        State::JsRegexp => b"\\/[]",
        _ => b"\\\"",
    };
    let (mut from, mut in_set) = (0, false);
    while let Some(at) = index_any(&s[from..], specials).map(|at| from + at) {
        from = at + 1;
        match s[at] {
            b'\\' => {
                if from == s.len() {
                    return Err(format!(
                        "unfinished escape sequence in JS string: {}",
                        quoted(s)
                    ));
                }
                from += 1;
            }
            b'[' => in_set = true,
            b']' => in_set = false,
            _ if !in_set => {
                (c.state, c.slash) = (State::Js, Slash::Division);
                return Ok((c, at + 1));
            }
            _ => {}
        }
    }
    if in_set {
        return Err(format!("unfinished JS regexp charset: {}", quoted(s)));
    }
    Ok((c, s.len()))
}

fn block_comment(mut c: Context, s: &[u8]) -> (Context, usize) {
    let Some(at) = find(s, b"*/") else {
        return (c, s.len());
    };
    c.state = if c.state == State::JsBlockComment {
        State::Js
    } else {
        State::Css
    };
    (c, at + 2)
}

fn line_comment(mut c: Context, s: &[u8]) -> (Context, usize) {
    let css = c.state == State::CssLineComment;
    let plain: &[u8] = if css { b"\n\x0c\r" } else { b"\n\r" };
    let mut end = index_any(s, plain);
    if !css {
        for separator in ["\u{2028}", "\u{2029}"] {
            if let Some(at) = find(s, separator.as_bytes()) {
                end = Some(end.map_or(at, |end| end.min(at)));
            }
        }
    }
    let Some(end) = end else {
        return (c, s.len());
    };
    c.state = if css { State::Css } else { State::Js };
    (c, end)
}

fn css_code(mut c: Context, s: &[u8]) -> (Context, usize) {
    let mut from = 0;
    loop {
        let Some(at) = index_any(&s[from..], b"(\"'/").map(|at| from + at) else {
            return (c, s.len());
        };
        match s[at] {
            b'(' if css::ends_with_url(s[..at].trim_ascii_end()) => {
                let mut next = blanks(s, at + 1);
                c.state = match s.get(next) {
                    Some(b'"') => State::CssDoubleQuotedUrl,
                    Some(b'\'') => State::CssSingleQuotedUrl,
                    _ => State::CssUrl,
                };
                if c.state != State::CssUrl {
                    next += 1;
                }
                return (c, next);
            }
            b'/' if s[at..].starts_with(b"//") => {
                c.state = State::CssLineComment;
                return (c, at + 2);
            }
            b'/' if s[at..].starts_with(b"/*") => {
                c.state = State::CssBlockComment;
                return (c, at + 2);
            }
            b'"' => {
                c.state = State::CssDoubleQuoted;
                return (c, at + 1);
            }
            b'\'' => {
                c.state = State::CssSingleQuoted;
                return (c, at + 1);
            }
            _ => {}
        }
        from = at + 1;
    }
}

fn css_string(mut c: Context, s: &[u8]) -> Step {
    let ends: &[u8] = match c.state {
        State::CssDoubleQuoted | State::CssDoubleQuotedUrl => b"\\\"",
        State::CssSingleQuoted | State::CssSingleQuotedUrl => b"\\'",
        _ => b"\\\t\n\x0c\r )",
    };
    let mut from = 0;
    loop {
        let Some(at) = index_any(&s[from..], ends).map(|at| from + at) else {
            return Ok((url(c, &css::decode(&s[from..])), s.len()));
        };
        let mut end = at;
        if s[at] == b'\\' {
            end += 1;
            if end == s.len() {
                return Err(format!(
                    "unfinished escape sequence in CSS string: {}",
                    quoted(s)
                ));
            }
        } else {
            c.state = State::Css;
            return Ok((c, at + 1));
        }
        c = url(c, &css::decode(&s[..=end]));
        from = end + 1;
    }
}

/// The entities that matter for finding the ends of values; others stay as they are.
fn unescape_entities(s: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(s);
    if !text.contains('&') {
        return s.to_vec();
    }
    let mut out = String::new();
    let mut rest: &str = &text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|end| *end <= 10);
        let decoded = end.and_then(|end| match &rest[1..end] {
            "quot" => Some('"'),
            "apos" => Some('\''),
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            name => name
                .strip_prefix("#x")
                .or_else(|| name.strip_prefix("#X"))
                .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                .or_else(|| name.strip_prefix('#').and_then(|n| n.parse().ok()))
                .and_then(char::from_u32),
        });
        if let (Some(c), Some(end)) = (decoded, end) {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out.into_bytes()
}
