//! The status page: one HTML file with its style and script inside, embedded. It asks the HTTP API like any
//! other client, works without network, and puts whatever it is told on the page as text, never as markup.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The page.
pub const HTML: &str = include_str!("index.html");

/// Its `Content-Security-Policy`: its own style and script by their hashes, questions to this server alone,
/// nothing else, and no frame around it.
pub fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(between("<script>", "</script>")),
            hash(between("<style>", "</style>")),
        )
    });
    &POLICY
}

fn between(begin: &str, end: &str) -> &'static str {
    HTML.split_once(begin)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("", |(inside, _)| inside)
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        assert!(HTML.len() < 40 << 10, "{} bytes", HTML.len());
        for needle in ["http://", "https://", "//cdn", "@import", "url("] {
            let allowed = match needle {
                // The name space of SVG is a name, not an address.
                "http://" => HTML.matches("http://www.w3.org/2000/svg").count(),
                _ => 0,
            };
            assert_eq!(HTML.matches(needle).count(), allowed, "{needle}");
        }
    }

    #[test]
    fn nothing_on_the_page_is_made_from_text_as_markup() {
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "setAttribute('style'",
            "javascript:",
            " onclick=",
            " style=",
        ] {
            assert!(!HTML.contains(sink), "{sink}");
        }
        assert_eq!(HTML.matches("<script").count(), 1);
        assert_eq!(HTML.matches("<style").count(), 1);
        let policy = content_security_policy();
        assert!(!policy.contains("unsafe") && policy.matches("sha256-").count() == 2);
    }
}
