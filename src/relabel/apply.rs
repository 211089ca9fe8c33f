use md5::{Digest as _, Md5};

use super::letter_case;
use super::rule::{Action, DEFAULT_REGEX, DEFAULT_REPLACEMENT, Rule};
use crate::model::{Labels, LabelsBuilder};

/// What one rule made of the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whether the set lives on.
    pub kept: bool,
    /// The labels after the rule; without labels when it dropped the set.
    pub output: Labels,
}

/// Runs `rules` in order over `labels`. `false` means that a rule dropped the set, whose labels are
/// then of no use.
pub fn apply(labels: &mut LabelsBuilder, rules: &[Rule]) -> bool {
    rules.iter().all(|rule| apply_one(labels, rule))
}

/// Runs `rules` like [`apply`] and tells what each did, up to the one that drops the set.
pub fn trace(labels: &Labels, rules: &[Rule]) -> Vec<Step> {
    let mut builder = LabelsBuilder::from(labels);
    let mut steps = Vec::with_capacity(rules.len());
    for rule in rules {
        let kept = apply_one(&mut builder, rule);
        let output = if kept {
            builder.build()
        } else {
            Labels::empty()
        };
        steps.push(Step { kept, output });
        if !kept {
            break;
        }
    }
    steps
}

fn apply_one(labels: &mut LabelsBuilder, rule: &Rule) -> bool {
    match rule.action {
        Action::Drop => return !rule.regex.is_match(&source(labels, rule)),
        Action::Keep => return rule.regex.is_match(&source(labels, rule)),
        Action::DropEqual => return labels.get(&rule.target_label) != source(labels, rule),
        Action::KeepEqual => return labels.get(&rule.target_label) == source(labels, rule),
        Action::Replace => replace(labels, rule),
        Action::Lowercase => {
            let value = letter_case::lower(&source(labels, rule));
            labels.set(&rule.target_label, &value);
        }
        Action::Uppercase => {
            let value = letter_case::upper(&source(labels, rule));
            labels.set(&rule.target_label, &value);
        }
        Action::HashMod => {
            let value = hash(&source(labels, rule)).checked_rem(rule.modulus);
            // A modulus of zero does not pass `Rule::validate`.
            labels.set(&rule.target_label, &value.unwrap_or(0).to_string());
        }
        Action::LabelMap => map_names(labels, rule),
        Action::LabelDrop => labels.retain(|name, _| !rule.regex.is_match(name)),
        Action::LabelKeep => labels.retain(|name, _| rule.regex.is_match(name)),
    }
    true
}

/// The values of the source labels, joined.
fn source(labels: &LabelsBuilder, rule: &Rule) -> String {
    let mut joined = String::new();
    for (i, name) in rule.source_labels.iter().enumerate() {
        if i > 0 {
            joined.push_str(&rule.separator);
        }
        joined.push_str(labels.get(name));
    }
    joined
}

fn replace(labels: &mut LabelsBuilder, rule: &Rule) {
    let source = source(labels, rule);
    let takes_all = rule.regex.pattern() == DEFAULT_REGEX;
    let fixed_target = !rule.target_label.contains('$');
    // The common rules write the source itself, or a fixed text, and need no groups.
    if takes_all && fixed_target && rule.replacement == DEFAULT_REPLACEMENT {
        labels.set(&rule.target_label, &source);
        return;
    }
    if fixed_target && !rule.replacement.contains('$') {
        if takes_all || rule.regex.is_match(&source) {
            labels.set(&rule.target_label, &rule.replacement);
        }
        return;
    }
    let Some(target) = rule.regex.expand(&source, &rule.target_label) else {
        return;
    };
    // compat: groups may form a text that is no name; the rule then does nothing.
    if !rule.validation.is_valid_label_name(&target) {
        return;
    }
    if let Some(value) = rule.regex.expand(&source, &rule.replacement) {
        labels.set(&target, &value);
    }
}

/// compat: the last half of the MD5 digest, so that shards stay where earlier versions put them.
fn hash(text: &str) -> u64 {
    let digest = Md5::digest(text.as_bytes());
    let half = digest[8..].try_into().expect("an MD5 digest has 16 bytes");
    u64::from_be_bytes(half)
}

fn map_names(labels: &mut LabelsBuilder, rule: &Rule) {
    let mapped: Vec<(String, String)> = labels
        .iter()
        .filter(|(name, _)| rule.regex.is_match(name))
        .map(|(name, value)| {
            let name = rule.regex.replace_all(name, &rule.replacement);
            (name, value.to_owned())
        })
        .collect();
    for (name, value) in mapped {
        // Under UTF-8 names a group may expand to nothing, and a label must have a name.
        if !name.is_empty() {
            labels.set(&name, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: Action, source: &str, regex: &str, target: &str, replacement: &str) -> Rule {
        Rule {
            action,
            source_labels: if source.is_empty() {
                vec![]
            } else {
                vec![source.to_owned()]
            },
            regex: Rule::regex(regex).unwrap(),
            target_label: target.to_owned(),
            replacement: replacement.to_owned(),
            ..Rule::default()
        }
    }

    #[test]
    fn trace_shows_each_step_and_stops_at_the_drop() {
        let labels = Labels::from_pairs([("a", "1")]);
        let steps = trace(
            &labels,
            &[
                rule(Action::Replace, "a", "(.*)", "b", "x$1"),
                rule(Action::Drop, "b", "x1", "", "$1"),
                rule(Action::Replace, "a", "(.*)", "c", "$1"),
            ],
        );
        assert_eq!(
            steps,
            [
                Step {
                    kept: true,
                    output: Labels::from_pairs([("a", "1"), ("b", "x1")])
                },
                Step {
                    kept: false,
                    output: Labels::empty()
                },
            ]
        );
    }

    #[test]
    fn replace_removes_the_target_when_the_result_is_empty() {
        let mut labels = LabelsBuilder::from(&Labels::from_pairs([("a", "1"), ("b", "2")]));
        assert!(apply(
            &mut labels,
            &[rule(Action::Replace, "zz", "(.*)", "a", "$1")]
        ));
        assert!(apply(
            &mut labels,
            &[rule(Action::Replace, "b", "2()", "b", "$1")]
        ));
        assert!(labels.build().is_empty());
    }

    #[test]
    fn labelmap_copies_and_keeps_the_source() {
        let mut labels = LabelsBuilder::from(&Labels::from_pairs([("__meta_x", "1"), ("y", "2")]));
        apply(
            &mut labels,
            &[rule(Action::LabelMap, "", "__meta_(.+)", "", "$1")],
        );
        assert_eq!(
            labels.build().to_string(),
            r#"{__meta_x="1", x="1", y="2"}"#
        );
    }
}
