//! Text in XML.

/// Makes a text fit for content and for attributes in double quotes. What XML cannot say at all, such as
/// most control characters, becomes U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_leaves_its_place() {
        assert_eq!(
            escape("a<b> & \"c\"\n\u{1}"),
            "a&lt;b&gt; &amp; &quot;c&quot;&#10;\u{fffd}"
        );
    }
}
