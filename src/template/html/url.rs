//! URLs in attributes, and which attributes hold them.

use std::fmt::Write as _;

use super::escape::FAILSAFE;

/// What the value of an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttrType {
    Plain,
    Unsafe,
    Url,
    Css,
    Js,
    Html,
    Srcset,
}

const URLS: [&str; 17] = [
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "profile",
    "src",
    "usemap",
    "xmlns",
];

const UNSAFE: [&str; 20] = [
    "accept-charset",
    "async",
    "challenge",
    "charset",
    "content",
    "crossorigin",
    "defer",
    "enctype",
    "form",
    "formenctype",
    "formmethod",
    "formnovalidate",
    "http-equiv",
    "keytype",
    "language",
    "method",
    "novalidate",
    "pattern",
    "rel",
    "sandbox",
];

/// The type of the attribute with this name in lower case.
pub(super) fn attr_type(name: &str) -> AttrType {
    let name = if let Some(rest) = name.strip_prefix("data-") {
        rest
    } else if let Some((space, rest)) = name.split_once(':') {
        if space == "xmlns" {
            return AttrType::Url;
        }
        rest
    } else {
        name
    };
    if URLS.contains(&name) {
        return AttrType::Url;
    }
    if UNSAFE.contains(&name) || matches!(name, "type" | "value") {
        return AttrType::Unsafe;
    }
    match name {
        "style" => return AttrType::Css,
        "srcdoc" => return AttrType::Html,
        "srcset" => return AttrType::Srcset,
        "srclang" => return AttrType::Plain,
        _ => {}
    }
    if name.starts_with("on") {
        return AttrType::Js;
    }
    if name.contains("src") || name.contains("uri") || name.contains("url") {
        return AttrType::Url;
    }
    AttrType::Plain
}

/// Whether a URL is relative or has a scheme that cannot run anything.
fn is_safe(url: &str) -> bool {
    match url.split_once(':') {
        Some((scheme, _)) if !scheme.contains('/') => ["http", "https", "mailto"]
            .iter()
            .any(|safe| scheme.eq_ignore_ascii_case(safe)),
        _ => true,
    }
}

/// Lets safe URLs through.
pub(super) fn filter(text: &str) -> String {
    if is_safe(text) {
        text.to_owned()
    } else {
        format!("#{FAILSAFE}")
    }
}

/// Percent-encodes what may not stand in a URL; `normalize` keeps what separates its parts.
pub(super) fn process(text: &str, normalize: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len() + 16);
    for (i, b) in bytes.iter().enumerate() {
        let keep = match b {
            b'!' | b'#' | b'$' | b'&' | b'*' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?'
            | b'@' | b'[' | b']' => normalize,
            b'-' | b'.' | b'_' | b'~' => true,
            b'%' => {
                let valid = bytes
                    .get(i + 1..i + 3)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
                normalize && valid
            }
            b => b.is_ascii_alphanumeric(),
        };
        if keep {
            out.push(char::from(*b));
        } else {
            let _ = write!(out, "%{b:02x}");
        }
    }
    out
}

/// Filters each URL of a `srcset`.
pub(super) fn filter_srcset(text: &str) -> String {
    let parts: Vec<String> = text.split(',').map(srcset_part).collect();
    parts.join(",")
}

fn srcset_part(part: &str) -> String {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r');
    let body = part.trim_start_matches(is_space);
    let lead = &part[..part.len() - body.len()];
    let end = body.find(is_space).unwrap_or(body.len());
    let (url, metadata) = body.split_at(end);
    let plain = metadata
        .chars()
        .all(|c| is_space(c) || c.is_ascii_alphanumeric());
    if is_safe(url) && plain {
        format!("{lead}{}{metadata}", process(url, true))
    } else {
        format!("#{FAILSAFE}")
    }
}
