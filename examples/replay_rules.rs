//! Evaluates a rule file against recorded samples, a day in a moment: time is an argument.
//!
//! `cargo run --example replay_rules` plays the essential pack against a disk that fills up.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that talks to a person"
)]

use std::error::Error;
use std::time::Duration;

use watchfire::model::{Labels, Sample};
use watchfire::promql::engine::{Engine, EngineOptions, QueryOptions};
use watchfire::promql::parser::ParseOptions;
use watchfire::rules::file::{FileOptions, parse};
use watchfire::rules::query::{TemplateScope, instant};
use watchfire::rules::{EvalContext, Expansion, Group};
use watchfire::storage::Storage;
use watchfire::storage::reference::ReferenceStorage;
use watchfire::time::{Span, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/alert-rules/essential.yaml").to_owned()
    });
    let file = parse(&std::fs::read_to_string(&path)?, &FileOptions::default())
        .map_err(|problems| format!("{problems:?}"))?;
    let mut groups: Vec<Group> = file
        .groups
        .iter()
        .map(|group| Group::new(group.options(&path, Span::minutes(1), Span::ZERO)))
        .collect();

    let (storage, engine) = (
        ReferenceStorage::new(),
        Engine::new(EngineOptions::default()),
    );
    let query = |expr: &_, at| instant(&engine, &storage, expr, at, &QueryOptions::default());
    let external_labels = Labels::empty();
    let scope = TemplateScope {
        engine: &engine,
        storage: &storage,
        parse_options: &ParseOptions::default(),
        external_labels: &external_labels,
        external_url: "",
    };
    let context = EvalContext {
        query: &query,
        expand: &|request: &Expansion<'_>| scope.expand(request),
        storage: &storage,
        stopwatch: &|| Duration::ZERO,
    };

    let disk = Labels::from_pairs([
        ("__name__", "node_filesystem_free_bytes"),
        ("instance", "node-1"),
        ("mountpoint", "/var"),
        ("fstype", "ext4"),
    ]);
    for minute in 0..24 * 60 {
        let now = Timestamp::from_secs(minute * 60);
        // Full speed toward zero for ten hours, then somebody cleans up.
        let free = if minute < 600 {
            1.0e12 - 1.5e9 * minute as f64
        } else {
            9.0e11
        };
        let mut batch = storage.appender();
        batch.append(None, &disk, Sample::float(now.as_ms(), free))?;
        batch.commit()?;
        for group in &mut groups {
            group.evaluate(now, &context);
            // A resend delay of a day shows each change once.
            for alert in group.due_alerts(now, Span::hours(24), "") {
                let state = if alert.resolved_at(now.into()) {
                    "resolved"
                } else {
                    "firing"
                };
                println!(
                    "{:02}:{:02} {state}: {}",
                    minute / 60,
                    minute % 60,
                    alert.annotations.get("summary").unwrap_or_default()
                );
            }
        }
    }
    Ok(())
}
