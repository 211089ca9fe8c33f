//! Inhibition: alerts that are muted because others fire.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use hashbrown::HashMap;

use super::Matchers;
use crate::model::Labels;
use crate::model::labels::Fnv64;
use crate::time::WallTime;

/// Mutes alerts that match the target while every source has a firing alert.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InhibitRule {
    /// A name for the decision record; may be empty.
    pub name: String,
    /// The sources; all of them must fire.
    pub sources: Vec<InhibitSource>,
    /// Which alerts are muted.
    pub target_matchers: Matchers,
}

/// One side that must fire for a rule to mute.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InhibitSource {
    /// Which alerts count.
    pub matchers: Matchers,
    /// Labels that source and target must share; an absent label equals an empty one.
    pub equal: Vec<String>,
}

impl InhibitRule {
    /// The rule in words: its number from 1, its name, who mutes whom.
    pub fn to_text(&self, at: usize) -> String {
        let mut out = format!("inhibition rule {}", at + 1);
        if !self.name.is_empty() {
            let _ = write!(out, " ({})", self.name);
        }
        for (i, source) in self.sources.iter().enumerate() {
            out.push_str(if i == 0 { ": " } else { " and " });
            let _ = write!(out, "{}", source.matchers);
            if !source.equal.is_empty() {
                let _ = write!(out, " of equal {}", source.equal.join(", "));
            }
        }
        let _ = write!(out, " mutes {}", self.target_matchers);
        out
    }
}

/// Why an alert is inhibited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition {
    /// Which rule, counted from 0.
    pub rule: usize,
    /// The fingerprints of the alerts that mute, one for each source.
    pub by: Vec<u64>,
}

/// The rules with the alerts that may be their sources.
#[derive(Debug, Default)]
pub struct Inhibitor {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    options: InhibitRule,
    /// The rule in words, for the decision record.
    text: Arc<str>,
    sources: Vec<SourceCache>,
}

/// Source alerts by the hash of the values of the `equal` labels.
#[derive(Debug, Default)]
struct SourceCache {
    by_equal: HashMap<u64, BTreeMap<u64, SourceAlert>>,
}

#[derive(Debug)]
struct SourceAlert {
    labels: Labels,
    ends_at: WallTime,
}

impl Inhibitor {
    /// Takes the rules; no alert is known yet.
    pub fn new(rules: Vec<InhibitRule>) -> Self {
        let rules = rules
            .into_iter()
            .enumerate()
            .map(|(at, options)| Rule {
                text: options.to_text(at).into(),
                sources: options
                    .sources
                    .iter()
                    .map(|_| SourceCache::default())
                    .collect(),
                options,
            })
            .collect();
        Self { rules }
    }

    /// The rule at a place that an [`Inhibition`] names, in words.
    pub fn rule_text(&self, at: usize) -> Arc<str> {
        self.rules
            .get(at)
            .map_or_else(|| "".into(), |rule| Arc::clone(&rule.text))
    }

    /// Takes news of an alert, firing or not.
    pub fn on_alert(&mut self, fingerprint: u64, labels: &Labels, ends_at: WallTime) {
        for rule in &mut self.rules {
            for (source, cache) in rule.options.sources.iter().zip(&mut rule.sources) {
                if source.matchers.matches(labels) {
                    let key = equal_hash(&source.equal, labels);
                    cache.by_equal.entry(key).or_default().insert(
                        fingerprint,
                        SourceAlert {
                            labels: labels.clone(),
                            ends_at,
                        },
                    );
                }
            }
        }
    }

    /// Forgets an alert.
    pub fn forget(&mut self, fingerprint: u64, labels: &Labels) {
        for rule in &mut self.rules {
            for (source, cache) in rule.options.sources.iter().zip(&mut rule.sources) {
                let key = equal_hash(&source.equal, labels);
                if let Some(alerts) = cache.by_equal.get_mut(&key) {
                    alerts.remove(&fingerprint);
                    if alerts.is_empty() {
                        cache.by_equal.remove(&key);
                    }
                }
            }
        }
    }

    /// Whether and why an alert with these labels is muted at `now`: the first rule that applies.
    pub fn inhibited(&self, labels: &Labels, now: WallTime) -> Option<Inhibition> {
        self.rules.iter().enumerate().find_map(|(at, rule)| {
            if rule.sources.is_empty() || !rule.options.target_matchers.matches(labels) {
                return None;
            }
            let by = rule
                .options
                .sources
                .iter()
                .zip(&rule.sources)
                .map(|(source, cache)| rule.source_alert(source, cache, labels, now))
                .collect::<Option<Vec<u64>>>()?;
            Some(Inhibition { rule: at, by })
        })
    }
}

