use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::check::analysis::{metric_name, well_known};
use crate::check::{Finding, Severity};
use crate::promql::ast::PosRange;
use crate::text::suggest;

use super::Page;
use super::subject::{Site, Subject};

pub(super) static PAGE: Page = Page::new(
    "W069",
    "misspelt-metric",
    Severity::Warning,
    "The name of a metric nobody knows is one letter away from a well-known one, or from one that most other rules use.",
)
.pint("promql/series")
.why("A selector of a metric that does not exist finds nothing and says nothing: the alert never fires. No server is asked, so which metrics you have is not known; the name is compared with those of some 3000 metrics of common exporters and with those that the checked rules use more often. It is reported when a single word of it (`reqests`) is no word of any of these names, one or two letters off one that is, and all its other words agree.")
.example(
    "expr: sum by (job) (rate(http_reqests_total{code=~\"5..\"}[5m])) > 1",
    "expr: sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m])) > 1",
);

/// How many rules must use a name that nobody knows before it counts as right.
const MAJORITY: usize = 3;

/// A metric that rules select.
#[derive(Debug)]
struct Metric<'a> {
    count: usize,
    first: (Site<'a>, PosRange),
}

/// The metrics that rules select and record.
#[derive(Debug, Default)]
pub(super) struct Metrics<'a> {
    used: BTreeMap<&'a str, Metric<'a>>,
    recorded: BTreeSet<&'a str>,
}

impl<'a> Metrics<'a> {
    pub(super) fn see(&mut self, subject: &Subject<'a>) {
        for selector in subject.analysis.selectors() {
            // Names with colons are recorded: another check's business.
            let Some(name) = metric_name(selector).filter(|name| !name.contains(':')) else {
                continue;
            };
            self.used
                .entry(name)
                .and_modify(|metric| metric.count += 1)
                .or_insert_with(|| Metric {
                    count: 1,
                    first: (subject.site(), name_at(subject, name, selector.pos)),
                });
        }
        if !subject.is_alert() {
            self.recorded.insert(&subject.rule.name);
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Finding>) {
        let unknown: Vec<(&str, &Metric<'_>)> = self
            .used
            .iter()
            .filter(|(name, metric)| {
                metric.count < MAJORITY
                    && !self.recorded.contains(*name)
                    && !well_known::contains(name)
            })
            .map(|(name, metric)| (*name, metric))
            .collect();
        if unknown.is_empty() {
            return;
        }
        let words = Words::new(&self.used, &self.recorded);
        for (name, metric) in unknown {
            let Some(meant) = words.meant(name, metric.count, &self.used) else {
                continue;
            };
            let (site, at) = metric.first;
            let other = self.used.get(meant.as_str());
            let message = match other.filter(|other| other.count >= MAJORITY) {
                Some(other) => format!(
                    "the metric `{name}` stands nearly alone, `{meant}` stands {} times",
                    other.count
                ),
                None => format!("the metric `{name}` looks like a misspelt `{meant}`"),
            };
            let finding = site.on_expr(&PAGE, at, message);
            out.push(finding.with_hint(format!("did you mean `{meant}`?")));
        }
    }
}

/// The name of a selector alone, where it stands before the braces.
fn name_at(subject: &Subject<'_>, name: &str, at: PosRange) -> PosRange {
    let end = at.start + name.len();
    let text = subject.rule.text.get(at.start..end);
    if text == Some(name) {
        PosRange {
            start: at.start,
            end,
        }
    } else {
        at
    }
}

/// The names that count as right, found by all of their words but one.
struct Words<'a> {
    /// In how many names a word stands.
    count: HashMap<&'a str, usize, FixedState>,
    /// Every name without each of its words, sorted by the hash of what is left.
    without: Vec<Gap<'a>>,
    /// Names by their letters alone.
    letters: HashMap<String, &'a str, FixedState>,
}

/// A name with a word taken out.
struct Gap<'a> {
    /// The hash of what is left.
    rest: u64,
    name: &'a str,
    word: &'a str,
}

fn hash_of_rest(before: &str, after: &str) -> u64 {
    FixedState::default().hash_one((before, after))
}

impl<'a> Words<'a> {
    fn new(used: &BTreeMap<&'a str, Metric<'a>>, recorded: &BTreeSet<&'a str>) -> Self {
        let often = |name: &&str| {
            used.get(name)
                .is_some_and(|metric| metric.count >= MAJORITY)
        };
        let mut words = Self {
            count: HashMap::default(),
            without: Vec::new(),
            letters: HashMap::default(),
        };
        let right: BTreeSet<&str> = well_known::families()
            .chain(used.keys().copied().filter(often))
            .chain(recorded.iter().copied().filter(|name| !name.contains(':')))
            .collect();
        for name in &right {
            words.letters.insert(letters(name), name);
            words
                .without
                .extend(parts(name).map(|(before, word, after)| Gap {
                    rest: hash_of_rest(before, after),
                    name,
                    word,
                }));
        }
        words
            .without
            .sort_unstable_by_key(|gap| (gap.rest, gap.name));
        let others = used.keys().filter(|name| !right.contains(*name));
        for name in right.iter().chain(others) {
            for word in name.split('_') {
                *words.count.entry(word).or_default() += 1;
            }
        }
        words
    }

