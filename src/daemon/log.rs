//! The log: one line per event, as upstream's `logfmt` or JSON.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Clock;

/// Starts logging to standard error. `level` is `debug`, `info`, `warn` or `error`; with `json` each
/// line is an object. A second call changes nothing.
pub fn init(level: &str, json: bool) {
    // Libraries below us tell their own trouble through our errors.
    let filter = EnvFilter::new(format!("warn,watchfire={level}"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(Lines { json })
        .try_init();
    if started.is_err() {
        tracing::debug!("the log was started already");
    }
}

struct Lines {
    json: bool,
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.others.push((field.name(), text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        let time = Clock::real().now().to_timestamp();
        let time = crate::time::WallTime::from(time).to_string();
        let component = event
            .metadata()
            .target()
            .trim_start_matches("watchfire::")
            .to_owned();
        let head = [
            ("time", time),
            ("level", level.to_owned()),
            ("component", component),
            ("msg", fields.message),
        ];
        let all = head.into_iter().chain(fields.others);
        if self.json {
            let object: serde_json::Map<String, serde_json::Value> = all
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            return writeln!(out, "{}", serde_json::Value::Object(object));
        }
        for (at, (name, value)) in all.enumerate() {
            if at > 0 {
                out.write_char(' ')?;
            }
            write!(out, "{name}={}", quoted(&value))?;
        }
        out.write_char('\n')
    }
}

/// Quotes a value where logfmt needs it.
fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && value
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=');
    if plain {
        value.to_owned()
    } else {
        crate::text::quote::quote(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_a_reader_would_stumble() {
        for (value, shown) in [
            ("plain", "plain"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("line\nbreak", "\"line\\nbreak\""),
        ] {
            assert_eq!(quoted(value), shown);
        }
    }
}
