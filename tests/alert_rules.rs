//! The shipped rule packs load, tell what to do, and pass their unit tests; the shipped configurations and
//! manifests are well-formed and fit together.
#![allow(clippy::unwrap_used, reason = "a broken pack must stop the test")]
#![allow(clippy::disallowed_methods, reason = "the packs lie on the real disk")]

use std::io;
use std::path::{Path, PathBuf};

use watchfire::alerting::matchers::Syntax;
use watchfire::check::unit_test::{TestOptions, test_rules};
use watchfire::config::{Files, MemoryFiles, alertmanager, prometheus, watchfire as watchfire_yml};
use watchfire::rules::file::{FileOptions, FileRuleKind, parse};
use watchfire::text::yaml::{self, Node};

struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        glob::glob(pattern)
            .map(|paths| paths.flatten().collect())
            .map_err(|error| error.to_string())
    }
}

fn packs(tests: bool) -> Vec<PathBuf> {
    let pattern = Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/*.yaml");
    let all = Disk.glob(&pattern.to_string_lossy()).unwrap();
    all.into_iter()
        .filter(|path| path.to_string_lossy().ends_with("_test.yaml") == tests)
        .collect()
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_runbook_line() {
    assert!(packs(false).len() >= 2);
    for path in packs(false) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = parse(&text, &FileOptions::default())
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        for rule in file
            .groups
            .iter()
            .flat_map(|group| &group.rules)
            .filter(|rule| rule.kind == FileRuleKind::Alerting)
        {
            let has = |pairs: &[(String, String)], name: &str| {
                pairs.iter().any(|(n, v)| n == name && !v.is_empty())
            };
            assert!(has(&rule.labels, "severity"), "{}: no severity", rule.name);
            assert!(
                has(&rule.annotations, "summary") && has(&rule.annotations, "runbook"),
                "{}: no summary or runbook",
                rule.name
            );
        }
    }
}

#[test]
fn the_essential_pack_has_the_eight_alerts() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/essential.yaml"),
    )
    .unwrap();
    let file = parse(&text, &FileOptions::default()).unwrap();
    let names: Vec<&str> = file
        .groups
        .iter()
        .flat_map(|group| &group.rules)
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "APIServerDown",
            "etcdDown",
            "NodeDown",
            "PodCrashLooping",
            "HighErrorRate",
            "HighCPU",
            "HighMemory",
            "DiskFillingUp"
        ]
    );
}

#[test]
fn the_packs_pass_their_unit_tests() {
    assert!(!packs(true).is_empty());
    for path in packs(true) {
        let report = test_rules(&path, &Disk, &TestOptions::default());
        assert!(report.passed(), "{report:#?}");
    }
}

/// Every example and container file is well-formed YAML without a key that stands twice.
#[test]
fn examples_are_well_formed() {
    let mut seen = 0;
    for pattern in ["examples/**/*.y*ml", "docker/*.y*ml", "alert-rules/*.yaml"] {
        let pattern = Path::new(env!("CARGO_MANIFEST_DIR")).join(pattern);
        for path in Disk.glob(&pattern.to_string_lossy()).unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            let documents = yaml::parse(&text).unwrap_or_else(|e| panic!("{}:{e}", path.display()));
            assert!(!documents.is_empty(), "{}", path.display());
            for document in &documents {
                keys_stand_once(&path, &document.root);
            }
            seen += 1;
        }
    }
    assert!(seen >= 14, "only {seen} files");
}

fn keys_stand_once(path: &Path, node: &Node) {
    let mut keys = std::collections::BTreeSet::new();
    for entry in node.as_mapping().unwrap_or_default() {
        let key = entry.key.as_str().unwrap_or_default();
        let place = entry.key.span.start;
        assert!(
            keys.insert(key),
            "{}:{}:{}: {key} stands twice",
            path.display(),
            place.line,
            place.column
        );
        keys_stand_once(path, &entry.value);
    }
    for item in node.as_sequence().unwrap_or_default() {
        keys_stand_once(path, item);
    }
}

fn text<'a>(node: &'a Node, keys: &[&str]) -> Option<&'a str> {
    keys.iter()
        .try_fold(node, |node, key| node.entry(key))?
        .as_str()
}

/// kubectl is not at hand: the shape of the manifests is held here, and what is inside them is read by the
/// program's own readers.
#[test]
fn the_kubernetes_manifests_fit_together() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes/watchfire.yaml");
    let source = std::fs::read_to_string(path).unwrap();
    let documents = yaml::parse(&source).unwrap();
    let mut kinds = Vec::new();
    for document in &documents {
        let root = &document.root;
        for keys in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
            assert!(
                text(root, keys).is_some_and(|t| !t.is_empty()),
                "{keys:?} is missing"
            );
        }
        let kind = text(root, &["kind"]).unwrap();
        if kind != "Namespace" {
            assert_eq!(
                text(root, &["metadata", "namespace"]),
                Some("monitoring"),
                "{kind}"
            );
        }
        kinds.push(kind);
    }
    assert_eq!(
        kinds,
        ["Namespace", "ConfigMap", "Secret", "Service", "StatefulSet"]
    );
    let of = |kind: &str| {
        let found = documents
            .iter()
            .find(|d| text(&d.root, &["kind"]) == Some(kind));
        &found.unwrap().root
    };
    let config = of("ConfigMap");
    let prometheus = text(config, &["data", "prometheus.yml"]).unwrap();
    let mut files = MemoryFiles::new();
    files.insert("prometheus.yml", prometheus);
    let loaded = prometheus::load(
        Path::new("prometheus.yml"),
        &files,
        &|_| None,
        prometheus::LoadOptions::default(),
    );
    assert!(loaded.unwrap().unsupported.is_empty());
    let router = text(config, &["data", "alertmanager.yml"]).unwrap();
    alertmanager::parse(router, Syntax::default()).unwrap();
    let set = of("StatefulSet");
    assert_eq!(
        text(set, &["spec", "serviceName"]),
        text(of("Service"), &["metadata", "name"])
    );
    let pod = set.entry("spec").and_then(|s| s.entry("template")).unwrap();
    let labels = |node: &Node, keys: &[&str]| text(node, keys).map(str::to_owned);
    let name = "app.kubernetes.io/name";
    let label = labels(pod, &["metadata", "labels", name]);
    assert_eq!(
        label,
        labels(set, &["spec", "selector", "matchLabels", name])
    );
    assert_eq!(label, labels(of("Service"), &["spec", "selector", name]));
    let spec = pod.entry("spec").unwrap();
    let container = &spec
        .entry("containers")
        .and_then(Node::as_sequence)
        .unwrap()[0];
    let list = |node: &Node, key: &str| -> Vec<String> {
        let items = node
            .entry(key)
            .and_then(Node::as_sequence)
            .unwrap_or_default();
        let names = items.iter().filter_map(|i| text(i, &["name"]));
        names.map(str::to_owned).collect()
    };
    let mut volumes = list(spec, "volumes");
    let claims = set
        .entry("spec")
        .and_then(|s| s.entry("volumeClaimTemplates"));
    for claim in claims.and_then(Node::as_sequence).unwrap() {
        volumes.push(text(claim, &["metadata", "name"]).unwrap().to_owned());
    }
    for mount in list(container, "volumeMounts") {
        assert!(volumes.contains(&mount), "no volume {mount}");
    }
    assert_eq!(
        list(container, "ports"),
        list(of("Service").entry("spec").unwrap(), "ports")
    );
}

#[test]
fn the_example_configurations_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["examples/config/prometheus.yml", "docker/prometheus.yml"] {
        let loaded = prometheus::load(
            &root.join(file),
            &Disk,
            &|_| None,
            prometheus::LoadOptions::default(),
        );
        assert!(loaded.unwrap().unsupported.is_empty(), "{file}");
    }
    for file in [
        "examples/config/alertmanager.yml",
        "docker/alertmanager.yml",
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let router = alertmanager::parse(&text, Syntax::default()).unwrap();
        if file.starts_with("examples/") {
            let receivers: Vec<String> = router.receivers.iter().map(|r| r.name.clone()).collect();
            let own = root.join("examples/config/watchfire.yml");
            watchfire_yml::load(&own, &Disk, &receivers).unwrap();
        }
    }
}
