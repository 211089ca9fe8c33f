//! URLs as Go's `net/url` takes them: what the configuration refuses, and how a password is hidden.

/// The parts that checks look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts<'t> {
    /// In lower case; empty when there is none.
    pub(crate) scheme: String,
    /// Host and port; empty when there is none.
    pub(crate) host: &'t str,
}

/// Checks a URL. The texts are those of Go's errors.
pub(crate) fn parse(text: &str) -> Result<Parts<'_>, String> {
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let without_fragment = text.split('#').next().unwrap_or(text);
    let (scheme, rest) = split_scheme(without_fragment)?;
    let rest = rest.split('?').next().unwrap_or(rest);
    if let Some(authority) = rest.strip_prefix("//") {
        let authority = authority.split('/').next().unwrap_or(authority);
        let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
        check_host(host)?;
        check_escapes(&rest[2 + authority.len()..])?;
        return Ok(Parts { scheme, host });
    }
    if scheme.is_empty() && !rest.starts_with('/') {
        let segment = rest.split('/').next().unwrap_or(rest);
        if segment.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    check_escapes(rest)?;
    Ok(Parts { scheme, host: "" })
}

/// The URL with `xxxxx` for its password.
pub(crate) fn redacted(text: &str) -> String {
    let Some(start) = text.find("//").map(|at| at + 2) else {
        return text.to_owned();
    };
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    let Some((user, host)) = text[start..end].rsplit_once('@') else {
        return text.to_owned();
    };
    match user.split_once(':') {
        Some((user, _)) => format!("{}{user}:xxxxx@{host}{}", &text[..start], &text[end..]),
        None => text.to_owned(),
    }
}

fn split_scheme(text: &str) -> Result<(String, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((text[..at].to_ascii_lowercase(), &text[at + 1..])),
            _ => return Ok((String::new(), text)),
        }
    }
    Ok((String::new(), text))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = if let Some(rest) = host.strip_prefix('[') {
        let (_, port) = rest
            .split_once(']')
            .ok_or_else(|| "missing ']' in host".to_owned())?;
        port
    } else {
        host.find(':').map_or("", |at| &host[at..])
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let good =
        port.is_empty() || port.starts_with(':') && digits.bytes().all(|b| b.is_ascii_digit());
    if !good {
        return Err(format!(
            "invalid port {} after host",
            crate::text::quote::quote(port)
        ));
    }
    if let Some(bad) = host.chars().find(|c| {
        matches!(
            c,
            ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'
        )
    }) {
        return Err(format!(
            "invalid character {} in host name",
            crate::text::quote::quote(&bad.to_string())
        ));
    }
    Ok(())
}

fn check_escapes(path: &str) -> Result<(), String> {
    let bytes = path.as_bytes();
    for (at, _) in path.match_indices('%') {
        let hex = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if !(hex(1) && hex(2)) {
            let shown: String = path[at..].chars().take(3).collect();
            return Err(format!(
                "invalid URL escape {}",
                crate::text::quote::quote(&shown)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_judged_as_go_does() {
        for (text, scheme, host) in [
            ("http://a.b:80/c?d#e", "http", "a.b:80"),
            ("https://u:p@h/", "https", "h"),
            ("a.b/c", "", ""),
            ("http://[::1]:9/", "http", "[::1]:9"),
            ("", "", ""),
            ("unix:///x", "unix", ""),
        ] {
            let parts = parse(text).unwrap();
            assert_eq!(
                (parts.scheme.as_str(), parts.host),
                (scheme, host),
                "{text}"
            );
        }
        for (text, error) in [
            ("://x", "missing protocol scheme"),
            ("a b:c", "first path segment in URL cannot contain colon"),
            ("http://h:x/", "invalid port \":x\" after host"),
            ("http://h/%zz", "invalid URL escape \"%zz\""),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(redacted("http://u:p@h/x"), "http://u:xxxxx@h/x");
        assert_eq!(redacted("http://u@h/x"), "http://u@h/x");
    }
}
