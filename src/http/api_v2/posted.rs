//! Alerts as they come: a Prometheus sends them by the thousand and all are right, so they are read straight
//! from the bytes. Whatever is unusual is left to the reader that can say what is wrong.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::alerts::is_uri;
use super::body::parse_time;
use crate::model::{Alert, Labels};
use crate::time::WallTime;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    #[serde(borrow)]
    labels: Texts<'a>,
    #[serde(borrow, default)]
    annotations: Option<Texts<'a>>,
    #[serde(borrow, default)]
    starts_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    ends_at: Option<Text<'a>>,
    #[serde(borrow, default, rename = "generatorURL")]
    generator_url: Option<Text<'a>>,
}

/// A text that lies in the body if it has no escapes.
struct Text<'a>(Cow<'a, str>);

/// An object of texts.
struct Texts<'a>(Vec<(Text<'a>, Text<'a>)>);

/// The alerts of a body; `None` when anything about it is unusual.
pub(super) fn read(body: &[u8]) -> Option<Vec<Alert>> {
    let posted: Vec<Posted<'_>> = serde_json::from_slice(body).ok()?;
    // The alerts of a rule come together and share an address: it is kept once.
    let mut last: Arc<str> = "".into();
    posted
        .into_iter()
        .map(|posted| posted.into_alert(&mut last))
        .collect()
}

impl Posted<'_> {
    fn into_alert(self, last: &mut Arc<str>) -> Option<Alert> {
        let time = |text: Option<Text<'_>>| match text {
            Some(text) if !text.0.is_empty() => parse_time(&text.0),
            _ => Some(WallTime::ZERO),
        };
        let url = self.generator_url.map_or(Cow::Borrowed(""), |url| url.0);
        if **last != *url {
            if !url.is_empty() && !is_uri(&url) {
                return None;
            }
            *last = url.into();
        }
        Some(Alert {
            labels: Labels::from_pairs(self.labels.0),
            annotations: Labels::with_empty_values(self.annotations.map_or_else(Vec::new, |a| a.0)),
            starts_at: time(self.starts_at)?,
            ends_at: time(self.ends_at)?,
            generator_url: Arc::clone(last),
            updated_at: WallTime::ZERO,
            timeout: false,
        })
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Words)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Texts<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                    if pairs.len() > PAIRS_MAX {
                        return Err(A::Error::custom("too many"));
                    }
                }
                Ok(Texts(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// More pairs than this are unusual.
const PAIRS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_read_and_all_else_is_left() {
        let usual = r#"[{"labels":{"a":"x\u0041","b":""},"annotations":{"e":""},"startsAt":"2024-01-01T00:00:00Z",
            "endsAt":"","generatorURL":"http://x/","unknown":[1]},{"labels":{"a":"1"},"annotations":null}]"#;
        let alerts = read(usual.as_bytes()).expect("usual");
        assert_eq!(alerts[0].labels.to_string(), r#"{a="xA"}"#);
        assert_eq!(alerts[0].annotations.get("e"), Some(""));
        assert!(alerts[0].ends_at.is_zero() && !alerts[0].starts_at.is_zero());
        assert_eq!(alerts.len(), 2);
        for unusual in [
            "",
            "null",
            "{}",
            "[null]",
            "[{}]",
            r#"[{"labels":null}]"#,
            r#"[{"labels":{"a":null}}]"#,
            r#"[{"labels":{"a":1}}]"#,
            r#"[{"labels":{},"labels":{}}]"#,
            r#"[{"labels":{},"startsAt":"soon"}]"#,
            r#"[{"labels":{},"generatorURL":"no address"}]"#,
        ] {
            assert!(read(unusual.as_bytes()).is_none(), "{unusual}");
        }
    }
}
