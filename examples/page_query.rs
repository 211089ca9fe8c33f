//! Reads a metrics page, stores it and asks PromQL about it: the library without a daemon.
//!
//! `cargo run --example page_query` uses a page of its own; `cargo run --example page_query -- FILE 'EXPR'` takes yours.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that talks to a person"
)]

use std::error::Error;

use watchfire::exposition::{Entry, Format, Parser, ParserOptions};
use watchfire::model::Sample;
use watchfire::promql::engine::{Engine, EngineOptions, QueryOptions};
use watchfire::promql::parser::{ParseOptions, parse};
use watchfire::promql::{PointValue, Value};
use watchfire::storage::Storage;
use watchfire::storage::reference::ReferenceStorage;

const PAGE: &str = r#"# TYPE http_requests_total counter
http_requests_total{code="200",job="shop"} 980
http_requests_total{code="500",job="shop"} 20
http_requests_total{code="200",job="mail"} 400
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let page = args
        .next()
        .map_or_else(|| Ok(PAGE.as_bytes().to_vec()), std::fs::read)?;
    let text = args
        .next()
        .unwrap_or_else(|| "sum by (job) (http_requests_total)".to_owned());

    // One batch: it becomes visible as a whole.
    let storage = ReferenceStorage::new();
    let now_ms = 0;
    let mut batch = storage.appender();
    let mut parser = Parser::new(&page, Format::PrometheusText, ParserOptions::default());
    while let Some(entry) = parser.next()? {
        if let Entry::Sample { series, value } = entry {
            batch.append(
                None,
                &series.labels()?,
                Sample {
                    timestamp_ms: now_ms,
                    start_timestamp_ms: 0,
                    value,
                },
            )?;
        }
    }
    batch.commit()?;

    let expr = parse(&text, &ParseOptions::default()).map_err(|errors| {
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    let engine = Engine::new(EngineOptions::default());
    let answer = engine.instant(&storage, &expr, now_ms, &QueryOptions::default())?;
    println!("{expr}");
    match answer.value {
        Value::Vector(samples) => {
            for sample in samples {
                match sample.value {
                    PointValue::Float(v) => println!("  {} => {v}", sample.labels),
                    PointValue::Histogram(h) => println!("  {} => {h}", sample.labels),
                }
            }
        }
        Value::Scalar { v, .. } => println!("  {v}"),
        Value::String { v, .. } => println!("  {v:?}"),
        Value::Matrix(series) => println!("  {} series", series.len()),
    }
    Ok(())
}
