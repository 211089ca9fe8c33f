//! A baseline: the findings that a project had when it began to be checked, so that only new ones count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::check::{Finding, Severity};

/// Why a baseline file is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It is no JSON of the right shape.
    #[error("the baseline cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was written by a newer version.
    #[error("the baseline has version {0}, but only version 1 is understood")]
    Version(u32),
}

/// How many findings of each kind are known. Lines do not count, so that a baseline survives edits above a
/// finding; its check, file, rule and text do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    known: BTreeMap<Key, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    id: String,
    file: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    rule: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: Key,
    #[serde(default = "one")]
    count: usize,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    findings: Vec<Entry>,
}

const fn one() -> usize {
    1
}

impl Baseline {
    /// The findings of today; errors never belong to a baseline.
    pub fn of(findings: &[Finding]) -> Self {
        let mut known = BTreeMap::new();
        for finding in findings
            .iter()
            .filter(|f| f.page.severity != Severity::Error)
        {
            *known.entry(Key::of(finding)).or_default() += 1;
        }
        Self { known }
    }

    /// Reads a baseline file.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let file: File = serde_json::from_str(text)?;
        if file.version != 1 {
            return Err(BaselineError::Version(file.version));
        }
        let mut known = BTreeMap::new();
        for entry in file.findings {
            let count: &mut usize = known.entry(entry.key).or_default();
            *count = count.saturating_add(entry.count);
        }
        Ok(Self { known })
    }

    /// The file's text: sorted, an entry per line, so that it merges well.
    pub fn to_json(&self) -> String {
        let entries: Vec<String> = self
            .known
            .iter()
            .filter_map(|(key, count)| {
                let entry = Entry {
                    key: key.clone(),
                    count: *count,
                };
                serde_json::to_string(&entry).ok()
            })
            .map(|line| format!("    {line}"))
            .collect();
        format!(
            "{{\n  \"version\": 1,\n  \"findings\": [\n{}\n  ]\n}}\n",
            entries.join(",\n")
        )
    }

    /// Takes the known findings away; how many were.
    pub fn filter(&self, findings: &mut Vec<Finding>) -> usize {
        let mut left = self.known.clone();
        let before = findings.len();
        findings.retain(|finding| {
            if finding.page.severity == Severity::Error {
                return true;
            }
            match left.get_mut(&Key::of(finding)) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            }
        });
        before - findings.len()
    }
}

impl Key {
    fn of(finding: &Finding) -> Self {
        let rule = finding.rule.as_ref();
        Self {
            id: finding.page.id.to_owned(),
            file: finding.file.clone(),
            group: rule.map(|rule| rule.group.clone()).unwrap_or_default(),
            rule: rule.map(|rule| rule.name.clone()).unwrap_or_default(),
            message: finding.message.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::lint::errors;

    #[test]
    fn old_sins_are_taken_away_as_often_as_they_are_known() {
        let sin = |message: &str| Finding::new(&errors::CONFIG_WARNING, "f.yml", message);
        let baseline = Baseline::of(&[sin("a"), sin("a"), sin("b")]);
        let baseline = Baseline::parse(&baseline.to_json()).unwrap();
        let mut findings = vec![sin("a"), sin("a"), sin("a"), sin("c")];
        findings.push(Finding::new(&errors::CONFIG, "f.yml", "b"));
        assert_eq!(baseline.filter(&mut findings), 2);
        let left: Vec<_> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(left, ["a", "c", "b"]);
        assert!(Baseline::parse("{\"version\": 2, \"findings\": []}").is_err());
        assert_eq!(
            Baseline::parse(&Baseline::default().to_json()).unwrap(),
            Baseline::default()
        );
    }
}
