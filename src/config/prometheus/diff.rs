use super::Config;

/// What a reload must do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// Jobs that are new.
    pub added: Vec<String>,
    /// Jobs that are gone.
    pub removed: Vec<String>,
    /// Jobs that say something else now.
    pub changed: Vec<String>,
    /// Whether the external labels differ: they reach into alerts and federation.
    pub external_labels: bool,
    /// Whether the patterns of rule files or the defaults of rules differ. The files themselves may
    /// have changed all the same.
    pub rules: bool,
    /// Whether `alerting` differs.
    pub alerting: bool,
    /// Whether `storage` differs.
    pub storage: bool,
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two configurations. Names are in the order of the files.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let mut out = Diff {
        external_labels: old.global.external_labels != new.global.external_labels,
        rules: old.rule_files != new.rule_files
            || old.global.evaluation_interval != new.global.evaluation_interval
            || old.global.rule_query_offset != new.global.rule_query_offset
            || old.global.validation != new.global.validation,
        alerting: old.alerting != new.alerting,
        storage: old.storage != new.storage,
        ..Diff::default()
    };
    let find = |config: &Config, name: &str| {
        let found = config.jobs.iter().find(|job| job.options.job_name == name);
        found.cloned()
    };
    for job in &new.jobs {
        let name = &job.options.job_name;
        match find(old, name) {
            None => out.added.push(name.clone()),
            Some(before) if before != *job => out.changed.push(name.clone()),
            Some(_) => {}
        }
    }
    for job in &old.jobs {
        let name = &job.options.job_name;
        if find(new, name).is_none() {
            out.removed.push(name.clone());
        }
    }
    out
}
