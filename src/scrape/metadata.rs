use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
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
const KEPT_PAGES: u32 = 10;

/// After an unknown block of metadata lines, the page may go on with one of so many that are known.
const BLOCKS_SKIPPED_MAX: usize = 8;

/// What the pages of one target declare of their families.
#[derive(Debug, Default)]
pub(super) struct FamilyMetadata {
    families: Vec<Declared>,
    /// Where each name is in `families`.
    by_name: HashTable<u32>,
    hasher: RandomState,
    page: u32,
    shown: Option<Arc<Families>>,
    /// The metadata lines of the last good page, where a block of them declares the type of one family and no other
    /// block mentions it.
    blocks: Vec<Block>,
    /// The block that this page should come to next.
    next: usize,
    /// The blocks of this page, since it has differed from the one before.
    fresh: Option<Vec<Block>>,
    /// The block that is being read.
    open: Option<Open>,
    /// A family of this page is mentioned in two blocks.
    repeats: bool,
}

/// Metadata lines that follow each other.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Of the bytes of the lines. As with series, a hash seeded at random stands for them.
    hash: u64,
    family: u32,
    length: u16,
    metric_type: MetricType,
}

/// A block of which the end is not known.
#[derive(Debug)]
struct Open {
    /// Where it begins on the page.
    start: usize,
    family: u32,
    metric_type: Option<MetricType>,
    /// It mentions several families.
    is_mixed: bool,
}

#[derive(Debug)]
struct Declared {
    name: Arc<str>,
    metadata: Arc<Metadata>,
    /// The last page that mentioned the family, and the last that changed it.
    seen: u32,
    changed: u32,
}

impl FamilyMetadata {
    fn find(&self, family: &str) -> Option<u32> {
        let is_it = |at: &u32| {
            let declared = self.families.get(*at as usize);
            declared.is_some_and(|declared| *declared.name == *family)
        };
        let found = self.by_name.find(self.hasher.hash_one(family), is_it);
        found.copied()
    }

    fn get(&self, family: &str) -> Option<&Declared> {
        self.families.get(self.find(family)? as usize)
    }

    fn update(
        &mut self,
        family: &str,
        differs: impl Fn(&Metadata) -> bool,
        set: impl FnOnce(&mut Metadata),
    ) {
        let page = self.page;
        if let Some(at) = self.find(family) {
            let Some(declared) = self.families.get_mut(at as usize) else {
                return;
            };
            if let Some(open) = &mut self.open {
                let goes_on = open.mention(at);
                self.repeats |= !goes_on && declared.seen == page;
            }
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
            name: pool.name(family),
            metadata: pool.metadata(metadata),
            seen: page,
            changed,
        };
        drop(pool);
        let at = u32::try_from(self.families.len()).unwrap_or(u32::MAX);
        self.families.push(declared);
        self.index(at);
        self.shown = None;
        if let Some(open) = &mut self.open {
            open.mention(at);
        }
    }

    fn index(&mut self, at: u32) {
        let (families, hasher) = (&self.families, &self.hasher);
        let hash_of = |at: &u32| {
            let declared = families.get(*at as usize);
            declared.map_or(0, |declared| hasher.hash_one(&*declared.name))
        };
        self.by_name.insert_unique(hash_of(&at), at, hash_of);
    }

    pub(super) fn set_type(&mut self, family: &str, metric_type: MetricType) {
        self.update(
            family,
            |m| m.metric_type != metric_type,
            |m| m.metric_type = metric_type,
        );
        if let Some(open) = &mut self.open {
            open.metric_type = Some(metric_type);
        }
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
        let declared = self.get(family);
        declared.is_some_and(|declared| new_series || declared.changed == self.page)
    }

    /// What is declared of a family, if the metric seems to be part of it.
    pub(super) fn of(&self, family: &str, metric: &str) -> Option<&Metadata> {
        let metadata = &*self.get(family)?.metadata;
        is_member(metric, family, metadata.metric_type).then_some(metadata)
    }

    /// Whether `rest`, which begins with a metadata line, begins with the block that stood `ahead` blocks behind the next
    /// on the last page. The answer is its length and the type that it declares; [`Self::take`] notes what it says.
    #[inline]
    pub(super) fn look(&self, ahead: usize, rest: &[u8]) -> Option<(usize, MetricType)> {
        let block = self.blocks.get(self.next + ahead)?;
        let length = usize::from(block.length);
        let lines = rest.get(..length)?;
        let declared = self.families.get(block.family as usize)?;
        let goes_on = rest.get(length) == Some(&b'#');
        let is_it = !goes_on
            && self.open.is_none()
            && declared.seen != self.page
            && self.hasher.hash_one(lines) == block.hash;
        is_it.then_some((length, block.metric_type))
    }

    /// Notes that the page has the next blocks of the last one.
    pub(super) fn take(&mut self, blocks: usize) {
        let taken = self.blocks.get(self.next..self.next + blocks);
        for block in taken.unwrap_or_default() {
            if let Some(declared) = self.families.get_mut(block.family as usize) {
                declared.seen = self.page;
            }
            if let Some(fresh) = &mut self.fresh {
                fresh.push(*block);
            }
        }
        self.next += blocks;
    }

    /// Whether a block has begun and not ended.
    pub(super) const fn is_in_block(&self) -> bool {
        self.open.is_some()
    }

    /// Notes that metadata lines begin at `start`, which [`Self::look`] does not know.
    pub(super) const fn begin_block(&mut self, start: usize) {
        self.open = Some(Open {
            start,
            family: u32::MAX,
            metric_type: None,
            is_mixed: false,
        });
    }

