//! Names of any UTF-8 text, written so that only classic letters are needed.

use std::fmt::Write as _;

use super::EscapingScheme;
use crate::model::ValidationScheme;
use crate::model::labels::is_legacy_metric_name;

/// Writes a metric or label name as the scheme wants it, as upstream's `EscapeName` does.
pub fn escape_name(name: &str, scheme: EscapingScheme) -> String {
    if name.is_empty() || scheme == EscapingScheme::AllowUtf8 {
        return name.to_owned();
    }
    let classic = is_legacy_metric_name(name);
    if classic && scheme != EscapingScheme::Dots {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len() + 8);
    if scheme == EscapingScheme::Values {
        out.push_str("U__");
    }
    for (i, c) in name.chars().enumerate() {
        match (scheme, c) {
            (EscapingScheme::Dots | EscapingScheme::Values, '_') => out.push_str("__"),
            (EscapingScheme::Dots, '.') => out.push_str("_dot_"),
            (_, c) if is_classic(c, i) => out.push(c),
            (EscapingScheme::Underscores, _) => out.push('_'),
            (EscapingScheme::Dots, _) => out.push_str("__"),
            (_, c) => {
                let _ = write!(out, "_{:x}_", c as u32);
            }
        }
    }
    out
}

/// Reads what [`escape_name`] wrote with [`EscapingScheme::Values`] or [`EscapingScheme::Dots`]; what it
/// cannot have written comes back as it is.
pub fn unescape_name(name: &str, scheme: EscapingScheme) -> String {
    let unescaped = match scheme {
        EscapingScheme::AllowUtf8 | EscapingScheme::Underscores => None,
        EscapingScheme::Dots => Some(unescape_dots(name)),
        EscapingScheme::Values => name.strip_prefix("U__").and_then(unescape_values),
    };
    unescaped
        .filter(|name| ValidationScheme::Utf8.is_valid_metric_name(name))
        .unwrap_or_else(|| name.to_owned())
}

const fn is_classic(c: char, position: usize) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':' || (c.is_ascii_digit() && position > 0)
}

fn unescape_dots(name: &str) -> String {
    let joined: Vec<String> = name
        .split("_dot_")
        .map(|part| part.replace("__", "_"))
        .collect();
    joined.join(".")
}

fn unescape_values(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('_') {
            out.push('_');
            rest = tail;
            continue;
        }
        let (code, tail) = rest.split_once('_')?;
        // compat: more than six digits are no character.
        let code = (code.len() <= 6).then(|| u32::from_str_radix(code, 16).ok())??;
        out.push(char::from_u32(code)?);
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_upstream_does() {
        for (name, underscores, dots, values) in [
            (
                "no:escaping_required",
                "no:escaping_required",
                "no:escaping__required",
                "no:escaping_required",
            ),
            (
                "mysystem.prod.west.cpu.load",
                "mysystem_prod_west_cpu_load",
                "mysystem_dot_prod_dot_west_dot_cpu_dot_load",
                "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load",
            ),
            (
                "http.status:sum",
                "http_status:sum",
                "http_dot_status:sum",
                "U__http_2e_status:sum",
            ),
            (
                "label with 😱",
                "label_with__",
                "label__with____",
                "U__label_20_with_20__1f631_",
            ),
        ] {
            assert_eq!(escape_name(name, EscapingScheme::Underscores), underscores);
            assert_eq!(escape_name(name, EscapingScheme::Dots), dots);
            assert_eq!(escape_name(name, EscapingScheme::Values), values);
            assert_eq!(unescape_name(values, EscapingScheme::Values), name);
        }
    }

    #[test]
    fn what_was_never_escaped_stays() {
        for name in ["U__bad_zz_", "U__open_2e", "U___d800_", "plain"] {
            assert_eq!(unescape_name(name, EscapingScheme::Values), name);
        }
    }
}
