//! Label names and values in configuration files.

use std::fmt::Write as _;

use crate::text::quote::quote;
use crate::text::yaml::{Decoder, Node};

/// Reads a mapping of label names to values.
///
/// compat: any UTF-8 text but the empty one is a name; stricter schemes are checked where they are known.
pub(crate) fn read_labels(decoder: &Decoder, node: &Node) -> Vec<(String, String)> {
    decoder
        .map(node, "map[string]string")
        .into_iter()
        .filter_map(|(key, value)| {
            let name = checked(decoder, key, "name")?;
            let value = checked(decoder, value, "value")?;
            if name.is_empty() {
                decoder.fail(key.span, "\"\" is not a valid label name");
                return None;
            }
            Some((name, value))
        })
        .collect()
}

/// A text that may have been given as `!!binary`.
fn checked(decoder: &Decoder, node: &Node, what: &str) -> Option<String> {
    match node.binary() {
        Some(Ok(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let shown = quote_bytes(error.as_bytes());
                decoder.fail(node.span, format!("{shown} is not a valid label {what}"));
                None
            }
        },
        _ => decoder.string(node),
    }
}

fn quote_bytes(bytes: &[u8]) -> String {
    let mut inner = String::new();
    for chunk in bytes.utf8_chunks() {
        let quoted = quote(chunk.valid());
        inner.push_str(&quoted[1..quoted.len() - 1]);
        for byte in chunk.invalid() {
            let _ = write!(inner, "\\x{byte:02x}");
        }
    }
    format!("\"{inner}\"")
}
