//! Keeps secrets out of what is told: a receiver may answer with what it was sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) const MASK: &str = "<secret>";

/// Hides secrets in whatever form they may show up again.
pub(super) struct Mask {
    /// The longest first.
    forms: Vec<String>,
}

impl Mask {
    pub(super) fn new(secrets: Vec<String>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            forms.push(STANDARD.encode(&secret));
            let json = serde_json::to_string(&secret).unwrap_or_default();
            forms.push(json.trim_matches('"').to_owned());
            if let Ok(url) = url::Url::parse(&secret) {
                forms.push(url.to_string());
                forms.push(url.path().to_owned());
                forms.extend(url.query().map(str::to_owned));
                forms.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
                forms.extend(url.password().map(str::to_owned));
            }
            forms.push(secret);
        }
        forms.retain(|form| form.len() > 1);
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { forms }
    }

    pub(super) fn hide(&self, text: &str) -> String {
        self.forms
            .iter()
            .fold(text.to_owned(), |text, form| text.replace(form, MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let mask = Mask::new(vec![
            "p\"ss w".to_owned(),
            "https://u:pw9@hooks.example.com/services/T0/B1?key=k9".to_owned(),
        ]);
        for text in [
            "a p\"ss w b",
            "x=p%22ss+w",
            r#"{"p":"p\"ss w"}"#,
            "https://u:pw9@hooks.example.com/services/T0/B1?key=k9",
            "POST /services/T0/B1 HTTP/1.1",
            "got key=k9",
        ] {
            let hidden = mask.hide(text);
            assert!(hidden.contains(MASK), "{hidden}");
            for secret in ["ss w", "ss+w", "T0", "k9", "pw9"] {
                assert!(!hidden.contains(secret), "{hidden}");
            }
        }
    }
}
