//! Names of mail and HTTP headers as Go writes them.

/// A header's name in its canonical form: `content-TYPE` is `Content-Type`.
///
/// compat: `textproto.CanonicalMIMEHeaderKey`: capitals after hyphens; names with other bytes than those of a
/// token stay as they are.
pub fn canonical_header(name: &str) -> String {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return name.to_owned();
    }
    let mut upper = true;
    name.chars()
        .map(|c| {
            let c = if upper {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            upper = c == '-';
            c
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_follow_hyphens() {
        assert_eq!(canonical_header("message-ID"), "Message-Id");
        assert_eq!(canonical_header("x-a-b"), "X-A-B");
        assert_eq!(canonical_header("two words"), "two words");
        assert_eq!(canonical_header("é-b"), "é-b");
        assert_eq!(canonical_header(""), "");
    }
}