    /// The name that was probably meant, with the end that parts of histograms have.
    fn meant(
        &self,
        name: &str,
        count: usize,
        used: &BTreeMap<&'a str, Metric<'a>>,
    ) -> Option<String> {
        let family = well_known::family(name);
        [Some(name), family].into_iter().flatten().find_map(|stem| {
            let meant = self.letters.get(&letters(stem)).copied();
            let meant = meant.or_else(|| self.near(stem, count, used))?;
            Some(format!("{meant}{}", &name[stem.len()..]))
        })
    }

    fn near(
        &self,
        name: &str,
        count: usize,
        used: &BTreeMap<&'a str, Metric<'a>>,
    ) -> Option<&'a str> {
        parts(name).find_map(|(before, word, after)| {
            let rest = hash_of_rest(before, after);
            let from = self.without.partition_point(|gap| gap.rest < rest);
            let mut gaps = self.without[from..]
                .iter()
                .take_while(|gap| gap.rest == rest);
            let found = gaps.find(|gap| {
                gap.name.starts_with(before)
                    && gap.name.ends_with(after)
                    && word.len().min(gap.word.len()) >= 4
                    && self.is_slip(word, gap, count, used)
            });
            found.map(|gap| gap.name)
        })
    }

    fn is_slip(
        &self,
        word: &str,
        gap: &Gap<'_>,
        count: usize,
        used: &BTreeMap<&'a str, Metric<'a>>,
    ) -> bool {
        let plural =
            word.strip_suffix('s') == Some(gap.word) || gap.word.strip_suffix('s') == Some(word);
        // A plural is another word, unless the same rules use the one much more often.
        if plural {
            let other = used.get(gap.name);
            return other.is_some_and(|other| other.count >= MAJORITY * count);
        }
        self.count.get(word).is_none_or(|names| *names <= 1) && is_near(word, gap.word)
    }
}

/// Whether a word is a slip of the pen away from another: numbers are not, they are other things.
fn is_near(word: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    let edits = if other.len() >= 8 { 2 } else { 1 };
    plain(word) != plain(other)
        && word.len().abs_diff(other.len()) <= edits
        && suggest::distance(word, other) <= edits
}

fn letters(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

/// Every word of a name, with what stands before and after it.
fn parts(name: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut start = 0;
    name.split('_').map(move |word| {
        let end = start + word.len();
        let part = (&name[..start], word, &name[end..]);
        start = end + 1;
        part
    })
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{alert, assert_finds, assert_silent, count};

    #[test]
    fn names_near_well_known_ones() {
        assert_finds(
            "W069",
            &[
                "rate(http_reqests_total[5m]) > 1",
                "rate(http_request_duration_secnods_bucket[5m]) > 1",
                "kube_pod_contaner_status_restarts_total > 1",
                "nodefilesystem_avail_bytes < 1",
                "node_memory_memavailable_bytes < 1",
            ],
        );
        assert_silent(
            "W069",
            &[
                "rate(http_requests_total[5m]) > 1",
                "rate(http_request_total[5m]) > 1",
                "rate(shop_requests_total[5m]) > 1",
                "node_load2 > 1",
                "mssql_up == 0 and mssql_down == 1",
                "job:http_reqests:rate5m > 1",
            ],
        );
    }

    #[test]
    fn names_near_those_of_other_rules() {
        let rules = |name: &str, times: usize| -> String {
            let rule = alert(&format!("{name} > 1"), "");
            (0..times).map(|_| rule.clone()).collect()
        };
        let found = |own: usize, other: &str| {
            count(
                "W069",
                &format!("{}{}", rules("shop_orders_total", own), rules(other, 1)),
            )
        };
        assert_eq!(found(3, "shop_ordrs_total"), 1);
        assert_eq!(found(2, "shop_ordrs_total"), 0);
        assert_eq!(found(3, "shop_order_total"), 1);
        assert_eq!(found(2, "shop_order_total"), 0);
        assert_eq!(found(3, "shop_refunds_total"), 0);
        let record = "  - {record: shop_orders_total, expr: sum(x)}\n";
        assert_eq!(
            count(
                "W069",
                &format!("{record}{}", rules("shop_ordesr_total", 1))
            ),
            1
        );
    }
}