    /// Notes that no metadata line stands at `end` of the page.
    pub(super) fn end_block(&mut self, page: &[u8], end: usize) {
        let Some(open) = self.open.take() else {
            return;
        };
        let known = self.blocks.get(..self.next).unwrap_or_default();
        let fresh = self.fresh.get_or_insert_with(|| known.to_vec());
        let lines = page.get(open.start..end).unwrap_or_default();
        if let (Some(metric_type), Ok(length), false) =
            (open.metric_type, u16::try_from(lines.len()), open.is_mixed)
        {
            fresh.push(Block {
                hash: self.hasher.hash_one(lines),
                family: open.family,
                length,
                metric_type,
            });
        }
        // The lines may stand in the place of others that spoke of the family.
        let ahead = self.blocks.get(self.next..).unwrap_or_default();
        let mut ahead = ahead.iter().take(BLOCKS_SKIPPED_MAX);
        if let Some(skipped) = ahead.position(|block| block.family == open.family) {
            self.next += skipped + 1;
        }
    }

    /// Ends a page; after a good one, families that were not mentioned for long are forgotten.
    pub(super) fn end_page(&mut self, good: bool) {
        self.open = None;
        match self.fresh.take() {
            Some(mut fresh) => {
                fresh.shrink_to_fit();
                self.blocks = fresh;
            }
            None => self.blocks.truncate(self.next),
        }
        // What is known must be what the last page said, and the only thing that it said of a family.
        if !good || self.repeats {
            self.blocks = Vec::new();
        }
        if good {
            self.forget();
            self.families.shrink_to_fit();
        }
        self.next = 0;
        self.repeats = false;
        self.page += 1;
    }

    fn forget(&mut self) {
        let (page, before) = (self.page, self.families.len());
        self.families.retain(|d| page - d.seen <= KEPT_PAGES);
        if self.families.len() == before {
            return;
        }
        self.shown = None;
        self.blocks = Vec::new();
        self.by_name = HashTable::new();
        for at in 0..self.families.len() {
            self.index(u32::try_from(at).unwrap_or(u32::MAX));
        }
    }

    /// Every family, sorted by name.
    pub(super) fn list(&mut self) -> Arc<Families> {
        let families = &self.families;
        let shown = self.shown.get_or_insert_with(|| {
            let pairs = families.iter();
            let pairs = pairs.map(|d| (Arc::clone(&d.name), Arc::clone(&d.metadata)));
            let mut pairs: Families = pairs.collect();
            pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Arc::new(pairs)
        });
        Arc::clone(shown)
    }
}

impl Open {
    /// Notes a family; false when the block did not mention it before.
    const fn mention(&mut self, family: u32) -> bool {
        let goes_on = self.family == family;
        self.is_mixed |= !goes_on && self.family != u32::MAX;
        self.family = family;
        goes_on
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

    /// Reads a page's blocks of metadata lines as [`super::super::page`] does; tells which of them were passed over.
    fn read(metadata: &mut FamilyMetadata, page: &[&str]) -> Vec<bool> {
        let whole = page.concat();
        let mut at = 0;
        let mut passed = Vec::new();
        for block in page {
            let known = metadata.look(0, &whole.as_bytes()[at..]);
            metadata.take(usize::from(known.is_some()));
            passed.push(known.is_some());
            if known.is_none() && block.starts_with('#') {
                metadata.begin_block(at);
                for line in block.lines() {
                    let words: Vec<&str> = line.split(' ').collect();
                    match words[1] {
                        "TYPE" if words[3] == "gauge" => {
                            metadata.set_type(words[2], MetricType::Gauge);
                        }
                        "TYPE" => metadata.set_type(words[2], MetricType::Counter),
                        _ => metadata.set_help(words[2], words[3]),
                    }
                }
                metadata.end_block(whole.as_bytes(), at + block.len());
            }
            at += block.len();
        }
        metadata.end_page(true);
        passed
    }

    const A: &str = "# HELP a one\n# TYPE a gauge\n";
    const B: &str = "# HELP b one\n# TYPE b counter\n";
    const C: &str = "# TYPE c counter\n";

    #[test]
    fn known_blocks_are_passed_over() {
        let mut metadata = FamilyMetadata::default();
        assert_eq!(read(&mut metadata, &[A, "a 1\n", C]), [false; 3]);
        assert_eq!(read(&mut metadata, &[A, "a 1\n", C]), [true, false, true]);
        assert_eq!(
            read(&mut metadata, &[A, "a 1\n", B, "b 1\n", C]),
            [true, false, false, false, true]
        );
        assert_eq!(read(&mut metadata, &[B, "b 1\n", C]), [false, false, true]);
        assert_eq!(metadata.look(0, b"# TYPE b gauge\n"), None);
        for _ in 0..=KEPT_PAGES {
            read(&mut metadata, &[B, "b 1\n", C]);
        }
        let names: Vec<_> = metadata
            .list()
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn a_family_that_two_blocks_mention_is_as_the_last_one_says() {
        let other = "# HELP a two\n# TYPE a gauge\n";
        let mut metadata = FamilyMetadata::default();
        let help = |metadata: &mut FamilyMetadata| metadata.list()[0].1.help.clone();
        for _ in 0..3 {
            read(&mut metadata, &[A, "a 1\n", other, "x 1\n"]);
            assert_eq!(help(&mut metadata), "two");
        }
        for _ in 0..2 {
            read(&mut metadata, &[A, "a 1\n"]);
            assert_eq!(help(&mut metadata), "one");
        }
        read(&mut metadata, &[A, "a 1\n", other, "x 1\n"]);
        assert_eq!(help(&mut metadata), "two");
        metadata.end_page(false);
        read(&mut metadata, &[A, "a 1\n"]);
        assert_eq!(help(&mut metadata), "one");
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
