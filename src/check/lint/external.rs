//! External labels: what the server adds to every alert and series that leaves it.

use crate::check::{Finding, Severity};
use crate::template::Use;
use crate::template::rules::uses;

use super::Page;
use super::subject::{Subject, World};

pub(super) static UNSET: Page = Page::new(
    "W042",
    "external-label-unset",
    Severity::Warning,
    "A template prints an external label that the configuration does not set.",
)
.pint("alerts/external_labels")
.why("`$externalLabels` holds what `external_labels` of `prometheus.yml` says and nothing else: a label that is not there prints as nothing. It is looked at by `check config`, where the configuration is known.")
.example(
    "# prometheus.yml sets cluster only\nsummary: 'down in {{ $externalLabels.region }}'",
    "summary: 'down in {{ $externalLabels.cluster }}'",
);

pub(super) static CONFLICT: Page = Page::new(
    "W043",
    "external-label-conflict",
    Severity::Warning,
    "A rule sets a label that is an external label of the server.",
)
.pint("labels/conflict")
.why("External labels say which server an alert or a series comes from. A rule that sets one itself wins, so its alerts seem to come from elsewhere; and where the values are the same the label is written twice. It is looked at by `check config`, where the configuration is known.")
.example(
    "# prometheus.yml: external_labels: {cluster: a}\nlabels:\n  cluster: b",
    "labels:\n  about_cluster: b",
);

pub(super) fn check(world: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let Some(config) = world.subjects.config else {
        return;
    };
    let external = &config.global.external_labels;
    for (name, value) in &subject.rule.labels {
        if let Some(known) = external.get(name)
            && let Some(entry) = subject.entry("labels", name)
        {
            let message = if known == value {
                format!("`{name}` is an external label of the server and has this value anyway")
            } else {
                format!("`{name}` is an external label of the server, where it is {known:?}")
            };
            let finding = subject.on_node(&CONFLICT, &entry.key, message);
            out.push(finding.with_hint(format!("leave `{name}` away, or name it otherwise")));
        }
    }
    if !subject.is_alert() {
        return;
    }
    let fields = [
        ("labels", &subject.rule.labels),
        ("annotations", &subject.rule.annotations),
    ];
    for (field, pairs) in fields {
        for (name, text) in pairs.iter().filter(|(_, text)| text.contains("{{")) {
            let Some(entry) = subject.entry(field, name) else {
                continue;
            };
            for used in uses(text) {
                if let Use::ExternalLabel(label) = used.what
                    && external.get(&label).is_none()
                {
                    let message =
                        format!("`external_labels` has no `{label}`, so this prints nothing");
                    let at = used.offset..used.offset;
                    out.push(subject.in_scalar(&UNSET, &entry.value, at, message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::check::lint::testing::{file, findings_with_config};
    use crate::config::MemoryFiles;
    use crate::config::prometheus::{LoadOptions, load};

    #[test]
    fn external_labels_are_those_of_the_configuration() {
        let mut files = MemoryFiles::new();
        files.insert("p.yml", "global: {external_labels: {cluster: a}}\n");
        let config = load(
            Path::new("p.yml"),
            &files,
            &|_| None,
            LoadOptions::default(),
        )
        .unwrap();
        let found = |labels: &str, text: &str| -> Vec<&str> {
            let rule = format!(
                "  - alert: A\n    expr: up == 0\n    labels: {{{labels}}}\n    annotations: {{summary: '{text}'}}\n"
            );
            let found = findings_with_config(&file(&rule), &config);
            found.iter().map(crate::check::Finding::id).collect()
        };
        assert_eq!(found("cluster: b", "s"), ["W043"]);
        assert_eq!(found("cluster: a", "s"), ["W043"]);
        assert!(found("team: a", "in {{ $externalLabels.cluster }}").is_empty());
        assert_eq!(
            found("team: a", "in {{ $externalLabels.region }}"),
            ["W042"]
        );
        assert_eq!(
            found("team: a", "in {{ .ExternalLabels.region }}"),
            ["W042"]
        );
    }
}
