//! Letter case as Go's `strings.ToLower` and `strings.ToUpper` change it: one character for one.

/// Every character in lower case.
pub(super) fn lower(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            // compat: the one letter whose full mapping is longer than Go's simple one.
            '\u{130}' => 'i',
            c => only(c.to_lowercase(), c),
        })
        .collect()
}

/// Every character in upper case; letters such as `ß` that would become two stay as they are.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(simple_upper).collect()
}

fn simple_upper(c: char) -> char {
    let shifted = match c {
        // Greek letters with iota subscript have a title-case form that Go takes.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        c => return only(c.to_uppercase(), c),
    };
    char::from_u32(c as u32 + shifted).unwrap_or(c)
}

fn only(mut mapped: impl ExactSizeIterator<Item = char>, unmapped: char) -> char {
    match mapped.next() {
        Some(c) if mapped.len() == 0 => c,
        _ => unmapped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_change_one_for_one_as_in_go() {
        assert_eq!(lower("ÄBC İΣ1"), "äbc iσ1");
        assert_eq!(upper("äßŉ ᾳµ1"), "ÄßŉᾼΜ1".replace("ŉ", "ŉ "));
    }
}
