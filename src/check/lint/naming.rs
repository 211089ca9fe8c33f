use std::collections::BTreeMap;

use crate::check::{Finding, Severity};
use crate::text::suggest;

use super::Page;
use super::subject::Subject;

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

#[derive(Debug, Default)]
struct Word {
    count: usize,
    /// The finding to make of its places if it is misspelt; places of common words are not kept.
    places: Vec<Finding>,
}

/// The words that rules use.
#[derive(Debug, Default)]
pub(super) struct Names {
    labels: BTreeMap<String, Word>,
    severities: BTreeMap<String, Word>,
    recorded: BTreeMap<String, usize>,
    used: BTreeMap<String, Word>,
}

impl Names {
    pub(super) fn see(&mut self, subject: &Subject<'_>) {
        for (field, pairs) in [
            ("labels", &subject.rule.labels),
            ("annotations", &subject.rule.annotations),
        ] {
            for (name, value) in pairs {
                let entry = || subject.entry(field, name);
                self.labels
                    .entry(name.clone())
                    .or_default()
                    .see(|| Some(subject.on_node(&MISSPELT_NAME, &entry()?.key, "")));
                if field == "labels" && name == "severity" && !value.contains("{{") {
                    self.severities
                        .entry(value.clone())
                        .or_default()
                        .see(|| Some(subject.on_node(&MISSPELT_VALUE, &entry()?.value, "")));
                }
            }
        }
        if !subject.is_alert() {
            *self.recorded.entry(subject.rule.name.clone()).or_default() += 1;
        }
        for selector in subject.analysis.selectors() {
            if selector.name.contains(':') {
                self.used
                    .entry(selector.name.clone())
                    .or_default()
                    .see(|| Some(subject.on_expr(&MISSPELT_RECORD, selector.pos, "")));
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Finding>) {
        misspelt(&self.labels, &COMMON, "name", out);
        misspelt(&self.severities, &[], "severity", out);
        let near = Neighbours::new(self.recorded.keys().map(String::as_str));
        for (name, word) in &self.used {
            if self.recorded.contains_key(name) {
                continue;
            }
            let Some(meant) = near.of(name, 2).first().copied() else {
                continue;
            };
            for place in &word.places {
                let mut finding = place.clone();
                finding.message = format!("no rule records `{name}`");
                out.push(finding.with_hint(format!("did you mean `{meant}`?")));
            }
        }
    }
}

impl Word {
    /// Remembers the first places only: a word with more is no slip.
    fn see(&mut self, place: impl FnOnce() -> Option<Finding>) {
        const PLACES_MAX: usize = 8;
        self.count += 1;
        if self.places.len() < PLACES_MAX {
            self.places.extend(place());
        }
    }
}

fn misspelt(words: &BTreeMap<String, Word>, common: &[&str], what: &str, out: &mut Vec<Finding>) {
    let near = Neighbours::new(
        words
            .keys()
            .map(String::as_str)
            .chain(common.iter().copied()),
    );
    for (name, word) in words {
        if common.contains(&name.as_str()) || name.chars().count() < 4 {
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
            let mut finding = place.clone();
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
