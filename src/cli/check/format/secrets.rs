//! Keeps secrets out of the lines that findings show: checks run in CI, where everybody reads the log.
//!
//! The file may be broken, so this goes by words and not by its structure. What is hidden keeps its length,
//! so that columns stay right.

use std::ops::Range;

/// Ends of the names of fields that hold secrets.
const SECRETS: [&str; 9] = [
    "password",
    "secret",
    "secrets",
    "token",
    "token_id",
    "credentials",
    "_key",
    "webhook_url",
    "slack_api_url",
];
/// Names of fields with addresses, of which the host is no secret.
const ADDRESSES: [&str; 4] = ["url", "api_url", "proxy_url", "proxy_connect_header"];

/// The text with stars in place of the values of secret fields.
pub(super) fn hidden(text: &str) -> String {
    let mut out = text.to_owned().into_bytes();
    let mut begin = 0;
    // Lines that are indented deeper than this belong to a secret.
    let mut below: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let blank = line.trim().is_empty();
        if below.is_some_and(|key| indent > key && !blank) {
            cover(&mut out, begin + indent..begin + line.trim_end().len());
        } else if !blank {
            below = None;
            for (name, value) in fields(line) {
                let shown = &line[value.clone()];
                let is_address = ADDRESSES.contains(&name);
                if !is_address && !is_secret(name) {
                    continue;
                }
                if shown.trim().is_empty() || shown.starts_with(['|', '>']) {
                    below = Some(indent);
                    continue;
                }
                let from = if is_address { after_host(shown) } else { 0 };
                cover(&mut out, begin + value.start + from..begin + value.end);
            }
        }
        begin += line.len();
    }
    String::from_utf8(out).unwrap_or_default()
}

fn is_secret(name: &str) -> bool {
    name == "key" || SECRETS.iter().any(|end| name.ends_with(end))
}

/// Where what is secret about an address begins: after the host, or at the user's name.
fn after_host(address: &str) -> usize {
    let Some(at) = address.find("://").map(|at| at + 3) else {
        return 0;
    };
    let rest = &address[at..];
    if rest.contains('@') {
        return at;
    }
    at + rest.find(['/', '?', '"', '\'']).unwrap_or(rest.len())
}

fn cover(out: &mut [u8], range: Range<usize>) {
    if let Some(bytes) = out.get_mut(range) {
        for byte in bytes {
            if !matches!(byte, b'"' | b'\'') {
                *byte = b'*';
            }
        }
    }
}

/// The fields of a line with the places of their values.
fn fields(line: &str) -> Vec<(&str, Range<usize>)> {
    let bytes = line.as_bytes();
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(&bytes[at]) {
            at += 1;
            continue;
        }
        let end = at + bytes[at..].iter().take_while(|b| is_word(b)).count();
        let quoted = usize::from(matches!(bytes.get(end), Some(b'"' | b'\'')));
        let colon = end + quoted;
        let ends = matches!(
            bytes.get(colon + 1),
            None | Some(b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'')
        );
        if bytes.get(colon) != Some(&b':') || !ends {
            at = end;
            continue;
        }
        let space = bytes[colon + 1..]
            .iter()
            .take_while(|b| **b == b' ')
            .count();
        let begin = colon + 1 + space;
        let value = begin..begin + value_length(&line[begin..]);
        found.push((&line[at..end], value.clone()));
        // What is inside of a collection may be fields again.
        at = if line[value.clone()].starts_with(['{', '[']) {
            value.start + 1
        } else {
            value.end.max(end + 1)
        };
    }
    found
}

/// The length of a value at the beginning of a text: a quoted one, a list, or what goes up to a comma.
fn value_length(text: &str) -> usize {
    let line = text.trim_end().len();
    let Some(first) = text.chars().next() else {
        return 0;
    };
    match first {
        '"' | '\'' => {
            let mut escaped = false;
            for (at, c) in text.char_indices().skip(1) {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if first == '"' => escaped = true,
                    c if c == first => return at + 1,
                    _ => {}
                }
            }
            line
        }
        '[' => text.find(']').map_or(line, |at| at + 1),
        _ => text.find([',', '}', ']']).unwrap_or(line).min(line),
    }
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn values_of_secret_fields_are_covered() {
        for (text, want) in [
            ("  password: abc\n", "  password: ***\n"),
            (
                "- {routing_key: a1, typo: 1}",
                "- {routing_key: **, typo: 1}",
            ),
            (
                "  api_url: \"https://h.x/s/T0?k=v\", channel: c",
                "  api_url: \"https://h.x*********\", channel: c",
            ),
            ("proxy_url: http://u:p@h/", "proxy_url: http://******"),
            ("url: [x9]", "url: ****"),
            ("api_key_file: /etc/key\n", "api_key_file: /etc/key\n"),
            (
                "a:\n  credentials: >\n    one\n    two\n  type: x\n",
                "a:\n  credentials: >\n    ***\n    ***\n  type: x\n",
            ),
            ("secrets: [a, b]", "secrets: ******"),
            ("X: {secrets:\n  - abc\n", "X: {secrets:\n  - ***\n"),
            ("\"token\": \"a\\\"b\" }", "\"token\": \"**\"*\" }"),
            (
                "summary: a password: is here",
                "summary: a password: is here",
            ),
        ] {
            let seen = hidden(text);
            assert_eq!(seen.len(), text.len());
            assert_eq!(seen, want);
        }
    }
}
