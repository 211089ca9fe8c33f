//! Lists of addresses as people write them: `a@b`, `Name <a@b>`, `"Na, me" <a@b>`.

/// How many recipients a list may name.
const ADDRESSES_MAX: usize = 1000;

/// The bare addresses of a list; `None` when it is not one.
pub(super) fn parse_list(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for part in split(text)? {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        found.push(parse(part)?);
        if found.len() > ADDRESSES_MAX {
            return None;
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Splits at commas outside of quotes and angle brackets.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            ',' if !quoted && !angle => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted && !angle).then_some(parts)
}

fn parse(part: &str) -> Option<String> {
    let address = match part.strip_suffix('>') {
        Some(body) => &body[body.rfind('<')? + 1..],
        None => part,
    };
    let address = address.trim();
    let (local, domain) = address.rsplit_once('@')?;
    let local_ok = (local.starts_with('"') && local.ends_with('"') && local.len() > 2)
        || (!local.is_empty()
            && !local.starts_with('.')
            && !local.ends_with('.')
            && local
                .chars()
                .all(|c| !c.is_whitespace() && !"()<>[]:;@\\,\"".contains(c)));
    let domain_ok = !domain.is_empty()
        && domain
            .chars()
            .all(|c| c.is_alphanumeric() || "-._[]:".contains(c));
    let clean = !part.chars().any(char::is_control);
    (local_ok && domain_ok && clean).then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_people_write_them() {
        assert_eq!(
            parse_list("a@x.org, B <b@x.org>,\"C, D\" <c@x.org>"),
            Some(vec!["a@x.org".into(), "b@x.org".into(), "c@x.org".into()])
        );
        for bad in [
            "",
            "a",
            "a@",
            "@x",
            "a b@x",
            "<a@x",
            "a@x\r\nRCPT TO:<b@x>",
            "\"a <a@x>",
        ] {
            assert_eq!(parse_list(bad), None, "{bad}");
        }
    }
}
