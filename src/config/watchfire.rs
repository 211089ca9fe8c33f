//! `watchfire.yml`: our own keys. The file is never needed; every key has a default.
//!
//! ```yaml
//! # Receivers whose notifications go to a file or to standard output instead of out into the world.
//! sinks:
//!   team-db: {file: /var/log/notifications.jsonl}
//!   on-call: {stdout: true}
//! # Receivers that are told when another one could not be reached.
//! fallback_receivers:
//!   on-call: mail-to-everyone
//! # How long the record of decisions (notified, silenced, inhibited, ...) is kept.
//! decisions: {max_age: 7d, max_entries: 100000}
//! # What the process may hold in memory.
//! memory: {limit: 1GB}
//! ```

use std::path::{Path, PathBuf};

use crate::config::schema::field::{
    boolean, bytes, duration, int, path, struct_map, structure, text_map,
};
use crate::config::schema::{Record, Section, Value};
use crate::config::{Error, FileProblem, Files};
use crate::text::quote::quote;
use crate::text::yaml::{self, Decoder, Dialect};
use crate::time::Span;

static SINK: Section = Section::new("watchfire.Sink", &[path("file"), boolean("stdout")]);

static DECISIONS: Section = Section::new(
    "watchfire.Decisions",
    &[
        duration("max_age").or_secs(7 * 24 * 3600),
        int("max_entries").or_int(100_000),
    ],
);

static MEMORY: Section = Section::new("watchfire.Memory", &[bytes("limit")]);

static WATCHFIRE: Section = Section::new(
    "watchfire.Config",
    &[
        struct_map("sinks", &SINK),
        text_map("fallback_receivers"),
        structure("decisions", &DECISIONS),
        structure("memory", &MEMORY),
    ],
);

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchfireOptions {
    /// Receivers whose notifications go elsewhere than they say, by name.
    pub sinks: Vec<(String, Sink)>,
    /// Receiver, and the one that is told when it cannot be reached.
    pub fallback_receivers: Vec<(String, String)>,
    /// How long decisions are kept; default 7d.
    pub decisions_max_age: Span,
    /// How many decisions are kept; default 100000.
    pub decisions_max_entries: usize,
    /// What the process may hold in memory, in bytes; default no limit.
    pub memory_limit: Option<u64>,
}

/// Where notifications go for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Appended to this file, a JSON object per line.
    File(PathBuf),
    /// Written to standard output.
    Stdout,
}

impl Default for WatchfireOptions {
    fn default() -> Self {
        Self {
            sinks: Vec::new(),
            fallback_receivers: Vec::new(),
            decisions_max_age: Span::hours(7 * 24),
            decisions_max_entries: 100_000,
            memory_limit: None,
        }
    }
}

/// Reads and checks the file.
pub fn load(path: &Path, files: &dyn Files) -> Result<WatchfireOptions, Error> {
    let name = path.display().to_string();
    let bytes = files.read(path).map_err(|error| Error::Read {
        path: name.clone(),
        reason: format!("open {name}: {error}"),
    })?;
    let folder = path.parent().map(|folder| folder.display().to_string());
    parse(&bytes, folder.as_deref().unwrap_or_default()).map_err(|problems| {
        let source = String::from_utf8_lossy(&bytes).into();
        Error::Invalid(FileProblem::all(&name, &source, problems))
    })
}

/// Reads and checks the text of a file; relative file names are joined to `folder`.
pub fn parse(bytes: &[u8], folder: &str) -> Result<WatchfireOptions, Vec<yaml::Problem>> {
    let document = yaml::utf8(bytes)
        .and_then(yaml::parse_first)
        .map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let mut record = Record::read(&decoder, &document.root, &WATCHFIRE);
    record.set_directory(folder);
    let default = WatchfireOptions::default();
    let decisions = record.record("decisions");
    let max_entries = decisions.map_or(0, |decisions| decisions.int("max_entries"));
    if max_entries < 0 {
        record.fail(&decoder, "decisions", "max_entries must not be negative");
    }
    let memory = record
        .record("memory")
        .map_or(0, |memory| memory.int("limit"));
    if memory < 0 {
        record.fail(&decoder, "memory", "limit must not be negative");
    }
    let options = WatchfireOptions {
        sinks: sinks(&decoder, &record),
        fallback_receivers: record.text_map("fallback_receivers").to_vec(),
        decisions_max_age: decisions.map_or(default.decisions_max_age, |d| d.duration("max_age")),
        decisions_max_entries: usize::try_from(max_entries).unwrap_or(0),
        memory_limit: u64::try_from(memory).ok().filter(|limit| *limit > 0),
    };
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(options)
    } else {
        Err(problems)
    }
}

fn sinks(decoder: &Decoder, record: &Record) -> Vec<(String, Sink)> {
    let Value::RecordMap(sinks) = record.value("sinks") else {
        return Vec::new();
    };
    sinks
        .iter()
        .filter_map(|(receiver, sink)| {
            let target = match (sink.path("file"), sink.bool("stdout")) {
                (Some(file), false) => Sink::File(file),
                (None, true) => Sink::Stdout,
                _ => {
                    let text = format!(
                        "the sink of receiver {} needs either `file` or `stdout: true`",
                        quote(receiver)
                    );
                    decoder.fail(sink.span, text);
                    return None;
                }
            };
            Some((receiver.clone(), target))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse(b"", ""), Ok(WatchfireOptions::default()));
    }

    #[test]
    fn keys_are_read_and_checked() {
        let text = b"sinks: {a: {file: out.jsonl}, b: {stdout: true}}\nfallback_receivers: {b: c}\ndecisions: {max_age: 1d}\nmemory: {limit: 1GB}\n";
        let options = parse(text, "etc").unwrap();
        assert_eq!(
            options.sinks,
            [
                ("a".to_owned(), Sink::File("etc/out.jsonl".into())),
                ("b".to_owned(), Sink::Stdout)
            ]
        );
        assert_eq!(options.decisions_max_age, Span::hours(24));
        assert_eq!(options.decisions_max_entries, 100_000);
        assert_eq!(options.memory_limit, Some(1 << 30));
        let problems = parse(b"sinks: {a: {}}\nsink: {}\n", "").unwrap_err();
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[1].hint.as_deref(), Some("did you mean `sinks`?"));
    }
}
