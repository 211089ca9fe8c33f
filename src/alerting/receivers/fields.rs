use std::path::PathBuf;

use serde_json::Value as Json;

use crate::model::Secret;
use crate::model::http_client::SecretSource;

/// The fields of a receiver's section in `alertmanager.yml`, with what is inherited from the global
/// section filled in. The configuration implements it; receivers know their own fields and defaults.
pub trait Fields {
    /// A text or an address; `None` when the field is absent.
    fn text(&self, name: &str) -> Option<&str>;
    /// A text or an address that must not be shown; `None` when absent or empty.
    fn secret(&self, name: &str) -> Option<&Secret>;
    /// Yes or no.
    fn flag(&self, name: &str) -> Option<bool>;
    /// A whole number.
    fn int(&self, name: &str) -> Option<i64>;
    /// A length of time in nanoseconds.
    fn nanoseconds(&self, name: &str) -> Option<i64>;
    /// Texts by name, in order; none when absent.
    fn map(&self, name: &str) -> &[(String, String)];
    /// Texts; none when absent.
    fn texts(&self, name: &str) -> &[String];
    /// Anything.
    fn any(&self, name: &str) -> Option<&Json>;
    /// A section inside.
    fn section(&self, name: &str) -> Option<&dyn Fields>;
    /// Sections inside; none when absent.
    fn sections(&self, name: &str) -> Vec<&dyn Fields>;
}

/// A text, or what upstream takes when the field is absent.
pub(super) fn text_or(fields: &dyn Fields, name: &str, default: &str) -> String {
    fields.text(name).unwrap_or(default).to_owned()
}

/// A text, empty when absent.
pub(super) fn text(fields: &dyn Fields, name: &str) -> String {
    text_or(fields, name, "")
}

/// A flag, off when absent.
pub(super) fn flag(fields: &dyn Fields, name: &str) -> bool {
    fields.flag(name).unwrap_or(false)
}

/// A secret given in place, as `name`, or in a file, as `name_file`.
pub(super) fn source(fields: &dyn Fields, name: &str) -> SecretSource {
    if let Some(secret) = fields.secret(name) {
        return SecretSource::Inline(secret.clone());
    }
    match fields.text(&format!("{name}_file")) {
        Some(file) if !file.is_empty() => SecretSource::File(PathBuf::from(file)),
        _ => match fields.text(name) {
            Some(text) if !text.is_empty() => SecretSource::Inline(Secret::new(text)),
            _ => SecretSource::None,
        },
    }
}
