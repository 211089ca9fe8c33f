//! `watchfire.yml`: our own keys. The file is never needed; every key has a default.
//!
//! ```yaml
//! # Receivers of alertmanager.yml whose notifications go to a file or to standard output instead of out into
//! # the world: a JSON object per line, with the alerts and the message as it would have left. Messages may
//! # hold keys (PagerDuty's do), so files are readable by their owner alone.
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
//! # What `watchfire check` makes of its findings, and the policies of the house.
//! lint:
//!   severities: {no-annotations: off, W012: error}
//!   scrape_interval: 15s
//!   annotations: [{name: runbook_url, pattern: 'https://.*'}]
//!   labels: [{name: severity, pattern: critical|warning}]
//! ```

use std::path::{Path, PathBuf};

use crate::alerting::decisions::DecisionLimits;
use crate::config::lint::{self, LintOptions};
use crate::config::schema::field::{
    boolean, bytes, duration, int, path, struct_map, structure, text_map,
};
use crate::config::schema::{Record, Section, Value};
use crate::config::{Error, FileProblem, Files};
use crate::text::quote::quote;
use crate::text::suggest;
use crate::text::yaml::{self, Decoder, Dialect, Node, Problem};

static SINK: Section = Section::new("watchfire.Sink", &[path("file"), boolean("stdout")]);

static DECISIONS: Section = Section::new(
    "watchfire.Decisions",
    &[
        duration("max_age").or_ms(DecisionLimits::DEFAULT.age.as_ms()),
        int("max_entries").or_int(DecisionLimits::DEFAULT.count as i64),
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
        structure("lint", &lint::LINT),
    ],
);

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchfireOptions {
    /// Receivers whose notifications go elsewhere than they say, by name.
    pub sinks: Vec<(String, Sink)>,
    /// Receiver, and the one that is told when it cannot be reached.
    pub fallback_receivers: Vec<(String, String)>,
    /// How many decisions are kept, and how long.
    pub decisions: DecisionLimits,
    /// What the process may hold in memory, in bytes; default no limit.
    pub memory_limit: Option<u64>,
    /// How the checks of rules and routes behave.
    pub lint: LintOptions,
}

/// Where notifications go for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Appended to this file, a JSON object per line.
    File(PathBuf),
    /// Written to standard output.
    Stdout,
}

/// Reads and checks the file. `receivers` are the names in the router file: only they may be spoken of.
pub fn load(
    path: &Path,
    files: &dyn Files,
    receivers: &[String],
) -> Result<WatchfireOptions, Error> {
    let name = path.display().to_string();
    let bytes = files.read(path).map_err(|error| Error::Read {
        path: name.clone(),
        reason: format!("open {name}: {error}"),
    })?;
    let folder = path.parent().map(|folder| folder.display().to_string());
    let folder = folder.as_deref().unwrap_or_default();
    parse(&bytes, folder, receivers).map_err(|problems| {
        let source = String::from_utf8_lossy(&bytes).into();
        Error::Invalid(FileProblem::all(&name, &source, problems))
    })
}

/// Reads and checks the text of a file; relative file names are joined to `folder`.
pub fn parse(
    bytes: &[u8],
    folder: &str,
    receivers: &[String],
) -> Result<WatchfireOptions, Vec<Problem>> {
    let document = yaml::utf8(bytes)
        .and_then(yaml::parse_first)
        .map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let mut record = Record::read(&decoder, &document.root, &WATCHFIRE);
    record.set_directory(folder);
    check_receivers(&decoder, &document.root, receivers);
    let memory = record
        .record("memory")
        .map_or(0, |memory| memory.int("limit"));
    if memory < 0 {
        record.fail(&decoder, "memory", "limit must not be negative");
    }
    let options = WatchfireOptions {
        sinks: sinks(&decoder, &record),
        fallback_receivers: record.text_map("fallback_receivers").to_vec(),
        decisions: decisions(&decoder, &record),
        memory_limit: u64::try_from(memory).ok().filter(|limit| *limit > 0),
        lint: record
            .record("lint")
            .map_or_else(LintOptions::default, |section| {
                lint::read(&decoder, section)
            }),
    };
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(options)
    } else {
        Err(problems)
    }
}

/// Reads and checks the `lint` section of a file alone, for programs that check and run nothing.
pub fn load_lint(path: &Path, files: &dyn Files) -> Result<LintOptions, Error> {
    let name = path.display().to_string();
    let bytes = files.read(path).map_err(|error| Error::Read {
        path: name.clone(),
        reason: format!("open {name}: {error}"),
    })?;
    parse_lint(&bytes).map_err(|problems| {
        let source = String::from_utf8_lossy(&bytes).into();
        Error::Invalid(FileProblem::all(&name, &source, problems))
    })
}

