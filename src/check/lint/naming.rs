use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Finding, Severity};
use crate::promql::ast::PosRange;
use crate::text::suggest;

use super::Page;
use super::subject::{Site, Subject};

pub(super) static MISSPELT_NAME: Page = Page::new(
    "W060",
    "misspelt-label",
    Severity::Warning,
    "The name of a label or annotation is one letter away from one that everybody uses.",
)
.why("Routes, inhibition rules and templates look for names. `serverity: critical` is a label like any other, so nothing complains, and the page goes to nobody. A name is reported when it is rare and one edit away from a common one: `severity`, `summary`, `description`, `runbook_url`, or one that most other rules use.")
.example("labels:\n  serverity: critical", "labels:\n  severity: critical");

pub(super) static MISSPELT_VALUE: Page = Page::new(
    "W068",
    "misspelt-severity",
    Severity::Warning,
    "A severity is one letter away from one that most other rules use.",
)
.why("Routes match severities letter by letter. `critcal` goes where everything goes that no route knows.")
.example("severity: critcal", "severity: critical");

pub(super) static MISSPELT_RECORD: Page = Page::new(
    "W063",
    "misspelt-recorded-metric",
    Severity::Warning,
    "A rule uses a recorded metric that no rule records, one or two letters away from one that is recorded.",
)
.why("Names with colons come from recording rules. One that none of the checked rules records, but that looks nearly like one, is a slip of the pen: it finds nothing.")
.example(
    "- record: job:errors:rate5m\n  expr: sum by (job) (rate(errors_total[5m]))\n- alert: Errors\n  expr: job:error:rate5m > 1",
    "- record: job:errors:rate5m\n  expr: sum by (job) (rate(errors_total[5m]))\n- alert: Errors\n  expr: job:errors:rate5m > 1",
);

/// Names that everybody uses, whatever the rules at hand do.
const COMMON: [&str; 5] = [
    "severity",
    "summary",
    "description",
    "runbook_url",
    "dashboard_url",
];

/// How often a name must stand more often than its neighbour to count as meant.
const MAJORITY: usize = 4;

#[derive(Debug)]
struct Word<P> {
    count: usize,
    /// Where it stands; places of common words are not kept.
    places: Vec<P>,
}

type Words<'a, P> = BTreeMap<&'a str, Word<P>>;

/// The words that rules use.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    labels: Words<'a, (Site<'a>, &'static str)>,
    severities: Words<'a, Site<'a>>,
    recorded: BTreeSet<&'a str>,
    used: Words<'a, (Site<'a>, PosRange)>,
}

impl<'a> Names<'a> {
    pub(super) fn see(&mut self, subject: &Subject<'a>) {
        let rule = subject.rule;
        for (field, pairs) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
            for (name, value) in pairs {
                see(&mut self.labels, name, || (subject.site(), field));
                if field == "labels" && name == "severity" && !value.contains("{{") {
                    see(&mut self.severities, value, || subject.site());
                }
            }
        }
        if !subject.is_alert() {
            self.recorded.insert(&rule.name);
        }
        for selector in subject.analysis.selectors() {
            if selector.name.contains(':') {
                see(&mut self.used, &selector.name, || {
                    (subject.site(), selector.pos)
                });
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Finding>) {
        misspelt(&self.labels, &COMMON, "name", out, |name, (site, field)| {
            let entry = site.entry(field, name)?;
            Some(site.on_node(&MISSPELT_NAME, &entry.key, ""))
        });
        misspelt(&self.severities, &[], "severity", out, |_, site| {
            let entry = site.entry("labels", "severity")?;
            Some(site.on_node(&MISSPELT_VALUE, &entry.value, ""))
        });
        let near = Neighbours::new(self.recorded.iter().copied());
        for (name, word) in &self.used {
            if self.recorded.contains(name) {
                continue;
            }
            let Some(meant) = near.of(name, 2).first().copied() else {
                continue;
            };
            for (site, at) in &word.places {
                let message = format!("no rule records `{name}`");
                let finding = site.on_expr(&MISSPELT_RECORD, *at, message);
                out.push(finding.with_hint(format!("did you mean `{meant}`?")));
            }
        }
    }
}

/// Remembers the first places of a word only: one with more is no slip.
fn see<'a, P>(words: &mut Words<'a, P>, word: &'a str, place: impl FnOnce() -> P) {
    const PLACES_MAX: usize = 8;
    let word = words.entry(word).or_insert_with(|| Word {
        count: 0,
        places: Vec::new(),
    });
    word.count += 1;
    if word.places.len() < PLACES_MAX {
        word.places.push(place());
    }
}

