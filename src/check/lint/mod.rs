//! Checks of files that load but are likely not to do what is wanted: no server is asked.
//!
//! [`run`] checks rule files, and the router's configuration with them. Each check has a [`Page`];
//! [`catalogue`] lists all of them, [`page`] finds one. Findings carry the page of the check that made them.
//! Comments in the files and `lint:` in `watchfire.yml` silence findings or change how bad they are;
//! a [`Baseline`] takes the old ones away. The order of work for a program is: [`run`], then
//! [`Baseline::filter`], then show.
//!
//! To add a check, write its page and function beside a check of the same kind, add the page to the
//! catalogue, and call the function in `check_all`. What a check must know of an expression it
//! asks [`crate::check::analysis`].

mod alerts;
mod baseline;
mod breadth;
mod comparison;
mod counters;
mod division;
pub(super) mod duplicate;
pub(super) mod errors;
#[cfg(test)]
mod examples;
mod external;
mod groups;
mod histograms;
mod ignore;
mod links;
mod matching;
mod metric_names;
mod naming;
mod page;
mod path;
mod policy;
mod presence;
mod regexp;
mod routing;
mod subject;
mod templates;
#[cfg(test)]
mod testing;
mod units;
mod windows;

use std::collections::BTreeMap;

use crate::check::{Finding, RuleFile, Severity, fix};
use crate::config::lint::{LintLevel, LintOptions};
use crate::text::suggest;
use crate::text::yaml::{Document, Node};

pub use baseline::{Baseline, BaselineError};
pub use groups::removed_recordings;
pub use page::Page;
pub use subject::{Routing, Subjects};

use ignore::Ignores;
use subject::{Subject, World};

/// Every page, sorted by id.
static CATALOGUE: &[&Page] = &[
    &errors::YAML_SYNTAX,
    &errors::UNKNOWN_FIELD,
    &errors::DUPLICATE_KEY,
    &errors::WRONG_TYPE,
    &errors::EXPRESSION_SYNTAX,
    &errors::TEMPLATE_SYNTAX,
    &errors::RULE,
    &errors::CONFIG,
    &errors::UNREADABLE,
    &duplicate::PAGE,
    &errors::SCRAPE_INTERVAL,
    &errors::CONFIG_WARNING,
    &errors::UNSUPPORTED,
    &errors::UNKNOWN_CHECK,
    &comparison::NO_CONDITION,
    &comparison::ALWAYS_TRUE,
    &comparison::NEVER_TRUE,
    &division::BY_ZERO,
    &counters::RATE_OF_GAUGE,
    &counters::RATE_OF_SUM,
    &windows::TOO_SHORT,
    &counters::RAW_COUNTER,
    &matching::NO_MATCH,
    &matching::LABEL_GONE,
    &regexp::PAGE,
    &alerts::SAMPLED,
    &alerts::ABSENT_WITHOUT_FOR,
    &histograms::LE_LOST,
    &histograms::OUT_OF_RANGE,
    &division::NAN_IN_AGGREGATION,
    &windows::BEYOND_RETENTION,
    &counters::DELTA_OF_COUNTER,
    &regexp::NEVER,
    &alerts::NO_ANNOTATIONS,
    &alerts::SHORT_FOR,
    &alerts::USELESS_FOR,
    &templates::LABEL_LOST,
    &templates::FAILS,
    &templates::VALUE_IN_LABEL,
    &templates::BAD_QUERY,
    &presence::PAGE,
    &breadth::AVERAGE_OF_ALL,
    &breadth::RATIO_OF_ALL,
    &breadth::CORES_AS_FRACTION,
    &breadth::ALL_FILESYSTEMS,
    &external::UNSET,
    &external::CONFLICT,
    &links::PAGE,
    &alerts::TWO_JOBS,
    &units::PAGE,
    &windows::PREDICTION_ALONE,
    &policy::NAME,
    &policy::LABEL,
    &policy::FOR,
    &policy::AGGREGATION,
    &policy::REJECT,
    &policy::ANNOTATION,
    &policy::SELECTOR,
    &policy::OWNER,
    &policy::REPORT,
    &naming::MISSPELT_NAME,
    &groups::LONG_INTERVAL,
    &groups::ORDER,
    &naming::MISSPELT_RECORD,
    &groups::REMOVED,
    &groups::OVERWRITES,
    &groups::RECORDS_ITSELF,
    &naming::MISSPELT_VALUE,
    &metric_names::PAGE,
    &routing::UNREACHABLE,
    &routing::UNUSED_RECEIVER,
    &routing::NOT_ROUTED,
    &routing::GROUP_BY,
    &routing::EQUAL,
    &routing::MUTES_NOTHING,
    &routing::LOOP,
    &routing::REPEAT,
    &routing::REPEAT_RETENTION,
    &routing::UNUSED_INTERVAL,
    &routing::NEVER_TAKEN,
    &fix::MATCHERS_PAGE,
    &presence::UNINHIBITED,
    &errors::LATER_DOCUMENT,
    &errors::METRICS,
    &fix::ORDER_PAGE,
    &fix::FORMAT_PAGE,
];