/// Reads and checks the `lint` section of the text of a file.
pub fn parse_lint(bytes: &[u8]) -> Result<LintOptions, Vec<Problem>> {
    let document = yaml::utf8(bytes)
        .and_then(yaml::parse_first)
        .map_err(|problem| vec![problem])?;
    let decoder = Decoder::new(Dialect::V2);
    let record = Record::read(&decoder, &document.root, &WATCHFIRE);
    let options = record
        .record("lint")
        .map_or_else(LintOptions::default, |section| {
            lint::read(&decoder, section)
        });
    let problems = decoder.into_problems();
    if problems.is_empty() {
        Ok(options)
    } else {
        Err(problems)
    }
}

/// Reports names that no receiver has, and receivers that are their own fallback.
fn check_receivers(decoder: &Decoder, root: &Node, receivers: &[String]) {
    let entries = |name: &str| {
        let entries = root.entry(name).and_then(Node::as_mapping);
        entries.unwrap_or_default()
    };
    let fallbacks = entries("fallback_receivers");
    let keys = entries("sinks").iter().chain(fallbacks);
    let values = fallbacks.iter().map(|entry| &entry.value);
    for node in keys.map(|entry| &entry.key).chain(values) {
        let Some(name) = node.as_str() else {
            continue;
        };
        if receivers.iter().any(|receiver| receiver == name) {
            continue;
        }
        let problem = Problem::new(
            node.span,
            format!("the router file has no receiver {}", quote(name)),
        );
        let known = receivers.iter().map(String::as_str);
        decoder.report(match suggest::closest(name, known) {
            Some(meant) => problem.with_hint(format!("did you mean {}?", quote(meant))),
            None => problem,
        });
    }
    for entry in fallbacks {
        if entry.key.as_str() == entry.value.as_str() {
            let text = "a receiver cannot be its own fallback";
            decoder.fail(entry.value.span, text);
        }
    }
}

fn decisions(decoder: &Decoder, record: &Record) -> DecisionLimits {
    let Some(decisions) = record.record("decisions") else {
        return DecisionLimits::DEFAULT;
    };
    let count = usize::try_from(decisions.int("max_entries")).unwrap_or_else(|_| {
        decisions.fail(decoder, "max_entries", "max_entries must not be negative");
        0
    });
    DecisionLimits {
        count,
        age: decisions.duration("max_age"),
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
    use crate::time::Span;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse(b"", "", &[]), Ok(WatchfireOptions::default()));
    }

    #[test]
    fn keys_are_read_and_checked() {
        let text = b"sinks: {a: {file: out.jsonl}, b: {stdout: true}}\nfallback_receivers: {b: c}\ndecisions: {max_age: 1d}\nmemory: {limit: 1GB}\n";
        let receivers = ["a", "b", "c"].map(str::to_owned);
        let options = parse(text, "etc", &receivers).unwrap();
        assert_eq!(
            options.sinks,
            [
                ("a".to_owned(), Sink::File("etc/out.jsonl".into())),
                ("b".to_owned(), Sink::Stdout)
            ]
        );
        let limits = DecisionLimits {
            age: Span::hours(24),
            ..DecisionLimits::DEFAULT
        };
        assert_eq!(options.decisions, limits);
        assert_eq!(options.memory_limit, Some(1 << 30));
        let text = b"lint: {severities: {W012: error, x: off}, labels: [{name: severity}], for: {min: 1m}}\n";
        let lint = parse(text, "", &[]).unwrap().lint;
        assert_eq!(lint.severities[1], ("x".to_owned(), lint::LintLevel::Off));
        assert!(lint.labels[0].pattern.is_match("a") && !lint.labels[0].pattern.is_match(""));
        assert_eq!(lint.for_min, Some(Span::minutes(1)));
        assert_eq!(
            parse(b"lint: {severities: {a: bad}, reject: ['(']}\n", "", &[])
                .unwrap_err()
                .len(),
            2
        );
        let problems = parse(b"sinks: {a: {}}\nsink: {}\n", "", &receivers).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[1].hint.as_deref(), Some("did you mean `sinks`?"));
        let problems = parse(b"decisions: {max_entries: -1}\n", "", &[]).unwrap_err();
        assert_eq!((problems[0].line, problems[0].column), (1, 26));
    }

    #[test]
    fn an_unknown_receiver_is_told_with_its_place() {
        let text = b"sinks:\n  team-bd:\n    stdout: true\n";
        let problems = parse(text, "", &["team-db".to_owned()]).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "2:3: the router file has no receiver \"team-bd\""
        );
        assert_eq!(
            problems[0].hint.as_deref(),
            Some("did you mean \"team-db\"?")
        );
        let receivers = ["a", "b"].map(str::to_owned);
        let text = b"fallback_receivers: {a: c, b: b}\n";
        let problems = parse(text, "", &receivers).unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "1:25: the router file has no receiver \"c\"",
                "1:31: a receiver cannot be its own fallback"
            ]
        );
    }
}
