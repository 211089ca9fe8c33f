use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::{Metadata, MetricType};

/// What a target declares: families by name.
pub type Families = Vec<(Arc<str>, Arc<Metadata>)>;

/// Names and declarations that targets share: thousands of targets of a job declare the same.
static POOL: Mutex<Pool> = Mutex::new(Pool {
    names: BTreeSet::new(),
    declared: BTreeSet::new(),
    most: POOL_MIN,
});

/// A pool of fewer texts is not looked through for those that nobody has any more.
const POOL_MIN: usize = 4096;

#[derive(Debug)]
struct Pool {
    names: BTreeSet<Arc<str>>,
    declared: BTreeSet<Arc<Metadata>>,
    /// With more than this it is looked through.
    most: usize,
}

impl Pool {
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn metadata(&mut self, metadata: Metadata) -> Arc<Metadata> {
        if let Some(known) = self.declared.get(&metadata) {
            return Arc::clone(known);
        }
        self.tidy();
        let metadata = Arc::new(metadata);
        self.declared.insert(Arc::clone(&metadata));
        metadata
    }

    /// Forgets what nobody has any more, when there may be much of it.
    fn tidy(&mut self) {
        if self.names.len() + self.declared.len() >= self.most {
            self.names.retain(|name| Arc::strong_count(name) > 1);
            self.declared.retain(|known| Arc::strong_count(known) > 1);
            let left = self.names.len() + self.declared.len();
            self.most = POOL_MIN.max(left * 2);
        }
    }
}

/// For how many pages a family's metadata outlives its last mention.
const KEPT_PAGES: u64 = 10;

/// What the pages of one target declare of their families.
#[derive(Debug, Default)]
pub(super) struct FamilyMetadata {
    families: BTreeMap<Arc<str>, Declared>,
    page: u64,
    shown: Option<Arc<Families>>,
}

#[derive(Debug)]
struct Declared {
    metadata: Arc<Metadata>,
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
        if let Some(declared) = self.families.get_mut(family) {
            declared.seen = page;
            if differs(&declared.metadata) {
                let mut metadata = Metadata::clone(&declared.metadata);
                set(&mut metadata);
                declared.metadata = POOL.lock().metadata(metadata);
                declared.changed = page;
                self.shown = None;
            }
            return;
        }
        let mut metadata = Metadata::default();
        let changed = if differs(&metadata) { page } else { 0 };
        set(&mut metadata);
        let mut pool = POOL.lock();
        let declared = Declared {
            metadata: pool.metadata(metadata),
            seen: page,
            changed,
        };
        self.families.insert(pool.name(family), declared);
        self.shown = None;
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
        let metadata = &*self.families.get(family)?.metadata;
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
    pub(super) fn list(&mut self) -> Arc<Families> {
        let families = &self.families;
        let shown = self.shown.get_or_insert_with(|| {
            let pairs = families
                .iter()
                .map(|(name, d)| (Arc::clone(name), Arc::clone(&d.metadata)));
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
    fn what_targets_declare_alike_is_kept_once() {
        let mut lists = Vec::new();
        for _ in 0..2 {
            let mut metadata = FamilyMetadata::default();
            metadata.set_type("shared_total", MetricType::Counter);
            metadata.set_help("shared_total", "what_targets_declare_alike");
            lists.push(metadata.list());
        }
        assert!(Arc::ptr_eq(&lists[0][0].0, &lists[1][0].0));
        assert!(Arc::ptr_eq(&lists[0][0].1, &lists[1][0].1));
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