/// promtool's own lint: rules of a file with the same name and the same labels.
pub fn duplicates(file: &RuleFile) -> Vec<Finding> {
    duplicate::find(file)
}

/// Every page, sorted by id.
pub fn catalogue() -> &'static [&'static Page] {
    CATALOGUE
}

/// The page with this id or name.
pub fn page(word: &str) -> Option<&'static Page> {
    CATALOGUE.iter().copied().find(|page| page.is_called(word))
}

/// Checks named in `lint: {severities: ...}` that do not exist, with the name that was probably meant.
pub fn unknown_checks(options: &LintOptions) -> Vec<(String, Option<&'static str>)> {
    let named = options.severities.iter().map(|(name, _)| name);
    named
        .filter(|name| page(name).is_none())
        .map(|name| {
            let names = CATALOGUE.iter().map(|page| page.name);
            (name.clone(), suggest::closest(name, names))
        })
        .collect()
}

/// Checks rule files and a router's configuration together. Duplicate rules ([`duplicate-rules`](page))
/// are promtool's own lint and not looked for here; [`crate::check::rules()`] does.
pub fn run(subjects: Subjects<'_>, options: &LintOptions) -> Vec<Finding> {
    let world = World { subjects, options };
    let comments = comments(&subjects);
    let mut findings = Vec::new();
    check_all(&world, &mut findings);
    if let Some(owners) = &options.owners {
        policy::owners(owners, &subjects, &comments, &mut findings);
    }
    silence(&comments, &mut findings);
    apply_severities(options, &mut findings);
    sort(&mut findings);
    findings
}

fn check_all(world: &World<'_>, out: &mut Vec<Finding>) {
    let mut presence = presence::Presence::default();
    let mut names = naming::Names::default();
    let mut metrics = metric_names::Metrics::default();
    let mut recorded = groups::Recorded::default();
    let mut alerts = routing::Alerts::default();
    for file in world.subjects.rules {
        Subject::each(file, |subject| {
            comparison::check(world, subject, out);
            division::check(world, subject, out);
            counters::check(world, subject, out);
            windows::check(world, subject, out);
            matching::check(world, subject, out);
            regexp::check(world, subject, out);
            histograms::check(world, subject, out);
            alerts::check(world, subject, out);
            breadth::check(world, subject, out);
            templates::check(world, subject, out);
            policy::check(world, subject, out);
            external::check(world, subject, out);
            links::check(subject, out);
            units::check(subject, out);
            groups::check(subject, out);
            presence.see(subject);
            names.see(subject);
            metrics.see(subject);
            recorded.see(subject, out);
            if world.subjects.routing.is_some() {
                alerts.see(subject);
            }
        });
        groups::of_file(file, out);
        out.extend(fix::unordered_keys(file));
    }
    presence.finish(world, out);
    names.finish(out);
    metrics.finish(out);
    recorded.finish(out);
    routing::check(world, &alerts, out);
    if let Some(routing) = world.subjects.routing {
        out.extend(fix::deprecated_matchers(routing));
    }
}

/// The comments of every file, those of all its objects together.
fn comments<'a>(subjects: &Subjects<'a>) -> Vec<(&'a str, &'a Document, Ignores)> {
    let rules = subjects.rules.iter();
    let rules = rules.map(|file| (file.name.as_str(), &file.document));
    let routing = subjects.routing.iter();
    let routing = routing.map(|routing| (routing.name.as_str(), &routing.document));
    let mut files: BTreeMap<&str, Vec<&Document>> = BTreeMap::new();
    for (name, document) in rules.chain(routing) {
        files.entry(name).or_default().push(document);
    }
    files
        .into_iter()
        .filter_map(|(name, mut documents)| {
            documents.sort_by_key(|document| document.root.span.start.offset);
            let roots: Vec<&Node> = documents.iter().map(|document| &document.root).collect();
            let first = *documents.first()?;
            Some((name, first, Ignores::of(&first.source, &roots)))
        })
        .collect()
}

/// Takes away what comments silence, and tells of comments that name no check.
fn silence(comments: &[(&str, &Document, Ignores)], findings: &mut Vec<Finding>) {
    for (name, document, ignores) in comments {
        for (bytes, word) in &ignores.unknown {
            findings.push(unknown_check(name, document, bytes.clone(), word));
        }
    }
    findings.retain(|finding| {
        let of_file = comments.binary_search_by_key(&finding.file.as_str(), |(name, _, _)| name);
        !of_file.is_ok_and(|at| comments[at].2.silence(finding))
    });
}

