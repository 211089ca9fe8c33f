use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Metadata, MetricType};

/// For how many pages a family's metadata outlives its last mention.
const KEPT_PAGES: u64 = 10;

/// What the pages of one target declare of their families.
#[derive(Debug, Default)]
pub(super) struct FamilyMetadata {
    families: BTreeMap<String, Declared>,
    page: u64,
    shown: Option<Arc<Vec<(String, Metadata)>>>,
}

#[derive(Debug, Default)]
struct Declared {
    metadata: Metadata,
    /// The last page that mentioned the family, and the last that changed it.
    seen: u64,
    changed: u64,
}

impl FamilyMetadata {
    fn update(
        &mut self,
        family: &str,
        differs: impl Fn(&Metadata) -> bool,
        set: impl FnOnce(&mut Metadata),
    ) {
        let page = self.page;
        if !self.families.contains_key(family) {
            self.shown = None;
        }
        let declared = match self.families.get_mut(family) {
            Some(declared) => declared,
            None => self.families.entry(family.to_owned()).or_default(),
        };
        declared.seen = page;
        if differs(&declared.metadata) {
            set(&mut declared.metadata);
            declared.changed = page;
            self.shown = None;
        }
    }

    pub(super) fn set_type(&mut self, family: &str, metric_type: MetricType) {
        self.update(
            family,
            |m| m.metric_type != metric_type,
            |m| m.metric_type = metric_type,
        );
    }

    pub(super) fn set_help(&mut self, family: &str, help: &str) {
        self.update(family, |m| m.help != help, |m| help.clone_into(&mut m.help));
    }

    pub(super) fn set_unit(&mut self, family: &str, unit: &str) {
        self.update(family, |m| m.unit != unit, |m| unit.clone_into(&mut m.unit));
    }

    /// Whether what a family declares is told to the store for a series of it: the series is new or this page
    /// changed the declaration.
    pub(super) fn is_wanted(&self, family: &str, new_series: bool) -> bool {
        let declared = self.families.get(family);
        declared.is_some_and(|declared| new_series || declared.changed == self.page)
    }

    /// What is declared of a family, if the metric seems to be part of it.
    pub(super) fn of(&self, family: &str, metric: &str) -> Option<&Metadata> {
        let metadata = &self.families.get(family)?.metadata;
        is_member(metric, family, metadata.metric_type).then_some(metadata)
    }

    /// Ends a page; after a good one, families that were not mentioned for long are forgotten.
    pub(super) fn end_page(&mut self, good: bool) {
        if good {
            let page = self.page;
            let before = self.families.len();
            self.families.retain(|_, d| page - d.seen <= KEPT_PAGES);
            if self.families.len() != before {
                self.shown = None;
            }
        }
        self.page += 1;
    }

    /// Every family, sorted by name.
    pub(super) fn list(&mut self) -> Arc<Vec<(String, Metadata)>> {
        let families = &self.families;
        let shown = self.shown.get_or_insert_with(|| {
            let pairs = families
                .iter()
                .map(|(name, d)| (name.clone(), d.metadata.clone()));
            Arc::new(pairs.collect())
        });
        Arc::clone(shown)
    }
}

/// Whether a series of this name can be part of a family: types own suffixes.
fn is_member(metric: &str, family: &str, metric_type: MetricType) -> bool {
    let suffixes: &[&str] = match metric_type {
        MetricType::Counter => &["_total"],
        MetricType::Histogram => &["_bucket", "_sum", "_count"],
        MetricType::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        MetricType::Summary => &["_sum", "_count"],
        MetricType::Info => &["_info"],
        _ => &[],
    };
    // compat: the classic form names counter and info families with their suffix.
    let family = match metric_type {
        MetricType::Counter => family.strip_suffix("_total").unwrap_or(family),
        MetricType::Info => family.strip_suffix("_info").unwrap_or(family),
        _ => family,
    };
    let base = suffixes
        .iter()
        .find_map(|suffix| metric.strip_suffix(suffix));
    base.unwrap_or(metric) == family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_forgotten_after_a_while() {
        let mut metadata = FamilyMetadata::default();
        metadata.set_help("a", "first");
        metadata.end_page(true);
        for _ in 0..10 {
            metadata.end_page(true);
            assert_eq!(metadata.list().len(), 1);
        }
        metadata.end_page(true);
        assert!(metadata.list().is_empty());
    }

    #[test]
    fn members_are_known_by_their_suffix() {
        assert!(is_member("a_total", "a", MetricType::Counter));
        assert!(is_member("a_total", "a_total", MetricType::Counter));
        assert!(is_member("a_bucket", "a", MetricType::Histogram));
        assert!(!is_member("a_bucket", "a", MetricType::Summary));
        assert!(!is_member("ab", "a", MetricType::Gauge));
    }
}
