//! Who is told of queries: the query log and the list of those that run.
//!
//! The API and the rules tell a [`QueryWatch`] when a query begins and how it ended; `daemon` writes it down.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::promql::engine::Stats;

/// Hears of every query.
pub trait QueryWatch: Send + Sync {
    /// A query begins to run. What comes back is dropped when it is over.
    fn began(&self, query: &str) -> Option<Box<dyn Any + Send>>;

    /// A query is over.
    fn ended(&self, query: &FinishedQuery);
}

/// Hears and says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl QueryWatch for Unwatched {
    fn began(&self, _: &str) -> Option<Box<dyn Any + Send>> {
        None
    }

    fn ended(&self, _: &FinishedQuery) {}
}

/// A query that is over.
#[derive(Debug, Clone)]
pub struct FinishedQuery {
    /// Its text.
    pub query: String,
    /// The first time it was evaluated at, in milliseconds.
    pub start_ms: i64,
    /// The last one.
    pub end_ms: i64,
    /// The distance of times; 0 for an instant query.
    pub step_ms: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// What it read and how long that took.
    pub stats: Stats,
    /// How long it waited for its turn.
    pub queued: Duration,
    /// Who asked.
    pub origin: QueryOrigin,
}

/// Who asks a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryOrigin {
    /// A client of the API.
    Request {
        /// Where from; none when it is not known, as in tests.
        client: Option<IpAddr>,
        /// `GET` or `POST`.
        method: String,
        /// The endpoint, route prefix included.
        path: String,
    },
    /// A rule or its template.
    RuleGroup {
        /// The rule file.
        file: Arc<str>,
        /// The group's name.
        name: Arc<str>,
    },
}

impl QueryOrigin {
    /// The field of the query log that names it, and what it holds.
    pub fn field(&self) -> (&'static str, Value) {
        match self {
            Self::Request {
                client,
                method,
                path,
            } => {
                let client = client.map_or_else(String::new, |ip| ip.to_canonical().to_string());
                (
                    "httpRequest",
                    json!({ "clientIP": client, "method": method, "path": path }),
                )
            }
            Self::RuleGroup { file, name } => {
                ("ruleGroup", json!({ "file": &**file, "name": &**name }))
            }
        }
    }
}

/// The address that a request came from, among its extensions.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// Statistics as the API and the query log show them.
pub fn stats_json(stats: &Stats, queued: Duration) -> Value {
    let evaluated = stats.preparation + stats.evaluation + stats.sorting;
    let mut samples = json!({
        "totalQueryableSamples": stats.total_samples,
        "peakSamples": stats.peak_samples,
    });
    if !stats.per_step.is_empty() {
        let steps: Vec<Value> = stats
            .per_step
            .iter()
            .map(|(t_ms, count)| json!([seconds(*t_ms), count]))
            .collect();
        // compat: upstream puts them between the other two.
        samples = json!({
            "totalQueryableSamplesPerStep": steps,
            "totalQueryableSamples": stats.total_samples,
            "peakSamples": stats.peak_samples,
        });
    }
    json!({
        "timings": {
            "evalTotalTime": evaluated.as_secs_f64(),
            "resultSortTime": stats.sorting.as_secs_f64(),
            "queryPreparationTime": stats.preparation.as_secs_f64(),
            "innerEvalTime": stats.evaluation.as_secs_f64(),
            "execQueueTime": queued.as_secs_f64(),
            "execTotalTime": (evaluated + queued).as_secs_f64(),
        },
        "samples": samples,
    })
}

/// Whole seconds as an integer, others with their fraction.
fn seconds(t_ms: i64) -> Value {
    if t_ms % 1000 == 0 {
        json!(t_ms / 1000)
    } else {
        json!(t_ms as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_as_upstream_writes_them() {
        let request = QueryOrigin::Request {
            client: "::ffff:10.0.0.1".parse().ok(),
            method: "GET".to_owned(),
            path: "/api/v1/query".to_owned(),
        };
        let (name, value) = request.field();
        assert_eq!(
            (name, value.to_string().as_str()),
            (
                "httpRequest",
                r#"{"clientIP":"10.0.0.1","method":"GET","path":"/api/v1/query"}"#
            )
        );
        let rule = QueryOrigin::RuleGroup {
            file: "rules.yml".into(),
            name: "g".into(),
        };
        let (name, value) = rule.field();
        assert_eq!(
            (name, value.to_string().as_str()),
            ("ruleGroup", r#"{"file":"rules.yml","name":"g"}"#)
        );
    }

    #[test]
    fn steps_are_shown_where_they_were_counted() {
        let stats = Stats {
            total_samples: 3,
            peak_samples: 2,
            per_step: vec![(1000, 1), (2500, 2)],
            ..Stats::default()
        };
        assert_eq!(
            stats_json(&stats, Duration::ZERO)["samples"].to_string(),
            r#"{"totalQueryableSamplesPerStep":[[1,1],[2.5,2]],"totalQueryableSamples":3,"peakSamples":2}"#
        );
    }
}