fn unknown_check(
    file: &str,
    document: &Document,
    bytes: std::ops::Range<usize>,
    word: &str,
) -> Finding {
    let before = document.source.get(..bytes.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let place = crate::text::yaml::Place {
        offset: bytes.start,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    };
    let message = if word.is_empty() {
        "the comment names no check, so it silences nothing".to_owned()
    } else {
        format!("no check is called {word}, so the comment silences nothing")
    };
    let mut problem = crate::text::yaml::Problem::at(place, message);
    problem.end_offset = bytes.end;
    let finding = Finding::at(&errors::UNKNOWN_CHECK, file, &document.source, problem);
    let known = CATALOGUE.iter().flat_map(|page| [page.id, page.name]);
    match suggest::closest(word, known) {
        Some(meant) => finding.with_hint(format!("did you mean {meant}?")),
        None => finding.with_hint("write `# watchfire ignore W012 reason`"),
    }
}

/// Makes findings as bad as the configuration says, and takes those away that are off.
pub fn apply_severities(options: &LintOptions, findings: &mut Vec<Finding>) {
    let level = |page: &Page| {
        let named = options.severities.iter().rev();
        named
            .filter(|(word, _)| page.is_called(word))
            .map(|(_, level)| *level)
            .next()
    };
    findings.retain_mut(|finding| {
        match level(finding.page) {
            Some(LintLevel::Off) if finding.page.severity != Severity::Error => return false,
            Some(LintLevel::Info) => finding.severity = Severity::Info,
            Some(LintLevel::Warning) => finding.severity = Severity::Warning,
            Some(LintLevel::Error) => finding.severity = Severity::Error,
            None if !finding.page.on_by_default => return false,
            _ => {}
        }
        true
    });
}

/// In the order of the files as they were given, then of their lines.
fn sort(findings: &mut [Finding]) {
    let place = |finding: &Finding| finding.place.as_ref().map_or(0, |place| place.bytes.start);
    findings.sort_by(|a, b| {
        (&a.file, place(a), a.page.id, &a.message).cmp(&(&b.file, place(b), b.page.id, &b.message))
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pages_are_complete_and_sorted() {
        assert!(CATALOGUE.is_sorted_by_key(|page| page.id));
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|page| page.id).collect();
        let names: BTreeSet<_> = CATALOGUE.iter().map(|page| page.name).collect();
        assert_eq!(ids.len(), CATALOGUE.len());
        assert_eq!(names.len(), CATALOGUE.len());
        for page in CATALOGUE {
            let Page { id, name, .. } = page;
            assert!(!page.summary.is_empty() && !page.why.is_empty(), "{id}");
            assert!(page.text().contains("## How to silence it"), "{id}");
            assert_eq!(super::page(id), Some(*page));
            assert_eq!(super::page(name), Some(*page));
        }
    }

    #[test]
    fn comments_silence_findings() {
        let rules = |comment: &str| {
            testing::file(&format!("  # {comment}\n{}", testing::alert("up == 2", "")))
        };
        let ids = |comment: &str| -> Vec<&str> {
            testing::findings(&rules(comment))
                .iter()
                .map(Finding::id)
                .collect()
        };
        assert_eq!(ids("nothing"), ["W012"]);
        assert!(ids("watchfire ignore W012 we know").is_empty());
        assert!(ids("watchfire ignore never-true").is_empty());
        assert!(ids("pint disable promql/impossible").is_empty());
        assert_eq!(ids("watchfire ignore W013 other"), ["W012"]);
        assert_eq!(ids("watchfire ignore W0012 typo"), ["W005", "W012"]);
        assert_eq!(ids("watchfire ignore"), ["W005", "W012"]);
    }

    #[test]
    fn severities_are_configurable() {
        let options = |level| LintOptions {
            severities: vec![("never-true".to_owned(), level)],
            ..LintOptions::default()
        };
        let text = testing::file(&testing::alert("up == 2", ""));
        let found = testing::findings_with(&[&text], None, &options(LintLevel::Error));
        assert_eq!(found[0].severity, Severity::Error);
        assert!(testing::findings_with(&[&text], None, &options(LintLevel::Off)).is_empty());
        let odd = LintOptions {
            severities: vec![("never-tru".to_owned(), LintLevel::Off)],
            ..LintOptions::default()
        };
        assert_eq!(
            unknown_checks(&odd),
            [("never-tru".to_owned(), Some("never-true"))]
        );
    }
}
