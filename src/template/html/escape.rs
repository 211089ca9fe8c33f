//! The escapers: functions that make a value harmless where it is printed.

use std::fmt::Write as _;

use super::context::{Context, Delim, Element, State};
use super::{css, js, transition, url};
use crate::template::builtins;
use crate::template::value::{SafeKind, Value};

/// What stands for values that cannot be made harmless.
pub(super) const FAILSAFE: &str = "ZgotmplZ";

/// One step of escaping, by Go's names for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Escaper {
    Attr,
    Comment,
    Css,
    CssValue,
    HtmlName,
    Html,
    JsRegexp,
    JsString,
    JsValue,
    NoSpace,
    Rcdata,
    Srcset,
    Url,
    UrlFilter,
    UrlNormalizer,
    /// The template's own `html`.
    PredefinedHtml,
    /// The template's own `urlquery`.
    PredefinedQuery,
}

impl Escaper {
    /// The escaper that gives the same guarantee, if it has one.
    pub(super) const fn class(self) -> Self {
        match self {
            Self::Attr | Self::Html | Self::Rcdata => Self::PredefinedHtml,
            Self::Url | Self::UrlNormalizer => Self::PredefinedQuery,
            other => other,
        }
    }

    /// Whether `next` would change nothing after this one.
    pub(super) const fn makes_redundant(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Comment, Self::Attr | Self::Html)
                | (Self::Css | Self::JsRegexp | Self::JsString, Self::Attr)
                | (Self::Url, Self::UrlNormalizer)
        )
    }

    /// Escapes the printed values.
    pub(in crate::template) fn apply(self, args: &[Value]) -> Result<String, String> {
        if self == Self::JsValue {
            return js::value_literal(args);
        }
        let safe = match args {
            [Value::Safe(kind, _)] => Some(*kind),
            _ => None,
        };
        let text = builtins::joined(args)?;
        let html = safe == Some(SafeKind::Html);
        Ok(match self {
            Self::Html if html => text.to_string(),
            Self::Html => replace(&text, true),
            Self::Attr if html => replace(&strip_tags(&text), false),
            Self::Rcdata if html => replace(&text, false),
            Self::Attr | Self::Rcdata => replace(&text, true),
            Self::NoSpace if html => replace_no_space(&strip_tags(&text), false),
            Self::NoSpace => replace_no_space(&text, true),
            Self::Comment => String::new(),
            Self::Css => css::escape(&text),
            Self::CssValue => css::filter_value(&text),
            Self::HtmlName => html_name(&text),
            Self::JsRegexp => js::escape_regexp(&text),
            Self::JsString => js::escape_string(&text),
            Self::JsValue => String::new(),
            Self::Srcset if safe == Some(SafeKind::Url) => {
                url::process(&text, true).replace(',', "%2c")
            }
            Self::Srcset => url::filter_srcset(&text),
            Self::Url => url::process(&text, safe == Some(SafeKind::Url)),
            Self::UrlFilter if safe == Some(SafeKind::Url) => text.to_string(),
            Self::UrlFilter => url::filter(&text),
            Self::UrlNormalizer => url::process(&text, true),
            Self::PredefinedHtml => builtins::escape_html(&text),
            Self::PredefinedQuery => builtins::escape_query(&text),
        })
    }
}

/// Escapes for text and quoted values; `ampersands` too unless the text is HTML already.
fn replace(text: &str, ampersands: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '&' if ampersands => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '+' => out.push_str("&#43;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// Escapes for values without quotes.
fn replace_no_space(text: &str, ampersands: bool) -> String {
    // compat: an empty value would swallow the attribute that follows.
    if text.is_empty() {
        return FAILSAFE.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push_str("&#xfffd;"),
            '&' if ampersands => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '"' | '\'' | '+' | '=' | '`' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{ffff}' => {
                let _ = write!(out, "&#x{:x};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Lets names of harmless attributes through.
fn html_name(text: &str) -> String {
    let name = text.to_lowercase();
    let plain = !name.is_empty()
        && url::attr_type(&name) == url::AttrType::Plain
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    if plain { name } else { FAILSAFE.to_owned() }
}

/// The text of a piece of HTML without its tags.
fn strip_tags(html: &str) -> String {
    let s = html.as_bytes();
    let mut out: Vec<u8> = Vec::new();
    let mut c = Context::default();
    let mut at = 0;
    let mut only_text = true;
    while at < s.len() {
        if c.delim != Delim::None {
            let Some(end) = transition::index_any(&s[at..], c.delim.ends()) else {
                break;
            };
            at += end + usize::from(c.delim != Delim::SpaceOrTagEnd);
            c = Context {
                state: State::Tag,
                element: c.element,
                ..Context::default()
            };
            continue;
        }
        let mut inner = c;
        if c.element != Element::None && !c.state.is_in_tag() {
            inner.state = State::Rcdata;
        }
        let Ok((next, read)) = transition::step(inner, &s[at..]) else {
            break;
        };
        let end = at + read;
        if matches!(c.state, State::Text | State::Rcdata) {
            let mut kept = end;
            if next.state != c.state {
                kept = s[at..end]
                    .iter()
                    .rposition(|b| *b == b'<')
                    .map_or(end, |found| at + found);
            }
            out.extend_from_slice(&s[at..kept]);
        } else {
            only_text = false;
        }
        if read == 0 && next == c {
            break;
        }
        c = next;
        at = end;
    }
    if only_text {
        return html.to_owned();
    }
    if matches!(c.state, State::Text | State::Rcdata) {
        out.extend_from_slice(s.get(at..).unwrap_or_default());
    }
    String::from_utf8_lossy(&out).into_owned()
}
