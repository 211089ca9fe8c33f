//! The house rules: who may import whom, and where tokio may live.
#![allow(clippy::unwrap_used, reason = "a broken tree must stop the test")]
#![allow(
    clippy::disallowed_methods,
    reason = "the sources lie on the real disk"
)]

use std::path::{Path, PathBuf};

/// Module and what it may import, tier by tier. `text` may be used by every tier.
const TABLE: &[(&str, &[&str])] = &[
    ("text", &["parallel"]),
    ("parallel", &[]),
    // Go's elementary functions: quantiles of histograms and PromQL compute with them.
    ("math", &[]),
    ("codec", &[]),
    ("disk", &[]),
    ("ui", &[]),
    // `time` prints its spans, `model` compiles its matchers: both through `text`.
    ("time", &["text"]),
    ("model", &["time", "text", "math"]),
    ("relabel", &["model", "text"]),
    ("discovery", &["model", "time", "text"]),
    ("exposition", &["model", "time", "codec", "text"]),
    ("storage", &["model", "time"]),
    (
        "scrape",
        &[
            "model",
            "time",
            "exposition",
            "relabel",
            "discovery",
            "storage",
            "text",
        ],
    ),
    (
        "tsdb",
        &["model", "time", "codec", "disk", "storage", "text"],
    ),
    ("promql", &["model", "time", "storage", "text", "math"]),
    ("template", &["model", "time", "text"]),
    (
        "rules",
        &[
            "model", "time", "storage", "promql", "template", "text", "parallel",
        ],
    ),
    (
        "alerting",
        &["model", "time", "codec", "disk", "template", "text"],
    ),
    ("config", CORES_AND_WORDS),
    (
        "check",
        &[
            "text",
            "codec",
            "disk",
            "time",
            "model",
            "relabel",
            "discovery",
            "exposition",
            "storage",
            "scrape",
            "tsdb",
            "promql",
            "template",
            "rules",
            "alerting",
            "config",
            "parallel",
        ],
    ),
    (
        "http",
        &[
            "text",
            "codec",
            "disk",
            "time",
            "model",
            "relabel",
            "discovery",
            "exposition",
            "storage",
            "scrape",
            "tsdb",
            "promql",
            "template",
            "rules",
            "alerting",
            "config",
            "check",
            "ui",
        ],
    ),
    (
        "daemon",
        &[
            "text",
            "codec",
            "disk",
            "time",
            "model",
            "relabel",
            "discovery",
            "exposition",
            "storage",
            "scrape",
            "tsdb",
            "promql",
            "template",
            "rules",
            "alerting",
            "config",
            "check",
            "ui",
            "http",
        ],
    ),
    (
        "cli",
        &[
            "text",
            "codec",
            "disk",
            "time",
            "model",
            "relabel",
            "discovery",
            "exposition",
            "storage",
            "scrape",
            "tsdb",
            "promql",
            "template",
            "rules",
            "alerting",
            "config",
            "check",
            "ui",
            "http",
            "daemon",
        ],
    ),
    ("manual", &[]),
];

const CORES_AND_WORDS: &[&str] = &[
    "text",
    "codec",
    "disk",
    "time",
    "model",
    "relabel",
    "discovery",
    "exposition",
    "storage",
    "scrape",
    "tsdb",
    "promql",
    "template",
    "rules",
    "alerting",
];

/// Where tokio, hyper and axum may be named.
const SHELL: &[&str] = &["http", "daemon", "cli"];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The paths behind `crate::` in one line.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

#[test]
fn imports_point_down_the_table() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (module, allowed) in TABLE {
        let mut files = Vec::new();
        rust_files(&source.join(module), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                let at = || {
                    format!(
                        "{}:{}",
                        file.strip_prefix(&source).unwrap().display(),
                        number + 1
                    )
                };
                let code = line.trim_start();
                if code.starts_with("//") {
                    continue;
                }
                if code.contains("use crate::{") || code.contains("super::super::") {
                    wrong.push(format!("{}: write the path plainly: {code}", at()));
                }
                if !SHELL.contains(module)
                    && ["tokio::", "hyper::", "axum::"]
                        .iter()
                        .any(|name| code.contains(name))
                {
                    wrong.push(format!("{}: only the shell may use it: {code}", at()));
                }
                for import in imports(code) {
                    if import != *module
                        && TABLE.iter().any(|(name, _)| *name == import)
                        && !allowed.contains(&import)
                    {
                        wrong.push(format!("{}: {module} may not import {import}", at()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_stands_in_the_table() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            assert!(
                TABLE.iter().any(|(module, _)| *module == name),
                "{name} is not in the table"
            );
        } else {
            assert!(
                ["lib.rs", "main.rs"].contains(&name.as_str()),
                "{name} stands outside the rooms"
            );
        }
    }
}