fn misspelt<P>(
    words: &Words<'_, P>,
    common: &[&str],
    what: &str,
    out: &mut Vec<Finding>,
    finding: impl Fn(&str, &P) -> Option<Finding>,
) {
    let near = Neighbours::new(words.keys().copied().chain(common.iter().copied()));
    for (name, word) in words {
        if common.contains(name) || name.chars().count() < 4 {
            continue;
        }
        let count_of = |other: &str| words.get(other).map_or(0, |word| word.count);
        let meant = near
            .of(name, 1)
            .into_iter()
            .filter(|other| {
                let is_common = common.contains(other);
                let plural = |a: &str, b: &str| a.strip_suffix('s') == Some(b);
                // A plural is another word, unless nobody else uses it.
                !plural(name, other)
                    && !plural(other, name)
                    && (count_of(other) >= MAJORITY * word.count.max(1) || is_common)
            })
            .max_by_key(|other| count_of(other));
        let Some(meant) = meant else {
            continue;
        };
        let times = count_of(meant);
        for place in &word.places {
            let Some(mut finding) = finding(name, place) else {
                continue;
            };
            finding.message = if times > 0 {
                format!("the {what} `{name}` stands nearly alone, `{meant}` stands {times} times")
            } else {
                format!("the {what} `{name}` looks like a misspelt `{meant}`")
            };
            out.push(finding.with_hint(format!("did you mean `{meant}`?")));
        }
    }
}

/// Finds words a few edits away without comparing all with all: words that are close share a half.
struct Neighbours<'w> {
    by_part: BTreeMap<&'w str, Vec<&'w str>>,
}

impl<'w> Neighbours<'w> {
    fn new(words: impl Iterator<Item = &'w str>) -> Self {
        let mut by_part: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for word in words.filter(|word| word.len() >= 4 && word.len() <= 128) {
            for part in parts(word) {
                by_part.entry(part).or_default().push(word);
            }
        }
        Self { by_part }
    }

    /// The words at most `edits` away, this one left out.
    fn of(&self, word: &str, edits: usize) -> Vec<&'w str> {
        // Words that share an end with very many others are compared with the first of them.
        const COMPARED_MAX: usize = 200;
        let mut found: Vec<&str> = parts(word)
            .into_iter()
            .flat_map(|part| {
                self.by_part
                    .get(part)
                    .into_iter()
                    .flatten()
                    .take(COMPARED_MAX)
            })
            .copied()
            .filter(|other| *other != word && other.len().abs_diff(word.len()) <= edits)
            .filter(|other| suggest::distance(word, other) <= edits)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The first and the last three letters: an edit or two leave one of them whole in longer words.
fn parts(word: &str) -> [&str; 2] {
    let first = word.char_indices().nth(3).map_or(word.len(), |(at, _)| at);
    let last = word.char_indices().rev().nth(2).map_or(0, |(at, _)| at);
    [&word[..first], &word[last..]]
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::count;

    fn rule(name: &str, labels: &str) -> String {
        format!(
            "  - alert: {name}\n    expr: a > 1\n    labels: {{{labels}}}\n    annotations: {{summary: s}}\n"
        )
    }

    #[test]
    fn rare_names_near_common_ones() {
        assert_eq!(count("W060", &rule("A", "serverity: page")), 1);
        let many: String = (0..5)
            .map(|n| rule(&format!("A{n}"), "severity: page, component: x"))
            .collect();
        assert_eq!(
            count(
                "W060",
                &format!("{many}{}", rule("B", "severity: page, componnet: x"))
            ),
            1
        );
        assert_eq!(
            count(
                "W060",
                &format!(
                    "{many}{}",
                    rule("B", "severity: page, components: x, team: y, tier: z")
                )
            ),
            0
        );
        assert_eq!(count("W060", &many), 0);
    }

    #[test]
    fn rare_severities_near_common_ones() {
        let many: String = (0..5)
            .map(|n| rule(&format!("A{n}"), "severity: critical"))
            .collect();
        assert_eq!(
            count("W068", &format!("{many}{}", rule("B", "severity: critcal"))),
            1
        );
        assert_eq!(
            count("W068", &format!("{many}{}", rule("B", "severity: warning"))),
            0
        );
    }

    #[test]
    fn recorded_metrics_that_nobody_records() {
        let record = "  - record: job:errors:rate5m\n    expr: a\n";
        let alert = |metric: &str| {
            format!("  - alert: A\n    expr: {metric} > 1\n    annotations: {{summary: s}}\n")
        };
        assert_eq!(
            count("W063", &format!("{record}{}", alert("job:error:rate5m"))),
            1
        );
        assert_eq!(
            count("W063", &format!("{record}{}", alert("job:errors:rate5m"))),
            0
        );
        assert_eq!(
            count("W063", &format!("{record}{}", alert("job:latency:rate5m"))),
            0
        );
    }
}
