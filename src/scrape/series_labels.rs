//! How a target's labels and a series' own come together.

use super::JobOptions;
use crate::model::{Labels, LabelsBuilder};
use crate::relabel;

/// Gives a scraped series its final labels; `None` when metric relabeling drops it. `emptied` names the
/// labels that it exposes without a value: where labels are honored, the target's own do not fill them.
pub(super) fn of_sample(
    exposed: &Labels,
    emptied: &[String],
    target: &Labels,
    options: &JobOptions,
) -> Option<Labels> {
    let mut builder = LabelsBuilder::from(exposed);
    let mut conflicts: Vec<(&str, &str)> = Vec::new();
    for (name, value) in target {
        match exposed.get(name) {
            Some(_) if options.honor_labels => continue,
            Some(own) => conflicts.push((name, own)),
            None if options.honor_labels && emptied.iter().any(|e| e == name) => continue,
            None => {}
        }
        builder.set(name, value);
    }
    // compat: short names first, so that `exported_x` moves out of the way of `x`.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut renamed = format!("exported_{name}");
        while !builder.get(&renamed).is_empty() {
            renamed.insert_str(0, "exported_");
        }
        builder.set(&renamed, value);
    }
    if !relabel::apply(&mut builder, &options.metric_relabel_rules) {
        return None;
    }
    let labels = builder.build();
    (!labels.is_empty()).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_exported_or_honored() {
        let exposed =
            Labels::from_pairs([("__name__", "m"), ("job", "own"), ("exported_job", "x")]);
        let target = Labels::from_pairs([("job", "target"), ("instance", "h")]);
        let options = JobOptions::default();
        assert_eq!(
            of_sample(&exposed, &[], &target, &options)
                .unwrap()
                .to_string(),
            r#"{__name__="m", exported_exported_job="own", exported_job="x", instance="h", job="target"}"#
        );
        let options = JobOptions {
            honor_labels: true,
            ..options
        };
        assert_eq!(
            of_sample(&exposed, &[], &target, &options)
                .unwrap()
                .to_string(),
            r#"{__name__="m", exported_job="x", instance="h", job="own"}"#
        );
        let emptied = ["instance".to_owned()];
        assert_eq!(
            of_sample(&exposed, &emptied, &target, &options)
                .unwrap()
                .to_string(),
            r#"{__name__="m", exported_job="x", job="own"}"#
        );
    }
}
