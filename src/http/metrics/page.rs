//! The self-metrics in the text format, and `/metrics`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use crate::http::{State, wrap};
use crate::text::gofmt;

/// What kind of family a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

/// Metrics gathered at one moment; `Display` writes the text format 0.0.4.
#[derive(Debug, Default)]
pub struct Page(BTreeMap<String, Shown>);

#[derive(Debug)]
struct Shown {
    help: String,
    kind: Kind,
    lines: String,
}

impl Page {
    /// Adds one counter.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.family(name, help, Kind::Counter);
        self.line(name, "", labels, value);
    }

    /// Adds one gauge.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.family(name, help, Kind::Gauge);
        self.line(name, "", labels, value);
    }

    pub(super) fn family(&mut self, name: &str, help: &str, kind: Kind) {
        if !self.0.contains_key(name) {
            self.0.insert(
                name.to_owned(),
                Shown {
                    help: help.to_owned(),
                    kind,
                    lines: String::new(),
                },
            );
        }
    }

    pub(super) fn buckets(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        count: u64,
        sum: f64,
    ) {
        for (bound, value) in buckets {
            let bound = gofmt::float_g(*bound);
            let labels: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.line(name, "_bucket", &labels, *value as f64);
        }
        let all: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.line(name, "_bucket", &all, count as f64);
        self.line(name, "_sum", labels, sum);
        self.line(name, "_count", labels, count as f64);
    }

    pub(super) fn quantiles(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        quantiles: &[(f64, f64)],
        sum: f64,
        count: u64,
    ) {
        for (q, value) in quantiles {
            let q = gofmt::float_g(*q);
            let labels: Vec<_> = labels.iter().copied().chain([("quantile", &*q)]).collect();
            self.line(name, "", &labels, *value);
        }
        self.line(name, "_sum", labels, sum);
        self.line(name, "_count", labels, count as f64);
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let Some(family) = self.0.get_mut(name) else {
            return;
        };
        let out = &mut family.lines;
        out.push_str(name);
        out.push_str(suffix);
        for (at, (label, value)) in labels.iter().enumerate() {
            out.push(if at == 0 { '{' } else { ',' });
            out.push_str(label);
            out.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    '"' => out.push_str("\\\""),
                    '\n' => out.push_str("\\n"),
                    c => out.push(c),
                }
            }
            out.push('"');
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {}", gofmt::float_g(value));
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, family) in &self.0 {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
                Kind::Summary => "summary",
            };
            writeln!(f, "# HELP {name} {}", family.help)?;
            writeln!(f, "# TYPE {name} {kind}")?;
            f.write_str(&family.lines)?;
        }
        Ok(())
    }
}

pub(in crate::http) fn routes() -> Router<State> {
    Router::new().route("/metrics", any(metrics))
}

async fn metrics(Extract(state): Extract<State>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return wrap::method_not_allowed("GET, HEAD, OPTIONS");
    }
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
        )],
        state.metrics.gather().to_string(),
    )
        .into_response()
}