impl Rule {
    /// A firing alert of one source that may mute `target`; of several the one that lasts longest.
    fn source_alert(
        &self,
        source: &InhibitSource,
        cache: &SourceCache,
        target: &Labels,
        now: WallTime,
    ) -> Option<u64> {
        let candidates = cache.by_equal.get(&equal_hash(&source.equal, target))?;
        // compat: when the target is a source too, alerts of which the same is true do not mute it,
        // so that no alert mutes itself.
        let two_sided = source.matchers.matches(target);
        candidates
            .iter()
            .filter(|(_, alert)| alert.ends_at.is_zero() || alert.ends_at > now)
            .filter(|(_, alert)| same_values(&source.equal, &alert.labels, target))
            .filter(|(_, alert)| {
                !(two_sided && self.options.target_matchers.matches(&alert.labels))
            })
            .max_by_key(|(fingerprint, alert)| (alert.ends_at, std::cmp::Reverse(**fingerprint)))
            .map(|(fingerprint, _)| *fingerprint)
    }
}

fn equal_hash(names: &[String], labels: &Labels) -> u64 {
    use std::hash::Hasher as _;
    let mut hash = Fnv64::default();
    for name in names {
        hash.write(labels.get(name).unwrap_or_default().as_bytes());
        hash.write(&[0xff]);
    }
    hash.finish()
}

fn same_values(names: &[String], a: &Labels, b: &Labels) -> bool {
    names
        .iter()
        .all(|name| a.get(name).unwrap_or_default() == b.get(name).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matchers::{Syntax, parse_matchers};

    fn matchers(text: &str) -> Matchers {
        Matchers(parse_matchers(Syntax::Fallback, text).expect("valid"))
    }

    fn set(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    const NOW: WallTime = WallTime::from_ms(1_000_000);
    const LATER: WallTime = WallTime::from_ms(2_000_000);

    #[test]
    fn no_alert_inhibits_itself() {
        let mut inhibitor = Inhibitor::new(vec![InhibitRule {
            sources: vec![InhibitSource {
                matchers: matchers("severity=~\"critical|page\""),
                equal: vec!["cluster".to_owned()],
            }],
            target_matchers: matchers("severity=~\"critical|warning\""),
            ..InhibitRule::default()
        }]);
        let critical = set(&[("cluster", "a"), ("severity", "critical")]);
        inhibitor.on_alert(critical.fingerprint(), &critical, LATER);
        assert_eq!(inhibitor.inhibited(&critical, NOW), None);
        let warning = set(&[("cluster", "a"), ("severity", "warning")]);
        assert!(inhibitor.inhibited(&warning, NOW).is_some());
        assert_eq!(
            inhibitor.inhibited(&warning, LATER),
            None,
            "the source has ended"
        );
        // An alert that is source alone does mute the two-sided one.
        let page = set(&[("cluster", "a"), ("severity", "page")]);
        inhibitor.on_alert(page.fingerprint(), &page, LATER);
        assert_eq!(
            inhibitor.inhibited(&critical, NOW),
            Some(Inhibition {
                rule: 0,
                by: vec![page.fingerprint()]
            })
        );
        inhibitor.forget(page.fingerprint(), &page);
        assert_eq!(inhibitor.inhibited(&critical, NOW), None);
    }

    #[test]
    fn all_sources_must_fire() {
        let source = |text: &str| InhibitSource {
            matchers: matchers(text),
            equal: Vec::new(),
        };
        let mut inhibitor = Inhibitor::new(vec![InhibitRule {
            sources: vec![source("a=\"1\""), source("b=\"1\"")],
            target_matchers: matchers("t=\"1\""),
            ..InhibitRule::default()
        }]);
        let target = set(&[("t", "1")]);
        let (a, b) = (set(&[("a", "1")]), set(&[("b", "1")]));
        inhibitor.on_alert(a.fingerprint(), &a, WallTime::ZERO);
        assert_eq!(inhibitor.inhibited(&target, NOW), None);
        inhibitor.on_alert(b.fingerprint(), &b, WallTime::ZERO);
        assert_eq!(
            inhibitor.inhibited(&target, NOW).map(|found| found.by),
            Some(vec![a.fingerprint(), b.fingerprint()])
        );
    }
}
