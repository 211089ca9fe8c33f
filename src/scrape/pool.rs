use std::collections::BTreeMap;
use std::sync::Arc;

use super::JobOptions;
use super::target::{Populated, Target, populate};
use crate::discovery::TargetGroup;
use crate::model::Labels;

/// The targets of one job.
#[derive(Debug, Default)]
pub struct Pool {
    options: Arc<JobOptions>,
    active: BTreeMap<u64, Arc<Target>>,
    dropped: Vec<Labels>,
    dropped_count: usize,
}

/// What a sync changed.
#[derive(Debug, Default)]
pub struct Sync {
    /// Targets that are new.
    pub started: Vec<Arc<Target>>,
    /// Hashes of targets that are gone.
    pub stopped: Vec<u64>,
    /// Targets that could not be made, in upstream's words.
    pub failures: Vec<String>,
}

impl Pool {
    /// A job without targets.
    pub fn new(options: Arc<JobOptions>) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// The job's options.
    pub const fn options(&self) -> &Arc<JobOptions> {
        &self.options
    }

    /// Takes new options. Targets stay as they are until the next [`sync`](Self::sync); their loops must
    /// be built anew, and may keep their state when [`JobOptions::same_series_as`] says so.
    pub fn reload(&mut self, options: Arc<JobOptions>) {
        self.options = options;
    }

    /// Makes the targets be those of `groups`. Equal targets count once.
    pub fn sync<'g>(&mut self, groups: impl IntoIterator<Item = &'g TargetGroup>) -> Sync {
        let mut outcome = Sync::default();
        let mut wanted = BTreeMap::new();
        self.dropped.clear();
        self.dropped_count = 0;
        let kept = match self.options.keep_dropped_targets {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        for group in groups {
            for (i, own) in group.targets.iter().enumerate() {
                match populate(own, &group.labels, &self.options) {
                    Ok(Populated::Target(target)) => {
                        wanted
                            .entry(target.hash)
                            .or_insert_with(|| Arc::new(*target));
                    }
                    Ok(Populated::Dropped { discovered }) => {
                        self.dropped_count += 1;
                        if self.dropped.len() < kept {
                            self.dropped.push(discovered);
                        }
                    }
                    Err(why) => outcome
                        .failures
                        .push(format!("instance {i} in group {}: {why}", group.source)),
                }
            }
        }
        let gone = |(hash, _): &(&u64, &Arc<Target>)| !wanted.contains_key(*hash);
        outcome.stopped = self
            .active
            .iter()
            .filter(gone)
            .map(|(hash, _)| *hash)
            .collect();
        outcome.started = wanted
            .iter()
            .filter(|(hash, _)| !self.active.contains_key(*hash))
            .map(|(_, target)| Arc::clone(target))
            .collect();
        self.active = wanted;
        outcome
    }

    /// The targets that are scraped, in the order of their hashes.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.active.values()
    }

    /// Discovered labels of targets that relabeling dropped, at most `keep_dropped_targets` of them.
    pub fn dropped(&self) -> &[Labels] {
        &self.dropped
    }

    /// How many targets relabeling dropped.
    pub const fn dropped_count(&self) -> usize {
        self.dropped_count
    }

    /// Why no target of the job may be scraped: there are more than `target_limit`.
    pub fn target_limit_error(&self) -> Option<String> {
        let (count, limit) = (self.active.len(), self.options.target_limit);
        (limit > 0 && count as u64 > limit)
            .then(|| format!("target_limit exceeded (number of targets: {count}, limit: {limit})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relabel::{Action, Rule};

    fn group(addresses: &[&str]) -> TargetGroup {
        TargetGroup {
            source: "0".to_owned(),
            targets: addresses
                .iter()
                .map(|a| [("__address__", *a)].into_iter().collect())
                .collect(),
            labels: Labels::empty(),
        }
    }

    #[test]
    fn targets_start_go_on_and_stop() {
        let mut pool = Pool::new(Arc::new(JobOptions {
            target_limit: 1,
            ..JobOptions::default()
        }));
        let first = pool.sync(&[group(&["a", "b", "a", "x/y"])]);
        assert_eq!((first.started.len(), first.stopped.len()), (2, 0));
        assert_eq!(
            first.failures,
            [r#"instance 3 in group 0: "x/y" is not a valid hostname"#]
        );
        assert_eq!(
            pool.target_limit_error().as_deref(),
            Some("target_limit exceeded (number of targets: 2, limit: 1)")
        );
        let second = pool.sync(&[group(&["b", "c"])]);
        assert_eq!((second.started.len(), second.stopped.len()), (1, 1));
        assert!(
            second
                .started
                .iter()
                .all(|t| t.labels.get("instance") == Some("c"))
        );
        assert_eq!(pool.active().count(), 2);
    }

    #[test]
    fn dropped_targets_are_counted_and_some_kept() {
        let mut pool = Pool::new(Arc::new(JobOptions {
            keep_dropped_targets: 1,
            relabel_rules: vec![Rule {
                action: Action::Drop,
                ..Rule::default()
            }],
            ..JobOptions::default()
        }));
        pool.sync(&[group(&["a", "b"])]);
        assert_eq!((pool.dropped().len(), pool.dropped_count()), (1, 2));
    }
}
